"""Hostile clients of proxy and server. Beside each attack two agents ping through the same processes and must lose
nothing; the processes stay up, in bounded memory, and the attacker gets the documented answer."""
import contextlib
import json
import os
import random
import re
import signal
import socket
import ssl
import struct
import time
import urllib.request

import pytest

from testenv import raw
from testenv.attack import (CONTROL, ENABLE_PUSH, ENV, Ends, GRPC, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
                            MAX_FRAME_SIZE, Resets, SETTINGS_ACK_S, Status, Survives, TIMER_S, check_lost_nothing,
                            eventually, headers, opened, ping_stream, still_serves, told)
from testenv.grpcroute import Agent, Proxy, Server
from testenv.raw import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY,
                         PUSH_PROMISE, SETTINGS, block, frame, literal, message, number, request, setting,
                         window_update)
from testenv.wait import wait_until

both = pytest.mark.parametrize("front", ["proxy", "server"])


# ---- attacks on a connection --------------------------------------------------------------------------


def rapid_reset(count=20000):
    return b"".join(opened(2 * n + 1) + raw.reset(2 * n + 1) for n in range(count))


def oversized(first, last):
    """One big field in the table, and references to it."""
    blocks = [literal("big", "x" * 3000, 0x40) + b"\xbe" * 4000] + [b"\xbe" * 4000] * ((last - first) // 2)
    return b"".join(frame(HEADERS, END_HEADERS, first + 2 * n, request() + b) for n, b in enumerate(blocks))


def made_resets(count=2000):
    """Malformed requests, each of which makes the other side send RST_STREAM."""
    return b"".join(headers(literal("Upper", "x"), stream=2 * n + 1) for n in range(count))


def many_streams(count):
    return b"".join(opened(2 * n + 1) for n in range(count))


CALM = "ENHANCE_YOUR_CALM"
ATTACKS = {
    # floods
    "rapid-reset": (rapid_reset, Ends(CALM, text="reset", streams=400)),
    # what the other side reads at once may also be more than the streams it allows
    "made-resets": (made_resets, Ends(CALM, "PROTOCOL_ERROR", streams=400)),
    "settings-flood": (lambda: setting((INITIAL_WINDOW_SIZE, 1000)) * 20000, Ends(CALM)),
    "settings-ack-flood": (lambda: frame(SETTINGS, ACK) * 20000, Ends(CALM, "PROTOCOL_ERROR")),
    "ping-flood": (lambda: frame(PING, payload=b"x" * 8) * 20000, Ends(CALM, text="too_many_pings")),
    "ping-ack-flood": (lambda: frame(PING, ACK, payload=b"x" * 8) * 20000, Ends(CALM)),
    "empty-data-flood": (lambda: opened() + frame(DATA, 0, 1) * 20000, Ends(CALM, text="empty")),
    "padding-flood": (lambda: opened() + frame(DATA, PADDED, 1, b"\7" + bytes(7)) * 4000, Ends(CALM, text="empty")),
    "priority-flood": (lambda: frame(PRIORITY, 0, 1, b"\0\0\0\3\0") * 20000, Ends(CALM, text="PRIORITY")),
    "unknown-flood": (lambda: frame(0x20, 0, 1, b"?") * 20000, Ends(CALM, text="unknown")),
    "window-flood": (lambda: window_update(1) * 20000, Ends(CALM, text="WINDOW_UPDATE")),
    "goaway-flood": (lambda: opened() + frame(GOAWAY, payload=b"\0" * 8) * 20000, Ends(CALM, text="GOAWAY")),
    "continuation-flood": (lambda: frame(HEADERS, 0, 1, request()) + frame(CONTINUATION, 0, 1) * 20000,
                           Ends(CALM, "PROTOCOL_ERROR", "INTERNAL_ERROR")),
    "window-toggle": (lambda: opened() + (setting((INITIAL_WINDOW_SIZE, 0)) + setting(
        (INITIAL_WINDOW_SIZE, 2**31 - 1))) * 10000, Ends(CALM)),
    # header blocks
    "header-bomb": (lambda: oversized(1, 1), Status(8)),
    "header-bombs": (lambda: oversized(1, 99), Ends(CALM, text="header", streams=15)),
    "too-many-fields": (lambda: headers(block(("x", "y")) * 101), Status(8)),
    "too-many-bytes": (lambda: frame(HEADERS, 0, 1, request()) + frame(
        CONTINUATION, END_HEADERS, 1, literal("x", "y" * 16300)), Status(8)),
    "table-size-above-limit": (lambda: frame(HEADERS, END_HEADERS, 1, number(5, 2**20, 0x20) + request()),
                               Ends("COMPRESSION_ERROR")),
    "unknown-index": (lambda: headers(b"\xff\xff\x7f"), Ends("COMPRESSION_ERROR")),
    "endless-integer": (lambda: headers(b"\xff" + b"\xff" * 100), Ends("COMPRESSION_ERROR")),
    "upper-case-name": (lambda: headers(literal("Upper", "x")), Resets("PROTOCOL_ERROR", "INTERNAL_ERROR")),
    "control-byte-in-value": (lambda: headers(literal("agent-version", "v1.1\r\nx: y")),
                              Resets("PROTOCOL_ERROR", "INTERNAL_ERROR")),
    "missing-path": (lambda: frame(HEADERS, END_HEADERS, 1, block((":method", "POST"), (":scheme", "http"))),
                     Resets("PROTOCOL_ERROR")),
    "connection-header": (lambda: headers(literal("connection", "close")), Resets("PROTOCOL_ERROR")),
    # frames
    "window-update-0": (lambda: window_update(0), Ends("PROTOCOL_ERROR")),
    "stream-window-update-0": (lambda: opened() + window_update(0, 1), Ends("PROTOCOL_ERROR")),
    "window-overflow": (lambda: window_update(2**31 - 1), Ends("FLOW_CONTROL_ERROR")),
    "stream-window-overflow": (lambda: opened() + window_update(2**31 - 1, 1), Resets("FLOW_CONTROL_ERROR")),
    "frame-too-large": (lambda: opened() + frame(DATA, 0, 1, b"\0" * 16385), Ends("FRAME_SIZE_ERROR")),
    "frame-of-16-MiB": (lambda: frame(HEADERS, END_HEADERS, 1, b"", 2**24 - 1), Ends("FRAME_SIZE_ERROR")),
    "data-on-stream-0": (lambda: frame(DATA, 0, 0, b"x"), Ends("PROTOCOL_ERROR")),
    "data-on-idle-stream": (lambda: frame(DATA, 0, 5, b"x"), Ends("PROTOCOL_ERROR")),
    "headers-on-stream-0": (lambda: opened(0), Ends("PROTOCOL_ERROR")),
    "headers-on-even-stream": (lambda: opened(2), Ends("PROTOCOL_ERROR")),
    "reset-of-idle-stream": (lambda: raw.reset(7), Ends("PROTOCOL_ERROR")),
    "continuation-alone": (lambda: frame(CONTINUATION, END_HEADERS, 1, request()), Ends("PROTOCOL_ERROR")),
    "frame-inside-block": (lambda: frame(HEADERS, 0, 1, request()) + window_update(1), Ends("PROTOCOL_ERROR")),
    "push-promise": (lambda: opened() + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + request()),
                     Ends("PROTOCOL_ERROR")),
    "padding-beyond-frame": (lambda: opened() + frame(DATA, PADDED, 1, b"\xff\0"), Ends("PROTOCOL_ERROR")),
    "short-ping": (lambda: frame(PING, payload=b"x"), Ends("FRAME_SIZE_ERROR")),
    "short-settings": (lambda: frame(SETTINGS, payload=b"x"), Ends("FRAME_SIZE_ERROR")),
    "settings-on-a-stream": (lambda: frame(SETTINGS, 0, 1), Ends("PROTOCOL_ERROR")),
    "too-many-settings": (lambda: setting(*[(INITIAL_WINDOW_SIZE, n) for n in range(140)]), Ends(CALM)),
    "window-above-maximum": (lambda: setting((INITIAL_WINDOW_SIZE, 2**31)), Ends("FLOW_CONTROL_ERROR")),
    "frame-size-0": (lambda: setting((MAX_FRAME_SIZE, 0)), Ends("PROTOCOL_ERROR")),
    "push-2": (lambda: setting((ENABLE_PUSH, 2)), Ends("PROTOCOL_ERROR")),
    # streams
    "data-after-end": (lambda: opened(1, END_STREAM) + frame(DATA, 0, 1, message()), Ends("STREAM_CLOSED")),
    "headers-after-end": (lambda: opened(1, END_STREAM) + opened(1), Ends("STREAM_CLOSED")),
    "data-after-reset": (lambda: opened() + raw.reset(1) + frame(DATA, 0, 1, b"x"), Ends("STREAM_CLOSED")),
    "too-many-streams": (lambda: many_streams(3000), Ends("PROTOCOL_ERROR", CALM)),
    # gRPC
    "message-of-4-GiB": (lambda: opened() + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff" + b"x" * 9000), Status(8)),
    "compressed-message": (lambda: opened() + frame(DATA, 0, 1, b"\1\0\0\0\1x"), Status(13)),
    "message-flag-255": (lambda: opened() + frame(DATA, 0, 1, b"\xff\0\0\0\1x"), Status(13)),
    "not-protobuf": (lambda: opened() + frame(DATA, 0, 1, message(b"\xff" * 100)), Status(13)),
    "end-inside-message": (lambda: opened() + frame(DATA, END_STREAM, 1, b"\0\0\0\0\x09x"), Status(13)),
    # odd, but allowed
    "table-size-games": (lambda: (setting((HEADER_TABLE_SIZE, 0)) + setting(
        (HEADER_TABLE_SIZE, 2**32 - 1))) * 20 + ping_stream(), Survives()),
    "half-closed-stream": (lambda: opened() + frame(DATA, END_STREAM, 1, message()) + window_update(1000, 1)
                           + frame(PRIORITY, 0, 1, b"\0\0\0\3\0"), Survives()),
    "window-opened-late": (lambda: setting((INITIAL_WINDOW_SIZE, 0)) + ping_stream() + window_update(1000, 1),
                           Survives()),
    "one-byte-data": (lambda: opened() + b"".join(frame(DATA, 0, 1, bytes([b])) for b in message()), Survives()),
}


@both
@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_client(world, front, name):
    make, expected = ATTACKS[name]
    ended, timed_out = world.ended()
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        expected.check(peer, make())
    ends = front == "proxy" and isinstance(expected, Ends)
    assert world.ended() == [ended + ends, timed_out], "whose connection the proxy ends is counted, and nobody else's"


@both
def test_resets_of_many_connections_at_once_are_bounded_each(world, front):
    with world.unhurt(), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(contextlib.closing(world.client(front))) for _ in range(10)]
        for peer in peers:
            Ends(CALM, streams=400).check(peer, rapid_reset(2000))


