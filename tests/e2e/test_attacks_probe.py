"""Hostile clients of the probe service, which does as it is told: straight to the server and through the proxy, whose
connection to it they share with others. Beside each attack two agents ping and must lose nothing; the processes stay
up, in bounded memory, and the attacker is told the limit."""
import base64
import contextlib
import socket
import time

import pytest

from testenv import flow, probing, raw
from testenv.attack import ENV, INITIAL_WINDOW_SIZE, Status, eventually, rss_kib, still_serves, told
from testenv.monitoring import fetch, metrics_url
from testenv.grpcroute import Server
from testenv.raw import DATA, END_HEADERS, END_STREAM, HEADERS, frame, message, request

RUN = "/probe.ProbeService/Run"
SEEN = "/probe.ProbeService/Seen"
EXHAUSTED, INVALID, INTERNAL = 8, 3, 13
PAYLOAD = 4 << 20
BURST = RATE = 8 << 20  # bytes, and bytes a second, of a stream
both = pytest.mark.parametrize("front", ["proxy", "server"])


@pytest.fixture(scope="module")
def pb(tmp_path_factory):
    return probing.generate(tmp_path_factory.mktemp("probe"))[0]


def opened(stream, script, *extra, flags=0, probe_id=None):
    """A Run stream; `script` are its bytes."""
    identity = [] if probe_id is None else [("probe-id", probe_id)]
    return frame(HEADERS, END_HEADERS | flags, stream, request(path=RUN, extra=(
        *identity, ("probe-script-bin", base64.b64encode(script).decode()), *extra)))


def seen(stream, payload):
    return (frame(HEADERS, END_HEADERS, stream, request(path=SEEN)) +
            frame(DATA, END_STREAM, stream, message(payload)))


def field(name, value=b"v"):
    return {"name": name, "value": value}


# name: (script, the status that it gets, what its message says)
SCRIPTS = {
    "4-GiB-each-second": (dict(send_every_ms=1, send_bytes=4 << 20), EXHAUSTED, "bytes each second"),
    "4-GiB-message": (dict(send_every_ms=1, send_bytes=2**32 - 1, send_count=1), EXHAUSTED, "send_bytes"),
    "milliard-fields": (dict(headers_at_once=True, pad_fields=10**9), EXHAUSTED, "pad_fields"),
    "4-GiB-of-metadata": (dict(headers_at_once=True, pad_bytes=2**32 - 1), EXHAUSTED, "pad_bytes"),
    "for-ever": (dict(end_after_ms=2**32 - 1, hold=True), EXHAUSTED, "end_after_ms"),
    "long-message": (dict(status=1, status_message="x" * 300, end_after_ms=1), EXHAUSTED, "status_message"),
    "17-trailers": (dict(trailers=[field("x")] * 17), EXHAUSTED, "limit of 16"),
    "newline-in-a-name": (dict(headers=[field("a\nb")]), INVALID, "field"),
    "nul-in-a-name": (dict(headers=[field("a\0b")]), INVALID, "not a probe.Script"),
    "newline-in-a-value": (dict(trailers=[field("a", b"b\r\ngrpc-status: 0")]), INVALID, "visible ASCII"),
    "nul-in-a-value": (dict(headers=[field("a", b"b\0c")]), INVALID, "visible ASCII"),
    "escape-in-a-name": (dict(headers=[field("a\x1b[2Jb")]), INVALID, "field"),
    "pseudo-header": (dict(headers=[field(":status", b"404")]), INVALID, ":status"),
    "status-of-gRPC": (dict(trailers=[field("grpc-status", b"0")]), INVALID, "grpc-status"),
    "connection-header": (dict(headers=[field("transfer-encoding", b"chunked")]), INVALID, "transfer-encoding"),
    "no-status": (dict(status=2**32 - 1), INVALID, "0 to 16"),
}


@both
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_asks_too_much_is_refused(world, pb, front, name):
    script, status, words = SCRIPTS[name]
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        Status(status).check(peer, opened(1, pb.Script(**script).SerializeToString()))
        assert words in peer.find(HEADERS, 1)[-1].fields["grpc-message"], told(peer)


GARBAGE = {
    "no-base64": lambda: frame(HEADERS, END_HEADERS, 1, request(path=RUN, extra=(("probe-script-bin", "###"),))),
    "two-scripts": lambda: opened(1, b"", ("probe-script-bin", "")),
    "no-protobuf": lambda: opened(1, b"\xff" * 100),
    "groups-in-groups": lambda: opened(1, b"\x0b" * 2000),
    "bad-id": lambda: opened(1, b"", probe_id="../../etc/passwd"),
    "two-ids": lambda: opened(1, b"", ("probe-id", "0" * 16), probe_id="1" * 16),
    "seen-nothing": lambda: seen(1, b""),
    "seen-a-long-id": lambda: seen(1, b"\x0a\xa8\x46" + b"a" * 9000),
    "seen-control-bytes": lambda: seen(1, b"\x0a\x10" + b"\x1b[2J" * 4),
}


