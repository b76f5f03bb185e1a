"""One client does its worst through the proxy, before endpoints of five makes: three agents and the health check on
the same upstream connection lose nothing, not a message."""
import contextlib
import os
import re
import signal
import socket
import struct
import threading
import time
import urllib.request

import pytest

from testenv import flow, raw
from testenv.endpoints import ENDPOINTS
from testenv.grpcroute import Agent, Proxy
from testenv.process import Process
from testenv.raw import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PRIORITY, block, frame,
                         literal, message, reset, setting, window_update)
from testenv.slow import slow, slow_but
from testenv.wait import wait_until

CALM_LINE = re.compile(r"Stream opened|Sent ping|Received pong")
UNHEALTHY = re.compile(r"unhealthy|NOT_SERVING")
AGENTS = 3
IN_STEP = 40  # pings, of 20 a second: a stall of 2 s
PING_PONG = raw.PING_PONG
QUICK_MAKES = ["grpcroute", "grpc-go"]


class Site:
    """A proxy before one endpoint, whose one upstream connection an attacker shares with the agents and the health
    checks."""

    def __init__(self, kind, certs, folder):
        before = set(Process.unclosed)
        with contextlib.ExitStack() as stack:
            def start(thing):
                stack.callback(thing.close)
                return thing

            self.cacert = certs / "ca.pem"
            self.endpoint = start(kind(folder))
            # 10 s: two checks are late where the machine stands still for as long, one that is ended is told at once
            self.proxy = start(Proxy(certs, [self.endpoint], [self.endpoint], "--workers", "1", "--health-interval",
                                     "250ms", "--health-timeout", "10s"))
            self.proxy.wait_ready()
            self.agents = start(Agent("v1.1", "bystander", self.proxy.target, "--interval", "50ms", "--count",
                                      str(AGENTS),
                                      cacert=self.cacert))
            self._from = 0  # of the proxy's lines
            self.lose_nothing("before the attack")
            self._stack = stack.pop_all()
        Process.unclosed.intersection_update(before)  # it serves other tests after this one

    def client(self, settings=()):
        return flow.connect(self.proxy.port, self.cacert, settings)

    def complaints(self):
        """What no bystander may ever say."""
        odd = [line for line in self.agents.lines if not CALM_LINE.search(line)]
        return odd + [line for line in self.proxy.lines[self._from:] if UNHEALTHY.search(line)]

    @contextlib.contextmanager
    def paused(self):
        """The endpoint stands still meanwhile, which may well be called unhealthy."""
        os.kill(self.endpoint.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.endpoint.process.pid, signal.SIGCONT)
        self.agents.wait_for(r"bystander-1\] Received pong", count=30, after=len(self.agents.lines))
        if self.complaints():
            wait_until(lambda: "is healthy" in self.proxy.lines[-1], 5, "the endpoint is healthy again")
        self._from = len(self.proxy.lines)

    def lose_nothing(self, after):
        """Each agent gets answers to all pings so far, and two more."""
        sent = [self._count("Sent ping", agent) for agent in range(1, AGENTS + 1)]
        for agent, pings in enumerate(sent, 1):
            with contextlib.suppress(AssertionError):
                self.agents.wait_for(rf"bystander-{agent}\] Received pong", count=pings + 2, deadline_s=4)
            assert self._count("Received pong", agent) >= pings + 2, \
                f"bystander-{agent} is not answered any more after {after}: " \
                f"{self.complaints()[:3]}"
        assert not self.complaints(), f"{after}: {self.complaints()[:3]}\n{self.proxy.output[-1500:]}"
        assert self.proxy.running() and self.endpoint.running()

    @contextlib.contextmanager
    def in_step(self, most=IN_STEP):
        """Meanwhile no agent has many pings unanswered: it waits for nobody, not even for a moment."""
        done = threading.Event()
        waiting = []

        def watch():
            while not done.wait(0.1):
                waiting.extend(self._count("Sent ping", agent) - self._count("Received pong", agent)
                               for agent in range(1, AGENTS + 1))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
        assert max(waiting) < most, f"{max(waiting)} pings of an agent waited for their answers"

    def _count(self, what, agent):
        return sum(f"bystander-{agent}] {what}" in line for line in self.agents.lines)

    def close(self):
        self._stack.close()


