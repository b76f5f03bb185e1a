"""Hostile peers: clients against proxy and server, servers against proxy, agent and verify. Beside each attack two agents ping
through the same processes and must lose nothing; the processes stay up, in bounded memory, and the attacker gets the documented answer."""
import contextlib
import json
import os
import random
import re
import selectors
import signal
import socket
import ssl
import struct
import threading
import time
import urllib.request

import pytest

from testenv import raw
from testenv.grpcroute import Agent, Proxy, Server, grpcroute
from testenv.wait import wait_until
from testenv.raw import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY,
                         PUSH_PROMISE, SETTINGS, block, frame, literal, message, number,
                         request, setting, window_update)

GROWTH_KIB = 16 * 1024
TIMER_S = 10  # H2_PREFACE_MS, H2_SETTINGS_ACK_MS, H2_HEADER_BLOCK_MS and the TLS handshake's
HEADER_TABLE_SIZE, ENABLE_PUSH, _, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)
CALM_LINE = re.compile(r"Stream opened|Sent ping|Received pong")
CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
# Freed memory kept back by a sanitizer says nothing about ours.
ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}


def rss_kib(process):
    for line in open(f"/proc/{process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class World:
    """A proxy before two servers, with one agent through the proxy and one straight to a server."""

    def __init__(self, certs, stack):
        def start(kind, *args, **kwargs):
            return stack.enter_context(contextlib.closing(kind(*args, **kwargs, env=ENV)))

        self.cacert = certs / "ca.pem"
        self.server = start(Server, "v1", "good")
        self.other = start(Server, "v2", "good-2")
        self.proxy = start(Proxy, certs, [self.server], [self.other], "--workers", "1").wait_ready()  # all on one upstream connection
        self.agents = [start(Agent, "v1.1", "bystander", self.proxy.target, "--interval", "50ms", cacert=self.cacert),
                       start(Agent, "v1.2", "bystander-2", self.server.address, "--interval", "50ms")]
        for agent in self.agents:
            agent.wait_for("Received pong", count=3)

    def port(self, front):
        return getattr(self, front).port

    def ca(self, front):
        return self.cacert if front == "proxy" else None

    def client(self, front, **kwargs):
        return raw.client(self.port(front), self.ca(front), **kwargs)

    @contextlib.contextmanager
    def unhurt(self):
        """Whatever happens inside disturbs no agent, ends no process and leaves no memory behind."""
        processes = [self.proxy, self.server, self.other]
        before = [rss_kib(process) for process in processes]
        marks = [len(agent.lines) for agent in self.agents]
        yield
        for agent, mark in zip(self.agents, marks):
            check_lost_nothing(agent, mark)
        assert all(process.running() for process in processes)
        assert not any("runtime error" in process.output for process in processes)
        grown = [rss_kib(process) - kib for process, kib in zip(processes, before)]
        assert max(grown) < GROWTH_KIB, grown


def check_lost_nothing(agent, mark):
    """Two more rounds are answered, as was every ping so far, and there is nothing else in the log since `mark`."""
    agent.wait_for("Received pong", count=2, after=len(agent.lines), deadline_s=5)
    sent = sum("Sent ping" in line for line in agent.lines)
    agent.wait_for("Received pong", count=sent, deadline_s=5)
    odd = [line for line in agent.lines[mark:] if not CALM_LINE.search(line)]
    assert not odd, odd


@pytest.fixture(scope="module")
def world(certs):
    with contextlib.ExitStack() as stack:
        yield World(certs, stack)


both = pytest.mark.parametrize("front", ["proxy", "server"])


# ---- what the attacker is told ------------------------------------------------------------------


def still_serves(peer):
    pings = len(peer.find(PING, flags=ACK))
    return peer.exchange(frame(PING, payload=b"still up"), until=lambda: len(peer.find(PING, flags=ACK)) > pings)


def told(peer):
    return peer.closed, peer.goaway(), [f[:3] + (f.fields,) for f in peer.frames[-8:]]


class Ends:
    """GOAWAY with one of the errors, and the end of the connection."""

    def __init__(self, *errors, text="", streams=None):
        self.errors, self.text, self.streams = errors, text, streams

    def check(self, peer, data):
        peer.exchange(data, until=lambda: False)
        goaway = peer.goaway()
        assert peer.closed and goaway and goaway.error in self.errors and self.text in goaway.text, told(peer)
        assert self.streams is None or goaway.last_stream <= 2 * self.streams, told(peer)


class Resets:
    """RST_STREAM with one of the errors; the connection lives on."""

    def __init__(self, *errors, stream=1):
        self.errors, self.stream = errors, stream

    def check(self, peer, data):
        peer.exchange(data, until=lambda: peer.reset_of(self.stream))
        assert peer.reset_of(self.stream) in self.errors, told(peer)
        assert still_serves(peer), told(peer)


class Status:
    """This grpc-status; the connection lives on."""

    def __init__(self, code, stream=1):
        self.code, self.stream = code, stream

    def check(self, peer, data):
        peer.exchange(data, until=lambda: peer.status_of(self.stream) is not None)
        assert peer.status_of(self.stream) == str(self.code), told(peer)
        assert still_serves(peer), told(peer)


class Survives:
    """The connection lives on, and a ping on stream `stream` is answered."""

    def __init__(self, stream=1):
        self.stream = stream

    def check(self, peer, data):
        peer.exchange(data, until=lambda: peer.find(DATA, self.stream))
        assert peer.find(DATA, self.stream), told(peer)
        assert still_serves(peer), told(peer)


# ---- the attacks of a client ----------------------------------------------------------------------


def opened(stream=1, flags=0, **kwargs):
    return frame(HEADERS, END_HEADERS | flags, stream, request(**kwargs))


def ping_stream(stream=1):
    return opened(stream) + frame(DATA, 0, stream, message())


def headers(*extra, stream=1):
    return frame(HEADERS, END_HEADERS, stream, request() + b"".join(extra))


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
    "too-many-streams": (lambda: many_streams(2000), Ends("PROTOCOL_ERROR", CALM)),
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
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        expected.check(peer, make())


@both
def test_resets_of_many_connections_at_once_are_bounded_each(world, front):
    with world.unhurt(), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(contextlib.closing(world.client(front))) for _ in range(10)]
        for peer in peers:
            Ends(CALM, streams=400).check(peer, rapid_reset(2000))


