"""Agent and server on their own and against other implementations."""
import json
import re
import shutil
import signal

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from testenv.grpcio_peers import PingServer
from testenv.grpcroute import ROOT, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import run


def _tool(name):
    path = shutil.which(name)
    assert path, f"{name} is missing; tests/tool/setup.sh test installs it"
    return path


def test_log_lines_are_the_contract(started, agent):
    server = started(Server("v1", "server-1"))
    client = agent("v1.1", "agent-1", server.address)
    client.wait_for(r"Received pong", count=3)
    assert client.stop() == 0
    assert server.stop() == 0
    assert client.lines[:3] == [
        f"[AGENT_v1.1/agent-1] Stream opened to {server.address}",
        "[AGENT_v1.1/agent-1] Sent ping",
        "[AGENT_v1.1/agent-1] Received pong from server=v1/server-1 message=pong",
    ]
    lines = [line for line in server.lines if "istening" not in line and "rain" not in line]
    assert lines[:3] == [
        "[SERVER_v1/server-1] Stream opened from agent-id=agent-1 agent-version=v1.1",
        "[SERVER_v1/server-1] Received ping from agent-id=agent-1 agent-version=v1.1 message=ping",
        "[SERVER_v1/server-1] Sent pong to agent-id=agent-1",
    ]
    assert lines[-1] == "[SERVER_v1/server-1] Stream closed by agent-id=agent-1"


def test_json_log_is_one_object_per_line(started, agent):
    server = started(Server("v1", "s"))
    client = agent("v1.1", "a", server.address, "--log-format", "json", "--messages", "2")
    assert client.wait() == 0
    events = [json.loads(line)["event"] for line in client.lines]
    assert events == ["stream_opened", "ping_sent", "pong_received", "ping_sent", "pong_received"]


def test_agent_talks_to_grpcio_servers_of_both_kinds(started, agent, stubs):
    for messages in (stubs["ping_pb2"], stubs["plain_pb2"]):
        server = started(PingServer(messages, ident="pod-1"))
        client = agent("v1.1", "a", server.address, "--messages", "3")
        assert client.wait() == 0
        assert client.pongs() == [("v1", "pod-1")] * 3


def test_agent_counts_a_wrong_version_as_a_failure(started, agent, stubs):
    server = started(PingServer(stubs["ping_pb2"], version="v2"))
    client = agent("v1.1", "a", server.address, "--messages", "2")
    assert client.wait() == 1
    assert "Misrouted" in client.output


def test_grpcio_client_gets_all_fields_from_our_server(started, stubs):
    server = started(Server("v2", "pod-9"))
    ping = stubs["ping_pb2"]
    with grpc.insecure_channel(server.address) as channel:
        stub = stubs["ping_pb2_grpc"].PingServiceStub(channel)
        requests = [ping.PingRequest(message="ping", sequence=i, send_time_ns=7 * i)
                    for i in range(1, 6)]
        call = stub.PingPong(iter(requests), metadata=[("agent-id", "x"), ("agent-version", "v2.1")])
        answers = list(call)
        assert call.code() == grpc.StatusCode.OK
    assert [(a.sequence, a.send_time_ns) for a in answers] == [(i, 7 * i) for i in range(1, 6)]
    assert {(a.message, a.server_version, a.server_id, a.agent_id, a.agent_version)
            for a in answers} == {("pong", "v2", "pod-9", "x", "v2.1")}


def test_health_check_and_watch_follow_the_drain(started):
    server = started(Server("v1", "s"))
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        serving = health_pb2.HealthCheckResponse.SERVING
        for service in ("", "ping.PingService"):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == serving
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="nothing"))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nothing"))
        assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == serving
        server.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(watch)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert server.wait() == 0


def test_bad_requests_get_the_status_grpc_says(started):
    server = started(Server("v1", "s"))

    def status_of(method="/ping.PingService/PingPong", messages=(b"",), metadata=()):
        with grpc.insecure_channel(server.address) as channel:
            call = channel.stream_stream(method)(iter(messages), metadata=metadata)
            try:
                list(call)
            except grpc.RpcError:
                pass
            return call.code()

    assert status_of() == grpc.StatusCode.OK
    assert status_of(method="/ping.PingService/Nothing") == grpc.StatusCode.UNIMPLEMENTED
    assert status_of(messages=(b"\xff\xff\xff",)) == grpc.StatusCode.INTERNAL
    assert status_of(messages=(b"\n\x02\xc3\x28",)) == grpc.StatusCode.INTERNAL  # not UTF-8
    assert status_of(messages=(b"\n\x80\x80\x08" + b"x" * (128 * 1024),)) == \
        grpc.StatusCode.RESOURCE_EXHAUSTED
    with grpc.insecure_channel(server.address, compression=grpc.Compression.Gzip) as channel:
        call = channel.stream_stream("/ping.PingService/PingPong")(iter([b"\n\x04ping" * 100]))
        with pytest.raises(grpc.RpcError):
            list(call)
        assert call.code() == grpc.StatusCode.UNIMPLEMENTED


