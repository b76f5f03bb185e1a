"""The live line: on a terminal, for what takes longer than a second, and never in the way of anything."""
import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

import pytest

from testenv.grpcroute import BIN, Server, grpcroute


class Terminal:
    """Standard error of a command is a terminal of 60 columns; standard output is read beside it."""

    def __init__(self, *argv, read=True, term="xterm", fill=False, stdout=subprocess.PIPE):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        self.shown = b""
        self.silent_s = None
        if fill:
            self._fill(slave)
        self.begun = time.monotonic()
        self.process = subprocess.Popen([BIN, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=slave,
                                        env={**os.environ, "TERM": term, "LANG": "C.UTF-8"})
        self.flags = fcntl.fcntl(slave, fcntl.F_GETFL)
        self.slave = slave
        self.reader = threading.Thread(target=self._read, daemon=True)
        if read:
            self.reader.start()

    @staticmethod
    def _fill(slave):
        """Nobody reads, and not a byte more fits."""
        flags = fcntl.fcntl(slave, fcntl.F_GETFL)
        fcntl.fcntl(slave, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(slave, b"x")
        fcntl.fcntl(slave, fcntl.F_SETFL, flags)

    def _read(self):
        with contextlib.suppress(OSError):
            while piece := os.read(self.master, 4096):
                self.silent_s = self.silent_s or time.monotonic() - self.begun  # until the first of it
                self.shown += piece

    def finish(self, deadline_s=30):
        try:
            out, _ = self.process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.took_s = time.monotonic() - self.begun
            flags = fcntl.fcntl(self.slave, fcntl.F_GETFL)
            os.close(self.slave)
            if self.reader.is_alive():
                self.reader.join(5)
            os.close(self.master)
        assert flags == self.flags, "the flags of the shared terminal were changed"
        return out.decode() if out else ""

    def lines(self):
        return [line for line in re.split(r"\r\x1b\[K|\r\n", self.shown.decode()) if line]


@pytest.fixture
def server(started):
    return started(Server("v1", "pod-1"))


def slow(command, server, *args):
    versions = ["--versions", "v1.1"] if command == "verify" else []
    return [command, "--target", server.address, "--plaintext", *versions, "--interval", "100ms", "-n", "25", *args]


@pytest.mark.parametrize("command, streams", [("verify", 6), ("sticky-test", 1)])
def test_a_long_check_has_a_live_line(server, command, streams):
    terminal = Terminal(*slow(command, server))
    out = terminal.finish()
    assert terminal.process.returncode == 0 and "\r" not in out and "\x1b" not in out
    lines = terminal.lines()
    assert 3 <= len(lines) <= 4 * terminal.took_s, lines
    assert all(len(line) < 60 for line in lines)
    counts = [int(n) for n in re.findall(rf"of {streams} streams done, (\d+) of", " ".join(lines))]
    assert counts == sorted(counts) and counts[-1] > counts[0]
    assert terminal.shown.endswith(b"\r\x1b[K")  # wiped


def test_what_is_over_soon_has_none(server):
    terminal = Terminal("verify", "--target", server.address, "--plaintext", "--versions", "v1.1")
    terminal.finish()
    assert terminal.process.returncode == 0
    assert terminal.shown == b"" or terminal.silent_s > 1  # it was not over soon


def test_a_dumb_terminal_and_a_pipe_have_none(server):
    terminal = Terminal(*slow("verify", server), term="dumb")
    terminal.finish()
    assert terminal.shown == b""
    done = grpcroute(*slow("verify", server))
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("command", ["verify", "sticky-test"])
def test_a_terminal_that_takes_nothing_stops_nothing(server, command):
    terminal = Terminal(*slow(command, server), read=False, fill=True)
    begun = time.monotonic()
    out = terminal.finish(15)
    assert terminal.process.returncode == 0 and time.monotonic() - begun < 10, out
    assert "OK" in out or "works correctly" in out


def test_bench_and_failover_test_draw_the_same_line(server):
    terminal = Terminal("bench", "--target", server.address, "--plaintext", "--versions", "v1.1", "-c", "1", "-r", "50",
                        "-z", "3s")
    terminal.finish()
    assert len(re.findall(r"messages/s", " ".join(terminal.lines()))) >= 2 and terminal.shown.endswith(b"\r\x1b[K")
    terminal = Terminal("failover-test", "--target", server.address, "--plaintext", "--versions", "v1.1", "--fault",
                        f"kill -STOP {server.pid}; (sleep 2; kill -CONT {server.pid}) >/dev/null 2>&1 &",
                        stdout=subprocess.DEVNULL)
    terminal.finish(60)
    assert "streams answered after the fault" in " ".join(terminal.lines()), terminal.shown


def test_limits_says_how_far_it_is(server):
    terminal = Terminal("limits", "--target", server.address, "--plaintext", "--within", "3s", "--shapes",
                        "idle,age_stream")
    out = terminal.finish()
    assert terminal.process.returncode == 0 and "\x1b[K" not in out, out
    lines = terminal.lines()
    assert len(lines) >= 3 and all("0 of 2 shapes measured" in line or "1 of 2" in line for line in lines[:3]), lines
    assert terminal.shown.endswith(b"\r\x1b[K")
