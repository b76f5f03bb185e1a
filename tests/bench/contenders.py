"""What is measured: the embedded proxy, its five peers and the bare server, each on one core with one worker, and each
as its documentation wants it for this work."""
import os
import pathlib
import re
import shutil
import subprocess
from dataclasses import dataclass

from testenv.grpcroute import BIN, ROOT, Proxy
from testenv.net import ReservedPort, wait_port
from testenv.process import Process
from testenv.proxies import Envoy, Haproxy, Nginx, Traefik

BOTH_VERSIONS = "v1.1,v1.2,v2.1,v2.2"
ONE_VERSION = "v1.1,v1.2"
STREAMS_PER_CONNECTION = 1000  # that each proxy allows


def pin(cpu):
    return ("taskset", "--cpu-list", str(cpu))


def replaced(text, old, new):
    """An edit that must find its place: a setting that is not made would not be noticed."""
    assert old in text, f"the rendered configuration has no {old!r}"
    return text.replace(old, new)


@dataclass(frozen=True)
class Site:
    """What all have in common. Two servers answer each proxy, whether it routes by version or not."""
    certs: pathlib.Path
    folder: pathlib.Path  # for configurations
    v1: object
    second_v1: object
    v2: object
    proxy_cpu: int
    load_cpu: int


class Backend(Process):
    """A server on one core. It logs no message, so its port tells that it is there."""

    def __init__(self, version, ident, cpu, *more):
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        self.address = f"127.0.0.1:{self.port}"
        super().__init__([BIN, "server", "--version", version, "--id", ident, "--listen", self.address, "--log-level",
                          "error", "--max-streams", "10000", "--drain-timeout", "500ms", *more], through=pin(cpu))
        wait_port(self.port, self.running)

    def close(self):
        super().close()
        self._reserved.close()


