"""What is measured: the embedded proxy in two settings, its five peers and servers without a proxy, each on one core
with one worker, or on two with two, and each as its documentation wants it for this work."""
import os
import pathlib
import re
import shutil
import subprocess
from dataclasses import dataclass

from servers import ECHO_SERVER, Reserved, echo_server, grpcroute_server, pin
from testenv.grpcroute import BIN, ROOT, Proxy
from testenv.net import ReservedPort, wait_port
from testenv.process import Process
from testenv.proxies import Envoy, Haproxy, Nginx, Traefik

BOTH_VERSIONS = "v1.1,v1.2,v2.1,v2.2"
ONE_VERSION = "v1.1,v1.2"
STREAMS_PER_CONNECTION = 1000  # that each proxy allows


def replaced(text, old, new):
    """An edit that must find its place: a setting that is not made would not be noticed."""
    assert old in text, f"the rendered configuration has no {old!r}"
    return text.replace(old, new)


@dataclass(frozen=True)
class Site:
    """What all have in common. Two servers answer each proxy, whether it routes by version or not. Load and servers
    have the last of the cores, and the proxy the first, or as many as it has workers."""
    certs: pathlib.Path
    folder: pathlib.Path  # for configurations
    v1: object
    second_v1: object
    v2: object
    cpus: list

    def proxy_cpus(self, shape):
        return tuple(self.cpus[:shape.workers])

    def load_cpus(self, shape):
        return tuple(self.cpus[-1:] if shape.workers == 1 else self.cpus)


class Contender:
    """One that is measured. `start(site, shape)` gives something with port, process and close(); `versions` are those
    of the agents that drive it, `answer` is its text where it does not echo the ping's."""

    program = None
    version_words = None  # that print its version
    versions = BOTH_VERSIONS
    is_proxy = True
    is_floor = False  # it does less than any that somebody would use
    is_ours = False  # no peer, then
    answer = None
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

    def start(self, site, shape):
        raise NotImplementedError


class Embedded(Contender):
    """`words`: options beside the usual ones."""

    program = BIN
    version_words = ("--version",)
    is_ours = True

    def __init__(self, name, title, *words):
        super().__init__(name, title)
        self._words = ["--max-streams", str(STREAMS_PER_CONNECTION), *words]
        self.settings = " ".join(["--workers", *self._words])

    def start(self, site, shape):
        proxy = Proxy(site.certs, [site.v1], [site.v2], "--workers", str(shape.workers), *self._words,
                      through=pin(site.proxy_cpus(shape)))
        proxy.process = proxy
        return proxy.wait_ready()


class Coalescing(Embedded):
    """Named in one table with OURS, so its version is told already."""

    def __init__(self, name, title, spacing):
        super().__init__(name, f"{title} {spacing}", "--coalesce", spacing)

    def version(self):
        return ""


class Rendered(Contender):
    """A proxy with what `grpcroute render` writes and a few lines for this work."""

    runs = None  # class of testenv.proxies

    def start(self, site, shape):
        folder = site.folder / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return self.runs(site.certs, folder, [site.v1], [site.v2], change=lambda text: self.tune(text, shape),
                         workers=shape.workers, through=pin(site.proxy_cpus(shape)))

    def tune(self, text, shape):
        raise NotImplementedError


class HaproxyContender(Rendered):
    runs, program, version_words = Haproxy, "haproxy", ("-v",)
    settings = "nbthread; HTTP/2 upstream with http-reuse always, at all shapes"

    def tune(self, text, shape):
        return replaced(text, "global\n", f"global\n    nbthread {shape.workers}\n")


class NginxContender(Rendered):
    runs, program, version_words = Nginx, "nginx", ("-v",)
    settings = ("worker_processes; grpc_pass with keepalive 1000, which still is one upstream connection for each "
                "stream; ssl_buffer_size 4k, for less memory, but 16k for messages of 16 KiB; worker_connections 40000")

    def tune(self, text, shape):
        text = replaced(text, "worker_processes auto;", f"worker_processes {shape.workers};")
        text = replaced(text, "worker_connections 10000;", "worker_connections 40000;")
        text = replaced(text, "max_fails=0;\n",
                        "max_fails=0;\n        keepalive 1000;\n")
        record = "16k" if shape.size > 4096 else "4k"
        return replaced(text, "        ssl_protocols", f"        ssl_buffer_size {record};\n        ssl_protocols")


class EnvoyContender(Rendered):
    runs, program, version_words = Envoy, "envoy", ("--version",)
    settings = ("--concurrency; circuit breakers raised, generate_request_id and dynamic_stats off, which is its "
                "advice for benchmarks; without the Lua filter that rejects repeated headers and the one that counts "
                "messages")

    def tune(self, text, shape):
        text, count = re.subn(r" *- name: envoy.filters.http.lua\b.*\n(.*\n)+?(?= *- name: envoy.filters.http.router)",
                              "", text)
        assert count == 1, "the rendered configuration has no Lua filter"
        assert "grpc_stats" not in text, "messages are still counted"
        text = replaced(text, "codec_type: HTTP2\n", "codec_type: HTTP2\n          generate_request_id: false\n")
        return replaced(text, "filters.http.router.v3.Router}", "filters.http.router.v3.Router, dynamic_stats: false}")


class BoundTraefik(Traefik):
    @property
    def env(self):
        return {"GOMAXPROCS": str(self.workers)}


class TraefikContender(Rendered):
    runs, program, version_words = BoundTraefik, "traefik", ("version",)
    settings = "GOMAXPROCS as workers; no metrics, log level ERROR"

    def tune(self, text, shape):
        if "providers:" not in text:
            return text  # the dynamic half
        text = replaced(text, "metrics: {prometheus: {entryPoint: traefik, addRoutersLabels: true}}\n", "")
        return replaced(text, "log: {level: INFO}", "log: {level: ERROR}")


