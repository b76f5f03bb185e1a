"""failover-test: what it says of faults that are known."""
import bisect
import functools
import json
import os
import pathlib
import re
import signal
import time
import xml.etree.ElementTree as xml

import h2.events
import jsonschema
import pytest

from testenv.grpcio_peers import Relay, _GrpcioServer, _Handler
from testenv.grpcroute import BIN, ROOT, Server, grpcroute
from testenv.h2_server import PONG, H2Server, pings
from testenv.net import ReservedPort
from testenv.process import Process
from testenv.wait import wait_until

SCHEMA = json.loads((ROOT / "docs/schema/failover-test.json").read_text())


def failover(target, fault, *args, tls=("--plaintext",)):
    return grpcroute("failover-test", "--target", target, *tls, "--fault", fault, "--settle", "1s", *args, timeout=60)


def restart(server, port, away_s=0, ident="again"):
    """A shell command that kills the server and starts another in its place, once the first has let go of it: then it
    is a zombie without other threads (one that still ends holds the socket), as it is our child."""
    proc = f"/proc/{server.pid}"
    gone = f"{{ grep -qs '^State:.Z' {proc}/status && grep -qs '^Threads:.1$' {proc}/status; }} || [ ! -e {proc} ]"
    return (f"kill -9 {server.pid}; until {gone}; do sleep 0.01; done; "
            f"sleep {away_s}; timeout 60 {BIN} server --version v1 --id {ident} --listen 127.0.0.1:{port} "
            ">again.log 2>&1 & echo $! > pid")


