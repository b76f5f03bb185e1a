"""Everything at once: servers die, stand still, leave and come, the routes, the endpoints and the certificate are
replaced, streams come of age, and the fleet goes on."""
import os
import random
import signal
import time

import pytest
from testenv.grpcroute import Proxy, Server
from testenv.net import ReservedPort
from testenv.sanitizers import is_sanitized
from testenv.slow import SLOW, sized
from testenv.wait import wait_until
from test_moves import Fleet
from test_reload import ROUTES, descriptors, fetch, make_certificate, metric, resident_kib, use

AGENTS, SECONDS = (500, 300) if SLOW else (200, 20)


class Site:
    """Four servers of v1 behind a proxy whose endpoints are in a file."""

    def __init__(self, started, folder, two, seed):
        self.random = random.Random(seed)
        self.started = started
        self.folder = folder
        self.two = two
        self.ports = [started(ReservedPort()).port for _ in range(4)]  # each server comes back on its own
        self.servers = [started(Server("v1", f"s{n}", port=port)) for n, port in enumerate(self.ports)]
        self.stopped = set()
        self.rounds = 0
        self.write_endpoints(range(4))
        (folder / "routes.yaml").write_text(ROUTES % "server-v2")
        use(two[0], folder)

    def write_endpoints(self, chosen):
        text = ",".join(f"127.0.0.1:{self.ports[n]}" for n in chosen)
        (self.folder / "endpoints.txt").write_text(f"server-v1={text}\nserver-v2={text}\n")

    def again(self, n):
        """The n-th server runs, whatever happened to it."""
        if n in self.stopped:
            self.servers[n].send_signal(signal.SIGCONT)
            self.stopped.discard(n)
        if not self.servers[n].running():
            self.servers[n] = self.started(Server("v1", f"s{n}", port=self.ports[n]))

    def kill(self, n):
        self.servers[n].stop(signal.SIGKILL)

    def terminate(self, n):
        self.servers[n].stop()

    def stand_still(self, n):
        self.servers[n].send_signal(signal.SIGSTOP)
        self.stopped.add(n)

    def resize(self, n):
        self.write_endpoints([other for other in range(4) if other != n])

    def reroute(self, n):
        (self.folder / "routes.yaml").write_text(ROUTES % "server-v2" + f"# {self.rounds}\n")

    def break_routes(self, n):
        (self.folder / "routes.yaml").write_text("broken: here\n")

    def renew(self, n):
        use(self.two[self.rounds % 2], self.folder)

    def act(self, front):
        """One mischief; what the last one did to servers is undone first, so that three are always there."""
        self.rounds += 1
        for n in range(4):
            self.again(n)
        what = self.random.choice([self.kill, self.terminate, self.stand_still, self.resize, self.reroute,
                                   self.break_routes, self.renew])
        if what != self.resize:
            self.write_endpoints(range(4))
        what(self.random.randrange(4))
        if self.random.random() < 0.5:
            front.send_signal(signal.SIGHUP)

    def calm(self):
        for n in range(4):
            self.again(n)
        self.write_endpoints(range(4))
        self.reroute(0)


@sized
@pytest.mark.timeout(SECONDS + 180)
def test_a_fleet_lives_through_whatever_happens(started, tmp_path):
    seed = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 1 << 31)
    print(f"CHAOS_SEED={seed}")
    both = make_certificate(tmp_path / "old", "old"), make_certificate(tmp_path / "new", "new")
    (tmp_path / "both.pem").write_text("".join((one / "cert.pem").read_text() for one in both))
    site = Site(started, tmp_path, both, seed)
    front = started(Proxy(tmp_path, [], [], "--routes", tmp_path / "routes.yaml", "--endpoints",
                          f"@{tmp_path}/endpoints.txt", "--workers", "2", "--rebalance", "--on-removed", "end",
                          "--on-unhealthy", "end", "--move-window", "2s", "--max-stream-age", "20s", "--age-jitter",
                          "50", "--health-interval", "1s")).wait_ready()
    front.certs = tmp_path
    (tmp_path / "ca.pem").write_text((tmp_path / "both.pem").read_text())
    fleet = started(Fleet(front, AGENTS, "500ms"))
    memory, handles = resident_kib(front), descriptors(front)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        site.act(front)
        time.sleep(site.random.uniform(0.5, 2))  # mischief keeps no order
        assert front.running() and fleet.running()
    site.calm()
    wait_until(lambda: fleet.counted("grpcroute_streams_active") == AGENTS, 60, "all agents are back")
    wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") == AGENTS, 30,
               "the proxy has these streams and no others")
    received = fleet.counted("grpcroute_messages_received_total")
    wait_until(lambda: fleet.counted("grpcroute_messages_received_total") >= received + AGENTS, 30, "they are answered")
    for name in "messages_unexpected", "messages_skipped", "metadata_mismatches", "sticky_violations":
        assert fleet.counted(f"grpcroute_{name}_total") == 0, name
    assert "mismatch" not in fetch(fleet.metrics)[1].replace("metadata_mismatches", "")
    assert metric(front, "grpcroute_proxy_misrouted_total") == 0
    assert metric(front, "grpcroute_proxy_reloads_total{result=\"failure\"}") >= front.output.count("Not reloaded")
    wait_until(lambda: descriptors(front) <= handles + 16, 30, "descriptors are as before",
               lambda: str(descriptors(front)))
    assert is_sanitized(front) or resident_kib(front) <= memory * 1.5 + 4096
    assert fetch(front.admin + "/ready")[0] == 200
