"""Bytes of memory per idle TLS stream of the proxy, against a recorded budget: the guard beside instructions.py.

Clients of hand-made frames open a connection each, with one stream on it that is answered once and then quiet. What
the proxy holds for more of them is counted at each allocation (heap_count.c), so the same build gives the same figure,
whatever the machine does; 3 % more is a regression. `--record` writes the budget anew, for a commit that says why."""
import contextlib
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import budget  # noqa: E402  beside this file

NAME = "idle TLS stream"
FIRST, MORE = 50, 200  # streams: the first ones pay for what all share
STILL_S = 3  # a count that did not change for so long is that of rest
LIMIT_S = 60


def compiled(folder):
    library = folder / "heap_count.so"
    subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", library,
                    pathlib.Path(__file__).with_name("heap_count.c")], check=True)
    return library


class Client:
    """A connection with one stream, through which one message went and came back."""

    def __init__(self, port, context):
        from testenv import raw
        self.raw, self.received, self.acknowledged, self.answered = raw, b"", False, False
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10),
                                          server_hostname="localhost")
        self.socket.sendall(raw.PREFACE + raw.frame(raw.SETTINGS) +
                            raw.frame(raw.HEADERS, raw.END_HEADERS, 1, raw.request()) +
                            raw.frame(raw.DATA, 0, 1, raw.message()))
        while not (self.acknowledged and self.answered):
            self.take(self.socket.recv(65536))

    def take(self, received):
        assert received, "the proxy ended the connection"
        self.received += received
        while len(self.received) >= 9:
            length, kind, flags = int.from_bytes(self.received[:3], "big"), self.received[3], self.received[4]
            if len(self.received) < 9 + length:
                return
            self.received = self.received[9 + length:]
            if kind == self.raw.SETTINGS and not flags & self.raw.ACK:
                self.socket.sendall(self.raw.frame(self.raw.SETTINGS, self.raw.ACK))
                self.acknowledged = True
            elif kind == self.raw.DATA and length > 0:
                credit = struct.pack(">I", length)
                self.socket.sendall(self.raw.frame(self.raw.WINDOW_UPDATE, 0, 0, credit) +
                                    self.raw.frame(self.raw.WINDOW_UPDATE, 0, 1, credit))
                self.answered = True
            assert kind not in (self.raw.RST_STREAM, self.raw.GOAWAY), "the proxy ended the stream"


def at_rest(count):
    """The count once it is the same for a while."""
    deadline, since, last = time.monotonic() + LIMIT_S, time.monotonic(), None
    while time.monotonic() < deadline:
        now, = struct.unpack("q", count.read_bytes())
        if now != last:
            since, last = time.monotonic(), now
        elif time.monotonic() - since >= STILL_S:
            return now
        time.sleep(0.1)
    raise SystemExit(f"heap: the count never stood still for {STILL_S} s")


def bytes_per_stream(folder):
    from testenv import grpcroute, process  # once GRPCROUTE_BIN is set
    process.run([ROOT / "certs/generate-certs.sh", "--out", folder]).check_returncode()
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.set_alpn_protocols(["h2"])
    count = folder / "count"
    count.write_bytes(bytes(8))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(contextlib.closing(grpcroute.Server("v1", "s1", "--max-streams", "1000")))
        proxy = stack.enter_context(contextlib.closing(grpcroute.Proxy(
            folder, [server], [server], "--workers", "1",
            through=["env", f"LD_PRELOAD={compiled(folder)}", f"HEAP_COUNT={count}"])))
        proxy.wait_ready()
        figures = []
        for streams in (FIRST, MORE):
            for _ in range(streams):
                client = Client(proxy.port, context)
                stack.callback(client.socket.close)
            figures.append(at_rest(count))
    return (figures[1] - figures[0]) / MORE


def main():
    options = budget.options_of(__file__, __doc__)
    with tempfile.TemporaryDirectory() as folder:
        measured = {NAME: round(bytes_per_stream(pathlib.Path(folder)), 1)}
    return 0 if budget.judge_all(options, measured, "bytes of memory") else 1


if __name__ == "__main__":
    sys.exit(main())
