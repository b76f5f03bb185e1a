"""What waits for slow readers is bounded in sum, is paid by those who hold the most, and goes back."""
import contextlib
import re

import pytest

from testenv import flow
from testenv.grpcroute import Agent, Proxy, Server
from testenv.raw import DATA, END_HEADERS, HEADERS, frame, message, request
from testenv.wait import wait_until
from testenv.sanitizers import is_sanitized

GREEDY = 20
STREAMS = 100
LIMIT_MIB = 16
RESOURCE_EXHAUSTED = "8"


def rss_mib(process):
    for line in open(f"/proc/{process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def ask_without_reading(client, pings):
    """Pings on all streams, as many as the proxy's windows let in; the windows of their answers are shut."""
    streams = [client.open(request()) for _ in range(STREAMS)]
    for stream in streams:
        client.queue(stream, message() * pings)
    client.pump(0.1, 2)
    return streams


def statuses(client, streams):
    """Of those streams that have ended."""
    client.wait(lambda: client.over, 0.3)
    return [client.peer.status_of(stream) for stream in streams if stream in client.over]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_waits_for_slow_readers_is_bounded_and_goes_back(started, certs, workers):
    servers = [started(Server(f"v{number}", f"s{number}")) for number in (1, 2)]
    proxy = started(Proxy(certs, servers[:1], servers[1:], "--max-buffered", f"{LIMIT_MIB}MiB", "--workers",
                          str(workers))).wait_ready()
    bystanders = started(Agent("v1.1", "by", proxy.target, "--count", "3", "--interval", "50ms",
                               cacert=certs / "ca.pem"))
    bystanders.wait_for("Received pong", count=6)
    before = rss_mib(proxy)
    highest = before
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(contextlib.closing(flow.connect(proxy.port, certs / "ca.pem",
                                                                   [(flow.INITIAL_WINDOW_SIZE, 0)])))
        honest = slow.take()[0]
        slow.send(frame(HEADERS, END_HEADERS, honest, request()) + frame(DATA, 0, honest, message() * 10))
        greedy = []
        for _ in range(GREEDY):
            client = stack.enter_context(contextlib.closing(flow.connect(proxy.port, certs / "ca.pem",
                                                                         [(flow.INITIAL_WINDOW_SIZE, 0)])))
            greedy.append((client, ask_without_reading(client, 1400)))
            highest = max(highest, rss_mib(proxy))
        def shed():
            for client, _ in greedy:
                client.pump(0.01, 0.1)
            return proxy.stat("http.grpc.rq_shed") > 0

        # the servers have up to 3 million pings to answer, which takes as long as the machine lets them
        wait_until(shed, 60, "streams are shed")
        wait_until(lambda: proxy.stat("http.grpc.buffered_bytes") <= LIMIT_MIB << 20, 5, "below the limit")
        highest = max(highest, rss_mib(proxy))
        told = wait_until(lambda: {status for client, streams in greedy for status in statuses(client, streams)}, 20,
                          "clients are told")
        assert told == {RESOURCE_EXHAUSTED}, told
        assert slow.peer.status_of(honest) is None and not slow.gone, "who holds little is not shed"
    # Twice the limit for what the allocator keeps besides, and what 20 connections need.
    wait_until(lambda: proxy.stat("http.grpc.buffered_bytes") == 0, 10, "nothing waits")
    if not is_sanitized(proxy):
        assert highest - before < 2 * LIMIT_MIB + 16, f"{highest - before:.0f} MiB more"
        wait_until(lambda: rss_mib(proxy) - before < LIMIT_MIB / 2 + 4, 25, "the memory goes back",
                   lambda: f"{rss_mib(proxy) - before:.0f} MiB")
    assert not re.search("Stream closed|failed", bystanders.output), bystanders.output[-500:]
