"""The independent driver and echo server of tests/bench: they work with each other and through the proxy, and the
driver fails when one answer of many is wrong, missing or too much."""
import contextlib
import json
import re
import subprocess
import sys

import pytest

from testenv.grpcroute import ROOT, Proxy
from testenv.process import DIE_WITH_PARENT, Process, run

sys.path.insert(0, str(ROOT / "tests/bench"))

from servers import DRIVER, ECHO_SERVER  # noqa: E402

KINDS = {"streams": ["--connections", "3", "--streams", "4"], "unary": ["--kind", "unary", "--streams", "4"],
         "connect": ["--kind", "connect", "--connections", "3"]}
QUICK = ["--warmup-ms", "20", "--duration-ms", "1000"]
UNTIL_THE_FAULT = ["--duration-ms", "20000"]  # it ends the run
FAULT_AT = "30"  # when all streams are open


class EchoServer(Process):
    def __init__(self, version, *args):
        super().__init__([ECHO_SERVER, "--version", version, "--id", f"{version}-a", *args])
        self.address = self.wait_for_start(r"Listening on (127\.0\.0\.1:\d+)")[1]
        self.port = self.address.rsplit(":", 1)[1]


@pytest.fixture
def echo(started):
    return lambda version="v1", *args: started(EchoServer(version, *args))


def drive(port, *args, versions="v1.1"):
    return run([DRIVER, "--port", port, "--versions", versions, *QUICK, *args])


def report(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_every_ping_is_answered(echo, kind):
    server = echo()
    seen = report(drive(server.port, *KINDS[kind], "--pid", server.pid))
    assert seen["error"] == "" and seen["answered"] > 0
    assert 0 < seen["p50_us"] <= seen["p99_us"]
    assert 0 < seen["cpu_s"][0] and 0 < seen["own_cpu_s"]


@pytest.mark.parametrize("kind", [*KINDS, "16 KiB", "scheduled"])
def test_through_the_proxy_each_version_is_answered_by_its_server(echo, certs, started, kind):
    words = {**KINDS, "16 KiB": ["--streams", "4", "--size", "16384"],
             "scheduled": ["--connections", "4", "--rate", "500"]}[kind]
    proxy = started(Proxy(certs, [echo("v1")], [echo("v2")])).wait_ready()
    seen = report(drive(proxy.port, "--cacert", certs / "ca.pem", *words, versions="v1.1,v2.1"))
    assert seen["answered"] > 0 and seen["resumed"] == 0
    if kind == "scheduled":
        assert 0 < seen["sent"] <= 500 * seen["seconds"] + 500 * (seen["behind_ms"] / 1e3) + 1


def test_sessions_are_resumed_when_asked_for(echo, certs):
    server = echo("v1", "--cert", certs / "cert.pem", "--key", certs / "key.pem")
    args = [server.port, "--cacert", certs / "ca.pem", "--kind", "connect"]
    assert report(drive(*args))["resumed"] == 0
    assert report(drive(*args, "--resume"))["resumed"] > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault, words", [
    ("server", "the wrong server answered"), ("message", "the wrong text was answered"),
    ("drop", "lost|never answered|without its last answer"), ("twice", "an answer to nothing|out of order"),
    ("reset", "reset with INTERNAL_ERROR"), ("status", "grpc-status 13")])
def test_one_fault_of_the_server_fails_the_driver(echo, kind, fault, words):
    server = echo("v1", "--fault", fault, "--fault-at", FAULT_AT)
    deadline = ["--duration-ms", "2000", "--deadline-ms", "4000"] if fault == "drop" else UNTIL_THE_FAULT
    done = drive(server.port, *KINDS[kind], *deadline)
    assert done.returncode == 1, done.stdout
    assert any(word in done.stderr for word in words.split("|")), done.stderr
    assert json.loads(done.stdout)["error"] in done.stderr


def test_an_answer_that_is_lost_between_others_fails_the_driver(echo):
    """With a schedule the stream goes on, and the next answer tells."""
    done = drive(echo("v1", "--fault", "drop", "--fault-at", FAULT_AT).port, "--rate", "500", *UNTIL_THE_FAULT)
    assert done.returncode == 1 and "an answer was lost" in done.stderr


def test_the_wrong_version_fails_the_driver(echo):
    done = drive(echo("v2").port)
    assert done.returncode == 1 and "the wrong server answered" in done.stderr


@contextlib.contextmanager
def idle_driver(*args):
    with subprocess.Popen([*DIE_WITH_PARENT, *map(str, (DRIVER, "--kind", "idle", "--versions", "v1.1", *args))],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as driver:
        assert driver.stdout.readline() == "idle\n"
        yield driver


def test_idle_streams_stay_until_standard_input_ends(echo):
    with idle_driver("--port", echo().port, "--connections", "20") as driver:
        out, errors = driver.communicate(timeout=20)
    assert driver.returncode == 0, errors
    assert json.loads(out)["answered"] == 20


def test_an_idle_stream_that_ends_fails_the_driver(echo):
    server = echo()
    with idle_driver("--port", server.port, "--connections", "20") as driver:
        server.kill()
        assert driver.wait(20) == 1
        assert re.search("the peer closed the connection|reading failed", driver.stderr.read())


@pytest.mark.parametrize("args", [[], ["--port", "0"], ["--port", "1", "--kind", "some"],
                                  ["--port", "1", "--rate", "-1"], ["--port", "1", "more"],
                                  ["--port", "1", "--kind", "unary", "--rate", "5"]])
def test_wrong_options_are_usage_errors(args):
    done = run([DRIVER, *args])
    assert done.returncode == 2 and done.stderr.startswith("usage:")


def test_nobody_there_is_told(echo):
    server = echo()
    server.kill()
    done = drive(server.port)
    assert done.returncode == 1 and "the connection was refused" in done.stderr
