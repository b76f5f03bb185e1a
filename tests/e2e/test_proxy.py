"""The embedded proxy: what passes, what is refused, what its admin port says."""
import json
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent import futures

import grpc
import pytest

from test_roles import H2SPEC_KNOWN, h2spec
from testenv.grpcroute import Agent, Proxy, Server, grpcroute
from testenv.net import ReservedPort


class AllKinds(grpc.GenericRpcHandler):
    """A service with all four kinds of call, told apart by method name."""

    def __init__(self):
        self.asleep = threading.Event()
        self.cancelled = threading.Event()

    def service(self, details):
        def finish(context):
            context.set_trailing_metadata((("x-trailer", "t"), ("x-data-bin", b"\x00\xff\x80")))

        def unary(request, context):
            context.send_initial_metadata((("x-initial", "i"), ("x-head-bin", b"\x01\x02")))
            finish(context)
            return request

        def stream(requests, context):
            for request in requests:
                yield request
            finish(context)

        def collect(requests, context):
            finish(context)
            return b"".join(requests)

        def spread(request, context):
            for start in range(0, len(request), 1000):
                yield request[start:start + 1000]
            finish(context)

        def refuse(request, context):
            finish(context)
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no: ä %")

        def sleep(request, context):
            context.add_callback(self.cancelled.set)
            self.asleep.set()
            while context.is_active():
                time.sleep(0.02)
            return b""

        return {
            "/k.K/Unary": grpc.unary_unary_rpc_method_handler(unary),
            "/k.K/Stream": grpc.stream_stream_rpc_method_handler(stream),
            "/k.K/Collect": grpc.stream_unary_rpc_method_handler(collect),
            "/k.K/Spread": grpc.unary_stream_rpc_method_handler(spread),
            "/k.K/Refuse": grpc.unary_unary_rpc_method_handler(refuse),
            "/k.K/Sleep": grpc.unary_unary_rpc_method_handler(sleep),
        }.get(details.method)