GRPC = ("content-type", "application/grpc")


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


def eventually(condition, deadline_s=5):
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)  # looking at /proc again
    return True


# ---- slow peers: all at the same time, because each takes a time limit to end ----------------------


def slow_starts(world, front):
    """(socket or TLS socket, what it says at first, what it says again and again) of clients that never get to the point."""
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
    with world.unhurt(), contextlib.ExitStack() as stack:
        slow = []
        for name, sock, first, drip in slow_starts(world, front):
            peer = stack.enter_context(contextlib.closing(raw.Peer(sock)))
            peer.exchange(first)
            slow.append((name, peer, iter(drip)))
        ended = {}
        while len(ended) < len(slow) and time.monotonic() - begin < TIMER_S + 5:
            for name, peer, drip in slow:
                peer.exchange(next(drip, b""), until=lambda: peer.closed, deadline_s=0.05)
                if peer.closed:
                    ended.setdefault(name, time.monotonic() - begin)
        assert set(ended) == {name for name, _, _ in slow}, ended
        assert all(TIMER_S - 1 < after < TIMER_S + 4 for after in ended.values()), ended


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
        peer.exchange(SMUGGLERS[name], until=lambda: peer.find(DATA) or peer.reset_of(1) or peer.status_of(1) or peer.closed)
        assert not peer.find(DATA), told(peer)
        assert peer.reset_of(1) == "PROTOCOL_ERROR" or peer.status_of(1) in ("2", "3", "12", "13"), told(peer)
        assert still_serves(peer)


# ---- the end of a process, and its admin port ---------------------------------------------------------


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
    wait_until(lambda: len(re.findall("Stream opened from", server.output)) == len(re.findall("Stream closed", server.output)) + 1, 5,
               "the server has closed them")
    assert "too many" not in server.output + proxy.output and "unhealthy" not in proxy.output
    check_lost_nothing(bystander, 0)