def test_grpcurl_finds_everything_by_reflection(started):
    server = started(Server("v1", "s"))
    grpcurl = _tool("grpcurl")
    services = run([grpcurl, "-plaintext", server.address, "list"]).stdout.split()
    assert services == ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                        "grpc.reflection.v1alpha.ServerReflection", "ping.PingService", "probe.ProbeService"]
    described = run([grpcurl, "-plaintext", server.address, "describe", "ping.PingRequest"]).stdout
    assert "uint64 sequence = 4;" in described
    answer = run([grpcurl, "-plaintext", "-d", '{"message":"ping"}', server.address,
                  "ping.PingService/PingPong"])
    assert json.loads(answer.stdout)["serverId"] == "s", answer.stderr
    missing = run([grpcurl, "-plaintext", server.address, "describe", "no.such.Thing"])
    assert missing.returncode != 0


def test_ghz_load_has_no_errors(started, stubs):
    server = started(Server("v1", "s"))
    done = run([_tool("ghz"), "--insecure", "--proto", ROOT / "proto/ping.proto", "--call",
                "ping.PingService/PingPong", "-d", '{"message":"ping"}', "-c", "20", "-n", "2000",
                "-O", "json", server.address], timeout=60)
    report = json.loads(done.stdout)
    assert report["statusCodeDistribution"] == {"OK": 2000}, done.stderr


def test_h2load_gets_every_answer(started):
    server = started(Server("v1", "s"))
    done = run([_tool("h2load"), "-n", "20000", "-c", "10", "-m", "20",
                f"http://{server.address}/"], timeout=60)
    assert "20000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout


def h2spec(*args):
    """The failing cases of h2spec, as "section/number"."""
    done = run([_tool("h2spec"), "-S", *args], timeout=110)
    assert re.search(r"\d+ tests, \d+ passed", done.stdout), done.stdout + done.stderr
    failures = done.stdout.split("Failures:", 1)[1] if "Failures:" in done.stdout else ""
    return re.findall(r"× \d+: (.*)", failures)


# RFC 9113 section 5.3.2 dropped priorities and with them this rule of RFC 7540; frames are counted and ignored.
H2SPEC_KNOWN = ["Sends PRIORITY frame that depend on itself"]


def test_h2spec_on_the_server(started):
    server = started(Server("v1", "s"))
    assert h2spec("-h", "127.0.0.1", "-p", server.port) == H2SPEC_KNOWN


def test_server_drains_within_its_timeout(started, agent):
    server = started(Server("v1", "s"))
    client = agent("v1.1", "a", server.address, "--count", "20")
    client.wait_each(20)
    assert server.stop(deadline_s=5) == 0
    client.wait_for(r"UNAVAILABLE: server is shutting down", count=20)


def test_agents_come_back_to_a_restarted_server(started, agent):
    port = started(ReservedPort()).port  # also while nobody listens there
    server = started(Server("v1", "s", port=port))
    client = agent("v1.1", "a", server.address)
    client.wait_for(r"Received pong", count=12)
    server.stop(signal.SIGKILL)
    client.wait_for(r"reconnecting in")
    again = started(Server("v1", "s2", port=port))
    client.wait_for(r"server=v1/s2", deadline_s=10)
    assert again.running()


def test_agent_names_the_cause_of_a_failed_connection(started, certs, agent, tmp_path):
    silent = agent("v1.1", "a", "127.0.0.1:1")
    silent.wait_for(r"connection refused.*reconnecting in")
    nowhere = agent("v1.1", "a", "no-such-host.invalid:1")
    nowhere.wait_for(r"(?i)resolve.*reconnecting in")
    plain = started(Server("v1", "s"))
    not_tls = agent("v1.1", "a", f"localhost:{plain.port}", cacert=certs / "ca.pem")
    not_tls.wait_for(r"TLS.*reconnecting in")


def test_unreadable_ca_is_a_usage_error(tmp_path):
    done = grpcroute("agent", "--version", "v1.1", "--cacert", tmp_path / "missing.pem")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "missing.pem" in done.stderr
