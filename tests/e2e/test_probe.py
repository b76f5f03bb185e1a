"""The probe service to clients of others: grpcio and grpcurl; and where it is not served. What it does with each field
of a script, to the byte and the millisecond, is in tests/unit/server."""
import contextlib
import json
import shutil
import signal
import socket
import struct

import grpc
import pytest

from testenv import probing, raw
from testenv.attack import still_serves
from testenv.grpcroute import Proxy, Server, grpcroute
from testenv.monitoring import fetch, metrics_url
from testenv.probing import Prober, drained
from testenv.process import run
from testenv.raw import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, frame, message, request
from testenv.wait import wait_until

RUN = "/probe.ProbeService/Run"
SEEN = "probe.ProbeService/Seen"


@pytest.fixture(scope="module")
def stubs_of_probe(tmp_path_factory):
    return probing.generate(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="module")
def server():
    with contextlib.closing(Server("v1", "pod-1", "--metrics-listen", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def prober(started, stubs_of_probe, server):
    return started(Prober(*stubs_of_probe, server.address))


@pytest.fixture
def pb(stubs_of_probe):
    return stubs_of_probe[0]


# ---- what grpcio sees ----------------------------------------------------------------------------


def test_without_a_script_it_is_an_echo(prober):
    call = prober.run(prober.request(3, 1000), prober.request(4, 0), half_close=True)
    first, second = drained(call)
    assert (first.sequence, len(first.payload), first.server_id, first.received) == (3, 1000, "pod-1", 1)
    assert (second.sequence, len(second.payload), second.received) == (4, 0, 2)
    assert call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("size", [1, 65536, 4 << 20])
def test_messages_of_all_sizes_pass_both_ways(prober, size):
    up = prober.run(prober.request(1, size), echo=True)
    assert len(next(up).payload) == size
    up.cancel()
    assert prober.wait_ended(up.probe_id).bytes > size
    down = prober.run(send_every_ms=1, send_bytes=size, send_count=1)
    assert len(next(down).payload) == size
    down.cancel()
    seen = prober.wait_ended(down.probe_id)
    assert seen.sent_messages == 1 and seen.sent_bytes > size


def test_it_sends_by_itself_and_after_half_close(prober):
    call = prober.run(half_close=True, send_every_ms=20, send_bytes=10, go_on=True, end_after_ms=1000, status=5,
                      status_message="zu Ende \u20ac")
    messages = drained(call)
    assert [m.sequence for m in messages] == list(range(1, len(messages) + 1)) and len(messages) >= 3
    assert (call.code(), call.details()) == (grpc.StatusCode.NOT_FOUND, "zu Ende \u20ac")
    seen = prober.wait_ended(call.probe_id)
    assert seen.half_closed and seen.how == seen.BY_SCRIPT and seen.code == 5


def test_metadata_comes_at_once_and_trailers_at_the_end(prober, pb):
    headers = [pb.Field(name="x-a", value=b"b"), pb.Field(name="x-bin", value=b"\0\xff\n")]
    call = prober.run(headers_at_once=True, headers=headers, pad_fields=50, pad_bytes=5000, end_after_ms=1000, status=9,
                      trailers=[pb.Field(name="t-bin", value=b"\1")])
    initial = dict(call.initial_metadata())  # waits for it, while there is neither message nor end
    assert (initial["x-a"], initial["x-bin"]) == ("b", b"\0\xff\n")
    pads = {name: value for name, value in initial.items() if name.startswith("probe-pad-")}
    assert len(pads) == 50 and sum(len(name) + len(value) for name, value in pads.items()) == 5000
    assert drained(call) == []
    assert dict(call.trailing_metadata())["t-bin"] == b"\1"
    assert call.code() is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("code, status", [(2, "INTERNAL"), (7, "UNAVAILABLE"), (8, "CANCELLED"),
                                          (11, "RESOURCE_EXHAUSTED"), (12, "PERMISSION_DENIED")])
def test_it_resets_with_a_code(prober, code, status):
    """gRPC PROTOCOL-HTTP2.md, "Errors", says what a client makes of it."""
    call = prober.run(end_after_ms=1, reset=code)
    drained(call)
    assert call.code() is grpc.StatusCode[status]
    seen = prober.wait_ended(call.probe_id)
    assert seen.how == seen.BY_SCRIPT and seen.code == code


def test_a_status_may_come_alone(server):
    """Trailers-Only: one block that ends the stream."""
    script = b"\x40\x01\x48\x05\x60\x01"  # end_after_ms 1, status 5, trailers_only
    with contextlib.closing(raw.client(server.port)) as peer:
        peer.exchange(opened(1, script), until=lambda: peer.status_of(1))
        blocks = peer.find(HEADERS, 1)
        assert len(blocks) == 1 and blocks[0].flags & END_STREAM
        assert blocks[0].fields[":status"] == "200" and blocks[0].fields["grpc-status"] == "5"


def test_the_connection_is_told_to_end_and_the_stream_has_its_grace(server):
    script = b"\x40\x01\x70\x01\x78\xf4\x03"  # end_after_ms 1, goaway, grace_ms 500
    with contextlib.closing(raw.client(server.port)) as peer:
        peer.exchange(opened(1, script), until=lambda: peer.closed)
        goodbye, status = peer.find(GOAWAY)[0], peer.find(HEADERS, 1)[-1]
        assert peer.closed and status.fields["grpc-status"] == "0" and peer.goaway().error == "NO_ERROR"
        assert peer.frames.index(goodbye) < peer.frames.index(status)


def opened(stream, script, path=RUN, probe_id="00112233445566aa"):
    import base64
    value = base64.b64encode(script).decode()
    return frame(HEADERS, END_HEADERS, stream, request(path=path, extra=(
        ("probe-id", probe_id), ("probe-script-bin", value))))


def test_a_server_that_holds_gives_no_credit_and_one_that_does_not_does(prober):
    held = prober.run(prober.request(1, 1 << 20), hold=True, end_after_ms=3000)
    read = prober.run(prober.request(1, 1 << 20), end_after_ms=3000)
    drained(held), drained(read)
    assert prober.wait_ended(held.probe_id).bytes == 65536
    assert prober.wait_ended(read.probe_id).bytes > 1 << 20


# ---- what was seen --------------------------------------------------------------------------------


def test_a_cancellation_is_seen(prober):
    call = prober.run(prober.request(1, 5), echo=True)
    next(call)
    now = prober.seen(call.probe_id)
    assert now.found and not now.ended and now.how == now.OPEN and now.messages == 1
    call.cancel()
    seen = prober.wait_ended(call.probe_id)
    assert (seen.how, seen.code) == (seen.RESET, 8)


def test_a_deadline_is_seen(prober):
    """Whichever side is quicker: both have it."""
    call = prober.run(end_after_ms=60000, timeout=2)
    drained(call)
    assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    seen = prober.wait_ended(call.probe_id)
    assert seen.how in (seen.DEADLINE, seen.RESET) and 0 < seen.open_for_ms < 60000


@pytest.mark.parametrize("how, words", [("end", "closed by the peer"), ("reset", "reset")])
def test_a_lost_connection_is_seen_in_words(prober, server, how, words):
    probe_id = {"end": "1" * 16, "reset": "2" * 16}[how]
    with contextlib.closing(raw.client(server.port)) as peer:
        peer.exchange(opened(1, b"\x20\x01", probe_id=probe_id) + frame(DATA, 0, 1, message(b"")),
                      until=lambda: peer.find(DATA, 1))
        connection = prober.seen(probe_id).connection
        if how == "reset":
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    seen = prober.wait_ended(probe_id)
    assert seen.how == seen.CONNECTION_LOST and words in seen.connection_end
    assert seen.connection == connection


def test_a_broken_rule_is_seen_with_the_rule(prober, server):
    """More than the window of a stream that is held."""
    with contextlib.closing(raw.client(server.port)) as peer:
        data = message(b"\x12\xf7\xff\x03" + bytes(65527)) + b"x"
        peer.exchange(opened(1, b"\x30\x01", probe_id="4" * 16) +
                      b"".join(frame(DATA, 0, 1, data[n:n + 16384]) for n in range(0, len(data), 16384)),
                      until=lambda: peer.reset_of(1))
        assert peer.reset_of(1) == "FLOW_CONTROL_ERROR"
        seen = prober.wait_ended("4" * 16)
        assert seen.how == seen.BROKEN and "the client broke HTTP/2" in seen.why and seen.connection_end == ""


def test_two_connections_are_told_apart(started, stubs_of_probe, server):
    probers = [started(Prober(*stubs_of_probe, server.address)) for _ in range(2)]
    calls = [probers[n].run(probers[n].request(1), echo=True) for n in (0, 0, 1)]
    for call in calls:
        next(call)
    numbers = [probers[0].seen(call.probe_id).connection for call in calls]
    assert numbers[0] == numbers[1] != numbers[2]
    for call in calls:
        call.cancel()


def test_binary_metadata_is_seen_as_it_came(prober):
    call = prober.run(half_close=True, metadata=[("x-bin", bytes(range(256)))])
    drained(call)
    field, = prober.wait_ended(call.probe_id).fields
    assert (field.name, field.value, field.malformed) == ("x-bin", bytes(range(256)), False)


def test_what_was_never_there_was_not_seen(prober):
    assert not prober.seen("f" * 16).found


# ---- bounds, as a foreign client is told of them -------------------------------------------------------


@pytest.mark.parametrize("script, words", [
    ({"send_every_ms": 1, "send_bytes": 2**32 - 1}, "send_bytes"),
    ({"send_every_ms": 1, "send_bytes": 1 << 20}, "bytes each second: 1048576000 is over"),
    ({"pad_fields": 10**9}, "pad_fields: 1000000000 is over"),
    ({"end_after_ms": 2**32 - 1}, "end_after_ms"),
])
def test_who_asks_too_much_is_told_the_limit(prober, script, words):
    call = prober.run(**script)
    assert drained(call) == [] and call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert words in call.details()
    seen = prober.wait_ended(call.probe_id)
    assert seen.how == seen.LIMIT and words in seen.why


# ---- grpcurl and reflection ------------------------------------------------------------------------------


def grpcurl(*args):
    path = shutil.which("grpcurl")
    assert path is not None, "grpcurl is not installed; tests/tool/setup.sh test installs it"
    return run([path, "-plaintext", *args])


def test_grpcurl_describes_and_calls_it(server):
    assert "probe.ProbeService" in grpcurl(server.address, "list").stdout.split()
    assert "rpc Run ( stream .probe.RunRequest )" in grpcurl(server.address, "describe", "probe.ProbeService").stdout
    done = grpcurl("-H", "probe-id: 00000000000000ab", "-d", '{"sequence": 3, "payload": "AAAA"}', server.address,
                   "probe.ProbeService/Run")
    assert json.loads(done.stdout)["payload"] == "AAAA"

    def seen():
        return json.loads(grpcurl("-d", '{"probe_id": "00000000000000ab"}', server.address, SEEN).stdout)

    wait_until(lambda: "connectionEnd" in seen(), 10, "the connection is gone")
    assert seen()["how"] == "BY_SCRIPT" and "GOAWAY NO_ERROR" in seen()["connectionEnd"]


def test_without_it_nothing_is_left_of_it(started, stubs_of_probe):
    server = started(Server("v1", "bare", "--no-probe", "--metrics-listen", "127.0.0.1:0"))
    services = grpcurl(server.address, "list").stdout.split()
    assert "ping.PingService" in services and "probe.ProbeService" not in services
    assert grpcurl(server.address, "describe", "probe.ProbeService").returncode != 0
    prober = started(Prober(*stubs_of_probe, server.address))
    call = prober.run(half_close=True)
    assert drained(call) == [] and call.code() is grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.RpcError) as caught:
        prober.seen("0" * 16)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "grpcroute_probe" not in fetch(metrics_url(server))[1]


def test_health_knows_of_the_service_only_where_it_is(started, server):
    bare = started(Server("v1", "bare", "--no-probe"))
    health = "grpc.health.v1.Health/Check"
    ask = ("-d", '{"service": "probe.ProbeService"}')
    assert "SERVING" in grpcurl(*ask, server.address, health).stdout
    assert "NotFound" in grpcurl(*ask, bare.address, health).stderr


# ---- beside the rest of the server -------------------------------------------------------------------------


def test_metrics_count_probes_apart_from_pings(started, stubs_of_probe):
    server = started(Server("v1", "counted", "--metrics-listen", "127.0.0.1:0"))
    prober = started(Prober(*stubs_of_probe, server.address))
    drained(prober.run(prober.request(1), half_close=True))
    call = prober.run(prober.request(1), echo=True)
    next(call)
    drained(prober.run(pad_fields=10**6))

    def shown():
        return fetch(metrics_url(server))[1]

    assert 'grpcroute_probe_streams_active{server_version="v1"} 1\n' in shown()
    call.cancel()
    wait_until(lambda: 'grpcroute_probe_streams_active{server_version="v1"} 0\n' in shown(), 10, "it is gone")
    for how, count in (("BY_SCRIPT", 1), ("RESET", 1), ("LIMIT", 1), ("CONNECTION_LOST", 0)):
        assert f'grpcroute_probe_streams_ended_total{{server_version="v1",how="{how}"}} {count}\n' in shown()
    assert 'grpcroute_probe_messages_received_total{server_version="v1"} 2\n' in shown()
    assert 'grpc_server_started_total{grpc_type="bidi_stream",grpc_service="ping.PingService"' in shown()
    assert 'grpc_method="PingPong"} 0\n' in shown()
    assert not [line for line in server.lines if "Stream opened" in line]  # these lines are of pings alone


def test_a_drain_ends_probes_and_is_no_script(started, stubs_of_probe):
    server = started(Server("v1", "drained", "--drain-timeout", "5s", "--metrics-listen", "127.0.0.1:0"))
    prober = started(Prober(*stubs_of_probe, server.address))
    calls = [prober.run(prober.request(1), echo=True) for _ in range(20)]
    for call in calls:
        next(call)
    server.send_signal(signal.SIGTERM)

    def some_ended():  # each at a moment of its own
        text = fetch(metrics_url(server))[1]
        return 'how="SHUTDOWN"} 0' not in text and 'how="BY_SCRIPT"} 0' in text

    wait_until(some_ended, 10, "the server counts an end by its shutdown")
    for call in calls:
        drained(call)
        assert call.code() is grpc.StatusCode.UNAVAILABLE and "shutting down" in call.details()
    assert server.wait() == 0


def test_through_a_proxy_both_methods_reach_the_pod(started, certs, stubs_of_probe):
    """The proxy routes on what it always does; to it this is a service like any other."""
    servers = [started(Server("v1", "a")), started(Server("v2", "b"))]
    proxy = started(Proxy(certs, servers[:1], servers[1:])).wait_ready()
    credentials = grpc.ssl_channel_credentials((certs / "ca.pem").read_bytes())
    pb, pb_grpc = stubs_of_probe
    with grpc.secure_channel(proxy.target, credentials) as channel:
        stub = pb_grpc.ProbeServiceStub(channel)
        metadata = (("agent-version", "v2.1"), ("probe-id", "0123456789abcdef"))
        answer, = stub.Run(iter([pb.RunRequest(sequence=1)]), metadata=metadata, timeout=10)
        assert answer.server_id == "b"
        seen = stub.Seen(pb.SeenRequest(probe_id="0123456789abcdef"), metadata=metadata[:1], timeout=10)
        assert seen.found and seen.server_id == "b" and seen.how == seen.BY_SCRIPT
        elsewhere = stub.Seen(pb.SeenRequest(probe_id="0123456789abcdef"), metadata=(("agent-version", "v1.1"),),
                              timeout=10)
        assert not elsewhere.found and elsewhere.server_id == "a"


# ---- who does not know of it -----------------------------------------------------------------------


def test_a_client_of_pings_alone_works_with_it(server, stubs):
    """A client that knows fields 1 to 3 of PingPong and nothing of probes."""
    plain = stubs["plain_pb2"]
    with grpc.insecure_channel(server.address) as channel:
        call = channel.stream_stream("/ping.PingService/PingPong", plain.PingRequest.SerializeToString,
                                     plain.PingResponse.FromString)
        pong, = call(iter([plain.PingRequest(message="ping")]), metadata=[("agent-version", "v1.1")])
        assert (pong.message, pong.server_version, pong.server_id) == ("pong", "v1", "pod-1")


def test_probes_and_pings_share_a_connection(server):
    with contextlib.closing(raw.client(server.port)) as peer:
        peer.exchange(opened(1, b"\x20\x01", probe_id="3" * 16) + frame(DATA, 0, 1, message(b"\x08\x07")) +
                      frame(HEADERS, END_HEADERS, 3, request()) + frame(DATA, 0, 3, message()),
                      until=lambda: peer.find(DATA, 1) and peer.find(DATA, 3))
        assert b"pong" in peer.find(DATA, 3)[0].payload
        assert peer.find(DATA, 1)[0].payload[5:7] == b"\x08\x07"
        assert still_serves(peer)


def test_an_agent_works_with_a_server_that_has_no_probes(started, agent):
    server = started(Server("v1", "bare", "--no-probe"))
    client = agent("v1.1", "a", server.address)
    client.wait_for("Received pong", count=3)


def test_the_option_is_documented():
    assert "--no-probe" in grpcroute("help", "server").stdout
