"""The program under test, role by role."""
import os
import pathlib
import re
import urllib.request

from testenv.process import Process, run

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = str(pathlib.Path(os.environ.get("GRPCROUTE_BIN", ROOT / "build/src/grpcroute")).absolute())


def grpcroute(*args, **kwargs):
    """Runs a command to its end."""
    return run([BIN, *args], **kwargs)


class Server(Process):
    exit_codes = {0}

    def __init__(self, version="v1", ident="server-1", *args, port=0, **kwargs):
        super().__init__([BIN, "server", "--version", version, "--id", ident, "--listen",
                          f"127.0.0.1:{port}", "--drain-timeout", "500ms", *args], **kwargs)
        self.version = version
        self.ident = ident
        self.port = int(self.wait_for_start(r"Listening on 127\.0\.0\.1:(\d+)").group(1))

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


class Proxy(Process):
    exit_codes = {0}

    def __init__(self, certs, v1, v2, *args, port=0, admin_port=0, **kwargs):
        endpoints = []
        if v1:
            endpoints += ["--endpoints", "server-v1=" + ",".join(s.address for s in v1)]
        if v2:
            endpoints += ["--endpoints", "server-v2=" + ",".join(s.address for s in v2)]
        super().__init__([BIN, "proxy", "--listen", f"127.0.0.1:{port}", "--admin",
                          f"127.0.0.1:{admin_port}", "--cert", certs / "cert.pem", "--key",
                          certs / "key.pem", "--drain-timeout", "500ms", *endpoints, *args],
                         **kwargs)
        match = self.wait_for_start(r"Listening on 127\.0\.0\.1:(\d+), admin on 127\.0\.0\.1:(\d+)")
        self.port, self.admin_port = int(match.group(1)), int(match.group(2))
        self.certs = certs

    def wait_ready(self):
        self.wait_for(r"\] Ready$")
        return self

    @property
    def target(self):
        return f"localhost:{self.port}"

    @property
    def admin(self):
        return f"http://127.0.0.1:{self.admin_port}"

    def stat(self, name):
        """A number of /stats, by its whole name."""
        with urllib.request.urlopen(f"{self.admin}/stats", timeout=5) as response:
            return int(re.search(rf"^{re.escape(name)}: (\d+)$", response.read().decode(), re.M).group(1))


class Agent(Process):
    exit_codes = {0, 1}  # 1: it saw something wrong, which is for the test to judge

    def __init__(self, version, ident, target, *args, cacert=None, **kwargs):
        tls = ["--cacert", cacert] if cacert else ["--plaintext"]
        super().__init__([BIN, "agent", "--version", version, "--id", ident, "--target", target,
                          "--interval", "100ms", *tls, *args], **kwargs)
        self.ident = ident
        if "--messages" in args:
            self.exit_codes = self.exit_codes | {143}  # it had some left to send

    def wait_each(self, count):
        """With --count: until each was answered. The first may have many pongs before the last has a stream."""
        for number in range(1, count + 1):
            self.wait_for(rf"/{self.ident}-{number}\] Received pong")

    def pongs(self):
        """(server version, server id) of every pong so far."""
        found = re.findall(r"Received pong from server=([^/\s]+)/(\S+) message=pong", self.output)
        return found
