"""One measurement: a driver's load in front of a running proxy, and everything that would make its figures wrong."""
import pathlib
import re
from dataclasses import asdict, dataclass

from contenders import cores, family
from drivers import Failed, Work, last_line

LEAST_US = 0.2  # of CPU per round trip; a process that used less is not the one that did the work
SHARE_OF_RATE = 0.97  # of the pings that were due, or the load was less than that of the others
TICK_S = 0.01  # the least that `grpcroute bench` counts


@dataclass(frozen=True)
class Sample:
    """cost: CPU per round trip in us, or kB per idle stream. The others are of load only."""
    cost: float
    p50_ms: float = None
    p99_ms: float = None
    busy: float = None  # cores of the proxy that it used
    messages_per_s: float = None
    unkept: str = None  # why it was not the load that was asked for, and then there are no latencies

    def as_json(self):
        return {key: value for key, value in asdict(self).items() if value is not None}


def pss_kib(pid):
    found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1])


def load_sample(report, rate=0):
    """Where the driver was the limit the cost still is the proxy's own, but the latency is not. `rate`: pings a second
    that were asked for."""
    if (report.cpu_s + TICK_S) / report.answered * 1e6 < LEAST_US:
        raise Failed(f"it used {report.cpu_s:.2f} s of CPU for {report.answered} round trips: something else did the "
                     f"work")
    unkept = report.unkept
    if rate > 0 and report.answered < SHARE_OF_RATE * rate * report.seconds:
        unkept = f"{report.answered / report.seconds:.0f} of {rate} a second were answered"
    p50_ms, p99_ms = (None, None) if unkept else (report.p50_ms, report.p99_ms)
    return Sample(report.cpu_s / report.answered * 1e6, p50_ms, p99_ms, report.cpu_s / report.seconds,
                  report.answered / report.seconds, unkept)


def measure(site, driver, contender, running, shape, seconds):
    """Returns a Sample, or raises Failed."""
    pids = family(running.process.pid)
    if not running.process.running():
        raise Failed(f"it ended by itself: {last_line(running.process.output)}")
    for pid in pids:
        if cores(pid) != set(site.proxy_cpus(shape)):
            raise Failed(f"process {pid} is not pinned to its cores")
    work = Work(running.port, site.certs / "ca.pem", site.load_cpus(shape), shape, contender.versions, contender.answer,
                pids, seconds)
    if shape.idle:
        before = sum(map(pss_kib, pids))
        sample = Sample((driver.idle(work, lambda: sum(map(pss_kib, pids))) - before) / shape.connections)
    else:
        sample = load_sample(driver.load(work), shape.rate)
    if not running.process.running() or family(running.process.pid) != pids:
        raise Failed("its processes came or went during the measurement")
    return sample