class Backend:
    def __init__(self):
        self.handler = AllKinds()
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[
            ("grpc.max_receive_message_length", -1)])
        self._server.add_generic_rpc_handlers((self.handler,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self):
        self._server.stop(0).wait()


@pytest.fixture
def kinds(started, certs):
    """A grpcio backend behind the proxy, and a channel to it."""
    backend = started(Backend())
    front = started(Proxy(certs, [backend], [backend])).wait_ready()
    credentials = grpc.ssl_channel_credentials((certs / "ca.pem").read_bytes())
    with grpc.secure_channel(front.target, credentials,
                             options=[("grpc.max_receive_message_length", -1)]) as channel:
        yield backend.handler, channel


def test_all_four_kinds_of_call_pass_untouched(kinds):
    _, channel = kinds
    data = bytes(range(256)) * 64
    answer, call = channel.unary_unary("/k.K/Unary").with_call(data)
    assert answer == data
    assert ("x-initial", "i") in call.initial_metadata()
    assert ("x-head-bin", b"\x01\x02") in call.initial_metadata()
    assert ("x-trailer", "t") in call.trailing_metadata()
    assert ("x-data-bin", b"\x00\xff\x80") in call.trailing_metadata()
    assert list(channel.stream_stream("/k.K/Stream")(iter([data, b"", data]))) == [data, b"", data]
    assert channel.stream_unary("/k.K/Collect")(iter([data] * 10)) == data * 10
    assert b"".join(channel.unary_stream("/k.K/Spread")(data)) == data


def test_messages_of_a_mebibyte_pass_both_ways(kinds):
    _, channel = kinds
    data = b"\x5a" * (1 << 20)
    assert channel.unary_unary("/k.K/Unary")(data) == data
    assert list(channel.stream_stream("/k.K/Stream")(iter([data] * 5))) == [data] * 5


def test_a_status_without_a_response_passes_with_message_and_trailers(kinds):
    _, channel = kinds
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/k.K/Refuse")(b"x")
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "no: ä %"
    assert ("x-trailer", "t") in caught.value.trailing_metadata()
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/k.K/Nothing")(b"x")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_cancellation_reaches_the_endpoint(kinds):
    handler, channel = kinds
    call = channel.unary_unary("/k.K/Sleep").future(b"x")
    assert handler.asleep.wait(20)
    call.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    assert handler.cancelled.wait(5)


def test_deadline_ends_both_sides(kinds):
    handler, channel = kinds
    channel.unary_unary("/k.K/Unary")(b"x")  # the way is there: the time is the call's alone
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/k.K/Sleep")(b"x", timeout=3)
    assert handler.asleep.is_set()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert handler.cancelled.wait(5)


def _ping_code(target, certs, metadata, stubs):
    credentials = grpc.ssl_channel_credentials((certs / "ca.pem").read_bytes())
    with grpc.secure_channel(target, credentials) as channel:
        stub = stubs["ping_pb2_grpc"].PingServiceStub(channel)
        call = stub.PingPong(iter([stubs["ping_pb2"].PingRequest(message="ping")]),
                             metadata=metadata)
        try:
            answers = list(call)
        except grpc.RpcError:
            answers = []
        return call.code(), call.details(), [a.server_id for a in answers]


def test_round_robin_is_even_over_connections(proxy, certs, stubs):
    seen = [_ping_code(proxy.target, certs, [("agent-version", "v1.1")], stubs)[2][0]
            for _ in range(8)]
    assert sorted(seen) == ["server-v1-a"] * 4 + ["server-v1-b"] * 4


def test_repeated_version_is_rejected_not_guessed(proxy, certs, stubs):
    code, details, _ = _ping_code(proxy.target, certs,
                                  [("agent-version", "v1.1"), ("agent-version", "v2.1")], stubs)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "agent-version" in details


def test_no_route_is_unimplemented(started, certs, stubs, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("""
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
spec:
  rules:
  - matches: [{headers: [{name: agent-version, value: v7.7}]}]
    backendRefs: [{name: server-v7, port: 1}]
""")
    front = started(Proxy(certs, [], [], "--routes", routes, "--endpoints",
                          "server-v7=127.0.0.1:1")).wait_ready()
    assert _ping_code(front.target, certs, [], stubs)[0] == grpc.StatusCode.UNIMPLEMENTED
    code, details, _ = _ping_code(front.target, certs, [("agent-version", "v7.7")], stubs)
    assert code == grpc.StatusCode.UNAVAILABLE
    assert "server-v7" in details and "refused" in details


def test_weights_split_new_streams(started, certs, stubs, backends, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("""
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
spec:
  rules:
  - backendRefs: [{name: server-v1, port: 1, weight: 3}, {name: server-v2, port: 1, weight: 1}]
""")
    front = started(Proxy(certs, *backends, "--routes", routes)).wait_ready()
    seen = [_ping_code(front.target, certs, [], stubs)[2][0][:9] for _ in range(12)]
    assert seen.count("server-v1") == 9 and seen.count("server-v2") == 3


def test_h2spec_on_the_proxy(proxy):
    assert h2spec("-t", "-k", "-h", "127.0.0.1", "-p", proxy.port) == H2SPEC_KNOWN


def test_verify_and_sticky_test_pass_through_the_proxy(proxy, certs):
    common = ["--target", proxy.target, "--cacert", certs / "ca.pem"]
    done = grpcroute("verify", *common, "--boundary")
    assert done.returncode == 0, done.stdout + done.stderr
    for line, agent in zip(done.stdout.splitlines(), ("v1.1", "v1.2", "v2.1", "v2.2")):
        assert line.startswith(f"✅ Agent {agent} → Server {agent[:2]}: OK"), line
    assert done.stdout.endswith("🎉 Routing verification passed!\n")
    sticky = grpcroute("sticky-test", *common, "--interval", "10ms")
    assert sticky.returncode == 0, sticky.stdout + sticky.stderr
    lines = sticky.stdout.splitlines()
    assert lines[0] == "Testing sticky routing for agent-v1-1..."
    assert lines[1].startswith("✅ All 20 messages routed to same pod: server-v1-")
    assert lines[2] == "Sticky routing works correctly!"


def test_workers_share_one_round_robin(started, certs, stubs, backends):
    front = started(Proxy(certs, *backends, "--workers", "3")).wait_ready()
    seen = [_ping_code(front.target, certs, [("agent-version", "v2.1")], stubs)[2][0]
            for _ in range(12)]
    assert sorted(seen) == ["server-v2-a"] * 6 + ["server-v2-b"] * 6


def test_retry_on_another_endpoint_when_one_is_down(started, certs, stubs, backends):
    front = started(Proxy(certs, *backends, "--health-interval", "1h")).wait_ready()
    backends[0][0].stop(9)
    codes = [_ping_code(front.target, certs, [("agent-version", "v1.1")], stubs) for _ in range(6)]
    assert {code for code, _, _ in codes} == {grpc.StatusCode.OK}, codes
    assert {ids[0] for _, _, ids in codes} == {"server-v1-b"}


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_admin_port_answers_under_envoys_names(proxy, started, certs):
    client = started(Agent("v2.1", "agent-x", proxy.target, cacert=certs / "ca.pem"))
    client.wait_for("Received pong", count=5)
    assert get(proxy.admin + "/ready") == (200, "LIVE\n")
    assert "cluster.server-v2.upstream_rq_active: 1" in get(proxy.admin + "/stats")[1]
    assert "grpcroute_proxy_streams_active 1" in get(proxy.admin + "/stats/prometheus")[1]
    assert "server-v2::" in get(proxy.admin + "/clusters")[1]
    clusters = json.loads(get(proxy.admin + "/clusters?format=json")[1])["clusters"]
    assert {e["health"] for c in clusters for e in c["endpoints"]} == {"healthy"}
    assert str(proxy.port) in get(proxy.admin + "/listeners")[1]
    assert "GRPCRoute" in json.loads(get(proxy.admin + "/config_dump")[1])["routes"]
    assert json.loads(get(proxy.admin + "/server_info")[1])["state"] == "LIVE"
    streams = json.loads(get(proxy.admin + "/streams")[1])
    assert streams["total"] == 1
    row = streams["streams"][0]
    assert (row["agent_id"], row["agent_version"], row["cluster"]) == ("agent-x", "v2.1", "server-v2")
    assert row["messages_up"] >= 5 and row["messages_down"] >= 5
    assert get(proxy.admin + "/streams?limit=0")[0] == 400
    assert get(proxy.admin + "/nothing")[0] == 404


def test_drain_says_goaway_and_ends_streams_with_a_status(proxy, started, certs):
    client = started(Agent("v1.1", "a", proxy.target, "--count", "10", cacert=certs / "ca.pem"))
    client.wait_each(10)
    assert proxy.stop(deadline_s=5) == 0
    client.wait_for("UNAVAILABLE: proxy is shutting down", count=10)


def test_two_signals_end_a_proxy_that_is_not_ready(started, certs):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # its health check takes a minute
        front = started(Proxy(certs, [], [], "--health-timeout", "1m",
                              *(f"--endpoints={name}=127.0.0.1:{silent.getsockname()[1]}"
                                               for name in ("server-v1", "server-v2"))))
        front.send_signal(signal.SIGTERM)
        front.send_signal(signal.SIGINT)
        assert front.wait() == 0
        assert "Ready" not in front.output and "in time" not in front.output


def _signal_until_gone(process):
    """Signals come until its last moment; returns the exit code."""
    end = time.monotonic() + 10
    while process.running() and time.monotonic() < end:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
    return process.wait(deadline_s=1)


def test_signals_do_not_end_the_end(started, certs, backends):
    front = started(Proxy(certs, *backends)).wait_ready()
    assert _signal_until_gone(front) == 0
    assert _signal_until_gone(started(Server("v1", "asked-often"))) == 0


def _agent_on_worker(front, started, certs, worker):
    """Which worker a connection comes to is the kernel's choice."""
    for n in range(40):
        agent = started(Agent("v1.1", f"try-{n}", front.target, cacert=certs / "ca.pem"))
        agent.wait_for("Received pong")
        streams = json.loads(get(front.admin + "/streams")[1])["streams"]
        if [row["worker"] for row in streams if row["agent_id"] == f"try-{n}"] == [worker]:
            return agent
        agent.stop()
    raise AssertionError(f"no connection came to worker {worker}")


@pytest.mark.parametrize("worker", [0, 1])
def test_a_second_signal_ends_streams_of_any_worker(started, certs, backends, worker):
    """Also when the one that hears signals has none left."""
    front = started(Proxy(certs, *backends, "--workers", "2", "--drain-timeout", "60s")).wait_ready()
    agent = _agent_on_worker(front, started, certs, worker)
    front.send_signal(signal.SIGTERM)
    front.wait_for("Draining")
    with pytest.raises(subprocess.TimeoutExpired):
        front.wait(deadline_s=0.5)  # a worker without streams has ended
    front.send_signal(signal.SIGTERM)
    assert front.wait() == 0
    agent.wait_for("proxy is shutting down; reconnecting")


def test_unhealthy_endpoint_gets_no_streams_until_it_is_back(started, certs, stubs, backends):
    port = started(ReservedPort()).port  # while nobody listens there
    victim = started(Server("v2", "server-v2-d", port=port))
    front = started(Proxy(certs, backends[0], [victim, backends[1][1]])).wait_ready()
    victim.stop(9)
    # a check was unread
    front.wait_for(rf"Endpoint {victim.address} of cluster server-v2 is unhealthy: .*connection (closed|reset) by the "
                   rf"peer$")
    again = started(Server("v2", "server-v2-c", port=port))
    front.wait_for(rf"Endpoint {again.address} of cluster server-v2 is healthy", count=2)
    seen = {_ping_code(front.target, certs, [("agent-version", "v2.1")], stubs)[2][0]
            for _ in range(4)}
    assert seen == {"server-v2-b", "server-v2-c"}


def test_names_resolve_to_endpoints(started, certs):
    server = started(Server("v1", "s"))
    front = started(Proxy(certs, [], [], "--endpoints", f"server-v1=localhost:{server.port}",
                          "--endpoints", "server-v2=127.0.0.1:1"))
    front.wait_for(rf"Endpoint 127\.0\.0\.1:{server.port} of cluster server-v1 is healthy")
    front.wait_for(r"Endpoint 127\.0\.0\.1:1 of cluster server-v2 is unhealthy: "
                   r"cannot connect to 127\.0\.0\.1:1: connection refused$")
