"""Agent, verify and sticky-test through proxies that others wrote."""
import pytest

from testenv.grpcroute import grpcroute
from testenv.proxies import REAL_PROXIES


@pytest.fixture(params=sorted(REAL_PROXIES))
def real_proxy(request, started, certs, backends, tmp_path):
    return started(REAL_PROXIES[request.param](certs, tmp_path, *backends))


def test_verify_sticky_test_and_agent_pass(real_proxy, certs, agent):
    common = ["--target", real_proxy.target, "--cacert", certs / "ca.pem"]
    done = grpcroute("verify", *common)
    assert done.returncode == 0, done.stdout + done.stderr + real_proxy.process.output
    assert done.stdout.endswith("🎉 Routing verification passed!\n")
    sticky = grpcroute("sticky-test", *common, "--interval", "20ms")
    assert sticky.returncode == 0, sticky.stdout + sticky.stderr
    client = agent("v2.2", "a", real_proxy.target, "--messages", "5", cacert=certs / "ca.pem")
    assert client.wait() == 0
    assert {version for version, _ in client.pongs()} == {"v2"}
