"""The proxies of the report, each with a configuration of its own: `minimal` is what tests/report/minimal has,
`rendered` what `grpcroute render` writes. A running one is told of another configuration as its manual says."""
import pathlib
import re
import shutil
import signal
import subprocess
import time

from testenv.grpcroute import BIN, ROOT
from testenv.net import ReservedPort, wait_port
from testenv.process import Process
from testenv.proxies import Envoy, Haproxy, Nginx, Traefik, envoys

STOP_S = 40  # Traefik gives streams 10 s, grpcroute 5 s
ROUTES = ROOT / "deploy/routes/grpcroute.yaml"
OLD_RULE, NEW_RULE = "^v2", "^v[23]"  # the route that a reload brings: v3 to the servers of v2


class Changing:
    """Mixed into a class of testenv.proxies."""

    reload_words = None
    with_v3 = False  # the new route

    def text(self, text):
        return text.replace(OLD_RULE, NEW_RULE) if self.with_v3 else text

    def write(self, _=None):
        super().write(self.text)

    def apply(self):
        """Writes the configuration anew and has it read, without waiting until it is in force."""
        self.write()
        self.reload()

    def reload(self):
        raise NotImplementedError

    def restart(self):
        """As a service manager does it: told to stop, killed when it takes too long, started again."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.close()
        self.start()


class Minimal:
    """Takes the configuration from a template: a line with an address is there once for each endpoint."""

    templates = ROOT / "tests/report/minimal"

    def render(self, *args):
        name = {"--static": self.file}.get(args[0]) if args else self.dynamic_file
        lines = []
        for line in (self.templates / name).read_text().splitlines():
            servers = self.v1 if "@V1" in line else self.v2 if "@V2" in line else [None]
            lines += [self._filled(line, number, server) for number, server in enumerate(servers, 1)]
        self.certificate()  # HAProxy's file of both
        return "\n".join(lines) + "\n"

    def _filled(self, line, number, server):
        words = {"@PORT@": self.port, "@FOLDER@": self.folder, "@CERTS@": self.certs, "@N@": number}
        if server is not None:
            port = server.address.rpartition(":")[2]
            words |= {"@V1@": server.address, "@V2@": server.address, "@V1_PORT@": port, "@V2_PORT@": port}
        return re.sub(r"@\w+@", lambda found: str(words[found[0]]), line)

    @property
    def dynamic_file(self):
        return self.file


class ReloadedHaproxy(Changing, Haproxy):
    reload_words = "kill -USR2 MASTER"

    def argv(self):
        return ["haproxy", "-W", "-db", "-f", self.config]

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class ReloadedNginx(Changing, Nginx):
    reload_words = "nginx -s reload"

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class ReloadedTraefik(Changing, Traefik):
    reload_words = "cp new.yaml dynamic/routes.yaml"

    def reload(self):
        pass


class ReloadedEnvoy(Changing, Envoy):
    """A static configuration is changed by a hot restart: a second Envoy takes the sockets over."""

    reload_words = "envoy -c envoy.yaml --base-id 0 --restart-epoch 1 &"
    epoch = 0

    def __init__(self, *args):
        self.parents, self._memory = [], []
        super().__init__(*args)

    def argv(self):
        base = self.folder / "base-id"
        how = ["--base-id", base.read_text().strip()] if self.epoch else \
            ["--use-dynamic-base-id", "--base-id-path", base]
        return [self.binary, "-c", self.config, *how, "--restart-epoch", str(self.epoch), "--concurrency", "1",
                "--log-level", "error"]

    def reload(self):
        self.epoch += 1
        self.parents.append(self.process)
        self.process = Process(self.argv())

    def start(self):
        super().start()
        self._memory.append(f"/dev/shm/envoy_shared_memory_{(self.folder / 'base-id').read_text().strip()}0")

    def close(self):
        """The child first: it asks its parent, and gives up when that has gone."""
        super().close()
        for process in self.parents:
            process.close()
        for memory in self._memory:  # which Envoy leaves
            pathlib.Path(memory).unlink(missing_ok=True)


class Embedded(Changing):
    """grpcroute's own, as its help says, with its defaults."""

    program = "grpcroute"
    reload_words = "kill -HUP PROXY"

    def __init__(self, certs, folder, v1, v2):
        self.certs, self.folder, self.v1, self.v2 = certs, folder, v1, v2
        self._reserved = [ReservedPort(), ReservedPort()]
        self.port = self._reserved[0].port
        self.write()
        self.process = None
        self.start()

    @property
    def target(self):
        return f"localhost:{self.port}"

    def write(self, _=None):
        self._replace("endpoints", "".join(f"server-{name}={','.join(server.address for server in servers)}\n"
                                           for name, servers in (("v1", self.v1), ("v2", self.v2))))
        self._replace("routes.yaml", self.text(ROUTES.read_text()))

    def _replace(self, name, text):
        (self.folder / "new").write_text(text)
        (self.folder / "new").replace(self.folder / name)

    def argv(self):
        return [BIN, "proxy", "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self._reserved[1].port}",
                "--cert", self.certs / "cert.pem", "--key", self.certs / "key.pem", "--routes",
                self.folder / "routes.yaml", "--endpoints", f"@{self.folder / 'endpoints'}"]

    def start(self):
        self.process = Process(self.argv())
        try:
            wait_port(self.port, self.process.running, self.certs / "ca.pem")
        except AssertionError as error:
            raise AssertionError(f"grpcroute proxy: {error}\n{self.process.output}") from None

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def close(self):
        self.process.close()
        for reserved in self._reserved:
            reserved.close()


