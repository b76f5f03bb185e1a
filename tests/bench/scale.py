"""One proxy, many connections: memory per stream, a whole fleet that comes back at once, and what a ping costs beside
quiet streams. `make bench-scale` prints it; tests/e2e/test_scale.py holds each row at a smaller size.

A ping is counted in instructions: half of its CPU time is how many pings happen to come at once. The driver is
tests/bench/fleet, in C on plain sockets and OpenSSL; it shares nothing with the program. Exit code 1: a row does not
hold. GRPCROUTE_BIN names the program, build/src/grpcroute when it is not set."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/bench")]

import callgrind  # noqa: E402  beside this file
from testenv.grpcroute import BIN, Proxy  # noqa: E402
from testenv.net import ReservedPort, wait_port  # noqa: E402
from testenv.process import DIE_WITH_PARENT, Process  # noqa: E402

FLEET = pathlib.Path(BIN).parents[1] / "tests/bench/fleet/fleet"
DRIVERS = 2  # a handshake costs a client more than the proxy: one process would be the limit
PINGS = 10000  # of one connection, one after the other: each pays its turns alone
WARM_UP = 200
REST_S = 3
QUIET_S = 3  # after which freed memory goes back to the system
TRIM_S = 15  # and when it did so just before, as it looks once in ten seconds
FILES_MORE = 500
# What must hold.
MOST_GROWTH = 0.05  # of memory per stream, a connection each
MOST_GROWTH_SHARED = 0.25  # of 2.8 kB: what grew with the number would be far more, and pages are full by chance
MOST_SECONDS = 10  # for a fleet to come back
MOST_DEARER = 0.15  # a ping beside quiet streams; their timers are looked at, and at rest that is known to a tick
MOST_IDLE_US = 3  # CPU of a quiet connection in a second


class Fleet:
    """Connections of several processes with `streams` on each; each command tells of all of them."""

    def __init__(self, port, ca, connections, streams=1):
        drivers = DRIVERS if connections >= 1000 else 1
        self._running = [subprocess.Popen(
            [*DIE_WITH_PARENT, FLEET, "127.0.0.1", str(port), ca, str(connections // drivers), str(streams)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(drivers)]
        self.connections = connections // drivers * drivers

    def do(self, command):
        """Returns the counts of all, and the longest times."""
        for driver in self._running:
            driver.stdin.write(command + "\n")
            driver.stdin.flush()
        told = [json.loads(driver.stdout.readline()) for driver in self._running]
        longest = {name: max(one[name] for one in told) for name in ("seconds", "median_s", "slowest_s")}
        causes = sorted({cause for one in told for cause in one.pop("causes")})
        return {name: sum(one[name] for one in told) for name in told[0]} | longest | {"causes": causes}

    def open(self):
        told = self.do("open")
        assert told["opened"] == self.connections and told["failed"] == 0, f"not all were served: {told}"
        return told

    def ping(self, count):
        """One after the other, on the first connection of a fleet of one process."""
        told = self.do(f"ping 1 {count}")
        assert told["pongs"] == count and told["failed"] == 0, f"not all were answered: {told}"
        return told

    def close(self):
        for driver in self._running:
            driver.stdin.close()
            driver.wait(20)
            driver.stdout.close()


def quiet_server(stack, version, ident):
    """Without a line per message. Idents are equally long, as the driver wants pongs to be."""
    port = stack.enter_context(contextlib.closing(ReservedPort()))
    server = Process([BIN, "server", "--version", version, "--id", ident, "--listen", f"127.0.0.1:{port.port}",
                      "--log-level", "error", "--max-streams", "10000", "--drain-timeout", "500ms"])
    stack.callback(server.close)
    wait_port(port.port, server.running)
    server.address = f"127.0.0.1:{port.port}"
    return server


class Site:
    """Servers, certificates, and proxies on one port after the other; a context. `through` is Process's."""

    def __init__(self, certs, *words, through=()):
        self.certs, self.words, self.through = certs, words, through
        self._stack = contextlib.ExitStack()
        self.proxy = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._servers = [quiet_server(stack, "v1", ident) for ident in ("a", "b")]
            self.start_proxy()
            stack.callback(lambda: self.proxy.close())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def start_proxy(self, port=0):
        self.proxy = Proxy(self.certs, self._servers, self._servers, *self.words, port=port,
                           through=self.through).wait_ready()

    def restart_proxy(self):
        """As after a crash: gone without a word, and there again on the same port."""
        port = self.proxy.port
        self.proxy.kill()
        Process.unclosed.discard(self.proxy)
        self.start_proxy(port)

    def fleet(self, connections, streams=1):
        return contextlib.closing(Fleet(self.proxy.port, self.certs / "ca.pem", connections, streams))

    def cpu_s(self):
        """Of the proxy, all threads, by the scheduler's clock of nanoseconds."""
        tasks = pathlib.Path(f"/proc/{self.proxy.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def pss_kb(self):
        """Of what is no file: a share of the program's own file grows and shrinks as others begin and end."""
        text = pathlib.Path(f"/proc/{self.proxy.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss_Anon:\s+(\d+)", text, re.M)[1])


# ---- rows --------------------------------------------------------------------------------------