@pytest.fixture(scope="module")
def sites(certs, tmp_path_factory):
    """One of each make, started when it is asked for; one that was hurt is replaced."""
    started = {}

    def get(make):
        if make not in started:
            started[make] = Site(ENDPOINTS[make], certs, tmp_path_factory.mktemp(make))
        return started[make]

    def drop(make):
        started.pop(make).close()

    yield get, drop
    for make in list(started):
        drop(make)


@pytest.fixture(params=slow_but(QUICK_MAKES, ENDPOINTS))
def site(request, sites):
    get, drop = sites
    ready = get(request.param)
    try:
        yield ready
    finally:
        if ready.complaints() or not ready.proxy.running() or not ready.endpoint.running():
            drop(request.param)


# ---- odd requests, a stream each ------------------------------------------------------------------

USUAL = [(":method", "POST"), (":scheme", "http"), (":path", PING_PONG), (":authority", "localhost"),
         ("te", "trailers"),
         ("content-type", "application/grpc"), ("agent-id", "attacker"), ("agent-version", "v1.1")]


def blocks(stream, data, flags=0, size=16384):
    """HEADERS and as many CONTINUATION as it takes."""
    parts = [data[i:i + size] for i in range(0, len(data), size)] or [b""]
    kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
    ends = [0] * (len(parts) - 1) + [END_HEADERS]
    return b"".join(frame(kind, end | (flags if kind == HEADERS else 0), stream, part) for kind, end,
                    part in zip(kinds, ends, parts))


class Call:
    """A request that is wrong in one way: fields, then what follows them on the stream."""

    def __init__(self, fields=USUAL, then=lambda stream: frame(DATA, END_STREAM, stream, message()), flags=0,
                 raw_fields=b""):
        self.data, self.then, self.flags = block(*fields) + raw_fields, then, flags

    def __call__(self, stream):
        return blocks(stream, self.data, self.flags) + (b"" if self.flags & END_STREAM else self.then(stream))


def plus(*extra):
    return Call(USUAL + list(extra))


def changed(name, value):
    return Call([(n, value if n == name else v) for n, v in USUAL])


def without(name, *instead):
    return Call([pair for pair in USUAL if pair[0] != name] + list(instead))


def after(*frames):
    """A usual request, then frames with their stream put in."""
    return Call(then=lambda stream: b"".join(make(stream) for make in frames))


def data(payload=message(), flags=0):
    return lambda stream: frame(DATA, flags, stream, payload)


def trailers(*fields, flags=END_STREAM):
    return lambda stream: blocks(stream, block(*fields), flags)


def resets(code):
    return lambda stream: reset(stream, code)


def each(make, values):
    return {repr(value)[:30]: make(value) for value in values}


def bytes_of(pattern):
    """The bytes put into the pattern one by one: all controls, all separators, some of the rest."""
    chosen = [*range(33), *b'"(),/:;<=>?@[\\]{}~', *b"AZ", 127, 128, 160, 195, 255]
    return [pattern.replace(b"?", bytes([byte])) for byte in chosen]


HOP_BY_HOP = [("connection", "close"), ("connection", ""), ("connection", "x"), ("keep-alive", "timeout=5"),
              ("proxy-connection", "close"),
              ("transfer-encoding", "chunked"), ("transfer-encoding", ""), ("upgrade", "h2c"),
              ("http2-settings", "AAMAAABk"),
              ("trailer", "x"), ("expect", "100-continue"), ("expect", "x")]
