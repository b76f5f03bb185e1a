"""What render writes, in every Envoy that the first line of it names: the same verdicts, and no word of complaint."""
import json
import re
import socket
import subprocess
import urllib.request

import pytest

from testenv.grpcroute import grpcroute
from testenv.proxies import envoys
from testenv.wait import wait_until

ENVOYS = envoys()

EVERYTHING = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: everything}
spec:
  hostnames: [localhost, "*.example.com"]
  rules:
  - matches:
    - method: {service: ping.PingService, method: PingPong}
      headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: agent-id, value: "100 %"}], add: [{name: x-b, value: b}], remove: [x-c]}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: x-d, value: d}]}
    backendRefs: [{name: server-v2, port: 50051}]
  - backendRefs: [{name: server-v1, port: 50051, weight: 9}, {name: server-v1, port: 50051, weight: 1}]
"""


@pytest.fixture(params=list(ENVOYS))
def envoy(request):
    return ENVOYS[request.param]


@pytest.fixture
def proxy(envoy, started, certs, backends, tmp_path):
    return started(envoy(certs, tmp_path, *backends))


def check(proxy, command, *args):
    return grpcroute(command, "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", *args)


def complaints(proxy):
    return [line for line in proxy.process.output.splitlines() if re.search(r"\[(warning|error|critical)\]", line) and
            "SIGTERM" not in line]


def get(proxy, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin_port}{path}", timeout=10) as answer:
        return answer.read().decode()


def counter(proxy, name):
    """Of the listener for agents."""
    return int(re.search(rf"^listener\.127\.0\.0\.1_{proxy.port}\.{name}: (\d+)$", get(proxy, "/stats"), re.M).group(1))


def test_these_are_the_envoys_that_the_output_names():
    first, last = re.search(r"tested with Envoy (1\.\d+) to (1\.\d+)\.",
                            grpcroute("render", "envoy").stdout.splitlines()[0]).groups()
    minors = sorted(int(version.split(".")[1]) for version in ENVOYS)
    assert minors == list(range(int(first.split(".")[1]), int(last.split(".")[1]) + 1))
    for version, cls in ENVOYS.items():
        said = subprocess.run([cls.binary, "--version"], capture_output=True, text=True, check=True).stdout
        assert f"/{version}/" in said


def logged(proxy):
    return [line for line in proxy.process.output.splitlines() if line.startswith("{")]


def completed(proxy):
    """Requests, but for those to its admin port."""
    counts = re.findall(r"^http\.(?!admin\.).*\.downstream_rq_completed: (\d+)$", get(proxy, "/stats"), re.M)
    return sum(map(int, counts))


def test_verify_sticky_test_and_boundaries_pass(proxy):
    for command, *args in (("verify",), ("verify", "--boundary"), ("sticky-test", "--interval", "20ms")):
        done = check(proxy, command, *args)
        assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output


def test_swapped_backends_are_found(envoy, started, certs, backends, tmp_path):
    proxy = started(envoy(certs, tmp_path, backends[1], backends[0]))
    done = check(proxy, "verify")
    assert done.returncode == 1 and "❌" in done.stdout, done.stdout


def test_a_running_envoy_does_not_warn_and_logs_streams(envoy, started, certs, backends, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(EVERYTHING)
    proxy = started(envoy(certs, tmp_path, *backends, "--routes", routes, "--access-log", "--identity-header",
                          "x-chosen"))
    done = check(proxy, "verify", "--routes", routes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(get(proxy, "/server_info"))["state"] == "LIVE"
    # It writes to its log in a thread of its own, and what it says of a signal would come into the middle of a line.
    wait_until(lambda: counter(proxy, "downstream_cx_active") == 0, what="all streams are over")
    wait_until(lambda: len(logged(proxy)) == completed(proxy), what="all are logged", show=lambda: proxy.process.output)
    assert proxy.process.stop() == 0
    assert complaints(proxy) == []
    ids = {line["agent_id"] for line in map(json.loads, logged(proxy))}
    assert len(ids) > 1 and "100 %" not in ids  # as agents sent them, not as the rule rewrote them


def test_a_warning_would_be_seen(envoy, started, certs, backends, tmp_path):
    proxy = started(envoy(certs, tmp_path, *backends, change=lambda text: re.sub(r"^overload_manager:.*?\n\n", "", text,
                                                                                 flags=re.S | re.M)))
    assert proxy.process.stop() == 0
    line, = complaints(proxy)
    assert "global_downstream_max_connections" in line


def test_the_limit_on_connections_spares_the_admin_port(envoy, started, certs, backends, tmp_path):
    def change(text):
        return text.replace("max_active_downstream_connections: 100000", "max_active_downstream_connections: 1")

    proxy = started(envoy(certs, tmp_path, *backends, change=change))
    wait_until(lambda: counter(proxy, "downstream_cx_active") == 0, what="the one that waited for it to listen is gone")
    with socket.create_connection(("127.0.0.1", proxy.port)):
        wait_until(lambda: counter(proxy, "downstream_cx_active") == 1, what="the first connection is counted")
        done = check(proxy, "verify", "--timeout", "2s")
        assert done.returncode == 3, done.stdout + done.stderr
        assert counter(proxy, "downstream_global_cx_overflow") > 0
        assert get(proxy, "/ready") == "LIVE\n"