class MinimalTraefik(Minimal, ReloadedTraefik):
    dynamic_file = "traefik-dynamic.yaml"


# ---- by name ---------------------------------------------------------------------------------------------------------


class Subject:
    """A row of the page: a proxy in one version with one configuration. `runs` is started anew for each try."""

    def __init__(self, name, title, configuration, runs, binary, version_word="--version"):
        self.name, self.title, self.configuration, self.runs = name, title, configuration, runs
        self._ask = [binary, version_word]

    def version(self):
        """As the program tells it; empty when it cannot be run."""
        try:
            done = subprocess.run(self._ask, capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(r"\b\d+\.\d+\.\d+\b", done.stdout + done.stderr)
        return found[0] if found else ""


def _both(name, title, runs, minimal, *ask):
    return [Subject(f"{name}-minimal", title, "minimal", minimal, *ask),
            Subject(f"{name}-rendered", title, "rendered", runs, *ask)]


def subjects():
    """{name: Subject} in the order of the page."""
    found = [Subject("embedded", "grpcroute proxy", "defaults", Embedded, BIN)]
    for name, title, runs, ask in (("haproxy", "HAProxy", ReloadedHaproxy, ("haproxy", "-v")),
                                   ("nginx", "nginx", ReloadedNginx, ("nginx", "-v"))):
        found += _both(name, title, runs, type("Minimal" + title, (Minimal, runs), {}), *ask)
    found += _both("traefik", "Traefik", ReloadedTraefik, MinimalTraefik, "traefik", "version")
    for version, envoy in sorted(envoys().items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        runs = type("ReloadedEnvoy", (ReloadedEnvoy,), {"binary": envoy.binary})
        found += _both(f"envoy-{version}", "Envoy", runs, type("MinimalEnvoy", (Minimal, runs), {}), envoy.binary)
    return {subject.name: subject for subject in found}


# ---- what stands around them -----------------------------------------------------------------------------------------


class Site:
    """Two certificates of authorities that clients all trust, as before and after a rotation."""

    def __init__(self, folder):
        for name in ("before", "after"):
            subprocess.run([ROOT / "certs/generate-certs.sh", "--out", folder / name], check=True, capture_output=True)
        self._folder = folder
        self._trusted = "".join((folder / name / "ca.pem").read_text() for name in ("before", "after"))

    def certs(self, folder):
        """A copy of those from before, for one proxy."""
        (folder / "certs").mkdir()
        for name in ("cert.pem", "key.pem"):
            shutil.copy(self._folder / "before" / name, folder / "certs")
        (folder / "certs/ca.pem").write_text(self._trusted)
        return folder / "certs"

    def rotate(self, certs):
        """Returns the certificate that is shown from now on."""
        for name in ("key.pem", "cert.pem"):
            shutil.copy(self._folder / "after" / name, certs)
        return (self._folder / "after/cert.pem").read_text()


def seconds_until(holds, deadline_s):
    """How long it took, or None."""
    begin = time.monotonic()
    while time.monotonic() < begin + deadline_s:
        if holds():
            return time.monotonic() - begin
        time.sleep(0.05)  # what is asked tells its readiness in no other way
    return None


def folder_of(parent, name):
    folder = pathlib.Path(parent) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