KNOWN_FIELDS = [
    ("grpc-status", "0"), ("grpc-message", "%"), ("grpc-encoding", "x"), ("grpc-encoding", ""),
    ("grpc-encoding", "gzip"),
    ("grpc-accept-encoding", "x," * 500), ("grpc-message-type", "x"), ("grpc-tags-bin", "!"), ("grpc-trace-bin", "!!"),
    ("grpc-previous-rpc-attempts", "x"), ("x-bin", "AA=A"), ("x-bin", ""), ("x-bin", b"\xff"), ("x-bin", "AA,AA"),
    ("cookie", ""),
    ("cookie", ";"), ("user-agent", ""), ("content-encoding", "x"), ("x-forwarded-for", '"x'),
    ("x-forwarded-proto", "x"),
    ("x-envoy-upstream-rq-timeout-ms", "1"), ("x-envoy-max-retries", "1000000"), ("x-envoy-retry-on", "5xx,reset"),
    ("x-envoy-internal", "true"), ("x-envoy-upstream-stream-duration-ms", "1"), ("x-request-id", ""),
    ("range", "bytes=0-1"),
    ("max-forwards", "0"), ("priority", "u=9"), ("early-data", "1"), ("traceparent", "x"), ("status", "200")]
LENGTHS = ["0", "1", "11", "99999", "-1", "", "x", "11,11", "18446744073709551616", "0x5", " 11", "+11", "011"]
PATHS = ["/", "*", "", "x", "/%", "/%zz", "//", "/a b", "/\x7f", b"/\xc3\xa9", b"/\xff", "http://localhost" + PING_PONG,
         PING_PONG + "?x=y",
         PING_PONG + "#f", "/a/../b", "?x", "#x", "\\", "/\0", "/a\tb", "/<>", '/"', "/^`{|}", "@", "localhost:80",
         "/%00",
         "/" + "a" * 4000, "/" + "%" * 7000 + "/M", "/grpc.health.v1.Health/Check"]
AUTHORITIES = ["", "a b", " localhost", "localhost ", "a\tb", "localhost:99999", "localhost:x", "[::1", "user@host",
               b"\xc3\xa9", "\0", "a,b",
               "x" * 5000, "http://x", "/", "a/b", "?", "#", "%zz", ":80", "<>", '"', "^", "|", "{}", "\\", "\x7f", "*"]
METHODS = ["GET", "HEAD", "PUT", "CONNECT", "OPTIONS", "TRACE", "", "post", "POST ", "P OST", "PRI", "\0", b"\xc3\xa9",
           "(", "POST,GET",
           "X" * 100]
SCHEMES = ["https", "HTTP", "", "gopher", "http:", "a b", "1http", "\0", "-", b"\xc3\xa9", "http,https", "x" * 300]
TIMEOUTS = ["1n", "0n", "1m", "", "S", "x", "-1S", "1", "999999999S", "1x", "1 S", "1.5S", "\0", "9" * 100 + "S",
            b"\xc3\xa9"]
TYPES = ["application/grpc+proto", "application/grpc+json", "application/grpc;x=y", "application/grpc-web",
         "application/json", "", "x",
         "APPLICATION/GRPC", "application/grpc ", b"\xc3\xa9", "x" * 5000]
BODIES = {"compressed": b"\1\0\0\0\1x", "flag 255": b"\xff\0\0\0\1x", "4 GiB": b"\0\xff\xff\xff\xffx",
          "5 MiB": b"\0\0\x50\0\0x",
          "cut": b"\0\0\0\0\x09x", "half a prefix": b"\0\0", "not protobuf": message(b"\xff" * 50),
          "empty": message(b"")}