@both
@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_question_is_told_so(world, front, name):
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        Status(INVALID).check(peer, GARBAGE[name]())


@both
@pytest.mark.parametrize("data", [b"\xff" * 100, b"\x0a\x02\xff\xff"])
def test_bytes_that_are_no_message_end_the_call(world, front, data):
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        Status(INTERNAL).check(peer, seen(1, data))
        Status(INTERNAL, stream=3).check(peer, opened(3, b"\x20\x01") + frame(DATA, 0, 3, message(b"\xff" * 100)))


@both
def test_a_message_of_4_gib_is_refused_by_its_prefix(world, front):
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        Status(EXHAUSTED).check(peer, opened(1, b"\x20\x01") + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff" + b"x" * 9000))


# ---- floods --------------------------------------------------------------------------------------


def calls_one_after_the_other(peer, make, count, at_once=50):
    """The statuses of so many calls, by how often."""
    statuses = {}
    for first in range(0, count, at_once):
        streams = [2 * (first + n) + 1 for n in range(at_once)]
        peer.exchange(b"".join(make(stream) for stream in streams),
                      until=lambda: all(peer.status_of(stream) for stream in streams), deadline_s=20)
        assert not peer.closed, told(peer)
        for stream in streams:
            status = peer.status_of(stream)
            statuses[status] = statuses.get(status, 0) + 1
        peer.frames.clear()
    return statuses


def test_a_flood_of_calls_is_slowed_to_a_rate(world):
    """One after the other, with ids of which only so many are remembered."""
    with world.unhurt(), contextlib.closing(world.client("server")) as peer:
        statuses = calls_one_after_the_other(
            peer, lambda stream: opened(stream, b"", flags=END_STREAM, probe_id=f"{stream:016x}"), 8000)
        assert set(statuses) == {"0", "8"} and statuses["0"] >= 4096, statuses
        assert still_serves(peer)


def test_a_flood_of_questions_is_answered(world):
    with world.unhurt(), contextlib.closing(world.client("server")) as peer:
        peer.exchange(raw.window_update(2**30))
        assert calls_one_after_the_other(
            peer, lambda stream: seen(stream, b"\x0a\x10" + f"{stream:016x}".encode()), 8000) == {"0": 8000}


def test_streams_without_end_are_bounded(started, world):
    """A million are asked for, and nobody reads an answer; a server of its own, as they stay. Others have a wall of
    their own, too: those of one connection do not take all."""
    server = started(Server("v1", "many", "--metrics-listen", "127.0.0.1:0", "--max-streams", "100000", env=ENV))
    before_kib = rss_kib(server)

    def active():
        text = fetch(metrics_url(server))[1]
        return float(next(line for line in text.splitlines()
                          if line.startswith("grpcroute_probe_streams_active")).split()[-1])

    script = b"\x08\xe8\x07\x10\x0a\x38\x01"  # every 1000 ms 10 bytes, go_on
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(contextlib.closing(raw.client(server.port))) for _ in range(5)]
        peers[0].exchange(b"".join(opened(2 * n + 1, script) for n in range(3000)),
                          until=lambda: peers[0].status_of(5999))
        assert peers[0].status_of(4095) is None and peers[0].status_of(4097) == "8"
        assert active() == 2048
        for peer in peers[1:4]:
            peer.exchange(b"".join(opened(2 * n + 1, script) for n in range(2049)), until=lambda: peer.status_of(4097))
        assert active() == 8192
        late = peers[4]
        late.exchange(opened(1, script), until=lambda: late.status_of(1))
        assert late.status_of(1) == "8"
        assert "8192" in late.find(HEADERS, 1)[-1].fields["grpc-message"]
        assert rss_kib(server) - before_kib < 128 * 1024
        late.exchange(frame(HEADERS, END_HEADERS, 3, request()) + frame(DATA, 0, 3, message()),
                      until=lambda: late.find(DATA, 3))
        assert late.find(DATA, 3), "a ping is answered all the same"
    assert eventually(lambda: active() == 0, 10)


@both
def test_a_flood_of_bytes_ends_at_the_rate(world, pb, front):
    """Echoes of 64 KiB, as fast as they are taken: a stream faster than the rate ends, and those beside it do not."""
    data = message(b"\x12\xf0\xff\x03" + bytes(65520))
    with world.unhurt(), contextlib.closing(flow.connect(world.port(front), world.ca(front))) as attacker:
        stream = attacker.open(request(path=RUN, extra=(("probe-script-bin", "IAE="),)))
        beside = attacker.open(request())
        attacker.send(raw.window_update(2**30))
        attacker.send(raw.window_update(2**30, stream))
        begun, sent = time.monotonic(), 0
        while sent < 400 and not attacker.peer.status_of(stream):
            sent += 1
            attacker.queue(stream, data)
            attacker.pump(quiet_s=0.5, deadline_s=10)
            attacker.peer.frames[:] = [f for f in attacker.peer.frames if f.type != DATA]
            attacker._seen = len(attacker.peer.frames)
        slow = sent * len(data) <= BURST + RATE * (time.monotonic() - begun)  # this machine, beside others
        assert attacker.peer.status_of(stream) == (None if sent == 400 and slow else "8"), told(attacker.peer)
        attacker.queue(beside, message())
        attacker.pump(quiet_s=1, deadline_s=5)
        assert attacker.wait_answered([beside], 5)