@both
def test_resets_of_a_client_that_never_reads_are_bounded(world, front):
    with world.unhurt(), contextlib.closing(world.client(front)) as peer:
        peer.exchange(rapid_reset(), deadline_s=2, read=False)
        peer.exchange(until=lambda: False)
        assert peer.closed, told(peer)


ADMIN = {
    "noise": random.Random(6).randbytes(4096),
    "http-2": raw.PREFACE + setting(),
    "long-line": b"GET /" + b"x" * 200000 + b" HTTP/1.1\r\n\r\n",
    "long-headers": b"GET /ready HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    "endless-body": b"POST /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n" + bytes(1000000),
    "negative-length": b"POST /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n" + bytes(1000),
    "pipeline": b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5000,
}


@pytest.mark.parametrize("name", ADMIN)
def test_hostile_client_of_the_admin_port(world, name):
    with world.unhurt(), socket.create_connection(("127.0.0.1", world.proxy.admin_port), 5) as sock:
        sock.settimeout(2)
        with contextlib.suppress(OSError):
            sock.sendall(ADMIN[name])
        with urllib.request.urlopen(world.proxy.admin + "/ready", timeout=5) as answer:
            assert answer.status == 200
    assert world.proxy.running()


class Pipeline:
    """Asks for the same without an end on forty connections, and reads what comes."""

    def __init__(self, port, path, request, connections=40):
        self.port, self.requests, self.answers = port, request % path.encode() * 50, 0
        self.selector = selectors.DefaultSelector()
        self.ended = threading.Event()
        for _ in range(connections):
            self.connect()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def run(self):
        while not self.ended.wait(0.002):
            for key, what in self.selector.select(0.1):
                try:
                    if what & selectors.EVENT_WRITE:
                        key.fileobj.send(self.requests)
                    if what & selectors.EVENT_READ and not key.fileobj.recv(1 << 20):
                        raise ConnectionResetError
                    self.answers += what & selectors.EVENT_READ
                except BlockingIOError:
                    pass
                except OSError:  # the end of a request that was refused: another one
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self.connect()

    def close(self):
        self.ended.set()
        self.thread.join(20)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def answered(admin, path):
    """Within seconds: alone it takes milliseconds, and this machine may have much to do."""
    with urllib.request.urlopen(admin + path, timeout=5) as answer:
        return answer.status == 200 and answer.read()


@pytest.mark.parametrize("path", ["/streams?q=", "/streams?q=nobody", "/metrics", "/clusters?format=json", "/history", "/events", "/dashboard", "/ready",
                                  "/", "/none", "/reload"])
def test_a_client_that_asks_too_much_of_the_admin_port_pays_alone(world, started, path):
    method = b"POST" if path == "/reload" else b"GET"
    attack = started(Pipeline(world.proxy.admin_port, path, method + b" %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"))
    wait_until(lambda: attack.answers > 20, 20, "it has begun")
    for probe in ["/ready", "/metrics", "/server_info", "/ready"] * 3:
        assert answered(world.proxy.admin, probe)