class Contender:
    """One that is measured. `start(site)` gives something with port, process and close(); `versions` are those of the
    agents that drive it."""

    program = None
    version_words = None  # that print its version
    versions = BOTH_VERSIONS
    driver_may_be_the_limit = False
    settings = ""  # beside one core and no access log

    def __init__(self, name, title=None):
        self.name = name
        self.title = title or name

    def version(self):
        """Its version as it tells it; empty when it cannot be run."""
        try:
            done = subprocess.run([self.program, *self.version_words], capture_output=True, text=True, check=False,
                                  timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(r"\b\d+\.\d+\.\d+\b", done.stdout + done.stderr)
        return found.group() if found else ""

    def start(self, site):
        raise NotImplementedError


class Embedded(Contender):
    program = BIN
    version_words = ("--version",)
    settings = f"--workers 1, --max-streams {STREAMS_PER_CONNECTION}"

    def start(self, site):
        proxy = Proxy(site.certs, [site.v1], [site.v2], "--max-streams", str(STREAMS_PER_CONNECTION),
                      through=pin(site.proxy_cpu))
        proxy.process = proxy
        return proxy.wait_ready()


class Rendered(Contender):
    """A proxy with what `grpcroute render` writes and a few lines for this work."""

    runs = None  # class of testenv.proxies

    def start(self, site):
        folder = site.folder / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return self.runs(site.certs, folder, [site.v1], [site.v2], change=self.tune, through=pin(site.proxy_cpu))

    def tune(self, text):
        raise NotImplementedError


class HaproxyContender(Rendered):
    runs, program, version_words = Haproxy, "haproxy", ("-v",)
    settings = "nbthread 1; HTTP/2 upstream with http-reuse always"

    def tune(self, text):
        return replaced(text, "global\n", "global\n    nbthread 1\n")


class NginxContender(Rendered):
    runs, program, version_words = Nginx, "nginx", ("-v",)
    settings = ("worker_processes 1; grpc_pass with keepalive 1000, which still is one upstream connection for each "
                "stream; ssl_buffer_size 4k, for less memory")

    def tune(self, text):
        text = replaced(text, "worker_processes auto;", "worker_processes 1;")
        text = replaced(text, "max_fails=0;\n",
                        "max_fails=0;\n        keepalive 1000;\n")
        return replaced(text, "        ssl_protocols", "        ssl_buffer_size 4k;\n        ssl_protocols")


class EnvoyContender(Rendered):
    runs, program, version_words = Envoy, "envoy", ("--version",)
    settings = ("--concurrency 1; circuit breakers raised, generate_request_id and dynamic_stats off, which is its "
                "advice for benchmarks; without the Lua filter that rejects repeated headers and the one that counts "
                "messages")

    def tune(self, text):
        text, count = re.subn(r" *- name: envoy.filters.http.lua\b.*\n(.*\n)+?(?= *- name: envoy.filters.http.router)",
                              "", text)
        assert count == 1, "the rendered configuration has no Lua filter"
        assert "grpc_stats" not in text, "messages are still counted"
        text = replaced(text, "codec_type: HTTP2\n", "codec_type: HTTP2\n          generate_request_id: false\n")
        return replaced(text, "filters.http.router.v3.Router}", "filters.http.router.v3.Router, dynamic_stats: false}")


class OneCoreTraefik(Traefik):
    env = {"GOMAXPROCS": "1"}


class TraefikContender(Rendered):
    runs, program, version_words = OneCoreTraefik, "traefik", ("version",)
    settings = "GOMAXPROCS=1; no metrics, log level ERROR"

    def tune(self, text):
        if "providers:" not in text:
            return text  # the dynamic half
        text = replaced(text, "metrics: {prometheus: {entryPoint: traefik, addRoutersLabels: true}}\n", "")
        return replaced(text, "log: {level: INFO}", "log: {level: ERROR}")


class RunningNghttpx:
    def __init__(self, site):
        assert shutil.which("nghttpx") is not None, "nghttpx is not installed; tests/tool/setup.sh test installs it"
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        config = site.folder / "nghttpx.conf"
        config.write_text("")
        self.process = Process(
            ["nghttpx", f"--conf={config}", "--workers=1", f"--frontend=127.0.0.1,{self.port}", "--log-level=ERROR",
             "--accesslog-file=/dev/null", "--no-ocsp", "--backend-read-timeout=1h", "--frontend-http2-read-timeout=1h",
             "--stream-write-timeout=0", f"--frontend-http2-max-concurrent-streams={STREAMS_PER_CONNECTION}",
             *[f"--backend=127.0.0.1,{server.port};;proto=h2" for server in (site.v1, site.second_v1)],
             site.certs / "key.pem", site.certs / "cert.pem"], through=pin(site.proxy_cpu))
        try:
            wait_port(self.port, self.process.running, site.certs / "ca.pem")
        except AssertionError as error:
            raise AssertionError(f"nghttpx: {error}\n{self.process.output}") from None

    def close(self):
        self.process.close()
        self._reserved.close()


class Nghttpx(Contender):
    program, version_words = "nghttpx", ("--version",)
    versions = ONE_VERSION
    settings = ("--workers=1; HTTP/2 upstream; it cannot route by header, so it does less: all streams go to two "
                "servers of one version")

    def start(self, site):
        return RunningNghttpx(site)


class Floor(Contender):
    program, version_words = BIN, ("--version",)
    versions = ONE_VERSION
    driver_may_be_the_limit = True  # which has its core for itself here, and is slower than the server
    settings = ("`grpcroute server` with TLS on the proxy's core: what TLS, HTTP/2 and an answer cost without a "
                "second connection")

    def start(self, site):
        server = Backend("v1", "floor", site.proxy_cpu, "--cert", site.certs / "cert.pem", "--key",
                         site.certs / "key.pem")
        server.process = server
        return server


class RunningGrpcGo(Process):
    def __init__(self, site):
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        super().__init__([GrpcGo.program, "-listen", f"127.0.0.1:{self.port}", "-cert", site.certs / "cert.pem", "-key",
                          site.certs / "key.pem"], env={"GOMAXPROCS": "1"}, through=pin(site.proxy_cpu))
        wait_port(self.port, self.running, site.certs / "ca.pem")
        self.process = self

    def close(self):
        super().close()
        self._reserved.close()


class GrpcGo(Contender):
    program, version_words = ROOT / ".cache/bin/grpc-go-ping", ("-version",)
    versions = ONE_VERSION
    driver_may_be_the_limit = True
    settings = ("GOMAXPROCS=1; tests/bench/grpc_go: a server in grpc-go with TLS on the proxy's core, which answers "
                "constant bytes and decodes no message")

    def start(self, site):
        return RunningGrpcGo(site)


OURS = Embedded("grpcroute", "grpcroute proxy")
PEERS = {contender.name: contender for contender in (
    HaproxyContender("haproxy", "HAProxy"), NginxContender("nginx"), Nghttpx("nghttpx"),
    EnvoyContender("envoy", "Envoy"),
    TraefikContender("traefik", "Traefik"), Floor("floor", "no proxy: grpcroute server"),
    GrpcGo("grpc-go", "no proxy: grpc-go server"))}


def family(pid):
    """The process and all that came from it."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], check=False, capture_output=True,
                              text=True).stdout
    return [pid, *(one for child in children.split() for one in family(int(child)))]


def cores(pid):
    """The cores that the threads of a process may run on."""
    return set().union(*(os.sched_getaffinity(int(task)) for task in os.listdir(f"/proc/{pid}/task")))