ODD = {
    "names": each(lambda name: plus((name, "v")), bytes_of(b"x?y") + [b"", b":", b"x:", b":x", b"-", b"_", b"-bin",
                                                                      b"x y", b"X"]),
    "values": each(lambda value: plus(("x-odd", value)),
                   bytes_of(b"a?c") + [b"", b" a", b"a ", b"\ta", b" ", b"a\r\nb: c"]),
    "methods": {**each(lambda method: changed(":method", method), METHODS),
                **{f"{method} and no body": Call([(":method", method)] + USUAL[1:], flags=END_STREAM)
                   for method in ("GET", "HEAD", "CONNECT")},
                "CONNECT to a host": Call([(":method", "CONNECT"), (":authority", "localhost:80")]),
                "CONNECT with a protocol": Call([(":method", "CONNECT"), (":protocol", "websocket")] + USUAL[1:])},
    "schemes": each(lambda scheme: changed(":scheme", scheme), SCHEMES),
    "paths": each(lambda path: changed(":path", path), PATHS),
    "authorities": each(lambda authority: changed(":authority", authority), AUTHORITIES),
    "pseudo-headers": {
        **{f"no {name}": without(name) for name, _ in USUAL[:4]},
        **{f"{name} twice": Call(USUAL[:4] + [pair] + USUAL[4:]) for pair in USUAL[:4] for name in pair[:1]},
        **{f"{name} last": without(name, (name, value)) for name, value in USUAL[:4]},
        **{f"{name} of another kind": Call(USUAL[:4] + [(name, "x")] + USUAL[4:])
           for name in (":status", ":protocol", ":x", ":host", ":")},
        "none": Call([]), "none and no body": Call([], flags=END_STREAM)},
    "hosts": {**each(lambda host: without(":authority", ("host", host)), ["localhost", "", "a b"]),
              **each(lambda host: plus(("host", host)), ["localhost", "other", "", "a b", "\0", b"\xc3\xa9", "a,b"]),
              "two": without(":authority", ("host", "a"), ("host", "b")), "three": plus(("host", "a"), ("host", "a"))},
    "te": {**each(lambda te: changed("te", te), ["Trailers", "", "gzip", "trailers, gzip", "trailers;q=1", "trailers ",
                                                 b"\xff"]),
           "none": without("te"), "twice": plus(("te", "trailers")), "two": plus(("te", "gzip"))},
    "hop-by-hop fields": each(plus, HOP_BY_HOP),
    "known fields": each(plus, KNOWN_FIELDS),
    "repeated fields": {name: plus((name, "a"), (name, "b")) for name in (
        "user-agent", "content-type", "grpc-encoding", "grpc-timeout", "agent-version", "agent-id", "authorization",
        "expect")},
    "timeouts": {**each(lambda timeout: plus(("grpc-timeout", timeout)), TIMEOUTS),
                 **{f"{timeout}, open": Call(USUAL + [("grpc-timeout", timeout)], then=data())
                    for timeout in ("1n", "1m", "20m")}},
    "content types": each(lambda kind: changed("content-type", kind), TYPES),
    "content lengths": {**each(lambda length: plus(("content-length", length)), LENGTHS),
                        "twice": plus(("content-length", "11"), ("content-length", "11")),
                        "no body": Call(USUAL + [("content-length", "5")], flags=END_STREAM),
                        "less": Call(USUAL + [("content-length", "3")], then=data())},
    "sizes": {**each(lambda size: plus(("x-big", "v" * size)), [4096, 8192, 15000, *range(15900, 16200, 20), 17000,
                                                                40000]),
              **{f"host of {size}": without(":authority", ("host", "h" * 60), ("x-big", "v" * size))
                 for size in range(15900, 16000, 10)},
              "name": plus(("x" * 8000, "v")), "many short": plus(*[("x", "")] * 92),
              "101 fields": plus(*[("x", "y")] * 93),
              "200 cookies": plus(*[("cookie", f"c{n}=v") for n in range(200)]),
              "never indexed": Call(raw_fields=literal("x-secret", "v", 0x10)),
              "table": Call(raw_fields=literal("x-big", "v" * 3000, 0x40) + b"\xbe" * 4)},
    "trailers": {
        **each(lambda field: after(data(), trailers(field)), [
            ("x", "y"), ("grpc-status", "0"), ("host", "x"), (":path", "/x"), (":status", "200"), (":authority", "x"),
            ("te", "trailers"),
            ("content-length", "0"), ("connection", "close"), ("X", "y"), ("x", b"\0"), ("", "v"), ("x-bin", "!!"),
            ("x", "v" * 8000)]),
        "none": after(data(), trailers()), "no body": after(trailers(("x", "y"))), "only end": after(trailers()),
        "without end": after(trailers(("x", "y"), flags=0), data()),
        "without end, twice": after(*[trailers(("x", "y"), flags=0)] * 2),
        "200 fields": after(trailers(*[("x", "y")] * 200)),
        "the request again": after(lambda stream: blocks(stream, block(*USUAL)))},
    "bodies": {**{name: after(data(body, END_STREAM)) for name, body in BODIES.items()},
               **{f"{name}, open": after(data(body)) for name, body in BODIES.items()}, "none": Call(flags=END_STREAM),
               "end": after(data(b"", END_STREAM)), "empty frames": after(*[data(b"")] * 40, data(flags=END_STREAM)),
               "padding": after(lambda stream: frame(DATA, PADDED, stream, b"\x07" + bytes(7)) * 40, data()),
               "bytes": after(*[data(bytes([byte])) for byte in message() * 20], data(b"", END_STREAM)),
               "small frames": after(*[data()] * 500), "small messages": after(data(message() * 1000, END_STREAM)),
               "credit": after(data(), *[lambda stream: window_update(1, stream)] * 50),
               "too much credit": after(data(), lambda stream: window_update(2**31 - 1, stream)),
               "depends on itself": after(lambda stream: frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 0)))},
    "resets": {**{f"{code} at once": after(resets(code)) for code in [*range(15), 2**32 - 1]},
               **{f"{code} after a message": after(data(), resets(code)) for code in [*range(15), 2**32 - 1]},
               **{f"{code} after the end": after(data(flags=END_STREAM), resets(code))
                  for code in [*range(15), 2**32 - 1]}},
    "what comes too late": {
        "data after end": after(data(flags=END_STREAM), data()),
        "end after end": after(data(flags=END_STREAM), data(b"", END_STREAM)),
        "data after reset": after(resets(8), data()), "fields after reset": after(resets(8), trailers(("x", "y"))),
        "request after reset": after(resets(8), lambda stream: blocks(stream, block(*USUAL))),
        "credit after end": after(data(flags=END_STREAM), lambda stream: window_update(1, stream)),
        "no credit": after(lambda stream: window_update(0, stream)), "reset twice": after(resets(8), resets(8))},
}


class Attacker:
    """Opens streams on a connection of its own, on a new one when the proxy has had enough of it."""

    def __init__(self, site, settings=()):
        self._site, self._settings = site, settings
        self.flow = site.client(settings)
        self.connections = 1

    def send(self, calls, wait_s):
        """A stream for each call, at once; those that go on are given `wait_s`, then reset."""
        if self.flow.gone:
            self.close()
            self.flow = self._site.client(self._settings)
            self.connections += 1
        streams = self.flow.take(len(calls))
        self.flow.send(b"".join(call(stream) for call, stream in zip(calls, streams)))
        self.flow.wait_over(streams, wait_s)
        self.flow.send(b"".join(reset(stream) for stream in streams if stream not in self.flow.over))

    def close(self):
        self.flow.close()


def batches(things, size):
    return [things[i:i + size] for i in range(0, len(things), size)]


@pytest.mark.parametrize("group", ODD)
def test_odd_requests(site, group):
    with contextlib.closing(Attacker(site)) as attacker:
        for part in batches(list(ODD[group].items()), 10):
            attacker.send([call for _, call in part], 0.15)
            assert not site.complaints(), f"one of {[name for name, _ in part]}: {site.complaints()[:3]}"
    site.lose_nothing(group)


# ---- the same again and again ----------------------------------------------------------------------

AGAIN = {
    "resets of unanswered streams": (after(), 0),
    "resets of answered streams": (after(data()), 0.05),
    "resets of finished streams": (after(data(flags=END_STREAM), resets(0)), 0.05),
    "deadlines": (Call(USUAL + [("grpc-timeout", "20m")], then=data()), 0.3),
    "deadlines before anything": (Call(USUAL + [("grpc-timeout", "1n")], then=data(b"")), 0.3),
    "paths too long to be quoted": (Call([(n, "/" + "%" * 7000 + "/M" if n == ":path" else v) for n, v in USUAL],
                                         flags=END_STREAM), 0.3),
    "HEAD": (Call([(":method", "HEAD")] + USUAL[1:], flags=END_STREAM), 0.2),
    "GET with a body": (Call([(":method", "GET")] + USUAL[1:], then=data()), 0.1),
    "no body": (Call(flags=END_STREAM), 0.1),
    "trailers": (after(data(), trailers(("x", "y"))), 0.1),
    "host in trailers": (after(trailers(("host", "x"))), 0.1),
    "malformed fields": (plus(("Upper", "x")), 0.1),
    "too many fields": (plus(*[("x", "y")] * 101), 0.1),
    "too many bytes": (plus(("x", "y" * 16300)), 0.1),
    "wrong content-length": (Call(USUAL + [("content-length", "3")], then=data()), 0.1),
    "too much credit": (after(data(), lambda stream: window_update(2**31 - 1, stream)), 0.1),
    "messages too large": (after(data(b"\0\xff\xff\xff\xffx")), 0.2),
    "messages compressed": (after(data(b"\1\0\0\0\1x")), 0.2),
    "no gRPC": (changed("content-type", "text/html"), 0.2),
    "odd schemes": (changed(":scheme", "gopher"), 0.2),
    "health checks": (changed(":path", "/grpc.health.v1.Health/Check"), 0.2),
}


def again(site, name, count, size=50):
    call, wait_s = AGAIN[name]
    with contextlib.closing(Attacker(site)) as attacker:
        for _ in range(0, count, size):
            attacker.send([call] * size, wait_s)
            assert not site.complaints(), site.complaints()[:3]
    site.lose_nothing(name)


@pytest.mark.parametrize("name", AGAIN)
def test_the_same_400_times(site, name):
    again(site, name, 400)


COUNTED_SOMEWHERE = ["resets of unanswered streams", "resets of answered streams", "resets of finished streams",
                     "deadlines", "paths too long to be quoted", "GET with a body", "no body", "malformed fields",
                     "too many fields",
                     "wrong content-length", "too much credit"]


@slow
@pytest.mark.parametrize("name", COUNTED_SOMEWHERE)
def test_the_same_1500_times(site, name):
    """More than the 1000 that nghttp2 allows on a connection."""
    again(site, name, 1500, 90)
    watch(site, 3, name)


def watch(site, seconds, name):
    """What was done may show later."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        site.lose_nothing(name)


# ---- plots: what takes more than the frames of one stream -------------------------------------------------


def unread_responses(site):
    """INITIAL_WINDOW_SIZE 0: pings are sent on and on, no pong can come back."""
    with contextlib.closing(site.client([(flow.INITIAL_WINDOW_SIZE, 0)])) as client:
        pings = message() * 8000
        for stream in [client.open(block(*USUAL)) for _ in range(40)]:
            client.queue(stream, pings)
        client.pump(quiet_s=0.7, deadline_s=8)
        site.lose_nothing("unread responses, while they are unread")


def leave_unread(client, count, messages=10):
    """The server does not read these streams, where it can be told so: more is sent than any window takes."""
    streams = [client.open(block(*USUAL, ("noread", "1"))) for _ in range(count)]
    for stream in streams:
        client.queue(stream, (b"\0\0\x04\0\0" + bytes(2**18)) * messages)
    return streams


def unread_requests(site):
    with contextlib.closing(site.client()) as client, site.in_step():
        leave_unread(client, 100)
        client.pump(quiet_s=5, deadline_s=5)
        site.lose_nothing("unread requests, while they are unread")


def unread_requests_of_several(site, count=4, seconds=9, most=80):
    """None of them holds much, and all of them the whole window."""
    with contextlib.ExitStack() as stack, site.in_step(most):
        clients = [stack.enter_context(contextlib.closing(site.client())) for _ in range(count)]
        for client in clients:
            leave_unread(client, 30)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for client in clients:
                client.pump(quiet_s=0.1, deadline_s=0.2)


def unread_requests_of_three(site):
    unread_requests_of_several(site, 3, 5, IN_STEP)


def unread_requests_that_are_reset(site):
    with contextlib.closing(site.client()) as client, site.in_step():
        end = time.monotonic() + 5
        while time.monotonic() < end:
            streams = leave_unread(client, 8, messages=1)
            client.pump(quiet_s=0.1, deadline_s=0.4)
            client.send(b"".join(map(reset, streams[:6])))


def slow_reader(site):
    """It takes a byte of each response at a time."""
    with contextlib.closing(site.client([(flow.INITIAL_WINDOW_SIZE, 1)])) as client:
        for stream in [client.open(block(*USUAL)) for _ in range(50)]:
            client.queue(stream, message() * 500)
        client.pump(quiet_s=0.3, deadline_s=2)
        for _ in range(30):
            client.send(b"".join(window_update(1, stream) for stream in range(1, 100, 2)))
        site.lose_nothing("a slow reader, while it reads")


def reads_nothing_at_all(site):
    """Its socket is full."""
    with contextlib.closing(site.client([(flow.INITIAL_WINDOW_SIZE, 2**31 - 1)])) as client:
        client.send(window_update(2**31 - 2**16))
        streams = client.take(60)
        bytes_in = b"".join(blocks(stream, block(*USUAL)) for stream in streams)
        client.peer.exchange(bytes_in + frame(DATA, 0, streams[0], message() * 1400) * 4, read=False)
        for stream in streams:
            client.peer.exchange(frame(DATA, 0, stream, message() * 1400) * 3, read=False, deadline_s=0.1)
        site.lose_nothing("a client that reads nothing, while it is there")


def tiny_frames(site):
    with contextlib.closing(site.client()) as client:
        for stream in [client.open(block(*USUAL)) for _ in range(4)]:
            client.send(b"".join(frame(DATA, 0, stream, bytes([byte])) for byte in message() * 1000))
        client.wait(lambda: len(client.answered) == 4, 2)


def bursts_of_small_messages(site):
    with contextlib.closing(site.client()) as client:
        for stream in [client.open(block(*USUAL)) for _ in range(20)]:
            client.queue(stream, message(b"") * 10000)
        client.pump(quiet_s=0.5, deadline_s=4)


def leaving(site, how):
    """A hundred streams are lost with their connection, again and again."""
    for _ in range(8):
        with contextlib.closing(site.client()) as client:
            streams = client.take(100)
            client.send(b"".join(after(data())(stream) for stream in streams))
            client.wait_answered(streams[:10], 0.5)
            how(client.peer.sock)


def leaving_at_once(site):
    leaving(site, lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)))


def leaving_in_order(site):
    leaving(site, lambda sock: None)


def reset_storm(site):
    """From ten connections at once."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(site.client())) for _ in range(10)]
        for _ in range(2):
            for client in clients:
                client.send(b"".join(after(resets(8))(stream) for stream in client.take(60)))


def reset_storm_of_answered_streams(site):
    """More than nghttp2 allows on a connection: 1000, of any age."""
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            client = stack.enter_context(contextlib.closing(site.client()))
            for _ in range(2):
                streams = client.take(90)
                client.send(b"".join(after(data())(stream) for stream in streams))
                client.wait_answered(streams, 1)
                client.send(b"".join(map(reset, streams)))
    watch(site, 1, "a storm of resets of answered streams")


def floods(site):
    for unit in (frame(PING, payload=b"x" * 8), setting((flow.INITIAL_WINDOW_SIZE, 65535)),
                 frame(PRIORITY, 0, 1, b"\0\0\0\3\0"),
                 window_update(1), window_update(1, 1), frame(DATA, 0, 1, b""), frame(0x20, 0, 1, b"?")):
        with contextlib.closing(site.client()) as client:
            client.send(after(data())(1) + unit * 5000)
            client.wait(lambda: client.gone, 0.2)


def table_games(site):
    """The table of fields is filled and its size changed on each stream."""
    with contextlib.closing(site.client([(1, 65536)])) as client:
        for n, stream in enumerate(client.take(80)):
            games = raw.number(5, 4096 if n % 2 else 0, 0x20) + block(*USUAL) + b"".join(
                literal(f"x-{n}-{i}", "v" * 100, 0x40) for i in range(20))
            client.send(blocks(stream, games) + frame(DATA, END_STREAM, stream, message()))
        client.wait(lambda: len(client.over) >= 80, 1)


def windows_up_and_down(site):
    """SETTINGS, also with flags that mean nothing, close and open all windows."""
    with contextlib.closing(site.client()) as client:
        for stream in [client.open(block(*USUAL)) for _ in range(30)]:
            client.queue(stream, message() * 2000)
        for n in range(60):
            size = struct.pack(">HI", flow.INITIAL_WINDOW_SIZE, 0 if n % 2 else 65535)
            client.send(frame(raw.SETTINGS, n % 3 << 1, 0, size))
            client.pump(quiet_s=0.01, deadline_s=0.05)


def slow_bodies(site):
    """A byte now and then, on many streams."""
    with contextlib.closing(site.client()) as client:
        streams = client.take(95)
        client.send(b"".join(after()(stream) for stream in streams))
        for byte in message() * 2:
            client.send(b"".join(frame(DATA, 0, stream, bytes([byte])) for stream in streams))
        client.wait_answered(streams, 2)


def resets_while_the_server_pauses(site):
    """It reads streams and their resets at once, though 2.2 s lie between them."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(site.client())) for _ in range(5)]
        with site.paused():
            opened = [(client, client.take(80)) for client in clients]
            for client, streams in opened:
                client.send(b"".join(after()(stream) for stream in streams))
            clients[0].wait(lambda: False, 2.2)
            for client, streams in opened:
                client.send(b"".join(map(reset, streams)))
            clients[0].wait(lambda: False, 0.2)


def versions_of_its_own(site):
    """An honest route is no misroute, whatever a client calls itself."""
    with contextlib.closing(site.client()) as client:
        names = ["v9.1", "v2", "v", "", "x", "v1.1.1", "v-1.0", "V1.1", "v1.1 ", "v18446744073709551616.1"]
        streams = client.take(len(names))
        client.send(b"".join(changed("agent-version", name)(stream) + frame(DATA, 0, stream, message())
                             for name, stream in zip(names, streams)))
        client.wait_answered(streams, 0.5)
        stats = urllib.request.urlopen(f"{site.proxy.admin}/stats", timeout=5).read().decode()
    assert re.search(r"misrouted: (\d+)", stats).group(1) == "0"


PLOTS = [unread_responses, unread_requests, unread_requests_of_three, unread_requests_of_several,
         unread_requests_that_are_reset, slow_reader, reads_nothing_at_all, tiny_frames, bursts_of_small_messages,
         leaving_at_once, leaving_in_order, reset_storm, reset_storm_of_answered_streams, floods, table_games,
         windows_up_and_down, slow_bodies,
         resets_while_the_server_pauses, versions_of_its_own]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_plot(site, plot):
    plot(site)
    site.lose_nothing(plot.__name__)


@slow
def test_steady_cancelling(site):
    """Twelve unanswered streams a second: less than any limit by the second, more than Envoy's by the connection."""
    with contextlib.closing(Attacker(site)) as attacker:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            attacker.send([after()] * 3, 0.25)
            assert not site.complaints(), site.complaints()[:3]


@slow
def test_refused_blocks_leave_no_clock_running(site):
    """A header block that is refused has not been left unfinished: nothing happens after the time for finishing one."""
    with contextlib.closing(site.client()) as client:
        mine = client.open(block(*USUAL))
        bad = [plus(("Upper", "x")), plus(("x", "y" * 16300)), without(":path"), after(trailers((":path", "/x"))),
               plus(*[("x", "y")] * 101), Call([(":method", "HEAD")] + USUAL[1:], flags=END_STREAM)]
        client.send(b"".join(call(stream) for call, stream in zip(bad, client.take(len(bad)))))
        end = time.monotonic() + 12
        while time.monotonic() < end:
            client.answered.clear()
            client.send(frame(DATA, 0, mine, message()))
            assert client.wait_answered([mine], 2) and not client.gone, client.peer.goaway()
            client.wait(lambda: client.gone, 0.5)
    site.lose_nothing("refused blocks")
