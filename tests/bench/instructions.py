"""Instructions per ping round trip of proxy and server, per message of 16 KiB there and back through the proxy, per
ping of 16 KiB of the server, and per new connection of the proxy with one call, against a recorded budget: the guard
that no machine's mood touches.

callgrind.py counts them, for pings under `grpcroute bench` in a closed loop, else between the two ends of wire.py; the
difference between a long and a short run is what one costs. The same build gives the same figure within 0.3 %, so 3 %
more is a regression. `--record` writes the budget anew, for a commit that says why. A proxy with two workers may cost
3 % more than with one, in the same run."""
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/bench")]

import budget  # noqa: E402  all beside this file
import callgrind  # noqa: E402
import wire  # noqa: E402

SLACK_OF_WORKERS = 0.03
SHAPES = ["1x1", "10x50"]
MESSAGE_BYTES = 16384
MESSAGES = (100, 600)
CONNECTIONS = (10, 60)
REST_S = (1, 4)
SHORT, LONG = "300ms", "2s"


class Bench:
    """Runs of one role under callgrind."""

    def __init__(self, folder):
        from testenv import grpcroute, net, process  # once GRPCROUTE_BIN is set
        self.folder, self.run, self.roles, self.net, self.process = folder, process.run, grpcroute, net, process
        self.workers = 1  # of the proxy
        self.at_rest = 0  # instructions in a second of a proxy that has nothing to do: how long a run takes is no cost
        self.through = callgrind.through(folder / "profile")
        self.run([ROOT / "certs/generate-certs.sh", "--out", folder]).check_returncode()

    def load(self, shape, duration, target, *tls):
        connections, streams = shape.split("x")
        done = self.run([self.roles.BIN, "bench", "-c", connections, "-s", streams, "-r", "0", "-z", duration,
                         "--warmup", "0s", "--versions", "v1.1", "--target", target, *tls, "-o", "json"])
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["errors"] == {} and report["misrouted"] == 0, report["errors"]
        return report["answered"]

    def quiet_server(self, through=(), *arguments):
        """Without a line per message, and so without one that it listens."""
        port = self.net.ReservedPort()
        server = self.process.Process([self.roles.BIN, "server", "--version", "v1", "--id", "s1", "--listen",
                                       f"127.0.0.1:{port.port}", "--log-level", "error", *arguments], through=through)
        self.net.wait_port(port.port, server.running)
        server.address = f"127.0.0.1:{port.port}"
        port.close()
        return server

    def proxy(self, shape, duration):
        server = self.quiet_server()
        proxy = self.roles.Proxy(self.folder, [server], [server], "--workers", str(self.workers), through=self.through)
        proxy.wait_ready()
        answered = self.load(shape, duration, proxy.target, "--cacert", self.folder / "ca.pem")
        return self.end(answered, proxy, server)

    def server(self, shape, duration):
        server = self.quiet_server(self.through)
        return self.end(self.load(shape, duration, server.address, "--plaintext"), server)

    def proxy_of_two_workers(self, shape, duration):
        self.workers = 2
        try:
            return self.proxy(shape, duration)
        finally:
            self.workers = 1

    def drive(self, drive, server, count):
        """What a proxy costs between `server` and drive(port, cacert, count). It connects ahead to v2, too, where
        nothing goes."""
        other = self.quiet_server()
        proxy = self.roles.Proxy(self.folder, [server], [other], "--workers", "1", "--no-health-checks",
                                 through=self.through)
        proxy.wait_ready()
        start = time.monotonic()
        drive(proxy.port, self.folder / "ca.pem", count)
        seconds = time.monotonic() - start
        count, instructions = self.end(count, proxy, server, other)
        return count, instructions - seconds * self.at_rest

    def rest(self, seconds):
        return self.drive(lambda _port, _cacert, count: time.sleep(count), self.quiet_server(), seconds)

    def messages(self, count):
        echo = wire.Echo()
        return self.drive(lambda port, cacert, count: wire.echo_messages(echo, port, cacert, MESSAGE_BYTES, count),
                          echo, count)

    def server_messages(self, count):
        server = self.quiet_server(self.through, "--cert", self.folder / "cert.pem", "--key",
                                   self.folder / "key.pem")
        wire.ping_messages(int(server.address.rpartition(":")[2]), self.folder / "ca.pem", MESSAGE_BYTES, count)
        return self.end(count, server)

    def connections(self, count):
        return self.drive(wire.call_anew, self.quiet_server(), count)

    def end(self, answered, *processes):
        processes[0].stop(signal.SIGINT)
        for process in processes:
            process.close()
        return answered, callgrind.counted(self.folder / "profile", os.path.basename(self.roles.BIN))

    def per_round_trip(self, role, shape):
        measure = getattr(self, role)
        return per_one(measure(shape, SHORT), measure(shape, LONG))


def per_one(short, long):
    """Of two runs, each (how many, instructions)."""
    return (long[1] - short[1]) / (long[0] - short[0])


def main():
    options = budget.options_of(__file__, __doc__)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder))
        measured = {f"{role} {shape}": round(bench.per_round_trip(role, shape), 1)
                    for role in ("proxy", "server") for shape in SHAPES}
        bench.at_rest = per_one(*map(bench.rest, REST_S))
        measured["proxy 16 KiB"] = round(per_one(*map(bench.messages, MESSAGES)), 1)
        measured["server 16 KiB"] = round(per_one(*map(bench.server_messages, MESSAGES)), 1)
        measured["proxy connection"] = round(per_one(*map(bench.connections, CONNECTIONS)), 1)
        of_two = {f"proxy {shape} -w 2": round(bench.per_round_trip("proxy_of_two_workers", shape), 1)
                  for shape in SHAPES}
    good = budget.judge_all(options, measured, "instructions per round trip or connection")
    print(f"two workers against one in this run, slack {SLACK_OF_WORKERS:.0%}")
    of_one = {f"{name} -w 2": now for name, now in measured.items()}
    of_two_good = [budget.judge(name, now, of_one, SLACK_OF_WORKERS) for name, now in of_two.items()]
    return 0 if good and all(of_two_good) else 1


if __name__ == "__main__":
    sys.exit(main())
