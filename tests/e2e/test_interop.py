"""gRPC's own interoperability tests: its client and its server (google.golang.org/grpc/interop) on the two sides of
the proxy. Left out are the cases that need a cloud, and those that this server does not serve to anyone
(pick_first_unary, orca_*)."""
import concurrent.futures
import re
import shutil

import pytest

from testenv.grpcroute import Proxy
from testenv.net import ReservedPort, wait_port
from testenv.process import Process, run

CLIENT, SERVER = "grpc-interop-client", "grpc-interop-server"
ROUTES = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: interop}
spec:
  rules:
  - matches:
    - method: {service: grpc.testing.TestService}
    backendRefs: [{name: interop, port: 50051}]
"""
CASES = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
         "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
         "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service", "rpc_soak",
         "channel_soak"]
SIDE_BY_SIDE = 100


class InteropServer(Process):
    def __init__(self):
        assert shutil.which(SERVER) is not None, f"{SERVER} is not installed; tests/tool/setup.sh test installs it"
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        self.address = f"127.0.0.1:{self.port}"
        super().__init__([SERVER, "-port", self.port])
        try:
            wait_port(self.port, self.running)
        except AssertionError:
            self.close()
            raise

    def close(self):
        super().close()
        self._reserved.close()


@pytest.fixture
def relay(started, certs, tmp_path):
    """A proxy before the interop server."""
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    server = started(InteropServer())
    return started(Proxy(certs, [], [], "--routes", routes, "--endpoints", f"interop={server.address}")).wait_ready()


def interop(relay, case):
    """Runs one case; returns what is wrong, or an empty text."""
    done = run([CLIENT, "-use_tls", "-use_test_ca", "-ca_file", relay.certs / "ca.pem", "-server_port", relay.port,
                "-test_case", case, "-soak_overall_timeout_seconds", "40",
                "-soak_per_iteration_max_acceptable_latency_ms", "30000"],
               timeout=50)
    return "" if done.returncode == 0 else f"{case}: {done.returncode}\n{(done.stdout + done.stderr)[-1500:]}"


@pytest.mark.parametrize("case", CASES)
def test_alone(relay, case):
    wrong = interop(relay, case)
    assert not wrong, wrong


def test_side_by_side(relay):
    """A hundred clients at once, each with a connection and a case of its own. Without the case that has a deadline of
    its own, ten seconds: whether that is enough for a hundred programs to start says something of the machine alone."""
    crowd = [case for case in CASES if case != "special_status_message"]
    cases = (crowd * SIDE_BY_SIDE)[:SIDE_BY_SIDE]
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        wrong = [text for text in pool.map(lambda case: interop(relay, case), cases) if text]
    assert not wrong, f"{len(wrong)} of {SIDE_BY_SIDE}:\n" + "\n".join(wrong[:3])
    assert not re.search("unhealthy|lost|ended", relay.output), relay.output[-2000:]
