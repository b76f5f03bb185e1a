"""The servers behind the proxies, and those that are measured without one."""
import pathlib

from testenv.grpcroute import BIN
from testenv.net import ReservedPort, wait_port
from testenv.process import Process

PAIR = pathlib.Path(BIN).parents[1] / "tests/bench/nghttp2_pair"
ECHO_SERVER, DRIVER = PAIR / "nghttp2-echo-server", PAIR / "nghttp2-driver"


def pin(cpus):
    return ("taskset", "--cpu-list", ",".join(map(str, cpus)))


class Reserved(Process):
    """A server on a port that is kept for it; it says when it listens by accepting."""

    def __init__(self, make_argv, cafile=None, **kwargs):
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        self.address = f"127.0.0.1:{self.port}"
        super().__init__(make_argv(self.port), **kwargs)
        self.process = self
        wait_port(self.port, self.running, cafile)

    def close(self):
        super().close()
        self._reserved.close()


def grpcroute_server(version, ident, cpus, *more, cafile=None):
    return Reserved(lambda port: [BIN, "server", "--version", version, "--id", ident, "--listen", f"127.0.0.1:{port}",
                                  "--log-level", "error", "--max-streams", "10000", "--drain-timeout", "500ms", *more],
                    cafile, through=pin(cpus))


def echo_server(version, ident, cpus, *more, cafile=None):
    return Reserved(lambda port: [ECHO_SERVER, "--port", port, "--version", version, "--id", ident, *more],
                    cafile, through=pin(cpus))