def is_running(pid):
    """Of a process that is not a child of ours: the state behind its name (proc(5)) is no zombie's."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def replaced(started, tmp_path, monkeypatch):
    """A server and what makes the fault in which another takes its place; that one is ended by its id."""
    monkeypatch.chdir(tmp_path)
    port = started(ReservedPort()).port
    server = started(Server("v1", "first", port=port))
    yield server, functools.partial(restart, server, port)
    pid = int((tmp_path / "pid").read_text())
    assert is_running(pid), (tmp_path / "again.log").read_text()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_running(pid), 5, "the server that took over has ended")


@pytest.fixture
def stoppable(started):
    """Two servers, of which the first may be stopped; it goes on at the end, to end in order."""
    servers = [started(Server("v1", name)) for name in ("stopped", "other")]
    yield servers
    servers[0].send_signal(signal.SIGCONT)


def test_streams_come_back_on_the_server_that_takes_over(replaced):
    server, fault = replaced
    server.expect_signal(9)  # the fault's
    done = failover(server.address, fault(), "--versions", "v1.1", "--agents", "10", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["interrupted"] == 10
    for stream in report["streams"]:
        assert stream["back"] and (stream["before"], stream["after"]) == ("first", "again")
        assert "connection" in stream["cause"] and 50e6 < stream["gap_ns"] < 10e9


def test_without_a_fault_nothing_is_interrupted(started):
    server = started(Server("v1", "s"))
    done = failover(server.address, "true", "--versions", "v1.1")
    assert done.returncode == 0 and "0 of 60 streams were interrupted" in done.stdout


def test_a_gap_that_is_too_long_fails(replaced):
    server, fault = replaced
    server.expect_signal(9)
    done = failover(server.address, fault(away_s=1.5), "--versions", "v1.1", "--agents", "4", "--max-gap", "1s")
    assert done.returncode == 1 and "Failover test failed" in done.stdout and "not back" not in done.stdout
    assert len(re.findall(r"silent for [1-9]\.\S+s, first → again", done.stdout)) == 4, done.stdout


@pytest.mark.parametrize("pace, told", [
    (["--max-gap", "100ms"], "--max-gap 100ms is no more than --interval 100ms"),
    (["--interval", "20s"], "--max-gap 10.0s is no more than --interval 20.0s"),
])
def test_a_gap_that_every_ping_makes_is_refused(started, pace, told):
    done = failover(started(Server("v1", "s")).address, "true", *pace)
    assert done.returncode == 2 and told in done.stderr and done.stdout == "", done.stderr


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
    good = failover(server.address, "echo '<&\"' >&2", "--versions", "v1.1", "--agents", "3", "--junit-file",
                    tmp_path / "good")
    assert good.returncode == 0, good.stderr
    suite = xml.parse(tmp_path / "good").getroot()
    assert suite.attrib | {"time": ""} == {"name": "grpcroute failover-test", "tests": "4", "failures": "0",
                                           "errors": "0", "time": ""}
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
    """It ignores SIGTERM and has children: two seconds later, or at the second signal, all of it is gone. The fault
    counts how long it lives: to end the test itself takes a busy machine longer."""
    server = started(Server("v1", "s"))
    fault = (f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/child; echo begun; "
             f"while :; do echo >> {tmp_path}/tenths; sleep 0.1; done")
    test = started(Process([BIN, "failover-test", "--target", server.address, "--plaintext", "--versions", "v1.1",
                            "--fault", fault]))
    test.wait_for("begun")
    begin = (tmp_path / "tenths").stat().st_size if (tmp_path / "tenths").exists() else 0
    for number in signals:
        test.send_signal(number)
        time.sleep(0.2)
    assert test.wait() == (143 if signals[-1] == signal.SIGTERM else 130)
    assert (tmp_path / "tenths").stat().st_size - begin < within_s * 10
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
    done = failover(proxy.target, f"kill -9 {v1[0].pid}", "--agents", "60", "-o", "json",
                    tls=("--cacert", certs / "ca.pem"))
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


# ---- which versions the fault meets --------------------------------------------------------------


def judged(done):
    """The JSON of a run, which keeps its schema."""
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return report


def test_a_message_that_is_answered_twice_fails(started):
    def twice(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            peer.h2.send_data(event.stream_id, 2 * PONG * pings(event.data))
        elif isinstance(event, h2.events.StreamEnded):
            peer.trailers(event.stream_id, 0)

    done = failover(started(H2Server(twice)).address, "true", "--versions", "v1.1", "--agents", "2", "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 1 and all(stream["repeated"] > 0 and stream["result"] == "failed"
                                        for stream in report["streams"]), done
    assert [limit["verdict"] for limit in report["thresholds"] if limit["metric"] == "repeated"] == ["failed"]


def by_version(started, broken, first, second):
    """A target that has agents of v1.1 on the first server until `broken` is there, and all others on the second."""
    def choose(number, metadata):
        apart = metadata["agent-version"] == "v1.1"
        return lambda index: second.address if not apart else None if broken.exists() and number < 4 else first.address

    return started(Relay(choose)).target


def test_a_version_that_the_fault_missed_is_not_checked(started, tmp_path):
    """Both are of one backend, but a pod has the streams of one version alone, as behind a proxy that hashes on it."""
    target = by_version(started, tmp_path / "broken", started(Server("v1", "a")), started(Server("v1", "b")))
    junit = tmp_path / "junit"
    done = failover(target, f"touch {tmp_path}/broken", "--versions", "v1.1,v1.2", "--agents", "4", "--junit-file",
                    junit, "--json-file", tmp_path / "json")
    report = json.loads((tmp_path / "json").read_text())
    assert done.returncode == 4, done.stdout + done.stderr
    assert "The fault did not meet v1.2: it interrupted" in done.stdout and "did not meet every version" in done.stdout
    assert {v["agent_version"]: v["fault"] for v in report["versions"]} == {"v1.1": "met", "v1.2": "missed"}
    cases = {case.get("name"): case for case in xml.parse(junit).getroot().iter("testcase")}
    assert cases["the fault meets v1.2"].find("error") is not None and "the fault meets v1.1" not in cases
    suite = xml.parse(junit).getroot()
    assert suite.attrib["errors"] == "1" and int(suite.attrib["tests"]) == len(cases)


def test_the_probability_that_a_pod_meets_each_version_is_told(started, certs, backends):
    from testenv.grpcroute import Proxy

    proxy = started(Proxy(certs, *backends)).wait_ready()
    few = failover(proxy.target, "true", "--agents", "8", tls=("--cacert", certs / "ca.pem"))
    assert few.returncode == 0, few.stdout + few.stderr
    assert "meets each version of its backend with a probability of at least 66.7 % (99 %: --agents 24)" in few.stdout
    many = failover(proxy.target, "true", "--agents", "80", "-o", "json", tls=("--cacert", certs / "ca.pem"))
    assert judged(many)["probability_to_meet"] > 0.999999


@pytest.mark.parametrize("meet, code, missed", [(None, 0, []), ("v1.1", 4, ["v1.1"]), ("all", 4, ["v1.1", "v1.2"])])
def test_what_the_fault_has_to_meet(started, meet, code, missed):
    server = started(Server("v1", "s"))
    done = failover(server.address, "true", "--versions", "v1.1,v1.2", "--agents", "4", "-o", "json",
                    *(["--meet", meet] if meet else []))
    assert done.returncode == code
    assert sorted(v["agent_version"] for v in judged(done)["versions"] if v["fault"] == "missed") == missed


def test_a_version_without_a_stream_is_not_checked(started):
    server = started(Server("v1", "s"))
    done = failover(server.address, "true", "--versions", "v1.1,v1.2,v1.3", "--agents", "2")
    assert done.returncode == 4 and "v1.3 has no stream, so nothing of it was checked; --agents 3 or more" \
        in done.stdout, done.stdout


def test_a_fault_that_meets_all_it_has_to_is_good(replaced):
    server, fault = replaced
    server.expect_signal(9)
    done = failover(server.address, fault(), "--versions", "v1.1,v1.2", "--agents", "4", "--meet", "all", "-o", "json")
    assert done.returncode == 0 and {v["fault"] for v in judged(done)["versions"]} == {"met"}, done.stdout + done.stderr


# ---- where streams are ---------------------------------------------------------------------------


def in_turn(*places):
    """Chooses by a stream's number: each place is (how many streams, servers that take them in turn); the last takes
    the rest."""
    def choose(number, metadata):
        for count, servers in places:
            if count is None or number < count:
                server = servers[number % len(servers)]
                return None if server is None else server.address
            number -= count
        raise AssertionError("no place is left")
    return choose


def test_pods_without_a_stream_fail_the_spread(started, tmp_path):
    """Two servers came and hold nothing: without new streams nobody could see them."""
    pods = [started(Server("v1", name)) for name in "abcd"]
    files = [tmp_path / name for name in ("junit", "markdown")]
    words = ["--versions", "v1.1", "--agents", "8", "--max-spread", "10%"]
    target = started(Relay(in_turn((8, pods[:2]), (None, pods)))).target
    done = failover(target, "true", *words, "--junit-file", files[0], "-o", "json")
    report = judged(done)
    assert done.returncode == 1, done.stdout + done.stderr
    (spread,) = report["spreads"]
    assert spread["before_percent"] == 0 and spread["after_percent"] == 100 and spread["even_after_ns"] is None
    assert {pod["pod"]: (pod["before"], pod["after"]) for pod in spread["pods"]} == {"a": (4, 4), "b": (4, 4),
                                                                                     "c": (0, 0), "d": (0, 0)}
    assert report["roll_call"] == {"made": True, "streams": 16, "answered": 16, "misrouted": 0, "cause": ""}
    assert {t["metric"]: t["verdict"] for t in report["thresholds"]}["spread"] == "failed"
    cases = {case.get("name"): case for case in xml.parse(files[0]).getroot().iter("testcase")}
    assert cases["spread<=10%"].find("failure").get("type") == "spread" and cases["roll call"].find("failure") is None
    target = started(Relay(in_turn((8, pods[:2]), (None, pods)))).target
    markdown = failover(target, "true", *words, "-o", "markdown").stdout
    assert "| failed | spread | 100% | 10% |" in markdown and "| v1 | c | 0 | 0 | 4 |" in markdown


def test_an_even_spread_passes(started):
    pods = [started(Server("v1", name)) for name in "abcd"]
    done = failover(started(Relay(in_turn((None, pods)))).target, "true", "--versions", "v1.1", "--agents", "10",
                    "--max-spread", "10%")
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("✅ Spread of 10 streams over the pods of server v1:", "16 of 16 new streams"):
        assert said in done.stdout


def test_a_spread_that_nobody_can_see_is_not_checked(started, tmp_path):
    """New streams are not answered, so there may be pods that are not known."""
    pods = [started(Server("v1", name)) for name in "ab"]
    for words, code in ((["--max-spread", "10"], 4), (["--roll-call"], 4), ([], 0)):
        target = started(Relay(in_turn((4, pods), (None, [None])))).target
        done = failover(target, "true", "--versions", "v1.1", "--agents", "4", *words, "-o", "json")
        assert done.returncode == code, done.stdout + done.stderr
        call = judged(done)["roll_call"]
        assert call["made"] == bool(words) and call["answered"] == 0
        assert not words or "ended on purpose" in call["cause"] or "UNKNOWN" in call["cause"]


def test_an_interrupted_roll_call_was_not_made(stoppable, started, tmp_path):
    """New streams go to a server that is stopped; the first signal ends the wait for them."""
    stoppable[0].send_signal(signal.SIGSTOP)
    choose, numbers = in_turn((4, stoppable[1:]), (None, stoppable[:1])), []

    def noted(number, metadata):
        numbers.append(number)
        return choose(number, metadata)
    target = started(Relay(noted)).target
    test = started(Process([BIN, "failover-test", "--target", target, "--plaintext", "--versions", "v1.1", "--agents",
                            "4", "--fault", "echo begun", "--settle", "100ms", "--roll-call", "--json-file",
                            tmp_path / "json"]))
    wait_until(lambda: len(numbers) >= 4 + 16, 20, "all are called", lambda: test.output)
    test.send_signal(signal.SIGINT)
    assert test.wait() == 130, test.output
    report = json.loads((tmp_path / "json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report["result"] == "interrupted" and not report["roll_call"]["made"] and report["roll_call"]["streams"] == \
        16
    assert "The roll call was not made" in test.output


def test_new_streams_of_the_roll_call_are_routed_rightly(started):
    pods = [started(Server("v1", name)) for name in "ab"]
    target = started(Relay(in_turn((4, pods), (None, [*pods, started(Server("v2", "other"))])))).target
    done = failover(target, "true", "--versions", "v1.1", "--agents", "4", "--roll-call")
    assert done.returncode == 1 and "by a server of a wrong version" in done.stdout, done.stdout + done.stderr


def test_how_the_spread_was_over_time(replaced):
    """Everything goes from one pod to another: absent for a while, then even for good."""
    server, fault = replaced
    server.expect_signal(9)
    done = failover(server.address, fault(), "--versions", "v1.1", "--agents", "10", "-o", "json")
    (spread,) = judged(done)["spreads"]
    points = spread["over_time"]
    assert points[0]["at_ns"] == 0 and points[0]["streams"] == [10, 0]
    assert any(point["absent"] == 10 for point in points) and points[-1]["streams"] == [0, 10] and \
        points[-1]["absent"] == 0
    assert spread["even_after_ns"] == points[-1]["at_ns"] > 0
    assert [point["at_ns"] for point in points] == sorted(point["at_ns"] for point in points)


@pytest.mark.parametrize("fault, code, more", [("true", 1, []), ("exit 3", 2, []),
                                               ("kill -s INT $PPID; sleep 5", 130, []),
                                               ("true", 4, ["--meet", "all", "--max-spread", "100%"])])
def test_junit_counts_what_it_says(started, tmp_path, fault, code, more):
    """The totals are those of the cases, however the test ends."""
    pods = [started(Server("v1", name)) for name in "abcd"]
    target = started(Relay(in_turn((8, pods[:2]), (None, pods)))).target
    done = failover(target, fault, "--versions", "v1.1", "--agents", "8", "--max-spread", "10%", "--max-herd", "3",
                    "--junit-file", tmp_path / "junit", "-o", "json", *more)
    assert done.returncode == code == judged(done)["exit_code"], done.stdout + done.stderr
    suite = xml.parse(tmp_path / "junit").getroot()
    cases = list(suite.iter("testcase"))
    names = [case.get("name") for case in cases]
    assert len(set(names)) == len(names) and any(name.startswith("spread<=") for name in names) and "herd<=3" in names
    counted = {kind: sum(case.find(tag) is not None for case in cases) for kind,
               tag in (("failures", "failure"), ("errors", "error"))}
    assert {kind: int(suite.get(kind)) for kind in counted} == counted and int(suite.get("tests")) == len(cases)
    assert counted["failures" if code == 1 else "errors"] > 0 and (counted["errors"] > 0) == (code > 1)


# ---- how they come back --------------------------------------------------------------------------


class Ending:
    """Streams that are open when `broken` comes end after as many of their messages as wait() says. `back_s` has when
    those that replaced them sent their first one."""

    def __init__(self, broken, server, wait, streams=40):
        self.back_s = []
        self._broken, self._server, self._wait, self._streams = broken, server, wait, streams

    def __call__(self, number, metadata):
        return functools.partial(self._route, number, [])

    def _route(self, number, seen, index):
        if number >= self._streams and index == 0:
            self.back_s.append(time.monotonic())
        if number < self._streams and self._broken.exists():
            seen.append(index)
            if len(seen) > self._wait(number):
                return None
        return self._server.address

    def most_within(self, seconds):
        """Of those that came back."""
        back = sorted(self.back_s)
        return max(bisect.bisect_right(back, first + seconds) - at for at, first in enumerate(back))


def judged_return(started, tmp_path, wait, limit):
    """Returns what ended and brought back 40 streams, the exit code, and the report of how they came back."""
    server, broken, junit = started(Server("v1", "s")), tmp_path / "broken", tmp_path / "junit"
    ending = Ending(broken, server, wait)
    done = failover(started(Relay(ending)).target, f"touch {broken}", "--versions", "v1.1", "--agents", "40",
                    "--max-herd", str(limit), "--settle", "4s", "-o", "json", "--junit-file", junit)
    back = judged(done)["reconnects"]
    assert back["count"] == 40 == sum(back["curve"]) and back["peak"] == max(back["curve"]) and back["bin_ns"] == \
        100_000_000
    assert (back["peak_over_mean"] > limit) == (done.returncode != 0), done
    cases = {case.get("name"): case for case in xml.parse(junit).getroot().iter("testcase")}
    assert (cases[f"herd<={limit}"].find("failure") is not None) == (done.returncode == 1)
    return ending, done.returncode, back


def test_a_herd_fails(started, tmp_path):
    ending, code, back = judged_return(started, tmp_path, lambda number: 0, 2)
    torn = ending.most_within(0.5) < 40  # by a busy machine
    assert code in ([1, 4] if torn else [1]), (back, sorted(ending.back_s))


def test_a_queue_does_not_fail(started, tmp_path):
    """A busy machine makes peaks of its own in it, most of which are too small to prove anything."""
    limit = 4.5
    ending, code, back = judged_return(started, tmp_path, lambda number: number // 2, limit)
    jammed = ending.most_within(0.1) > limit * back["peak"] / back["peak_over_mean"]
    assert code in ([0, 1, 4] if jammed else [0, 4]), (back, sorted(ending.back_s))


def test_one_stream_is_no_herd_and_no_proof(replaced):
    server, fault = replaced
    server.expect_signal(9)
    done = failover(server.address, fault(), "--versions", "v1.1", "--agents", "1", "--max-herd", "3")
    assert done.returncode == 4 and "Whether herd<=3 could not be judged" in done.stdout, done.stdout + done.stderr


# ---- black holes ---------------------------------------------------------------------------------


def holes(report):
    """By pod; on a busy machine there may be pauses of others."""
    return {hole["pod"]: hole for hole in report["black_holes"]}


def test_a_stopped_pod_is_a_black_hole(stoppable, started):
    target = started(Relay(in_turn((None, stoppable)))).target
    done = failover(target, f"kill -STOP {stoppable[0].pid}", "--versions", "v1.1", "--agents", "6", "--max-gap", "2s",
                    "-o", "json")
    report = judged(done)
    assert done.returncode == 1
    hole = holes(report)["stopped"]
    assert (hole["server_version"], hole["streams"], hole["still_open"]) == ("v1", 3, 3)
    assert hole["longest_ns"] > 2e9 and hole["ended"] == hole["answered_again"] == 0
    for stream in report["streams"]:
        silent = stream["before"] == "stopped"
        assert (stream["black_hole"] == "still_open") == silent and stream["cause"] == ""
        assert stream["back"] != silent
    pods = {pod["pod"]: pod for spread in report["spreads"] for pod in spread["pods"]}
    assert pods["stopped"]["there"] and pods["stopped"]["silent"] == 3 and pods["stopped"]["after"] == 0


def test_a_black_hole_is_named_in_the_text(stoppable, started):
    target = started(Relay(in_turn((None, stoppable)))).target
    done = failover(target, f"kill -STOP {stoppable[0].pid}", "--versions", "v1.1", "--agents", "6", "--max-gap", "2s")
    assert "Black hole: stopped answered nothing on 3 open streams" in done.stdout and \
        "3 are silent still" in done.stdout
    assert "saw: silence: the stream stayed open, and stopped answered nothing for" in done.stdout
    assert "every stream of every pod" not in done.stdout


def test_a_pod_that_is_killed_is_none(started):
    servers = [started(Server("v1", name)) for name in ("killed", "other")]
    servers[0].expect_signal(9)
    target = started(Relay(in_turn((6, servers), (None, servers[1:])))).target
    done = failover(target, f"kill -9 {servers[0].pid}", "--versions", "v1.1", "--agents", "6", "-o", "json")
    report = judged(done)
    assert "killed" not in holes(report)
    ended = [stream for stream in report["streams"] if stream["before"] == "killed"]
    assert len(ended) == 3 and all(stream["cause"] for stream in ended)
    (spread,) = report["spreads"]
    assert {pod["pod"]: pod["there"] for pod in spread["pods"]} == {"killed": False, "other": True}


def test_who_waits_for_an_answer_at_the_end_is_there(started):
    """Each answer takes longer than a picture's silence, on each stream another time: wherever the end falls, some wait
    for one."""
    servers = [started(Server("v1", name)) for name in "ab"]

    def choose(number, metadata):
        def after_a_while(index):
            time.sleep(0.5 + 0.13 * (number % 6))
            return servers[number % 2].address
        return after_a_while

    done = failover(started(Relay(choose)).target, "true", "--versions", "v1.1", "--agents", "6", "--interval", "100ms",
                    "-o", "json")
    (spread,) = judged(done)["spreads"]
    assert {pod["pod"]: (pod["before"], pod["after"], pod["there"]) for pod in spread["pods"]} == \
        {"a": (3, 3, True), "b": (3, 3, True)}, spread


def test_a_pod_that_goes_on_in_time_is_told_and_good(stoppable, started):
    target = started(Relay(in_turn((None, stoppable)))).target
    fault = f"kill -STOP {stoppable[0].pid}; sleep 1.5; kill -CONT {stoppable[0].pid}"
    done = failover(target, fault, "--versions", "v1.1", "--agents", "6", "-o", "json")
    hole = holes(judged(done))["stopped"]
    assert done.returncode == 0 and (hole["answered_again"], hole["still_open"]) == (3, 0)


def test_a_stopped_pod_whose_streams_end_at_last_is_told_from_a_killed_one(started, tmp_path):
    servers = [started(Server("v1", name)) for name in ("stopped", "other")]
    servers[0].expect_signal(9)
    target = started(Relay(in_turn((6, servers), (None, servers[1:])))).target
    fault = f"kill -STOP {servers[0].pid}; sleep 1.5; kill -9 {servers[0].pid}"
    done = failover(target, fault, "--versions", "v1.1", "--agents", "6", "--json-file", tmp_path / "json")
    report = json.loads((tmp_path / "json").read_text())
    hole = holes(report)["stopped"]
    assert done.returncode == 0 and (hole["ended"], hole["still_open"]) == (3, 0), done.stdout
    assert {stream["black_hole"] for stream in report["streams"] if stream["before"] == "stopped"} == {"ended"}
    assert done.stdout.count("s of silence") == 3


def test_a_pod_that_stops_when_the_fault_is_over_is_a_black_hole_too(stoppable, started, tmp_path):
    """Its streams were answered since, and are silent at the end."""
    target = started(Relay(in_turn((None, stoppable)))).target
    run = started(Process([BIN, "failover-test", "--target", target, "--plaintext", "--versions", "v1.1", "--agents",
                           "6", "--max-gap", "2s", "--settle", "3s", "--json-file", tmp_path / "json", "--fault",
                           f"touch {tmp_path}/begun"]))
    wait_until((tmp_path / "begun").exists, 20, "the fault has begun")
    # five of each stream: behind the fault, within --settle
    stoppable[0].wait_for("Received ping", count=15, after=len(stoppable[0].lines))
    stoppable[0].send_signal(signal.SIGSTOP)
    assert run.wait() == 1, run.output
    report = json.loads((tmp_path / "json").read_text())
    assert holes(report)["stopped"]["still_open"] == 3
    assert {stream["before"]: stream["back"] for stream in report["streams"] if stream["gap_ns"] > 2e9} == \
        {"stopped": False}


def test_a_stopped_target_is_told_from_a_stopped_pod(started, certs, backends):
    from testenv.grpcroute import Proxy

    proxy = started(Proxy(certs, *backends)).wait_ready()
    try:
        done = failover(proxy.target, f"kill -STOP {proxy.pid}", "--max-gap", "2s", tls=("--cacert", certs / "ca.pem"))
    finally:
        proxy.send_signal(signal.SIGCONT)
    assert done.returncode == 1 and "every stream of every pod fell silent: the target itself" in done.stdout, \
        done.stdout


# ---- short names ---------------------------------------------------------------------------------


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """A kubectl that notes what it was asked, and ends as the file `code` says."""
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> {tmp_path}/asked\nexit $(cat {tmp_path}/code)\n")
    program.chmod(0o755)
    (tmp_path / "code").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("KUBECTL", raising=False)
    return tmp_path


def test_short_names_are_shown_and_run(started, kubectl):
    server = started(Server("v1", "s"))
    done = failover(server.address, "scale:server-v1=4", "--namespace", "prod", "--versions", "v1.1", "--agents", "1",
                    "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    words = ("-n prod scale deployment/server-v1 --replicas=4",
             "-n prod rollout status deployment/server-v1 --timeout=5m")
    assert (kubectl / "asked").read_text().splitlines() == list(words)
    report = judged(done)
    assert report["fault"] == "scale:server-v1=4" and report["fault_command"] == \
        f"kubectl {words[0]} && kubectl {words[1]}"
    assert done.stderr.splitlines()[0] == f"Running: {report['fault_command']}"


def test_a_short_name_is_shown_before_it_runs(started, kubectl):
    (kubectl / "kubectl").write_text("#!/bin/sh\necho it runs\nsleep 60\n")
    server = started(Server("v1", "s"))
    test = started(Process([BIN, "failover-test", "--target", server.address, "--plaintext", "--versions", "v1.1",
                            "--fault", "rollout:proxy-ingress"]))
    test.wait_for("it runs")
    assert test.lines[0].startswith("Running: kubectl -n grpc-routing-poc rollout restart deployment/proxy-ingress && ")
    test.send_signal(signal.SIGINT)
    assert test.wait() == 130


def test_another_kubectl_and_its_exit_code(started, kubectl, monkeypatch):
    server = started(Server("v1", "s"))
    (kubectl / "kubectl").rename(kubectl / "k8s")
    (kubectl / "code").write_text("7")
    monkeypatch.setenv("KUBECTL", "k8s --context kind")
    done = failover(server.address, "rollout:a", "--versions", "v1.1", "--agents", "1", "--junit-file",
                    kubectl / "junit")
    assert done.returncode == 2 and "Fault: rollout:a (exit code 7 after" in done.stdout and \
        "failed with exit code 7" in done.stdout
    assert "\nIt ran: k8s --context kind -n grpc-routing-poc rollout restart deployment/a" in done.stdout
    assert (kubectl / "asked").read_text() == "--context kind -n grpc-routing-poc rollout restart deployment/a\n"
    error = next(xml.parse(kubectl / "junit").getroot().iter("error"))
    assert "exit code 7" in error.get("message", "") + (kubectl / "junit").read_text()
    monkeypatch.setenv("KUBECTL", "no-such-program")
    done = failover(server.address, "rollout:a", "--versions", "v1.1", "--agents", "1")
    assert done.returncode == 2 and "exit code 127 (the shell did not find the program)" in done.stdout


def test_a_signal_as_a_short_name(started, tmp_path):
    """reload-cert:PID: the process is told, and so is what the shell runs."""
    server = started(Server("v1", "s"))
    waiting = started(Process(["sh", "-c", "trap 'echo reloaded' HUP; trap 'exit 0' TERM; echo ready; while :; do "
                                           "sleep 0.1; done"]))
    waiting.wait_for("ready")
    file = tmp_path / "proxy.pid"
    file.write_text(f"{waiting.pid}\n")
    for count, name in enumerate((f"reload-cert:{waiting.pid}", f"reload-cert:{file}"), 1):
        done = failover(server.address, name, "--versions", "v1.1", "--agents", "1", "--settle", "100ms")
        assert done.returncode == 0 and "It ran: kill -s HUP " in done.stdout, done.stdout + done.stderr
        waiting.wait_for("reloaded", count=count)


@pytest.mark.parametrize("args, named", [
    (["--fault", "scale:server-v1"], "expected scale:NAME=N"),
    (["--fault", "scale:a;reboot=1"], "expected scale:NAME=N"),
    (["--fault", "rollout:"], "expected rollout:NAME"), (["--fault", "reload-cert:nginx"], "PIDFILE"),
    (["--fault", "rollout:a", "--namespace", "x y"], "--namespace"),
    (["--fault", "true", "--max-spread", "ten"], "--max-spread"),
    (["--fault", "true", "--max-spread", "-1%"], "--max-spread"), (["--fault", "true", "--max-spread", "10%%"],
                                                                   "--max-spread"),
    (["--fault", "true", "--max-spread", "nan"], "--max-spread"),
    (["--fault", "true", "--max-herd", "0.5"], "--max-herd"),
    (["--fault", "true", "--max-herd", "3x"], "--max-herd"), (["--fault", "true", "--meet", "v9.9"], "--meet"),
    (["--fault", "true", "--meet", ","], "--versions")])
def test_bad_limits_and_short_names_are_one_line(args, named):
    done = grpcroute("failover-test", *args)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr, done.stderr


class Confused(_GrpcioServer):
    """Answers each ping, and `confuse(number, answer)` spoils the number-th answer of a stream."""

    def __init__(self, messages, confuse):
        def behaviour(requests, context):
            for number, data in enumerate(requests):
                request = messages.PingRequest.FromString(data)
                answer = messages.PingResponse(message="pong", server_version="v1", server_id="a",
                                               sequence=request.sequence)
                confuse(number, answer)
                yield answer.SerializeToString()
        super().__init__(_Handler(behaviour))


def say_always_the_same(number, answer):
    answer.sequence = 1


def say_that_of_the_next(number, answer):
    answer.sequence += 1


def take_turns(number, answer):
    answer.server_id = "ab"[number % 2]


def go_once(number, answer):
    answer.server_id = "b" if number else "a"


@pytest.mark.parametrize("confuse, field, words", [
    (say_always_the_same, "disordered", "answered out of order"),
    (say_that_of_the_next, "disordered", "answered out of order"),
    (take_turns, "moved", "answered by another pod than before"),
    (go_once, "moved", "1 answered by another pod than before"),
])
def test_answers_to_another_ping_or_of_another_pod_are_no_ok(started, stubs, tmp_path, confuse, field, words):
    server = started(Confused(stubs["ping_pb2"], confuse))
    result = tmp_path / "result.json"
    done = failover(server.address, "true", "--agents", "2", "--versions", "v1.1", "--json-file", result,
                    "--junit-file", tmp_path / "j.xml")
    assert done.returncode == 1 and words in done.stdout, done.stdout + done.stderr
    report = json.loads(result.read_text())
    jsonschema.validate(report, SCHEMA)
    assert all(stream[field] > 0 and stream["result"] == "failed" for stream in report["streams"])
    assert {failure.get("type") for failure in xml.parse(tmp_path / "j.xml").iter("failure")} == {field}


def test_a_server_that_answers_in_order_and_stays_is_ok(started, stubs):
    server = started(Confused(stubs["ping_pb2"], lambda number, answer: None))
    done = failover(server.address, "true", "--agents", "2", "--versions", "v1.1")
    assert done.returncode == 0 and "another pod" not in done.stdout, done.stdout + done.stderr
