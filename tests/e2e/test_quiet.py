"""A quiet stream is a healthy stream: agents that say nothing for long, and programs that stand still for a while,
lose none."""
import contextlib
import os
import re
import signal
import time

import pytest

from testenv.grpcroute import Agent, Proxy, Server
from testenv.slow import SLOW, sized
from testenv.wait import wait_until

AGENTS = 200
QUIET_S = 300 if SLOW else 40
CALM_LINE = re.compile(r"Stream opened|Sent ping|Received pong")


def complaints(agents):
    return [line for line in agents.lines if not CALM_LINE.search(line)]


@pytest.fixture
def quiet(started, certs):
    """Starts a server, a proxy, and agents that ping every `interval`; returns the three once every agent has a
    pong."""
    def start(interval, *agent, proxy=(), count=AGENTS):
        server = started(Server("v1", "quiet"))
        relay = started(Proxy(certs, [server], [server], *proxy)).wait_ready()
        agents = started(Agent("v1.1", "a", relay.target, "--interval", interval, "--count", str(count), *agent,
                               cacert=certs / "ca.pem"))
        agents.wait_for("Received pong", count=count)
        return server, relay, agents
    return start


@sized
@pytest.mark.timeout(QUIET_S + 60)
def test_quiet_agents_are_left_alone(quiet):
    """Pings are 70 s apart. Keepalive PINGs of agents, of the proxy or of both cross the silence, many answered within
    their own millisecond; where one side alone asks, nothing but the answer tells it that the other lives."""
    groups = [quiet("70s", "--keepalive", "10s", proxy=["--keepalive", "1s"])[1:],
              quiet("70s", "--keepalive", "0", proxy=["--keepalive", "1s"], count=20)[1:],
              quiet("70s", "--keepalive", "10s", proxy=["--keepalive", "0"], count=20)[1:]]
    end = time.monotonic() + QUIET_S
    while time.monotonic() < end:
        for proxy, agents in groups:
            assert not complaints(agents), complaints(agents)[:3]
            assert proxy.running()
        with contextlib.suppress(AssertionError):  # looks again when something is said, or after a second
            groups[0][1].wait_for(".", after=len(groups[0][1].lines), deadline_s=1)
    opened = [sum("Stream opened" in line for line in agents.lines) for _, agents in groups]
    assert opened == [AGENTS, 20, 20]


@pytest.mark.parametrize("who", ["server", "proxy", "agents"])
def test_a_pause_of_five_seconds_ends_no_stream(quiet, who):
    server, proxy, agents = quiet("200ms", "--keepalive", "1s", proxy=["--keepalive", "1s", "--health-interval",
                                                                       "500ms"], count=20)
    process = {"server": server, "proxy": proxy, "agents": agents}[who]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() - stopped > 5, what="five seconds")
        mark = len(agents.lines)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    for agent in range(1, 21):
        agents.wait_for(rf"/a-{agent}\] Received pong", count=10, after=mark, deadline_s=10)
    assert not complaints(agents), f"{complaints(agents)[:3]}\n{proxy.output[-2000:]}"