# ---- clients that do not read, and such that are half there --------------------------------------------


@both
@pytest.mark.parametrize("window", [0, 65535])
def test_who_never_reads_is_sent_no_more(world, pb, front, window):
    """Ninety streams each with the most bytes that it may have, in windows that are shut or a socket that is full."""
    script = pb.Script(send_every_ms=500, send_bytes=PAYLOAD, go_on=True).SerializeToString()
    attack = b"".join(opened(2 * n + 1, script, flags=END_STREAM if n % 2 else 0) for n in range(90))
    with world.unhurt(), contextlib.closing(world.client(front, settings=[(INITIAL_WINDOW_SIZE, window)])) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.exchange(attack, deadline_s=2, read=False)
        for agent in world.agents:
            agent.wait_for("Received pong", count=30, after=len(agent.lines))


def test_metadata_that_nobody_reads_is_bounded(world, pb):
    """Of 32 MB that are asked for, 4 MiB."""
    script = pb.Script(headers_at_once=True, pad_fields=400, pad_bytes=80 << 10).SerializeToString()
    attack = b"".join(opened(2 * n + 1, script) for n in range(400))
    with world.unhurt(), contextlib.closing(world.client("server")) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.exchange(attack, deadline_s=2, read=False)
        for agent in world.agents:
            agent.wait_for("Received pong", count=30, after=len(agent.lines))


def test_what_a_held_stream_is_sent_is_kept_by_nobody(world):
    """Of each, a window of bytes; what is more breaks HTTP/2."""
    with world.unhurt(), contextlib.closing(flow.connect(world.port("server"), None)) as attacker:
        for _ in range(100):
            stream = attacker.open(request(path=RUN, extra=(("probe-script-bin", "MAE="),)))
            attacker.queue(stream, message(b"\x12\xf7\xff\x03" + bytes(65527)))
            assert attacker.pump(quiet_s=5, deadline_s=10) == 0
        assert still_serves(attacker.peer)
        attacker.send(frame(DATA, 0, stream, b"x"))
        attacker.wait(lambda: attacker.peer.reset_of(stream), 5)
        assert attacker.peer.reset_of(stream) == "FLOW_CONTROL_ERROR", told(attacker.peer)
        assert still_serves(attacker.peer)


def test_half_open_streams_are_found_out(world):
    """A client that is cut off in the middle leaves streams; of the connection nothing is heard any more, and when its
    socket ends, so do they."""
    with world.unhurt():
        for _ in range(30):
            with contextlib.closing(world.client("server")) as peer:
                peer.exchange(b"".join(opened(2 * n + 1, b"\x08\x0a\x38\x01", probe_id=f"{n:016x}") +
                                       frame(DATA, 0, 2 * n + 1, b"\0\0\0") for n in range(30)))
        with contextlib.closing(world.client("server")) as peer:
            def all_ended():
                stream = all_ended.stream = all_ended.stream + 2
                peer.exchange(seen(stream, b"\x0a\x10" + b"0" * 16), until=lambda: peer.status_of(stream))
                answer = peer.find(DATA, stream)[0].payload
                return b"\x30\x01\x38\x03" in answer  # ended, CONNECTION_LOST

            all_ended.stream = -1
            assert eventually(all_ended)


# ---- what others share --------------------------------------------------------------------------------


def test_goaways_on_a_shared_connection_harm_nobody(world, pb):
    """The proxy's connection to the server carries the agent's stream; that stays, and new ones get another."""
    script = pb.Script(end_after_ms=1, goaway=True, grace_ms=1).SerializeToString()
    with world.unhurt(), contextlib.closing(world.client("proxy")) as peer:
        for n in range(60):
            peer.exchange(opened(2 * n + 1, script), until=lambda: peer.status_of(2 * n + 1))
        statuses = [peer.status_of(2 * n + 1) for n in range(60)]
        assert set(statuses) == {"0", "8"} and statuses[0] == "0", statuses
        assert still_serves(peer)


def test_resets_of_every_code_on_a_shared_connection_harm_nobody(world, pb):
    with world.unhurt(), contextlib.closing(world.client("proxy")) as peer:
        def over(stream):
            return peer.reset_of(stream) or peer.status_of(stream)

        for n in range(400):
            script = pb.Script(end_after_ms=1, reset=n % 16 if n % 17 else 2**31 + n).SerializeToString()
            peer.exchange(opened(2 * n + 1, script), until=lambda: over(2 * n + 1) or peer.closed)
            if peer.closed:
                break
        assert n > 0 and all(over(2 * m + 1) for m in range(n)), told(peer)