def settled_kb(site, enough):
    """PSS once freed memory went back: what is at most `enough` after QUIET_S, or the least before TRIM_S are over."""
    since = time.monotonic()
    time.sleep(QUIET_S)
    least = site.pss_kb()
    while least > enough and time.monotonic() - since < TRIM_S:
        time.sleep(0.5)
        least = min(least, site.pss_kb())
    return least


def memory_per_stream(site, sizes, streams=1):
    """kB (PSS) per stream at each of these numbers of connections, which one proxy has one after the other."""
    found = {}
    with contextlib.ExitStack() as stack:
        with site.fleet(4) as first_ones:
            first_ones.open()
            before = settled_kb(site, float("inf"))  # else what handshakes took a moment ago is in it
        opened = 0
        for size in sizes:
            fleet = stack.enter_context(site.fleet(size - opened, streams))
            fleet.open()
            opened += fleet.connections
            smallest = min(found.values(), default=float("inf"))
            found[opened] = (settled_kb(site, before + smallest * opened * streams) - before) / (opened * streams)
    return found


def comeback(site, connections):
    """The proxy is killed and starts again, and all connections come at once, without a pause. Returns the fleet's
    report with the CPU of the proxy."""
    with site.fleet(connections) as fleet:
        fleet.open()
        site.restart_proxy()
        fleet.do("lost")
        before = site.cpu_s()
        told = fleet.open()
        return told | {"proxy_cpu_s": site.cpu_s() - before}


def ping_instructions(certs, connections, streams, pings=PINGS):
    """Instructions of a ping beside quiet streams: all that the proxy ran meanwhile, less what it runs at rest."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sections = callgrind.Sections(f"{folder}/profile")
        site = stack.enter_context(Site(certs, "--workers", "1", through=sections.through))
        quiet = stack.enter_context(site.fleet(connections, streams))
        quiet.open()
        active = stack.enter_context(site.fleet(1))
        active.open()
        time.sleep(QUIET_S)
        sections.start(site.proxy)
        active.ping(WARM_UP)
        sections.end(site.proxy)
        time.sleep(REST_S)
        at_rest = sections.end(site.proxy) / REST_S
        since = time.monotonic()
        active.ping(pings)
        seconds = time.monotonic() - since
        return (sections.end(site.proxy) - at_rest * seconds) / pings


def idle_us(site, connections, windows=4):
    """CPU of one quiet connection in a second, in us; the least of some windows of a second."""
    least = float("inf")
    for _ in range(windows):
        before, since = site.cpu_s(), time.monotonic()
        time.sleep(1)
        least = min(least, (site.cpu_s() - before) / (time.monotonic() - since))
    return least / connections * 1e6


# ---- the report --------------------------------------------------------------------------------


class Report:
    def __init__(self):
        self.good = True

    def row(self, what, figures, holds):
        self.good = self.good and holds
        print(f"{'ok' if holds else 'FAILED':<8}{what}: {figures}", flush=True)


def report_memory(report, certs, sizes, streams):
    with Site(certs) as site:
        found = memory_per_stream(site, sizes, streams)
    figures = ", ".join(f"{kb:.2f} at {size}x{streams}" for size, kb in found.items())
    values = list(found.values())
    most = MOST_GROWTH if streams == 1 else MOST_GROWTH_SHARED
    report.row("kB (PSS) per quiet stream", figures, max(values) <= values[0] * (1 + most))


def report_comeback(report, certs, connections):
    with Site(certs) as site:
        told = comeback(site, connections)
    report.row(f"{connections} come back at once after a restart",
               f"all served within {told['slowest_s']:.1f} s, no handshake failed; CPU of the proxy "
               f"{told['proxy_cpu_s']:.1f} s, of the driver {told['cpu_seconds']:.1f} s on the same {os.cpu_count()} "
               f"cores; {told['syns_resent']} found the system's queue full", told["slowest_s"] <= MOST_SECONDS)


def report_pings(report, certs, shapes):
    alone = ping_instructions(certs, 1, 1)
    for connections, streams in shapes:
        beside = ping_instructions(certs, connections, streams)
        report.row("instructions of a ping", f"{alone:.0f} alone, {beside:.0f} beside {connections}x{streams} quiet "
                   "streams", beside <= alone * (1 + MOST_DEARER))


def report_idle(report, certs, connections):
    with Site(certs) as site, site.fleet(connections) as fleet:
        fleet.open()
        time.sleep(QUIET_S)
        idle = idle_us(site, connections)
    report.row("CPU of a quiet connection", f"{idle:.2f} us in a second", idle <= MOST_IDLE_US)


def allow_files(connections):
    need = connections + FILES_MORE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < need:
        print(f"bench-scale: {need} open files are needed and {hard} allowed: raise the hard limit (ulimit -Hn) or "
              f"choose fewer --connections", file=sys.stderr)
        sys.exit(2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))


def main():
    parser = argparse.ArgumentParser(prog="bench-scale", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=15000, metavar="N", help="of the largest fleet")
    options = parser.parse_args()
    count = options.connections
    allow_files(count)
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        certs = pathlib.Path(name)
        subprocess.run([ROOT / "certs/generate-certs.sh", "--out", certs], check=True, capture_output=True)
        try:
            report_memory(report, certs, [count // 5, count * 2 // 5, count], 1)
            report_memory(report, certs, [50, 200], 100)
            report_comeback(report, certs, count)
            report_pings(report, certs, [(count, 1), (200, 100)])
            report_idle(report, certs, count)
        except AssertionError as error:
            report.row("the fleet", error, False)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
