"""Many cores: connections are spread over workers within one of each other, however many they are and however they
come and go."""
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import threading
import urllib.request
from concurrent import futures

import pytest

from testenv import raw
from testenv.grpcroute import Agent, Proxy, Server, grpcroute
from testenv.wait import wait_until

WORKERS = 4


def page(proxy, path):
    with urllib.request.urlopen(proxy.admin + path, timeout=5) as response:
        return response.read().decode()


def spread(proxy, what="connections"):
    """How many each worker has."""
    return [worker[what] for worker in json.loads(page(proxy, "/listeners?format=json"))["listeners"][0]["workers"]]


def wait_spread(proxy, total, what="connections"):
    """Waits until all are there, and says where."""
    return wait_until(lambda: (found := spread(proxy, what)) and sum(found) == total and found, 20, f"{total} {what}",
                      lambda: str(spread(proxy, what)))


class Fleet:
    """Connections of clients that do nothing, each with TLS and SETTINGS."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.peers = []

    def come(self, count):
        with futures.ThreadPoolExecutor(16) as pool:
            self.peers += pool.map(lambda _: raw.client(self.proxy.port, self.proxy.certs / "ca.pem"), range(count))

    def leave(self, chosen):
        for peer in chosen:
            self.peers.remove(peer)
            peer.close()

    def close(self):
        self.leave(list(self.peers))


@pytest.fixture(scope="module")
def site(certs):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(contextlib.closing(Server("v1", "s")))
        proxy = stack.enter_context(contextlib.closing(Proxy(certs, [server], [], "--workers", str(WORKERS))))
        yield proxy.wait_ready()


@pytest.fixture
def proxy(site):
    wait_spread(site, 0)
    yield site
    wait_spread(site, 0)


@pytest.fixture
def fleet(proxy):
    with contextlib.closing(Fleet(proxy)) as fleet:
        yield fleet


@pytest.mark.parametrize("count", [1, 3, 8, 42, 101, 400])
def test_connections_that_come_at_once_are_spread_within_one(proxy, fleet, count):
    fleet.come(count)
    found = wait_spread(proxy, count)
    assert max(found) - min(found) <= 1, found


@pytest.mark.parametrize("count, left", [(8, 4), (60, 30), (200, 100), (200, 13)])
def test_who_comes_fills_the_gaps_of_who_left(proxy, fleet, count, left):
    chance = random.Random(count + left)
    fleet.come(count)
    for _ in range(3):
        wait_spread(proxy, count)
        fleet.leave(chance.sample(fleet.peers, count - left))
        wait_spread(proxy, left)
        fleet.come(count - left)
        found = wait_spread(proxy, count)
        assert max(found) - min(found) <= 1, found


def test_a_worker_that_everybody_left_is_filled_first(proxy, fleet):
    """One after the other they go round; so every fourth is of the same worker."""
    for _ in range(WORKERS * 8):
        fleet.come(1)
        wait_spread(proxy, len(fleet.peers))
    assert spread(proxy) == [8] * WORKERS
    fleet.leave(fleet.peers[1::WORKERS])
    before = wait_spread(proxy, 8 * (WORKERS - 1))
    assert sorted(before) == [0] + [8] * (WORKERS - 1)
    fleet.come(8)
    assert wait_spread(proxy, 8 * WORKERS) == [8] * WORKERS


def test_connections_that_fail_leave_no_trace(proxy, fleet):
    """Clients that hang up in the handshake or do not speak TLS, each before a good one."""
    for number in range(24):
        before = refused(proxy)
        with socket.create_connection(("127.0.0.1", proxy.port)) as odd:
            if number % 2 == 0:
                odd.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionError):  # an alert, then the end
                    while odd.recv(1000):
                        pass
        wait_until(lambda: refused(proxy) > before, 20, "it is refused")
        fleet.come(1)
    found = wait_spread(proxy, 24)
    assert found == [6] * WORKERS


def test_handshakes_that_last_count(proxy, fleet):
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port)))  # says nothing
        fleet.come(2)  # which fill up the other two workers
        assert sorted(wait_spread(proxy, 2)) == [0, 0, 1, 1]
        before = refused(proxy)
    wait_until(lambda: refused(proxy) >= before + 6, 20, "all are gone", lambda: page(proxy, "/stats"))


def refused(proxy):
    return proxy.stat("http.grpc.downstream_cx_refused")


def test_agents_and_their_streams_are_spread_and_counted_by_worker(proxy, started, certs):
    agents = started(Agent("v1.1", "a", proxy.target, "--count", "42", cacert=certs / "ca.pem"))
    for number in range(1, 43):
        agents.wait_for(rf"a-{number}\] Received pong")
    found = wait_spread(proxy, 42)
    assert sorted(found) == [10, 10, 11, 11] and spread(proxy, "streams") == found
    stats, metrics, text = page(proxy, "/stats"), page(proxy, "/stats/prometheus"), page(proxy, "/listeners")
    for worker, number in enumerate(found):
        assert f"listener.grpc.worker_{worker}.downstream_cx_active: {number}\n" in stats
        assert f"listener.grpc.worker_{worker}.downstream_rq_active: {number}\n" in stats
        assert f'grpcroute_proxy_worker_downstream_connections_active{{worker="{worker}"}} {number}\n' in metrics
        assert f'grpcroute_proxy_worker_streams_active{{worker="{worker}"}} {number}\n' in metrics
        assert f"grpc::worker_{worker}::connections::{number}\n" in text
    assert "http.grpc.downstream_cx_active: 42\n" in stats and "server.concurrency: 4\n" in stats
    agents.close()


def test_a_drain_while_connections_pour_in_ends(started, certs):
    """Whichever worker has ended when they are given to it."""
    server = started(Server("v1", "s"))
    proxy = started(Proxy(certs, [server], [], "--workers", str(WORKERS))).wait_ready()
    gone = threading.Event()

    def pour():
        count = 0
        while not gone.is_set():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", proxy.port), 1).close()
                count += 1
        return count

    with futures.ThreadPoolExecutor(4) as pool:
        pouring = [pool.submit(pour) for _ in range(4)]
        wait_until(lambda: refused(proxy) > 100, 20, "they pour in")
        proxy.send_signal(signal.SIGTERM)
        try:
            assert proxy.wait(deadline_s=10) == 0
        finally:
            gone.set()
    assert sum(count.result() for count in pouring) > 100


def concurrency(proxy):
    return int(re.search(r"server\.concurrency: (\d+)", page(proxy, "/stats")).group(1))


def time_is_limited():
    """Some control group of this process gives it less than all CPUs."""
    found = []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        group = pathlib.PurePosixPath(line.split(":", 2)[2])
        for folder in (group, *group.parents):
            found += [pathlib.Path("/sys/fs/cgroup") / str(folder).strip("/") / "cpu.max",
                      pathlib.Path("/sys/fs/cgroup/cpu") / str(folder).strip("/") / "cpu.cfs_quota_us"]
    return any(path.exists() and re.match(r"\d", path.read_text()) for path in found)


def test_workers_are_as_many_as_the_usable_cpus(started, certs):
    cpus = sorted(os.sched_getaffinity(0))
    for chosen in (cpus, cpus[:1], cpus[:2]):
        where = ["taskset", "-c", ",".join(map(str, chosen))]
        front = started(Proxy(certs, [], [], "--endpoints", "server-v1=127.0.0.1:1", through=where))
        if time_is_limited():  # the limit itself is for tests/unit/base/test_cgroup.c
            assert concurrency(front) <= len(chosen)
        else:
            assert concurrency(front) == min(len(chosen), 64)
    front = started(Proxy(certs, [], [], "--endpoints", "server-v1=127.0.0.1:1", "--workers", "3"))
    assert concurrency(front) == 3


@pytest.mark.parametrize("number", ["0", "65", "-1", "x"])
def test_a_number_of_workers_that_cannot_be_is_refused(number):
    done = grpcroute("proxy", "--plaintext", f"--workers={number}")
    assert done.returncode == 2 and "--workers" in done.stderr


# ---- --coalesce --------------------------------------------------------------------------------


def test_a_worker_looks_for_messages_no_more_often_than_told(started, certs):
    """Of an agent that asks again when it is answered, a question and its answer are two looks, a millisecond apart."""
    server = started(Server("v1", "a"))
    proxy = started(Proxy(certs, [server], [], "--coalesce", "1ms", "--workers", "2")).wait_ready()
    assert json.loads(page(proxy, "/config_dump"))["coalesce_us"] == 1000
    done = grpcroute("bench", "--target", proxy.target, "--cacert", certs / "ca.pem", "--versions", "v1.1", "-c", "1",
                     "-r", "0", "-z", "500ms", "--warmup", "0", "-o", "json")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert 2 <= seen["answered"] <= seen["seconds_ns"] / 2e6 + 2, seen
    assert [seen[name] for name in ("lost", "misrouted", "disordered", "unanswered")] == [0] * 4


@pytest.mark.parametrize("value, words", [("2ms", "1ms"), ("1001us", "1ms"), ("-1us", "-1us"), ("300", "300"),
                                          ("often", "often")])
def test_what_is_no_such_time_is_refused(value, words):
    done = grpcroute("proxy", "--coalesce", value)
    assert done.returncode == 2 and "--coalesce" in done.stderr and words in done.stderr, done.stderr
