"""For each verdict a proxy that must make it negative."""
import itertools
import json
import socket
import threading
import xml.etree.ElementTree

import pytest

from testenv.grpcio_peers import PingServer, Relay
from testenv.grpcroute import Server, grpcroute
from testenv.net import ReservedPort


@pytest.fixture
def pair(started):
    """A server of v1 and one of v2."""
    return started(Server("v1", "pod-1")), started(Server("v2", "pod-2"))


def right(pair, metadata):
    return pair[1].address if metadata.get("agent-version", "").startswith("v2.") else pair[0].address


def wrong(pair, metadata):
    return pair[0].address if metadata.get("agent-version", "").startswith("v2.") else pair[1].address


def verify(target, *args):
    return grpcroute("verify", "--target", target, "--plaintext", "--timeout", "8s", *args)


def test_a_relay_that_routes_rightly_passes(started, pair):
    relay = started(Relay(lambda number, metadata: right(pair, metadata)))
    done = verify(relay.target)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("interval", ["0", "1us"])
def test_pings_without_a_pause_are_all_sent(pair, interval):
    done = grpcroute("verify", "--target", pair[0].address, "--plaintext", "--versions", "v1.1", "--interval", interval)
    assert done.returncode == 0, done.stdout + done.stderr
    done = grpcroute("sticky-test", "--target", pair[0].address, "--plaintext", "--interval", interval)
    assert done.returncode == 0 and "All 20 messages" in done.stdout, done.stdout + done.stderr


def test_swapped_versions_fail(started, pair):
    relay = started(Relay(lambda number, metadata: wrong(pair, metadata)))
    done = verify(relay.target)
    assert done.returncode == 1, done.stdout
    assert "❌ Agent v1.1" in done.stdout and "v2" in done.stdout and "pod-2" in done.stdout
    assert "passed" not in done.stdout


def test_one_stream_in_fifty_wrong_fails(started, pair):
    def choose(number, metadata):
        return wrong(pair, metadata) if number == 37 else right(pair, metadata)

    done = verify(started(Relay(choose)).target, "--streams", "15")
    assert done.returncode == 1, done.stdout


def test_one_message_in_fifty_wrong_fails(started, pair):
    def choose(number, metadata):
        return lambda index: wrong(pair, metadata) if (number, index) == (3, 4) \
            else right(pair, metadata)

    done = verify(started(Relay(choose)).target, "--messages", "5")
    assert done.returncode == 1, done.stdout


def test_mixed_metadata_of_two_streams_fails(started, pair):
    seen, turns = [], itertools.count()

    def change(number, metadata):
        seen.append(metadata)
        return next(one for one in seen if one != metadata) if next(turns) == 5 else metadata

    done = verify(started(Relay(lambda n, m: right(pair, m), change)).target)
    assert done.returncode == 1, done.stdout
    assert "metadata" in done.stdout.lower() or "saw" in done.stdout.lower()


def test_a_stream_that_moves_between_pods_fails_sticky_test(started):
    pods = [started(Server("v1", f"pod-{c}")) for c in "ab"]

    def choose(number, metadata):
        return lambda index: pods[1 if index >= 12 else 0].address

    done = grpcroute("sticky-test", "--target", started(Relay(choose)).target, "--plaintext",
                     "--interval", "5ms")
    assert done.returncode == 1, done.stdout
    assert "pod-a" in done.stdout and "pod-b" in done.stdout
    assert "works correctly" not in done.stdout


def test_nothing_listening_is_3(started):
    port = started(ReservedPort()).port
    for command in ("verify", "sticky-test"):
        done = grpcroute(command, "--target", f"127.0.0.1:{port}", "--plaintext")
        assert done.returncode == 3, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1 and "refused" in done.stderr


def test_streams_that_die_before_there_is_evidence_are_4(started, pair):
    relay = started(Relay(lambda number, metadata: None))
    for command in ("verify", "sticky-test"):
        done = grpcroute(command, "--target", relay.target, "--plaintext")
        assert done.returncode == 4, done.stdout + done.stderr
        assert "ended on purpose" in done.stdout


def test_a_server_without_our_fields_is_told_not_failed(started, stubs):
    server = started(PingServer(stubs["plain_pb2"], version="v1", ident="go-1"))
    done = verify(server.target, "--versions", "v1.1,v1.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not checked" in done.stdout
    assert "Not checked" not in verify(
        started(PingServer(stubs["ping_pb2"])).target, "--versions", "v1.1").stdout


def test_a_port_that_does_not_speak_http2_is_3(started):
    listener = socket.create_server(("127.0.0.1", 0))
    started(listener)

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            connection.recv(1000)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    done = grpcroute("sticky-test", "--target", f"127.0.0.1:{listener.getsockname()[1]}",
                     "--plaintext")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "HTTP/2" in done.stderr


def test_json_and_junit_carry_the_verdict(started, pair, tmp_path):
    junit = tmp_path / "out.xml"
    for relay, code, result in ((Relay(lambda n, m: right(pair, m)), 0, "passed"),
                                (Relay(lambda n, m: wrong(pair, m)), 1, "failed")):
        done = verify(started(relay).target, "-o", "json", "--junit-file", junit)
        assert done.returncode == code
        assert json.loads(done.stdout)["result"] == result
        suite = xml.etree.ElementTree.parse(junit).getroot()
        failures = suite.findall(".//failure")
        assert bool(failures) == (code == 1)


def test_routes_file_sets_the_expectations(started, pair, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("""
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
spec:
  rules:
  - backendRefs: [{name: server-v2, port: 50051}]
""")
    all_to_v2 = started(Relay(lambda n, m: pair[1].address))
    assert verify(all_to_v2.target, "--routes", routes).returncode == 0
    assert verify(all_to_v2.target).returncode == 1


def test_wrong_certificates_are_3_with_the_cause(proxy, certs, tmp_path):
    done = grpcroute("verify", "--target", proxy.target)
    assert done.returncode == 3 and "unknown authority" in done.stderr and "--cacert" in done.stderr
    done = grpcroute("verify", "--target", proxy.target, "--cacert", certs / "ca.pem",
                     "--authority", "other.example")
    assert done.returncode == 3 and "other.example" in done.stderr
    done = grpcroute("verify", "--target", proxy.target, "-k")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_single_pod_is_told_and_several_are_not(started, pair):
    """All streams on one pod is what a ClusterIP in front of several looks like."""
    relay = started(Relay(lambda number, metadata: right(pair, metadata)))
    told = verify(relay.target)
    assert told.returncode == 0
    assert "Only one server v1 answered, pod-1" in told.stdout and "headless" in told.stdout
    more = started(Server("v1", "pod-3")), started(Server("v2", "pod-4"))
    turns = {"v1": itertools.count(), "v2": itertools.count()}  # of each: in a random order of all, one may miss a pod

    def choose(number, metadata):
        return right(more if next(turns[metadata["agent-version"][:2]]) % 3 == 0 else pair, metadata)

    spread = started(Relay(choose))
    assert "headless" not in verify(spread.target).stdout
