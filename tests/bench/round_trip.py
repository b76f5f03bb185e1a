"""CPU per ping round trip and memory per idle stream of the embedded proxy, beside other proxies in the same run.

Everything runs on this machine; proxies are pinned to one processor, driver and servers to another. Absolute numbers mean little on a
shared machine: read the ratios."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from testenv.net import free_port, wait_port  # noqa: E402
from testenv.process import Process  # noqa: E402
from testenv.proxies import Envoy  # noqa: E402

PROXY_CPU, OTHER_CPU = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
SHAPES = {"50x1": (50, 1), "10x50": (10, 50)}


def pin(cpu):
    return ["taskset", "--cpu-list", str(cpu)]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss")


class Backend:
    def __init__(self, binary, ident):
        self.port = free_port()
        self.process = Process([binary, "server", "--version", "v1", "--id", ident, "--listen",
                                f"127.0.0.1:{self.port}", "--log-level", "error",
                                "--max-streams", "10000"], through=pin(OTHER_CPU))
        wait_port(self.port)
        self.ident = ident
        self.address = f"127.0.0.1:{self.port}"


class Ours:
    def __init__(self, binary, certs, folder, backends):
        self.port = free_port()
        addresses = ",".join(b.address for b in backends)
        self.process = Process(
            [binary, "proxy", "--listen", f"127.0.0.1:{self.port}", "--admin", "127.0.0.1:0", "--cert",
             certs / "cert.pem", "--key", certs / "key.pem", "--endpoints", f"server-v1={addresses}",
             "--endpoints", f"server-v2={addresses}"], through=pin(PROXY_CPU))
        self.process.wait_for(r"\] Ready$")


class Nghttpx:
    def __init__(self, binary, certs, folder, backends):
        self.port = free_port()
        config = folder / "nghttpx.conf"
        config.write_text("")
        argv = ["nghttpx", f"--conf={config}", "--workers=1", f"--frontend=127.0.0.1,{self.port}",
                "--log-level=ERROR", "--accesslog-file=/dev/null", "--no-ocsp",
                "--backend-read-timeout=1h", "--frontend-http2-max-concurrent-streams=1000",
                *[f"--backend=127.0.0.1,{b.port};;proto=h2" for b in backends],
                certs / "key.pem", certs / "cert.pem"]
        self.process = Process(argv, through=pin(PROXY_CPU))
        wait_port(self.port)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], check=False,
                                  capture_output=True, text=True).stdout.split()
        self.worker_pid = int(children[0]) if children else self.process.pid


class EnvoyPinned:
    def __init__(self, binary, certs, folder, backends):
        envoy = Envoy(certs, folder, backends, backends)
        for task in os.listdir(f"/proc/{envoy.process.pid}/task"):
            os.sched_setaffinity(int(task), {PROXY_CPU})
        self.port = envoy.port
        self.process = envoy.process


def drive(binary, certs, port, shape, seconds, plaintext=False):
    """Pings until done; returns the number of round trips."""
    connections, streams = SHAPES[shape]
    tls = ["--plaintext"] if plaintext else ["--cacert", str(certs / "ca.pem")]
    target = ["--target", f"localhost:{port}"]
    if streams == 1:
        interval_ms = 2
        messages = seconds * 1000 // interval_ms
        drivers = [["agent", "--version", "v1.1", "--id", "bench", "--count", str(connections),
                    "--interval", f"{interval_ms}ms", "--messages", str(messages), "--log-level",
                    "error"]]
    else:
        interval_ms = 20
        messages = seconds * 1000 // interval_ms
        drivers = [["sticky-test", "--agents", str(streams), "--id", f"bench{n}", "--messages",
                    str(messages), "--interval", f"{interval_ms}ms"] for n in range(connections)]
    started = [subprocess.Popen([*pin(OTHER_CPU), binary, *driver, *target, *tls],
                                stdout=subprocess.DEVNULL) for driver in drivers]
    for process in started:
        if process.wait(seconds + 60) != 0:
            raise RuntimeError(f"the driver failed at {shape}")
    return connections * streams * messages


def measure(pid, work):
    before = cpu_seconds(pid)
    round_trips = work()
    return (cpu_seconds(pid) - before) / round_trips * 1e6


def idle_memory(binary, certs, proxy, pid, streams):
    before = pss_kib(pid)
    agents = Process([binary, "agent", "--version", "v1.1", "--id", "idle", "--count", str(streams),
                      "--interval", "1h", "--target", f"localhost:{proxy.port}", "--cacert",
                      certs / "ca.pem"], through=pin(OTHER_CPU))
    agents.wait_for("Received pong", count=streams, deadline_s=120)
    time.sleep(3)  # buffers go back
    used = (pss_kib(pid) - before) / streams
    agents.stop(9)
    return used


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/src/grpcroute")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--idle", type=int, default=3000)
    options = parser.parse_args()
    os.environ["PATH"] = f"{ROOT}/.cache/venv/bin:{os.environ['PATH']}"
    proxies = {"grpcroute": Ours, "nghttpx": Nghttpx, "envoy": EnvoyPinned}
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([ROOT / "certs/generate-certs.sh", "--out", folder], check=True,
                       capture_output=True)
        backends = [Backend(options.bin, f"s{n}") for n in range(2)]
        for label, start in proxies.items():
            place = folder / label
            place.mkdir()
            proxy = start(options.bin, folder, place, backends)
            pid = getattr(proxy, "worker_pid", proxy.process.pid)
            rows[label] = [
                measure(pid, lambda: drive(options.bin, folder, proxy.port, shape, options.seconds))
                for shape in SHAPES]
            rows[label].append(idle_memory(options.bin, folder, proxy, pid, options.idle))
            proxy.process.close()
        rows["(server, direct)"] = [
            measure(backends[0].process.pid,
                    lambda: drive(options.bin, folder, backends[0].port, shape, options.seconds, True))
            for shape in SHAPES] + [None]
        for backend in backends:
            backend.process.close()
    ours = rows["grpcroute"]
    print(f"{'':18}{'us CPU per round trip':>24}{'':>16}{'kB per idle':>16}")
    print(f"{'':18}{'50x1':>12}{'ratio':>8}{'10x50':>12}{'ratio':>8}{'TLS stream':>14}{'ratio':>8}")
    for label, values in rows.items():
        cells = "".join("" if v is None else f"{v:>{w}.2f}{v / o:>8.2f}"
                        for v, o, w in zip(values, ours, (12, 12, 14)))
        print(f"{label:18}{cells}")


main()