class RunningNghttpx:
    def __init__(self, site, shape):
        assert shutil.which("nghttpx") is not None, "nghttpx is not installed; tests/tool/setup.sh test installs it"
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        config = site.folder / "nghttpx.conf"
        config.write_text("")
        self.process = Process(
            ["nghttpx", f"--conf={config}", f"--workers={shape.workers}", f"--frontend=127.0.0.1,{self.port}",
             "--log-level=ERROR", "--accesslog-file=/dev/null", "--no-ocsp", "--backend-read-timeout=1h",
             "--frontend-http2-read-timeout=1h",
             "--stream-write-timeout=0", f"--frontend-http2-max-concurrent-streams={STREAMS_PER_CONNECTION}",
             *(["--tls-dyn-rec-warmup-threshold=0"] if shape.size > 4096 else []),
             *[f"--backend=127.0.0.1,{server.port};;proto=h2" for server in (site.v1, site.second_v1)],
             site.certs / "key.pem", site.certs / "cert.pem"], through=pin(site.proxy_cpus(shape)))
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
    settings = ("--workers; HTTP/2 upstream; --tls-dyn-rec-warmup-threshold=0 for messages of 16 KiB; it "
                "cannot route by header, so it does less: all streams go to two "
                "servers of one version")

    def start(self, site, shape):
        return RunningNghttpx(site, shape)


TCP_RELAY = """
global
    nbthread {workers}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind 127.0.0.1:{port} ssl crt {both} alpn h2
    balance roundrobin
    server a 127.0.0.1:{v1}
    server b 127.0.0.1:{second_v1}
"""


class TcpRelay(Contender):
    """TLS, two sockets and a copy in between. It cannot route, and has as many connections to servers as clients have
    to it, where others share one."""
    program, version_words = "haproxy", ("-v",)
    versions = ONE_VERSION
    is_floor = True
    settings = "HAProxy in mode tcp, which ends TLS and passes bytes on: what is left without HTTP/2 and routing"

    def start(self, site, shape):
        return Reserved(lambda port: ["haproxy", "-db", "-f", self._configure(site, shape, port)],
                        site.certs / "ca.pem", through=pin(site.proxy_cpus(shape)))

    @staticmethod
    def _configure(site, shape, port):
        both, config = site.folder / "both.pem", site.folder / "tcp-relay.cfg"
        both.write_text((site.certs / "cert.pem").read_text() + (site.certs / "key.pem").read_text())
        config.write_text(TCP_RELAY.format(workers=shape.workers, port=port, both=both, v1=site.v1.port,
                                           second_v1=site.second_v1.port))
        return config


class Floor(Contender):
    """A server without a proxy."""
    program, version_words = BIN, ("--version",)
    versions = ONE_VERSION
    is_proxy = False
    answer = "pong"
    settings = ("`grpcroute server` with TLS on the proxy's core: what TLS, HTTP/2 and an answer cost without a "
                "second connection")

    def start(self, site, shape):
        return grpcroute_server("v1", "floor", site.proxy_cpus(shape), "--cert", site.certs / "cert.pem", "--key",
                                site.certs / "key.pem", cafile=site.certs / "ca.pem")


class Echo(Floor):
    program, version_words = ECHO_SERVER, ("--version",)
    is_floor = True
    answer = None
    settings = "the echo server of tests/bench/nghttp2_pair with TLS on the proxy's core"

    def version(self):
        return ""

    def start(self, site, shape):
        return echo_server("v1", "floor", site.proxy_cpus(shape), "--cert", site.certs / "cert.pem", "--key",
                           site.certs / "key.pem", cafile=site.certs / "ca.pem")


class GrpcGo(Floor):
    program, version_words = ROOT / ".cache/bin/grpc-go-ping", ("-version",)
    settings = ("GOMAXPROCS as workers; tests/bench/grpc_go: a server in grpc-go with TLS on the proxy's core, which "
                "answers constant bytes and decodes no message")

    def start(self, site, shape):
        return Reserved(lambda port: [self.program, "-listen", f"127.0.0.1:{port}", "-cert", site.certs / "cert.pem",
                                      "-key", site.certs / "key.pem"], site.certs / "ca.pem",
                        env={"GOMAXPROCS": str(shape.workers)}, through=pin(site.proxy_cpus(shape)))


OURS = Embedded("grpcroute", "grpcroute proxy")
PEERS = {contender.name: contender for contender in (
    Coalescing("coalesce", "with --coalesce", "300us"),
    HaproxyContender("haproxy", "HAProxy"), NginxContender("nginx"), Nghttpx("nghttpx"),
    EnvoyContender("envoy", "Envoy"), TraefikContender("traefik", "Traefik"),
    TcpRelay("tcp-relay", "TLS without HTTP/2: HAProxy, mode tcp"), Echo("echo", "no proxy: echo on nghttp2"),
    Floor("floor", "no proxy: grpcroute server"), GrpcGo("grpc-go", "no proxy: grpc-go server"))}
USUAL = [name for name in PEERS if name not in ("tcp-relay", "floor", "grpc-go")]  # for which half an hour is enough


def family(pid):
    """The process and all that came from it."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], check=False, capture_output=True,
                              text=True).stdout
    return [pid, *(one for child in children.split() for one in family(int(child)))]


def cores(pid):
    """The cores that the threads of a process may run on."""
    return set().union(*(os.sched_getaffinity(int(task)) for task in os.listdir(f"/proc/{pid}/task")))
