"""failover-test: what it says of faults that are known."""
import json
import os
import pathlib
import signal
import time
import xml.etree.ElementTree as xml

import pytest

from testenv.grpcio_peers import Relay
from testenv.grpcroute import BIN, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import Process
from testenv.wait import wait_until


def failover(target, fault, *args, tls=("--plaintext",)):
    return grpcroute("failover-test", "--target", target, *tls, "--fault", fault, "--settle", "1s", *args, timeout=60)


def restart(server, port, ident="again"):
    """A shell command that kills the server and starts another in its place."""
    return (f"kill -9 {server.pid}; timeout 60 {BIN} server --version v1 --id {ident} --listen 127.0.0.1:{port} "
            ">/dev/null 2>&1 & echo $! > pid")


def is_running(pid):
    """Of a process that is not a child of ours: the state behind its name (proc(5)) is no zombie's."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def replaced(started, tmp_path, monkeypatch):
    """A server whose place another takes in the fault; that one is ended by its id."""
    monkeypatch.chdir(tmp_path)
    port = started(ReservedPort()).port
    server = started(Server("v1", "first", port=port))
    yield server, restart(server, port)
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_running(pid), 5, "the server that took over has ended")


def test_streams_come_back_on_the_server_that_takes_over(replaced):
    server, fault = replaced
    server.expect_signal(9)  # the fault's
    done = failover(server.address, fault, "--versions", "v1.1", "--agents", "10", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["interrupted"] == 10
    for stream in report["streams"]:
        assert stream["back"] and (stream["before"], stream["after"]) == ("first", "again")
        assert "connection" in stream["cause"] and 50e6 < stream["gap_ns"] < 10e9


def test_without_a_fault_nothing_is_interrupted(started):
    server = started(Server("v1", "s"))
    done = failover(server.address, "true", "--versions", "v1.1")
    assert done.returncode == 0 and "0 of 20 streams were interrupted" in done.stdout


def test_a_gap_that_is_too_long_fails(replaced):
    server, fault = replaced
    server.expect_signal(9)
    done = failover(server.address, fault, "--versions", "v1.1", "--agents", "4", "--max-gap", "10ms", "--settle", "3s")
    assert done.returncode == 1 and "Failover test failed" in done.stdout


def test_streams_that_do_not_come_back_fail(started):
    server = started(Server("v1", "s"))
    server.expect_signal(9)
    done = failover(server.address, f"kill -9 {server.pid}", "--versions", "v1.1", "--agents", "3", "--max-gap", "1s")
    assert done.returncode == 1 and done.stdout.count("not back") == 3


def test_streams_that_come_back_on_the_wrong_version_fail(started, tmp_path):
    v1, v2 = started(Server("v1", "one")), started(Server("v2", "two"))
    broken = tmp_path / "broken"

    def choose(number, metadata):
        return lambda index: None if broken.exists() and number < 4 else (v2 if number >= 4 else v1).address

    relay = started(Relay(choose))
    done = failover(relay.target, f"touch {broken}", "--versions", "v1.1", "--agents", "4")
    assert done.returncode == 1 and "misrouted" in done.stdout and "ended on purpose" in done.stdout


def test_junit_has_a_case_for_each_stream_and_the_fault(started, tmp_path):
    server, port = started(Server("v1", "s")), started(ReservedPort()).port
    good = failover(server.address, "echo '<&\"' >&2", "--versions", "v1.1", "--agents", "3", "--junit-file", tmp_path / "good")
    assert good.returncode == 0, good.stderr
    suite = xml.parse(tmp_path / "good").getroot()
    assert suite.attrib | {"time": ""} == {"name": "grpcroute failover-test", "tests": "4", "failures": "0", "errors": "0", "time": ""}
    cases = suite.findall("testsuite/testcase")
    assert [c.attrib["name"] for c in cases] == ["fault", "failover-1 v1.1", "failover-2 v1.1", "failover-3 v1.1"]
    assert cases[0].findtext("system-out") == "echo '<&\"' >&2"

    misrouted = started(Server("v2", "other", port=port))
    bad = failover(misrouted.address, "false", "--versions", "v1.1", "--agents", "2", "--junit-file", tmp_path / "bad")
    assert bad.returncode == 2
    suite = xml.parse(tmp_path / "bad").getroot()
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("2", "1")
    assert [f.attrib["type"] for f in suite.iter("failure")] == ["misrouted"] * 2
    assert [e.attrib["type"] for e in suite.iter("error")] == ["fault"]


@pytest.mark.parametrize("signals, within_s", [([signal.SIGTERM], 8), ([signal.SIGINT, signal.SIGTERM], 1.5)])
def test_an_interrupted_fault_leaves_nothing(started, tmp_path, signals, within_s):
    """It ignores SIGTERM and has children: two seconds later, or at the second signal, all of it is gone."""
    server = started(Server("v1", "s"))
    fault = f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/child; echo begun; wait; wait; sleep 300"
    test = started(Process([BIN, "failover-test", "--target", server.address, "--plaintext", "--versions", "v1.1", "--fault", fault]))
    test.wait_for("begun")
    begin = time.monotonic()
    for number in signals:
        test.send_signal(number)
        time.sleep(0.2)
    assert test.wait() == (143 if signals[-1] == signal.SIGTERM else 130)
    assert time.monotonic() - begin < within_s
    wait_until(lambda: not is_running(int((tmp_path / "child").read_text())), 5, "the child is gone")


def test_a_fault_with_escapes_is_shown_harmlessly(started):
    server = started(Server("v1", "s"))
    done = failover(server.address, "true \x1b[31m grün", "--versions", "v1.1", "--agents", "1")
    assert done.returncode == 0 and "Fault: true ?[31m grün (exit code 0" in done.stdout


def test_a_failing_command_is_told(started):
    server = started(Server("v1", "s"))
    done = failover(server.address, "exit 3", "--versions", "v1.1")
    assert done.returncode == 2 and "exit code 3" in done.stdout


def test_nothing_listening_is_3(started):
    done = failover(f"127.0.0.1:{started(ReservedPort()).port}", "true")
    assert done.returncode == 3 and "refused" in done.stderr


def test_through_the_proxy_a_killed_server_is_survived(started, certs, backends):
    from testenv.grpcroute import Proxy

    v1 = [started(Server("v1", f"v1-{i}")) for i in range(2)]
    proxy = started(Proxy(certs, v1, backends[1])).wait_ready()
    v1[0].expect_signal(9)
    done = failover(proxy.target, f"kill -9 {v1[0].pid}", "-o", "json", tls=("--cacert", certs / "ca.pem"))
    assert done.returncode == 0, done.stdout + done.stderr
    versions = {s["agent_version"] for s in json.loads(done.stdout)["streams"] if s["cause"]}
    assert versions <= {"v1.1", "v1.2"} and versions
    hit = [s for s in json.loads(done.stdout)["streams"] if s["before"] == "v1-0" and s["cause"]]
    assert hit and all(s["after"] == "v1-1" and s["misrouted"] == 0 for s in hit)


def test_the_versions_that_a_fault_met_are_told(started, certs, backends):
    """Which stream is on the server that dies is chance: of 40 every version of its major has one."""
    from testenv.grpcroute import Proxy

    v1 = [started(Server("v1", f"v1-{i}")) for i in range(2)]
    proxy = started(Proxy(certs, v1, backends[1])).wait_ready()
    v1[0].expect_signal(9)
    done = failover(proxy.target, f"kill -9 {v1[0].pid}", "--agents", "80", tls=("--cacert", certs / "ca.pem"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nInterrupted versions: " in done.stdout
    told = done.stdout.split("Interrupted versions: ")[1].splitlines()
    assert sorted(told[0].split(", ")) == ["v1.1", "v1.2"], done.stdout
    assert told[1].startswith("Never interrupted: ") and sorted(told[1][19:].split(", ")) == ["v2.1", "v2.2"]


@pytest.mark.parametrize("args, named", [([], "--fault"), (["--fault", "true", "--versions", ","], "--versions"),
                                         (["--fault", "true", "--agents", "0"], "agents"),
                                         (["--fault", "true \udcff"], "--fault"),
                                         (["--fault", "true", "--junit-file", "/nowhere/x"], "/nowhere/x")])
def test_bad_input_is_one_line(args, named):
    done = grpcroute("failover-test", *args)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr
