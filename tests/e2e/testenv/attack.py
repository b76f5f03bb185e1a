"""What attacks have in common: processes with bystanders that must lose nothing, and what an attacker is told."""
import contextlib
import os
import re
import time

from testenv import raw
from testenv.grpcroute import Agent, Proxy, Server
from testenv.raw import ACK, DATA, END_HEADERS, HEADERS, PING, frame, message, request
from testenv.wait import wait_until

GROWTH_KIB = 16 * 1024
TIMER_S = 10  # H2_PREFACE_MS, H2_HEADER_BLOCK_MS and NET_HELLO_MS
SETTINGS_ACK_S = 20  # H2_SETTINGS_ACK_MS
HEADER_TABLE_SIZE, ENABLE_PUSH, _, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)
CALM_LINE = re.compile(r"Stream opened|Sent ping|Received pong")
GRPC = ("content-type", "application/grpc")
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
        # all on one upstream connection
        self.proxy = start(Proxy, certs, [self.server], [self.other], "--workers", "1").wait_ready()
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

    def ended(self):
        """Client connections that the proxy has ended so far: for what they did, and because they were silent."""
        wait_until(lambda: self.proxy.stat("http.grpc.downstream_cx_active") == 1, 20, "only the agent is connected")
        return [self.proxy.stat(f"http.grpc.downstream_cx_{name}") for name in ("ended", "timed_out")]

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


# ---- frames ----------------------------------------------------------------------


def opened(stream=1, flags=0, **kwargs):
    return frame(HEADERS, END_HEADERS | flags, stream, request(**kwargs))


def ping_stream(stream=1):
    return opened(stream) + frame(DATA, 0, stream, message())


def headers(*extra, stream=1):
    return frame(HEADERS, END_HEADERS, stream, request() + b"".join(extra))


def eventually(condition, deadline_s=5):
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)  # looking at /proc again
    return True