def plain(method, *extra, path="/x"):
    pairs = ((":method", method), (":authority", "localhost")) if method == "CONNECT" else (
        (":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost"))
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*pairs, *extra))


# name: (a request that is no call, the HTTP status, what the body says)
PLAIN = {
    "get": (plain("GET"), "404", b"gRPC endpoint"),
    "head": (plain("HEAD"), "404", None),
    "head-of-the-root": (plain("HEAD", path="/"), "200", None),
    "head-of-a-method": (plain("HEAD", GRPC, path="/ping.PingService/PingPong"), "405", None),
    "put-of-a-method": (plain("PUT", GRPC, path="/ping.PingService/PingPong"), "405", b"POST"),
    "connect": (plain("CONNECT"), "404", b"gRPC endpoint"),
    "header-bomb": (plain("GET", *[("x", "y" * 1060)] * 15), "431", b"bytes is over the limit of 16384"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_request_that_is_no_call_is_answered_in_http(world, name):
    data, status, body = PLAIN[name]
    with contextlib.closing(world.client("server")) as peer:
        peer.exchange(data, until=lambda: any(f.flags & END_STREAM for f in peer.find(HEADERS, 1) + peer.find(DATA, 1)))
        assert peer.find(HEADERS, 1)[0].fields[":status"] == status, told(peer)
        sent = peer.find(DATA, 1)
        assert not sent if body is None else body in b"".join(f.payload for f in sent), told(peer)
        assert still_serves(peer)


# ---- what is not even HTTP/2 -----------------------------------------------------------------------

BEFORE_HTTP2 = {
    "http-1": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    "noise": random.Random(1).randbytes(4096),
    "tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.Random(2).randbytes(512),
    "tls-alert": b"\x15\x03\x03\x00\x02\x02\x28" * 50,
    "control-bytes": b"\x1b]0;owned\x07\r\n\x9b31m\0" * 20,
    "preface-and-noise": raw.PREFACE + random.Random(3).randbytes(4096),
    "preface-without-settings": raw.PREFACE + opened(),
}


@both
@pytest.mark.parametrize("name", BEFORE_HTTP2)
def test_what_is_not_http2_is_closed_at_once(world, front, name):
    with world.unhurt():
        for cacert in {None, world.ca(front)}:
            with contextlib.closing(raw.Peer(raw.connect(world.port(front), cacert))) as peer:
                peer.exchange(BEFORE_HTTP2[name], until=lambda: False, deadline_s=5)
                assert peer.closed, told(peer)
        for process in (world.proxy, world.server):
            assert not CONTROL.search("".join(process.lines))


def test_tls_without_h2_is_refused(world):
    context = ssl.create_default_context(cafile=str(world.cacert))
    for protocols in ([], ["http/1.1"]):
        if protocols:
            context.set_alpn_protocols(protocols)
        with world.unhurt(), socket.create_connection(("127.0.0.1", world.proxy.port), 5) as sock, \
                pytest.raises(OSError):
            tls = context.wrap_socket(sock, server_hostname="localhost")
            tls.sendall(raw.PREFACE + setting())
            if tls.recv(1) == b"":
                raise ConnectionResetError("closed")


def client_hello(cacert):
    """The first flight of a TLS handshake."""
    context = ssl.create_default_context(cafile=str(cacert))
    context.set_alpn_protocols(["h2"])
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_handshakes_that_are_cut_leave_nothing(world):
    hello = client_hello(world.cacert)
    descriptors = len(os.listdir(f"/proc/{world.proxy.pid}/fd"))
    with world.unhurt():
        for cut in list(range(0, len(hello), 8)) + [len(hello)] * 20:
            with socket.create_connection(("127.0.0.1", world.proxy.port), 5) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", cut % 2, 0))
                sock.sendall(hello[:cut])
                if cut == len(hello):
                    sock.recv(100)
    assert eventually(lambda: len(os.listdir(f"/proc/{world.proxy.pid}/fd")) <= descriptors)


# ---- slow peers: all at the same time, because each takes a time limit to end ----------------------


def slow_starts(world, front):
    """(socket or TLS socket, what it says at first, what it says again and again) of clients that never get to the
    point."""
    def connected():
        return raw.connect(world.port(front), world.ca(front))

    hello = client_hello(world.cacert)
    if front == "proxy":
        yield "silent before TLS", raw.connect(world.port(front)), b"", b""
        yield "drips its TLS handshake", raw.connect(world.port(front)), b"", [hello[n:n + 1] for n in range(200)]
    yield "silent", connected(), b"", b""
    yield "half a preface", connected(), raw.PREFACE[:10], b""
    yield "drips its preface", connected(), b"", [raw.PREFACE[n:n + 1] for n in range(24)]
    yield "no SETTINGS", connected(), raw.PREFACE, b""
    yield "no acknowledgement", connected(), raw.PREFACE + setting(), [frame(PING, payload=b"x" * 8)] * 2
    yield "an open header block", connected(), (raw.PREFACE + setting() + frame(SETTINGS, ACK)
                                                + frame(HEADERS, 0, 1, request())), b""
    yield "half a HEADERS frame", connected(), (raw.PREFACE + setting() + frame(SETTINGS, ACK)
                                                + opened()[:30]), b""


@both
def test_slow_peers_run_out_of_time(world, front):
    begin = time.monotonic()
    before = world.ended()
    with world.unhurt(), contextlib.ExitStack() as stack:
        slow = []
        for name, sock, first, drip in slow_starts(world, front):
            peer = stack.enter_context(contextlib.closing(raw.Peer(sock)))
            peer.exchange(first)
            slow.append((name, peer, iter(drip)))
        ended = {}
        while len(ended) < len(slow) and time.monotonic() - begin < SETTINGS_ACK_S + 5:
            for name, peer, drip in slow:
                peer.exchange(next(drip, b""), until=lambda: peer.closed, deadline_s=0.05)
                if peer.closed:
                    ended.setdefault(name, time.monotonic() - begin)
        assert set(ended) == {name for name, _, _ in slow}, ended
        for name, after in ended.items():
            limit_s = SETTINGS_ACK_S if name == "no acknowledgement" else TIMER_S
            assert limit_s - 1 < after < limit_s + 4, (name, ended)
    if front == "proxy":
        http2 = [name for name in ended if "TLS" not in name]
        assert world.ended() == [before[0], before[1] + len(http2)]
        assert re.search(r"Client 127\.0\.0\.1:\d+: peer did not acknowledge our SETTINGS in time", world.proxy.output)


# ---- peers that do not read ------------------------------------------------------------------------


@both
@pytest.mark.parametrize("window", [0, 65535])
def test_client_that_never_reads_bounds_memory(world, front, window):
    body = frame(DATA, 0, 0, message(b"\x0a\xe5\x07" + b"x" * 997))
    attack = b""
    for n in range(90):
        data = body[:5] + struct.pack(">I", 2 * n + 1) + body[9:]
        attack += opened(2 * n + 1) + data * 60
    with world.unhurt(), contextlib.closing(world.client(front, settings=[(INITIAL_WINDOW_SIZE, window)])) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.exchange(attack, deadline_s=2, read=False)
        for agent in world.agents:
            agent.wait_for("Received pong", count=10, after=len(agent.lines))


# ---- any bytes -------------------------------------------------------------------------------------


def noise(seed):
    """Frames with random types, flags, streams and contents, most of them short, some with a lie about the length."""
    rng = random.Random(seed)
    data = b""
    for _ in range(60):
        payload = rng.choice([request, lambda: rng.randbytes(rng.randrange(40)), message])()
        length = None if rng.random() < 0.97 else rng.randrange(2**14)
        data += frame(rng.randrange(12), rng.randrange(256) & rng.choice([0x2d, 0x25, 0x04, 0xff]),
                      rng.randrange(8), payload, length)
    return data


@both
def test_random_frames_do_no_harm(world, front):
    with world.unhurt():
        for seed in range(100):
            with contextlib.closing(world.client(front)) as peer:
                peer.exchange(opened() + noise(seed), deadline_s=2)
                peer.exchange(until=lambda: peer.closed, deadline_s=0.01)


# ---- requests that would pass by the routes ----------------------------------------------------------

VERSION = ("agent-version", "v1.1")


def ping_request(*extra, path=raw.PING_PONG, authority="localhost", version=VERSION):
    return frame(HEADERS, END_HEADERS, 1, block(
        (":method", "POST"), (":scheme", "https"), (":path", path), (":authority", authority), ("te", "trailers"),
        ("content-type", "application/grpc"), *([version] if version else []), *extra)) + frame(DATA, 0, 1, message())


SMUGGLERS = {
    "empty-path": ping_request(path=""),
    "star": ping_request(path="*"),
    "absolute-path": ping_request(path="http://localhost" + raw.PING_PONG),
    "no-slash": ping_request(path=raw.PING_PONG[1:]),
    "fragment": ping_request(path=raw.PING_PONG + "#x"),
    "dots": ping_request(path="/x/.." + raw.PING_PONG),
    "double-slash": ping_request(path="/" + raw.PING_PONG),
    "high-byte": ping_request(path=raw.PING_PONG.encode() + b"\x80"),
    "query": ping_request(path=raw.PING_PONG + "?x"),
    "user-in-authority": ping_request(authority="user@localhost"),
    "two-versions": ping_request(("agent-version", "v2.1")),
    "late-pseudo-header": ping_request((":path", raw.PING_PONG)),
    "transfer-encoding": ping_request(("transfer-encoding", "chunked")),
    "te-gzip": ping_request(("te", "gzip")),
    "wrong-content-length": ping_request(("content-length", "1")),
    "two-content-lengths": ping_request(("content-length", "11"), ("content-length", "12")),
    "space-in-version": ping_request(version=("agent-version", " v1.1")),
    "escape-in-version": ping_request(version=("agent-version", b"v1.1\x1b[2J")),
}


@pytest.mark.parametrize("name", SMUGGLERS)
def test_odd_requests_get_no_pong(world, name):
    with world.unhurt(), contextlib.closing(world.client("proxy")) as peer:
        peer.exchange(SMUGGLERS[name], until=lambda: peer.find(DATA) or peer.reset_of(1) or peer.status_of(1) or
                      peer.closed)
        assert not peer.find(DATA), told(peer)
        assert peer.reset_of(1) == "PROTOCOL_ERROR" or peer.status_of(1) in ("2", "3", "12", "13"), told(peer)
        assert still_serves(peer)


# ---- the end of a process ---------------------------------------------------------


@both
def test_resets_during_a_drain_are_bounded(world, started, certs, front):
    """nghttp2 counts no resets once a GOAWAY is out; the budget does."""
    if front == "proxy":
        victim = started(Proxy(certs, [world.server], [world.other], "--drain-timeout", "20s", env=ENV)).wait_ready()
    else:
        victim = started(Server("v1", "drained", "--drain-timeout", "20s", env=ENV))
    with contextlib.closing(raw.client(victim.port, world.ca(front))) as peer:
        peer.exchange(ping_stream(), until=lambda: peer.find(DATA))
        victim.send_signal(signal.SIGTERM)
        assert peer.exchange(until=peer.goaway)
        peer.exchange(b"".join(opened(n) + raw.reset(n) for n in range(3, 20001, 2)), until=lambda: False)
        assert peer.closed and peer.goaway().error == CALM, told(peer)
    assert victim.wait() == 0


def live_streams(proxy):
    with urllib.request.urlopen(proxy.admin + "/streams", timeout=5) as answer:
        return json.load(answer)["total"]


def test_resets_of_many_clients_spare_who_shares_their_connection(world, started, certs):
    """Each stays within its own budget; together they would use up that of the connection to the server."""
    server = started(Server("v1", "shared", env=ENV))
    proxy = started(Proxy(certs, [server], [world.other], env=ENV)).wait_ready()
    bystander = started(Agent("v1.1", "b", proxy.target, "--interval", "50ms", cacert=world.cacert, env=ENV))
    bystander.wait_for("Received pong", count=2)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(contextlib.closing(raw.client(proxy.port, world.cacert))) for _ in range(10)]
        for first in range(1, 181, 60):
            streams = range(first, first + 60, 2)
            for peer in peers:
                peer.exchange(b"".join(opened(n) for n in streams))
            wait_until(lambda: live_streams(proxy) > 30 * len(peers), 5, "they are open")
            for peer in peers:
                peer.exchange(b"".join(raw.reset(n) for n in streams))
        assert all(still_serves(peer) for peer in peers)
        for peer in peers:
            peer.exchange(b"".join(opened(n) for n in range(301, 341, 2)))
    check_lost_nothing(bystander, 0)
    wait_until(lambda: live_streams(proxy) == 1, 10, "the streams of those who left are gone")
    wait_until(lambda: len(re.findall("Stream opened from", server.output))
               == len(re.findall("Stream closed", server.output)) + 1, 5,
               "the server has closed them")
    assert "too many" not in server.output + proxy.output and "unhealthy" not in proxy.output
    check_lost_nothing(bystander, 0)


@both
def test_resets_of_a_client_that_never_reads_are_bounded(world, front):
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        peer.exchange(rapid_reset(), deadline_s=2, read=False)
        peer.exchange(until=lambda: False)
        assert peer.closed, told(peer)
