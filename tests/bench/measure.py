"""One measurement: `grpcroute bench` in front of a running proxy, and everything that would make its figures wrong."""
import json
import pathlib
import re
import subprocess
from dataclasses import asdict, dataclass

from contenders import cores, family, pin
from testenv.grpcroute import BIN
from testenv.process import run

OPEN_S = 30  # how long opening all streams may take
LEAST_US = 1  # of CPU per message; a process that used less is not the one that did the work
TICK_S = 0.01  # the least that the kernel counts
WARMUP = "500ms"
SETTLE_S = 3  # until idle buffers went back


class Failed(Exception):
    """The measurement gave no figure to trust; the text is for the reader of the table."""


@dataclass(frozen=True)
class Shape:
    name: str
    connections: int
    streams: int
    idle: bool

    @classmethod
    def parse(cls, word):
        """"50x1" is connections x streams in a closed loop, "3000idle" connections with one idle stream each."""
        load, idle = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,3})", word), re.fullmatch(r"([1-9]\d{0,4})idle", word)
        if load:
            return cls(word, int(load[1]), int(load[2]), False)
        if idle:
            return cls(word, int(idle[1]), 1, True)
        raise ValueError(f"{word!r} is neither CONNECTIONSxSTREAMS, as 50x1 is, nor as 3000idle is")


@dataclass(frozen=True)
class Sample:
    """cost: CPU per round trip in us, or kB per idle stream. The others are of load only."""
    cost: float
    p50_ms: float = None
    p99_ms: float = None
    busy: float = None  # share of the proxy's core
    messages_per_s: float = None

    def as_json(self):
        return {key: value for key, value in asdict(self).items() if value is not None}


def last_line(text):
    return text.strip().rsplit("\n", 1)[-1][:200]


def pss_kib(pid):
    found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1])


def drive(site, port, shape, versions, pids, words, seconds):
    """Runs the load for `seconds` after it has opened its streams; returns its report."""
    argv = [*pin(site.load_cpu), BIN, "bench", "--target", f"localhost:{port}", "--cacert", site.certs / "ca.pem",
            "-c", shape.connections, "-s", shape.streams, "--versions", versions, "-o", "json", *words]
    for pid in pids:
        argv += ["--pid", pid]
    try:
        done = run(argv, timeout=OPEN_S + seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"not all streams were opened and answered within {OPEN_S} s") from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failed(last_line(done.stderr) or f"the load ended with exit code {done.returncode}") from None


def wrong(report, shape):
    """What is wrong with a report, in words; None: nothing."""
    counts = {name: report[name] for name in ("lost", "misrouted", "moved", "disordered", "reopened")}
    counted = {name: count for name, count in counts.items() if count}
    unseen = [name for name, count in counts.items() if count is None]
    if report["errors"]:
        cause, count = max(report["errors"].items(), key=lambda item: item[1])
        return f"{count} streams or connections ended: {cause}"
    if counted:
        return ", ".join(f"{count} {name}" for name, count in counted.items())
    if report["streams_opened"] != shape.connections * shape.streams:
        return f"{report['streams_opened']} of {shape.connections * shape.streams} streams were opened"
    if report["answered"] == 0:
        return "nothing was answered"
    return f"not checked: {', '.join(unseen)}" if unseen else None


def checked(site, contender, running, shape, pids, words, seconds):
    """drive(), and raises Failed unless all was as it should be."""
    if not running.process.running():
        raise Failed(f"it ended by itself: {last_line(running.process.output)}")
    for pid in pids:
        if cores(pid) != {site.proxy_cpu}:
            raise Failed(f"process {pid} is not pinned to core {site.proxy_cpu}")
    report = drive(site, running.port, shape, contender.versions, pids, words, seconds)
    reason = wrong(report, shape)
    if reason is not None:
        raise Failed(reason)
    if not running.process.running() or family(running.process.pid) != pids:
        raise Failed("its processes came or went during the measurement")
    return report


def load_sample(report, driver_may_be_the_limit):
    """Where the driver was the limit the cost still is the process's own, but the latency is not."""
    cpu, measured_s = sum(process["cpu_seconds"] for process in report["processes"]), report["seconds_ns"] / 1e9
    if not report["valid"] and not driver_may_be_the_limit:
        raise Failed(report["invalid_because"])
    if (cpu + TICK_S) / report["answered"] * 1e6 < LEAST_US:
        raise Failed(f"it used {cpu:.2f} s of CPU for {report['answered']} messages: something else did the work")
    p50_ms, p99_ms = (report["latency"][name] / 1e6 if report["valid"] else None for name in ("p50_ns", "p99_ns"))
    return Sample(cpu / report["answered"] * 1e6, p50_ms, p99_ms, cpu / measured_s, report["answered"] / measured_s)


def measure_load(site, contender, running, shape, pids, seconds):
    words = ["-r", "0", "--warmup", WARMUP, "-z", f"{seconds}s"]
    return load_sample(checked(site, contender, running, shape, pids, words, seconds),
                       contender.driver_may_be_the_limit)


def measure_idle(site, contender, running, shape, pids):
    """Memory after the streams were silent for a while, minus before; a few streams first pay for what the first ones
    cost anyway. The load is one message a second over all streams: it must send something."""
    few = Shape("first streams", 4, 1, False)
    checked(site, contender, running, few, pids, ["-r", "0", "--warmup", "0", "-z", "500ms"], 1)
    before = sum(pss_kib(pid) for pid in pids)
    report = checked(site, contender, running, shape, pids, ["-r", "1", "--warmup", f"{SETTLE_S}s", "-z", "1s"],
                     SETTLE_S + 1)
    after = sum(process["memory_kib"] for process in report["processes"])
    return Sample((after - before) / shape.connections)


def measure(site, contender, running, shape, seconds):
    """Returns a Sample, or raises Failed."""
    pids = family(running.process.pid)
    if shape.idle:
        return measure_idle(site, contender, running, shape, pids)
    return measure_load(site, contender, running, shape, pids, seconds)
