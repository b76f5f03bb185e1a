"""Who puts a shape on a proxy: `grpcroute bench`, the driver of nghttp2_pair, which shares no code with it, and h2load.
Each checks what it can see of the answers, and brings the servers that stand behind the proxy."""
import contextlib
import json
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass

from servers import DRIVER, echo_server, grpcroute_server, pin
from testenv.grpcroute import BIN
from testenv.process import DIE_WITH_PARENT, run

OPEN_S = 30  # how long opening all streams may take, and how long ending them
WARMUP_MS = 300
SETTLE_S = 3  # until idle buffers went back
NEW_CONNECTIONS_A_SECOND = 300  # of h2load, which has no closed loop for them
SHARE_OF_LATE = 0.01  # of a schedule's pings, which then is not kept
PING = b"\0\0\0\0\6\n\4ping"  # with the prefix of gRPC


class Failed(Exception):
    """The measurement gave no figure to trust; the text is for the reader of the table."""


@dataclass(frozen=True)
class Work:
    """What a driver is told: `versions` of the agents, `answer` of a server that does not echo (else None)."""
    port: int
    cacert: object
    cpus: tuple
    shape: object
    versions: str
    answer: str
    pids: list
    seconds: float


@dataclass(frozen=True)
class Report:
    answered: int
    seconds: float
    cpu_s: float  # of all pids
    p50_ms: float = None
    p99_ms: float = None
    unkept: str = None  # why latencies are not the proxy's, but the driver's


def last_line(text):
    return text.strip().rsplit("\n", 1)[-1][:200]


def finished(work, argv):
    argv = [*pin(work.cpus), *argv]
    try:
        return run(argv, timeout=2 * OPEN_S + work.seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"the load did not end within {2 * OPEN_S} s") from None


def cpu_s(pids):
    """Of the processes with all their threads, to the nanosecond: clock_getcpuclockid(3)."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


# ---- nghttp2 -----------------------------------------------------------------------------------


class Nghttp2:
    name, title = "nghttp2", "the driver and the servers of tests/bench/nghttp2_pair"
    server = staticmethod(echo_server)

    def can(self, shape):
        return True

    def _argv(self, work):
        shape = work.shape
        argv = [DRIVER, "--port", work.port, "--cacert", work.cacert, "--kind", shape.kind, "--connections",
                shape.connections, "--streams", shape.streams, "--rate", shape.rate, "--size", shape.size,
                "--warmup-ms", WARMUP_MS, "--duration-ms", int(work.seconds * 1000), "--deadline-ms", OPEN_S * 1000,
                "--versions", work.versions]
        for pid in work.pids:
            argv += ["--pid", pid]
        return argv + (["--answer", work.answer] if work.answer else [])

    def load(self, work):
        done = finished(work, self._argv(work))
        if done.returncode != 0:
            raise Failed(last_line(done.stderr) or f"the driver ended with exit code {done.returncode}")
        report = json.loads(done.stdout)
        if report["answered"] == 0:
            raise Failed("nothing was answered")
        late = report["late"] / max(1, report["sent"])
        return Report(report["answered"], report["seconds"], sum(report["cpu_s"]), report["p50_us"] / 1e3,
                      report["p99_us"] / 1e3,
                      f"{late:.0%} of its pings were sent late" if late > SHARE_OF_LATE else None)

    def idle(self, work, look):
        """Returns look() while all streams are silent."""
        argv = [str(arg) for arg in (*DIE_WITH_PARENT, *pin(work.cpus), *self._argv(work))]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as driver:
            seen = None
            with contextlib.ExitStack() as stack:
                stack.callback(driver.kill)
                if driver.stdout.readline() == "idle\n":
                    time.sleep(SETTLE_S)
                    seen = look()
                _, errors = driver.communicate(timeout=2 * OPEN_S)
                stack.pop_all()
            if driver.returncode != 0:
                raise Failed(last_line(errors) or f"the driver ended with exit code {driver.returncode}")
        return seen


# ---- grpcroute bench ---------------------------------------------------------------------------


def wrong(report, shape, is_constant=False):
    """What is wrong with a report of `grpcroute bench`, in words; None: nothing. Answers that are constant show no
    order."""
    counts = {name: report[name] for name in ("lost", "misrouted", "moved", "disordered", "reopened")}
    counted = {name: count for name, count in counts.items() if count}
    unseen = [name for name, count in counts.items() if count is None and not (is_constant and name == "disordered")]
    if report["errors"]:
        cause, count = max(report["errors"].items(), key=lambda item: item[1])
        return f"{count} streams or connections ended: {cause}"
    if counted:
        return ", ".join(f"{count} {name}" for name, count in counted.items())
    if shape.kind != "unary" and report["streams_opened"] != shape.all_streams:
        return f"{report['streams_opened']} of {shape.all_streams} streams were opened"
    if report["answered"] == 0:
        return "nothing was answered"
    return f"not checked: {', '.join(unseen)}" if unseen and shape.kind != "unary" else None


class Grpcroute:
    name, title = "grpcroute", "`grpcroute bench` and `grpcroute server`"
    server = staticmethod(grpcroute_server)

    def can(self, shape):
        return shape.kind != "connect"

    def _report(self, work, words):
        shape = work.shape
        argv = [BIN, "bench", "--target", f"localhost:{work.port}", "--cacert", work.cacert, "-c", shape.connections,
                "-s", shape.streams, "--versions", work.versions, "-o", "json", *words]
        for pid in work.pids:
            argv += ["--pid", pid]
        done = finished(work, argv)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise Failed(last_line(done.stderr) or f"the load ended with exit code {done.returncode}") from None
        reason = wrong(report, shape, work.answer is not None)
        if reason is not None:
            raise Failed(reason)
        return report

    def load(self, work):
        words = ["-r", work.shape.rate, "--warmup", f"{WARMUP_MS}ms", "-z", f"{int(work.seconds * 1000)}ms"]
        if work.shape.kind == "streams":
            words += ["--size", work.shape.size]
        with tempfile.NamedTemporaryFile() as message:
            if work.shape.kind == "unary":
                message.write(PING[5:])
                message.flush()
                words += ["--method", "/ping.PingService/PingPong", "--call", "unary", "--message-file", message.name,
                          "--server-from", "field:2", "--pod-from", "field:3"]
            report = self._report(work, words)
        return Report(report["answered"], report["seconds_ns"] / 1e9,
                      sum(process["cpu_seconds"] for process in report["processes"]),
                      report["latency"]["p50_ns"] / 1e6, report["latency"]["p99_ns"] / 1e6,
                      None if report["valid"] else report["invalid_because"])

    def idle(self, work, look):
        """One message a second over all streams, as it must send something; memory is what it saw itself."""
        report = self._report(work, ["-r", "1", "--warmup", f"{SETTLE_S}s", "-z", "1s"])
        return sum(process["memory_kib"] for process in report["processes"])


# ---- h2load ------------------------------------------------------------------------------------


class H2load:
    """It sees HTTP's status and no more of an answer: neither which server gave it nor gRPC's status."""
    name, title = "h2load", "h2load and the servers of tests/bench/nghttp2_pair"
    server = staticmethod(echo_server)

    def can(self, shape):
        return shape.kind in ("unary", "connect")

    def load(self, work):
        shape, count = work.shape, int(NEW_CONNECTIONS_A_SECOND * work.seconds)
        words = ["-c", shape.connections, "-m", shape.streams, "-D", max(1, int(work.seconds))] \
            if shape.kind == "unary" else ["-n", count, "-c", count, "-r", NEW_CONNECTIONS_A_SECOND]
        with tempfile.NamedTemporaryFile() as body:
            body.write(PING)
            body.flush()
            before, began = cpu_s(work.pids), time.monotonic()
            done = finished(work, ["h2load", *words, "-d", body.name, "-H", "content-type: application/grpc", "-H",
                                   "te: trailers", "-H", "agent-version: v1.1", "-H", "agent-id: h2load",
                                   f"https://localhost:{work.port}/ping.PingService/PingPong"])
            used, took = cpu_s(work.pids) - before, time.monotonic() - began
        return self.report(done, used, took)

    @staticmethod
    def report(done, used, took):
        found = re.search(r"^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, "
                          r"(\d+) errored", done.stdout, re.M)
        if done.returncode != 0 or not found:
            raise Failed(f"h2load: {last_line(done.stderr + done.stdout)}")
        ended, good, failed, errored = map(int, found.groups())
        if good == 0 or good != ended or failed or errored:
            raise Failed(f"h2load: {good} of {ended} calls succeeded, {failed} failed")
        return Report(good, took, used)


DRIVERS = {driver.name: driver for driver in (Nghttp2(), Grpcroute(), H2load())}