@pytest.mark.parametrize("request_", [b"", b"GET /ready HTTP/1.1\r\nHost: lo", b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                      b"GET /streams HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50], ids=["silent", "half", "events", "unread"])
def test_connections_to_the_admin_port_keep_nobody_out(world, request_):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", world.proxy.admin_port), 5))
            with contextlib.suppress(OSError):
                sock.sendall(request_)
        for probe in ["/ready", "/metrics", "/streams", "/ready"]:
            assert answered(world.proxy.admin, probe)


# ---- the attacks of a server -----------------------------------------------------------------------

ESCAPES = b"\x1b]0;owned\x07\x1b[2J\r\n\x7f\x9b31m\xff"
ENCODED_ESCAPES = "".join(f"%{byte:02x}" for byte in ESCAPES)
LOST = "UNAVAILABLE"  # what a client behind the proxy hears of a connection that broke its rules
BROKEN = "INTERNAL"  # ... and of a stream whose answer did


def fields(stream, *pairs, end=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(*pairs))


def response(stream):
    return fields(stream, (":status", "200"), GRPC)


def trailers(stream, end=True):
    return fields(stream, ("grpc-status", "0"), end=end)


def trailers_only(status, text=""):
    return lambda s: fields(s, (":status", "200"), GRPC, ("grpc-status", status), ("grpc-message", text), end=True)


def goaway_frame(last_stream, error=0, text=b""):
    return frame(GOAWAY, payload=struct.pack(">II", last_stream, error) + text)


# name: (the answer to a ping stream, what a client behind the proxy is told, why the agent says the stream closed)
SERVERS = {
    # one stream
    "informational-flood": (lambda s: fields(s, (":status", "103")) * 20000, BROKEN, "more than 8 informational responses"),
    "reset": (lambda s: raw.reset(s, 2), "INTERNAL_ERROR", "stream reset with INTERNAL_ERROR"),
    "reset-with-unknown-error": (lambda s: raw.reset(s, 0xdead), "57005", "stream reset with unknown"),
    "reset-without-error": (lambda s: raw.reset(s, 0), "NO_ERROR", "stream reset with NO_ERROR"),
    "trailers-before-headers": (trailers, BROKEN, "pseudo-header field is missing"),
    "trailers-that-end-nothing": (lambda s: response(s) + trailers(s, end=False), BROKEN, "malformed trailers"),
    "no-status": (lambda s: fields(s, GRPC), BROKEN, "pseudo-header field is missing"),
    "http-status-text": (lambda s: fields(s, (":status", "abc"), GRPC), BROKEN, "malformed field :status"),
    "http-status-long": (lambda s: fields(s, (":status", "2" * 20), GRPC), BROKEN, "malformed field :status"),
    "control-byte-in-field": (lambda s: fields(s, (":status", "200"), GRPC, ("x", "a\x1b")),
                              BROKEN, "malformed field x: a character"),
    "header-bomb": (lambda s: frame(HEADERS, END_HEADERS, s, block((":status", "200")) + literal(
        "big", "x" * 3000, 0x40) + b"\xbe" * 4000), BROKEN, r"RESOURCE_EXHAUSTED: header block of \d{8} bytes is over the limit of 16384"),
    "trailer-bomb": (lambda s: response(s) + fields(s, *[("x", "y")] * 101, end=True), BROKEN,
                     "RESOURCE_EXHAUSTED: trailer block of 101 fields is over the limit of 100"),
    "end-without-trailers": (lambda s: response(s) + frame(DATA, END_STREAM, s), "NO_ERROR",
                             "response ended without trailers"),
    # the connection
    "reset-flood": (lambda s: response(s) + raw.reset(s) * 20000, "CANCEL", "stream reset with CANCEL"),
    "push-promise": (lambda s: frame(PUSH_PROMISE, END_HEADERS, s, b"\0\0\0\2" + request()), LOST, "PROTOCOL_ERROR"),
    "stream-of-the-server": (lambda s: fields(2, (":status", "200"), GRPC), LOST, "PROTOCOL_ERROR"),
    "data-before-headers": (lambda s: frame(DATA, 0, s, message()), LOST, "PROTOCOL_ERROR"),
    "data-on-idle-stream": (lambda s: frame(DATA, 0, s + 20, message()), LOST, "PROTOCOL_ERROR"),
    "noise": (lambda s: response(s) + b"\xff" * 4096, LOST, "FRAME_SIZE_ERROR"),
    "frame-too-large": (lambda s: frame(DATA, 0, s, bytes(16385)), LOST, "FRAME_SIZE_ERROR"),
    "broken-hpack": (lambda s: frame(HEADERS, END_HEADERS, s, b"\xff\xff\x7f"), LOST, "COMPRESSION_ERROR"),
    "window-update-0": (lambda s: window_update(0), LOST, "PROTOCOL_ERROR"),
    "window-overflow": (lambda s: window_update(2**31 - 1), LOST, "FLOW_CONTROL_ERROR"),
    "settings-flood": (lambda s: setting((INITIAL_WINDOW_SIZE, 1000)) * 20000, LOST, "too many SETTINGS"),
    "ping-flood": (lambda s: frame(PING, payload=b"x" * 8) * 20000, LOST, "too_many_pings|Flooding"),
    "ping-ack-flood": (lambda s: frame(PING, ACK, payload=b"x" * 8) * 20000, LOST, "PINGs that were never sent"),
    "goaway-flood": (lambda s: goaway_frame(s) * 20000, LOST, "too many GOAWAY"),
    "empty-data-flood": (lambda s: response(s) + frame(DATA, 0, s) * 20000, BROKEN, "more than 100 empty DATA frames"),
    "continuation-flood": (lambda s: frame(HEADERS, 0, s, block((":status", "200"))) + frame(
        CONTINUATION, 0, s) * 20000, LOST, "more than 64 CONTINUATION frames"),
    "goaway-refusing": (lambda s: goaway_frame(0), "UNAVAILABLE", "connection is going away: GOAWAY NO_ERROR"),
    "goaway-with-escapes": (lambda s: goaway_frame(0, 11, ESCAPES), "UNAVAILABLE",
                            r"connection is going away: GOAWAY ENHANCE_YOUR_CALM: .*\\x1b"),
    "cut-frame": (lambda s: response(s)[:-3], LOST, "closed by the peer"),
    # the status
    "grpc-status-text": (trailers_only("banana"), "banana", "UNKNOWN"),
    "grpc-status-negative": (trailers_only("-1"), "-1", "UNKNOWN"),
    "grpc-status-huge": (trailers_only("9" * 40), "9" * 40, "UNKNOWN"),
    "grpc-status-empty": (trailers_only(""), "", "UNKNOWN"),
    "escapes-in-message": (trailers_only("7", ENCODED_ESCAPES), "7", r"PERMISSION_DENIED: \\x1b\]0;owned"),
    "bytes-in-message": (trailers_only("7", b"\x9b31m\xff"), "7", r"PERMISSION_DENIED: \\x9b31m\\xff"),
    "long-message": (trailers_only("7", "x" * 9000), "7", "PERMISSION_DENIED: x{100,300}"),
}
# What the proxy passes on as it is, for the client to judge.
ANSWERS = {
    "http-500": (lambda s: fields(s, (":status", "500"), ("content-type", "text/html\x9b"), end=True),
                 "HTTP status 500 from something that is not gRPC"),
    "not-grpc": (lambda s: fields(s, (":status", "200"), ("content-type", "text/html")),
                 "HTTP status 200 from something that is not gRPC"),
    "data-after-end": (lambda s: response(s) + trailers(s) + frame(DATA, 0, s, message()), "OK"),
    "message-of-4-GiB": (lambda s: response(s) + frame(DATA, 0, s, b"\0\xff\xff\xff\xffx"), "RESOURCE_EXHAUSTED"),
    "window-exceeded": (lambda s: response(s) + frame(DATA, 0, s, b"\0\x7f\xff\xff\xff" + bytes(16379)) * 100,
                        "RESOURCE_EXHAUSTED"),
    "compressed-message": (lambda s: response(s) + frame(DATA, 0, s, b"\1\0\0\0\1x"), "INTERNAL: .*compressed"),
    "not-protobuf": (lambda s: response(s) + frame(DATA, 0, s, message(b"\xff" * 20)), "not a ping.PingResponse"),
}
GREETINGS = {
    "http-1": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "tls-alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "escapes": ESCAPES * 20,
    "noise": random.Random(5).randbytes(4096),
}


def hostile_server(answer, started):
    def behave(peer, stream):
        peer.exchange(answer(stream))
        if answer is SERVERS["cut-frame"][0]:
            with contextlib.suppress(OSError):  # the other side may be gone already
                peer.sock.shutdown(socket.SHUT_RDWR)
    return started(raw.RawServer(behave))


def heard_by_client(peer):
    """The status or the error that ended stream 1."""
    status = peer.status_of(1)
    return peer.reset_of(1) if status is None else {"13": BROKEN, "14": LOST}.get(status, status)


@pytest.mark.parametrize("name", SERVERS)
def test_hostile_upstream(world, started, certs, name):
    answer, expected, _ = SERVERS[name]
    hostile = hostile_server(answer, started)
    proxy = started(Proxy(certs, [world.server], [hostile], "--workers", "1", env=ENV)).wait_ready()
    bystander = started(Agent("v1.1", "b", proxy.target, "--interval", "50ms", cacert=world.cacert, env=ENV))
    bystander.wait_for("Received pong", count=2)
    proxy.wait_for(f"Endpoint {hostile.address} of cluster server-v2 is healthy")
    before = rss_kib(proxy)
    with contextlib.closing(raw.client(proxy.port, world.cacert)) as peer:
        peer.exchange(opened(version="v2.1") + frame(DATA, 0, 1, message()), until=lambda: heard_by_client(peer) is not None)
        assert heard_by_client(peer) == expected, told(peer)
        assert still_serves(peer)
    check_lost_nothing(bystander, 0)
    assert rss_kib(proxy) - before < GROWTH_KIB
    assert not CONTROL.search("".join(proxy.lines))


def test_agents_leave_a_hostile_endpoint_for_the_good_one(world, started, certs):
    hostile = hostile_server(SERVERS["window-update-0"][0], started)
    proxy = started(Proxy(certs, [hostile, world.server], [world.other], "--workers", "1", env=ENV)).wait_ready()
    client = started(Agent("v1.1", "a", proxy.target, "--count", "6", cacert=world.cacert, env=ENV))
    for which in range(1, 7):
        client.wait_for(rf"a-{which}\] Received pong from server=v1/good", count=3)
    assert eventually(lambda: hostile.connections > 1, 10)  # the proxy comes back to look at its health


def test_requests_that_a_server_refuses_go_to_another(world, started, certs):
    hostile = hostile_server(SERVERS["goaway-refusing"][0], started)
    proxy = started(Proxy(certs, [hostile, world.server], [world.other], "--workers", "1", env=ENV)).wait_ready()
    client = started(Agent("v1.1", "a", proxy.target, "--count", "6", cacert=world.cacert, env=ENV))
    for which in range(1, 7):
        client.wait_for(rf"a-{which}\] Received pong from server=v1/good", count=3)
    assert "Stream closed" not in client.output


@pytest.mark.parametrize("refusals, verdict", [(1, "healthy"), (2, "unhealthy: health check ended with REFUSED_STREAM")])
def test_a_health_check_that_was_not_looked_at_is_asked_again(world, started, certs, refusals, verdict):
    checks = []

    def health(peer, stream):
        checks.append(stream)
        if len(checks) <= refusals:
            peer.exchange(goaway_frame(0))
        else:
            raw.has_no_health_service(peer, stream)

    hostile = started(raw.RawServer(lambda peer, stream: None, health=health))
    proxy = started(Proxy(certs, [world.server], [hostile], env=ENV))
    told = rf"Endpoint {hostile.address} of cluster server-v2 is (\w+.*)"
    assert proxy.wait_for(told).group(1) == verdict
    assert len(checks) == max(refusals, 2)


def health_answer(body, status="0"):
    return lambda peer, s: peer.exchange(response(s) + frame(DATA, 0, s, message(body)) + fields(s, ("grpc-status", status), end=True))


UNHEALTHY = {
    "not-serving": (health_answer(b"\x08\x02"), "health check answered NOT_SERVING"),
    "unknown": (health_answer(b"\x08\x00"), "health check answered UNKNOWN"),
    "another-number": (health_answer(b"\x08\x63"), "health check answered 99, which is no serving status"),
    "noise": (health_answer(b"\xff\xff\xff"), "health check was answered with what is no HealthCheckResponse"),
    "unavailable": (health_answer(b"\x08\x01", "14"), "health check failed with UNAVAILABLE"),
    "http-500": (lambda peer, s: peer.exchange(fields(s, (":status", "500"), end=True)), "health check was answered with HTTP status 500"),
    "not-grpc": (lambda peer, s: peer.exchange(fields(s, (":status", "200"), end=True)), "health check was not answered in gRPC"),
    "reset": (lambda peer, s: peer.exchange(raw.reset(s, 8)), "health check ended with CANCEL"),
}


@pytest.mark.parametrize("name", UNHEALTHY)
def test_a_bad_health_check_says_why(world, started, certs, name):
    health, cause = UNHEALTHY[name]
    hostile = started(raw.RawServer(lambda peer, stream: None, health=health))
    proxy = started(Proxy(certs, [world.server], [hostile], env=ENV))
    assert proxy.wait_for(rf"Endpoint {hostile.address} of cluster server-v2 is (\w+.*)").group(1) == f"unhealthy: {cause}"


def silent(peer, stream):
    pass


def test_bench_gives_up_on_streams_that_are_never_answered(started):
    server = started(raw.RawServer(silent))
    done = grpcroute("bench", "--target", server.address, "--plaintext", "-c", "3", "-z", "1s", env=ENV)
    assert done.returncode == 3 and "not answered in time" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("name, cause", [
    ("escapes-in-message", r"PERMISSION_DENIED: \\x1b"), ("reset", "INTERNAL_ERROR"), ("goaway-refusing", "GOAWAY NO_ERROR"),
    ("http-status-text", "malformed field :status"), ("end-without-trailers", "without trailers")])
@pytest.mark.parametrize("command", [["bench", "-z", "100ms"], ["failover-test", "--fault", "true"]])
def test_a_stream_refused_at_the_start_is_told_with_its_cause(started, command, name, cause):
    done = grpcroute(*command, "--target", hostile_server(SERVERS[name][0], started).address, "--plaintext", env=ENV)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and re.search(cause, done.stderr), done.stderr


@pytest.mark.parametrize("name", [*SERVERS, *ANSWERS])
@pytest.mark.parametrize("kind", ["unary", "server-stream", "bidi"])
def test_a_load_of_calls_survives_a_hostile_server(started, name, kind):
    """Whatever it says instead of an answer, the end is told, and soon."""
    server = hostile_server({**SERVERS, **ANSWERS}[name][0], started)
    begun = time.monotonic()
    done = grpcroute("bench", "--target", server.address, "--plaintext", "--method", "own.Fleet/Ask", "--call", kind, "-c", "2", "-s", "2",
                     "-r", "0", "-z", "200ms", "--warmup", "0", "--server-from", "header:x", env=ENV)
    assert done.returncode in (1, 3, 4), (done.stdout, done.stderr)
    assert not CONTROL.search((done.stdout + done.stderr).replace("\n", "")), done.stdout + done.stderr
    assert time.monotonic() - begun < 25  # 15 s where it says nothing that ends a call


def check_agent(started, server, cause):
    """One clean line for each lost stream, with the cause; then the agent is back."""
    agent = started(Agent("v1.1", "a", server.address, "--max-backoff", "1s", env=ENV))
    agent.wait_for(rf"\] (Stream closed|[^:]*): .*({cause}).*; reconnecting in \d", count=2, deadline_s=10)
    assert server.connections >= 2
    odd = [line for line in agent.lines if not CALM_LINE.search(line) and "; reconnecting in" not in line]
    assert not odd, odd
    assert not CONTROL.search("".join(agent.lines))


@pytest.mark.parametrize("name", [*SERVERS, *ANSWERS])
def test_agent_survives_a_hostile_server(started, name):
    answer, *_, cause = {**SERVERS, **ANSWERS}[name]
    check_agent(started, hostile_server(answer, started), cause)


@pytest.mark.parametrize("name", GREETINGS)
def test_agent_survives_what_is_not_http2(started, name):
    check_agent(started, started(raw.RawServer(lambda peer, stream: None, GREETINGS[name])), "HTTP|speaks TLS")


def test_verify_gives_no_verdict_on_hostile_servers(started):
    """Exit code 4: streams ended before there was any evidence; every line clean."""
    for name in ("header-bomb", "escapes-in-message", "bytes-in-message", "settings-flood", "noise", "goaway-flood"):
        server = hostile_server(SERVERS[name][0], started)
        done = grpcroute("verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-s", "2", env=ENV)
        assert done.returncode == 4, (name, done.stdout, done.stderr)
        assert not CONTROL.search((done.stdout + done.stderr).replace("\n", "")), name


@pytest.mark.parametrize("name", GREETINGS)
def test_verify_names_what_is_not_http2(started, name):
    server = started(raw.RawServer(lambda peer, stream: None, GREETINGS[name]))
    done = grpcroute("verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-s", "2", env=ENV)
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert re.search("HTTP|speaks TLS", done.stdout + done.stderr), done.stderr
    assert not CONTROL.search((done.stdout + done.stderr).replace("\n", ""))
