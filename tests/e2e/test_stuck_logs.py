"""A log that nobody reads: streams live on, the program ends when told to, and lost lines are told."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.request

import pytest

from testenv.grpcroute import BIN, Server
from testenv.net import ReservedPort, wait_port
from testenv.process import DIE_WITH_PARENT
from testenv.wait import wait_until

END_S = 5  # from SIGTERM to the end, whatever the log does


class StuckPipe:
    """A pipe that is full and read by nobody until the test does."""

    def __init__(self, blocking=True):
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.writer, b"-" * 4095 + b"\n")
        os.set_blocking(self.writer, blocking)

    def read_until(self, pattern, deadline_s=10):
        """Reads until a line matches, and returns the match."""
        text = ""
        end = time.monotonic() + deadline_s
        os.set_blocking(self.reader, False)
        while True:
            with contextlib.suppress(BlockingIOError):
                text += os.read(self.reader, 65536).decode()
            found = re.search(pattern, text, re.MULTILINE)
            if found:
                return found
            assert time.monotonic() < end, text[-2000:]
            time.sleep(0.01)  # until there is more

    def close(self):
        os.close(self.reader)
        if self.writer is not None:
            os.close(self.writer)


class Role:
    """A role of the program with outputs of the test's choice."""

    def __init__(self, *argv, stdout, stderr):
        self._popen = subprocess.Popen([*DIE_WITH_PARENT, BIN, *map(str, argv)], stdin=subprocess.DEVNULL,
                                       stdout=stdout, stderr=stderr)

    def running(self):
        return self._popen.poll() is None

    def end(self):
        """SIGTERM; returns the exit code."""
        self._popen.send_signal(signal.SIGTERM)
        return self._popen.wait(END_S)

    def wait(self, deadline_s):
        return self._popen.wait(deadline_s)

    def close(self):
        if self.running():
            self._popen.kill()
        self._popen.wait()


def outputs(pipe, stuck):
    """What subprocess shall do with standard output and error."""
    return {"stdout": pipe.writer if "out" in stuck else subprocess.DEVNULL,
            "stderr": pipe.writer if "err" in stuck else subprocess.DEVNULL}


def start_server(port, **where):
    server = Role("server", "--version", "v1", "--id", "s", "--listen", f"127.0.0.1:{port.port}", "--drain-timeout",
                  "500ms",
                  **where)
    wait_port(port.port, server.running)
    return server


def start_proxy(port, certs, server, gone, **where):
    """Its log has something to say: an endpoint of another cluster does not answer."""
    proxy = Role("proxy", "--listen", f"127.0.0.1:{port.port}", "--admin", "127.0.0.1:0", "--cert", certs / "cert.pem",
                 "--key", certs / "key.pem", "--drain-timeout", "500ms", "--endpoints", f"server-v1={server.address}",
                 "--endpoints", f"server-v2=127.0.0.1:{gone.port}", **where)
    wait_port(port.port, proxy.running)
    return proxy


def start_agent(target, *more, **where):
    return Role("agent", "--version", "v1.1", "--id", "a", "--target", target, "--plaintext", "--interval", "20ms",
                *more,
                **where)


STUCK = [("out",), ("err",), ("out", "err")]


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("stuck", STUCK)
@pytest.mark.parametrize("role", ["agent", "server", "proxy"])
def test_streams_go_on_and_the_end_comes_in_time(role, stuck, blocking, started, certs, agent):
    pipe, port, gone = started(StuckPipe(blocking)), started(ReservedPort()), started(ReservedPort())
    where = outputs(pipe, stuck)
    if role == "server":
        dut = started(start_server(port, **where))
        seen = agent("v1.1", "a", f"127.0.0.1:{port.port}", "--interval", "20ms")
        expected = "Received pong"
    elif role == "proxy":
        server = started(Server("v1", "s"))
        dut = started(start_proxy(port, certs, server, gone, **where))
        seen = agent("v1.1", "a", f"localhost:{port.port}", "--interval", "20ms", cacert=certs / "ca.pem")
        expected = "Received pong"
    else:
        seen = started(Server("v1", "s"))
        dut = started(start_agent(seen.address, **where))
        expected = "Received ping"
    seen.wait_for(expected, count=100)
    assert "Stream closed" not in seen.output
    begin = time.monotonic()
    assert dut.end() == 0
    assert time.monotonic() - begin < END_S


def dropped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return int(re.search(r"^grpcroute_log_lines_dropped_total (\d+)", answer.read().decode(),
                             re.MULTILINE).group(1))


def test_lost_lines_are_counted_and_told_when_the_log_is_read_again(started):
    pipe, metrics = started(StuckPipe()), started(ReservedPort())
    server = started(Server("v1", "s"))
    dut = started(start_agent(server.address, "--count", "50", "--interval", "10ms", "--log-format", "json",
                              "--metrics-listen", f"127.0.0.1:{metrics.port}", stdout=pipe.writer,
                              stderr=subprocess.DEVNULL))
    wait_port(metrics.port, dut.running)
    wait_until(lambda: dropped(metrics.port) > 0, 30, "lines are dropped")
    begin = time.monotonic()  # it was blocked before
    wait_until(lambda: dropped(metrics.port) > 2000 and time.monotonic() - begin > 1, 30,
               "a second of lines is dropped")
    note = json.loads(pipe.read_until(r'^\{.*"event":"log_lines_dropped".*\}$').group(0))
    assert note["role"] == "log" and int(note["lines"]) > 2000
    assert note["msg"].startswith(f"{note['lines']} log lines were dropped: standard output took no bytes for ")
    pipe.read_until(r'^\{.*"event":"pong_received".*\}$')
    assert dropped(metrics.port) >= int(note["lines"])


def test_an_agent_whose_reader_left_ends(started):
    server = started(Server("v1", "s"))
    reader, writer = os.pipe()
    dut = started(start_agent(server.address, stdout=writer, stderr=subprocess.DEVNULL))
    os.close(writer)
    assert os.read(reader, 8).startswith(b"[AGENT")
    os.close(reader)  # as head does
    assert dut.wait(10) == 0


def test_a_server_whose_reader_left_lives_on(started, agent):
    port = started(ReservedPort())
    reader, writer = os.pipe()
    dut = started(start_server(port, stdout=writer, stderr=subprocess.DEVNULL))
    os.close(writer)
    os.close(reader)
    agent("v1.1", "a", f"127.0.0.1:{port.port}", "--interval", "20ms").wait_for("Received pong", count=100)
    assert dut.end() == 0


def test_a_full_disk_is_told_once_on_standard_error(started, tmp_path):
    server = started(Server("v1", "s"))
    errors = tmp_path / "errors"
    with open("/dev/full", "wb") as full, open(errors, "wb") as err:
        dut = started(start_agent(server.address, stdout=full, stderr=err))
        server.wait_for("Received ping", count=100)
        assert dut.end() == 0
    assert errors.read_text().splitlines()[0] == "[LOG] standard output cannot be written: No space left on device"
    assert errors.read_text().count("cannot be written") == 1
