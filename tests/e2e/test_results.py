"""What a check writes: one envelope in every outcome, as docs/schema says, in every form, and never an old file."""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import termios
import time
import urllib.request
import xml.etree.ElementTree

import jsonschema
import pytest

from testenv.grpcroute import BIN, ROOT, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import Process, run
from testenv.wait import wait_until

ENVELOPE = ["command", "version", "started_at", "seconds", "target", "result", "exit_code", "message"]
SCHEMAS = {name: json.loads((ROOT / f"docs/schema/{name}.json").read_text())
           for name in ("verify", "sticky-test", "failover-test", "bench", "bench-compare")}
LOGS = "[AGENT_v1.1/agent-v1-1] Stream opened to p:1\n" + 20 * (
    "[AGENT_v1.1/agent-v1-1] Received pong from server=v1/s-a message=pong\n")


def judged(text):
    """A result that keeps its schema."""
    result = json.loads(text)
    name = {"bench compare": "bench-compare", "bench merge": "bench"}.get(result["command"], result["command"])
    jsonschema.Draft202012Validator(SCHEMAS[name]).validate(result)
    assert list(result)[:8] == ENVELOPE
    return result


@contextlib.contextmanager
def running(*args):
    run = subprocess.Popen([BIN, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    try:
        yield run
    finally:
        run.kill()
        run.communicate()


@pytest.fixture
def server(started):
    return started(Server("v1", "pod-1"))


@pytest.fixture
def target(server):
    return ["--target", server.address, "--plaintext"]


def short(command, target):
    """As short as it can be. Bench sends when the last message was answered: no machine is too busy for that, which a
    load at a rate may find."""
    return {
        "verify": ["verify", *target, "--versions", "v1.1", "-n", "1", "-s", "2"],
        "sticky-test": ["sticky-test", *target, "-n", "2", "--interval", "1ms"],
        "failover-test": ["failover-test", *target, "--versions", "v1.1", "--agents", "2", "--fault", "true",
                          "--settle", "100ms"],
        "bench": ["bench", *target, "--versions", "v1.1", "-z", "300ms", "--warmup", "0", "-c", "1", "-r", "0"],
    }[command]


COMMANDS = ["verify", "sticky-test", "failover-test", "bench"]
# What makes each of them come out like that.
FAILS = {"verify": ["--expect", "v1.1=v2"], "sticky-test": ["--expect", "v1.1=v2"],
         "failover-test": ["--expect", "v1.1=v2"],
         "bench": ["--threshold", "p99<1ns"]}
UNKNOWN = {"verify": ["--versions", "canary"], "sticky-test": ["--version", "canary"],
           "failover-test": ["--versions", "canary"],
           "bench": ["--versions", "canary"]}


def outcome(command, target, tmp_path, *more):
    """Runs it in all forms, which must say the same. Returns the JSON."""
    files = [tmp_path / "result.json", tmp_path / "result.xml"]
    for file in files:
        file.write_text("of yesterday")
    args = [*short(command, target), *more]
    done = grpcroute(*args, "-o", "json", "--json-file", files[0], "--junit-file", files[1])
    result = judged(done.stdout)
    beside = judged(files[0].read_text())
    assert {k: beside[k] for k in ENVELOPE if k != "seconds"} == {k: result[k] for k in ENVELOPE if k != "seconds"}
    assert result["exit_code"] == done.returncode and result["command"] == command
    suite = xml.etree.ElementTree.parse(files[1]).getroot()
    problems = int(suite.get("failures")) + int(suite.get("errors"))
    assert int(suite.get("tests")) == len(suite.findall(".//testcase")) > 0
    assert problems == len(suite.findall(".//failure")) + len(suite.findall(".//error"))
    assert (problems == 0) == (done.returncode == 0), xml.etree.ElementTree.tostring(suite)
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pass(command, target, tmp_path):
    assert outcome(command, target, tmp_path)["result"] == "passed"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_failure(command, target, tmp_path):
    assert outcome(command, target, tmp_path, *FAILS[command])["result"] == "failed"


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_checked(command, target, tmp_path):
    result = outcome(command, target, tmp_path, *UNKNOWN[command])
    assert result["result"] == "no_evidence" and "canary" in json.dumps(result)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_connection(command, started, tmp_path):
    result = outcome(command, ["--target", f"127.0.0.1:{started(ReservedPort()).port}", "--plaintext"], tmp_path)
    assert result["result"] == "not_connected" and "refused" in result["message"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_cannot_begin(command, tmp_path):
    result = outcome(command, ["--target", "localhost:1", "--cacert", tmp_path / "nowhere"], tmp_path)
    assert result["result"] == "error" and "nowhere" in result["message"] and result["target"] == "localhost:1"


LONG = {"verify": ["-n", "1000", "--interval", "100ms"], "sticky-test": ["-n", "1000", "--interval", "100ms"],
        "failover-test": ["--settle", "1m"], "bench": ["-z", "1m"]}


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_interruption_tells_what_is_known(command, number, server, target, tmp_path):
    files = [tmp_path / "result.json", tmp_path / "result.xml"]
    with running(*short(command, target), *LONG[command], "-o", "json", "--json-file", files[0], "--junit-file",
                 files[1]) as run:
        server.wait_for("Sent pong")
        run.send_signal(number)
        out, _ = run.communicate(timeout=20)
    result = judged(out)
    assert (result["result"], result["exit_code"]) == ("interrupted", 128 + number) and run.returncode == 128 + number
    assert judged(files[0].read_text())["result"] == "interrupted"
    suite = xml.etree.ElementTree.parse(files[1]).getroot()
    assert int(suite.get("errors")) > 0


@pytest.mark.parametrize("command", ["verify", "sticky-test"])
def test_logs_that_are_interrupted_are_judged_until_then(command):
    with running(command, "--logs", "-", "-o", "json", *(["--versions", "v1.1"] if command == "verify" else [])) as run:
        run.stdin.write(LOGS)
        run.stdin.flush()
        wait_read(run)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=10)
    result = judged(out)
    assert run.returncode == 130 and result["result"] == "interrupted"
    assert result["logs"]["lines"] == 21 and result["checks"][0]["messages_answered"] == 20


@pytest.mark.parametrize("source", ["-", "FIFO"])
@pytest.mark.parametrize("command", ["merge", "compare"])
def test_reports_that_are_interrupted_are_told_as_that(command, source, tmp_path):
    if source == "FIFO":  # without a writer
        source = tmp_path / "fifo"
        os.mkfifo(source)
    junit, report = tmp_path / "x.xml", tmp_path / "x.json"
    report.write_text("of yesterday")
    with running("bench", command, source, *([source] if command == "compare" and source != "-" else []),
                 *([tmp_path / "other"] if command == "compare" and source == "-" else []),
                 "-o", "json", "--json-file", report, "--junit-file", junit) as run:
        wait_until(lambda: catches(run.pid, signal.SIGINT), 10, "it reads")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=10)
    result = judged(out)
    assert run.returncode == 130 and (result["result"], result["exit_code"]) == ("interrupted", 130), (out, err)
    assert result["command"] == f"bench {command}" and "interrupted" in result["message"]
    assert json.loads(report.read_text())["result"] == "interrupted"
    assert int(xml.etree.ElementTree.parse(junit).getroot().get("errors")) == 1


def catches(pid, number):
    mask = re.search(r"SigCgt:\t(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)
    return int(mask, 16) >> (number - 1) & 1


def time_limited(command, source, *args, **env):
    began = time.monotonic()
    done = run([BIN, command, "--logs", source, "--timeout", "700ms", *args,
                *(["--versions", "v1.1"] if command == "verify" else [])], env=env)
    assert 0.6 < time.monotonic() - began < 15, done
    return done


@pytest.mark.parametrize("command", ["verify", "sticky-test"])
def test_logs_that_do_not_end_are_read_until_the_time_limit(command, tmp_path):
    fifo, full = tmp_path / "fifo", tmp_path / "full"
    full.write_text(LOGS)
    os.mkfifo(fifo)
    for args in [], ["--logs", full]:  # nobody writes into it
        done = time_limited(command, fifo, *args)
        assert done.returncode == 4 and f"{fifo}: it had not ended after 700ms (--timeout)" in done.stderr, done
    done = time_limited(command, "/dev/zero")  # somebody always writes
    assert done.returncode == 4 and "/dev/zero: it had not ended after 700ms (--timeout)" in done.stderr, done
    held = os.open(fifo, os.O_RDWR)
    try:
        os.write(held, LOGS.encode())  # and nobody ends it
        done = time_limited(command, fifo, "-o", "json")
        result = judged(done.stdout)
        assert done.returncode == 4 and result["checks"][0]["messages_answered"] == 20, done
        assert "before --timeout" in json.dumps(result["checks"]), done
    finally:
        os.close(held)


def test_a_kubectl_that_hangs_is_ended_at_the_time_limit(tmp_path):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\nprintf %s '{LOGS}'\nsleep 60\n")
    kubectl.chmod(0o755)
    done = time_limited("verify", "kubectl", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 4 and "kubectl: it had not ended after 700ms (--timeout)" in done.stderr, done


def wait_read(run):
    """Until nothing is left in the pipe, and the process waits for more."""
    def waits():
        left = bytearray(4)
        fcntl.ioctl(run.stdin.fileno(), termios.FIONREAD, left)
        state = pathlib.Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return not any(left) and state == "S"

    wait_until(waits, 10, "all was read")


@pytest.mark.parametrize("command, codes", [("verify", (0, 4)), ("sticky-test", (0, 4))])
def test_logs(command, codes, tmp_path):
    logs = tmp_path / "agents.log"
    for text, code in ((LOGS, codes[0]), (LOGS[:60], codes[1]), (LOGS + "[AGENT_v1.1/agent-v1-1] Received po\n",
                                                                 codes[1])):
        logs.write_text(text)
        done = grpcroute(command, "--logs", logs, "-o", "json", *(["--versions", "v1.1"] if command == "verify"
                                                                  else []))
        result = judged(done.stdout)
        assert (done.returncode, result["exit_code"], result["target"]) == (code, code, "logs"), done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_junit_says_the_time_of_the_whole_test(command, target, tmp_path):
    junit, file = tmp_path / "x.xml", tmp_path / "x.json"
    assert grpcroute(*short(command, target), "--junit-file", junit, "--json-file", file).returncode == 0
    suites = xml.etree.ElementTree.parse(junit).getroot()
    seconds = json.loads(file.read_text())["seconds"]
    assert seconds > 0 and [float(suite.get("time")) for suite in (suites, *suites)] == [seconds, seconds]


def test_bench_merge_and_compare(target, tmp_path):
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file in files:
        assert grpcroute(*short("bench", target), "--json-file", file).returncode == 0
    merged = judged(grpcroute("bench", "merge", *files, "-o", "json").stdout)
    assert merged["command"] == "bench merge" and merged["result"] == "passed" and merged["connections"] == 2
    compared = judged(grpcroute("bench", "compare", *files, "-o", "json", "--metric", "errors").stdout)
    assert (compared["result"], compared["target"]) == ("passed", None)
    several = judged(grpcroute("bench", "compare", *files, files[0], "-o", "json", "--metric", "errors").stdout)
    assert len(several["comparisons"]) == 2
    slower = json.loads(files[0].read_text())
    slower["errors"] = {"UNAVAILABLE": 5}
    files[1].write_text(json.dumps(slower))
    junit = tmp_path / "x.xml"
    done = grpcroute("bench", "compare", *files, "-o", "json", "--metric", "errors", "--junit-file", junit)
    assert done.returncode == 1 and judged(done.stdout)["result"] == "failed" and "<failure" in junit.read_text()
    files[1].write_text("{")
    for command in ("merge", "compare"):
        done = grpcroute("bench", command, *files, "-o", "json")
        result = judged(done.stdout)
        assert (done.returncode, result["command"], result["result"]) == (2, f"bench {command}", "error")


def test_what_one_driver_did_not_check_or_end_is_no_pass_of_all(target, tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    assert grpcroute(*short("bench", target), "--json-file", good).returncode == 0
    assert grpcroute(*short("bench", target), "--versions", "canary", "--json-file", bad).returncode == 4
    merged = grpcroute("bench", "merge", good, bad, "-o", "json")
    assert merged.returncode == 4 and judged(merged.stdout)["not_checked"][0]["agent_version"] == "canary"
    bad.write_text(json.dumps(json.loads(good.read_text()) | {"result": "interrupted"}))
    merged = grpcroute("bench", "merge", good, bad, "-o", "json")
    assert merged.returncode == 4 and "interrupted" in judged(merged.stdout)["invalid_because"]


def test_a_bench_that_checked_nothing_says_no_zero(target, tmp_path):
    """In none of its forms: who must answer that version is said nowhere."""
    blind, seen, page = tmp_path / "blind.json", tmp_path / "seen.json", tmp_path / "page.html"
    done = grpcroute(*short("bench", target), "--versions", "canary", "--json-file", blind, "--report-file", page)
    assert done.returncode == 4 and "Routing   versions not checked, 0 moved" in done.stdout, done.stdout
    assert judged(blind.read_text())["misrouted"] is None and '"misrouted":null' in re.sub(r"\s", "", page.read_text())
    mixed = grpcroute(*short("bench", target), "--versions", "v1.1,canary").stdout
    assert "Routing   0 misrouted, 1 of 2 versions not checked, 0 moved" in mixed, mixed
    markdown = grpcroute(*short("bench", target), "--versions", "canary", "-o", "markdown").stdout
    assert re.search(r"^\| misrouted +\| not checked +\|", markdown, re.M), markdown
    limit = judged(grpcroute(*short("bench", target), "--versions", "canary", "--threshold", "misrouted==0", "-o",
                             "json").stdout)["thresholds"][0]
    assert (limit["verdict"], limit["value"]) == ("no_evidence", None)
    other = tmp_path / "other.json"  # of a load that began at another time
    other.write_text(json.dumps({**json.loads(blind.read_text()), "started_at": "then"}))
    merged = judged(grpcroute("bench", "merge", blind, other, "-o", "json").stdout)
    assert merged["misrouted"] is None
    assert grpcroute(*short("bench", target), "--versions", "v1.1", "--json-file", seen).returncode == 0
    assert judged(seen.read_text())["misrouted"] == 0
    for files in (blind, seen), (seen, blind):
        compared = judged(grpcroute("bench", "compare", *files, "--metric", "misrouted", "-o", "json").stdout)
        row = [row for row in compared["metrics"] if row["metric"] == "misrouted"][0]
        assert compared["result"] == "no_evidence" and row["missing"] and [row["before"], row["now"]].count(None) == \
            1 and row["ratio"] is None
    assert re.search(r"^misrouted +not checked +not checked +- ", grpcroute("bench", "compare", blind, blind).stdout,
                     re.M)
    assert "| not checked |" in grpcroute("bench", "compare", blind, seen, "-o", "markdown").stdout


def test_thresholds_are_told_everywhere(target, tmp_path):
    page, junit = tmp_path / "page.html", tmp_path / "x.xml"
    done = grpcroute(*short("bench", target), "--threshold", "p99<1ns", "--threshold", "errors<=0", "-o", "json",
                     "--report-file", page, "--junit-file", junit)
    missed, kept = judged(done.stdout)["thresholds"]
    assert missed["limit"] == 1 and missed["value"] > 1 and missed["verdict"] == "failed" and missed["unit"] == "ns"
    assert kept["limit"] == kept["value"] == 0 and kept["verdict"] == "passed"
    assert "p99" in page.read_text()
    cases = {case.get("name"): case for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase")}
    assert cases["p99<1ns"].find("failure") is not None and cases["errors<=0"].find("failure") is None
    markdown = grpcroute(*short("bench", target), "--threshold", "p99<1ns", "-o", "markdown").stdout
    assert "| failed | p99&lt;1ns |" in markdown


def test_the_streams_of_a_failover_are_told(server, target):
    done = grpcroute(*short("failover-test", target), "-o", "json")
    result = judged(done.stdout)
    assert [stream["result"] for stream in result["streams"]] == ["passed", "passed"]
    assert {t["metric"]: t["verdict"] for t in result["thresholds"]} == dict.fromkeys(
        ["gap", "not_back", "misrouted", "repeated"], "passed")
    stop = f"kill -STOP {server.pid}; sleep 0.5; kill -CONT {server.pid}"
    done = grpcroute(*short("failover-test", target), "--fault", stop, "--max-gap", "300ms", "-o", "json")
    result = judged(done.stdout)
    assert result["thresholds"][0]["verdict"] == "failed" and result["streams"][0]["result"] == "failed"


# ---- forms
# ------------------------------------------------------------------------------------------------------------------


def test_markdown_says_all_and_runs_nothing(started, target, tmp_path):
    evil = "x|y`z<img src=q>*"
    odd = started(Server("v1", evil))
    done = grpcroute("verify", "--target", odd.address, "--plaintext", "--versions", "v1.1,canary", "-o", "markdown")
    assert done.stdout.startswith("## ⚠️ grpcroute verify: no_evidence\n") and done.returncode == 4
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert any("Agent v1.1" in row for row in rows) and "<img" not in done.stdout
    assert "x\\|y\\`z&lt;img src=q&gt;\\*" in done.stdout
    for row in rows[-3:]:
        assert len(re.findall(r"(?<!\\)\|", row)) == 7, row
    fault = grpcroute(*short("failover-test", target), "--fault", "true # |<b>`\nx", "-o", "markdown").stdout
    assert "\\|&lt;b&gt;\\`" in fault and "<b>" not in fault


def test_json_beside_text(target, tmp_path):
    file = tmp_path / "result.json"
    done = grpcroute(*short("verify", target), "--json-file", file)
    assert "Routing verification passed!" in done.stdout and judged(file.read_text())["result"] == "passed"
    done = grpcroute(*short("verify", target), "--json-file", "-")
    assert judged(done.stdout)["result"] == "passed" and "Routing verification passed!" in done.stderr
    for more in (["-o", "json", "--json-file", "-"], ["--json-file", "-", "--junit-file", "-"],
                 ["-o", "markdown", "--junit-file=-"]):
        done = grpcroute(*short("verify", target), *more)
        assert done.returncode == 2 and "standard output can be only one" in done.stderr, more


# ---- files
# ------------------------------------------------------------------------------------------------------------------


def old_files(tmp_path):
    files = {"--json-file": tmp_path / "a.json", "--junit-file": tmp_path / "a.xml"}
    for file in files.values():
        file.write_text("of yesterday")
    return files, [str(word) for pair in files.items() for word in pair]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("wrong", [["--no-such-option"], ["--target"], ["--interval", "-1s"], ["stray"]])
def test_a_wrong_command_line_leaves_no_old_file(command, wrong, target, tmp_path):
    files, options = old_files(tmp_path)
    for args in ([*short(command, target), *options, *wrong], [command, *wrong, *options],
                 [command, *wrong, *(f"{name}={file}" for name, file in files.items())]):
        for file in files.values():
            file.write_text("of yesterday")
        done = grpcroute(*args)
        if done.returncode == 2:
            assert not any(file.exists() and "yesterday" in file.read_text() for file in files.values()), args
    assert grpcroute(*short(command, target), *wrong).returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_removes_nothing(command, tmp_path):
    files, options = old_files(tmp_path)
    assert grpcroute(command, *options, "--help").returncode == 0
    assert all(file.read_text() == "of yesterday" for file in files.values())


@pytest.mark.parametrize("option", ["--json-file", "--junit-file"])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_unwritable_file_is_told_before_a_stream_is_opened(command, option, server, target, tmp_path):
    for path, cause in ((tmp_path, "Is a directory"), (tmp_path / "none" / "x", "No such file"),
                        (tmp_path / "file" / "x", "Not a directory")):
        (tmp_path / "file").write_text("")
        done = grpcroute(*short(command, target), option, path)
        assert done.returncode == 2 and f"{option}: {path}: {cause}" in done.stderr
    assert "Stream opened" not in server.output


@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_written_in_the_end_is_no_pass(command, target, tmp_path):
    done = grpcroute(*short(command, target), "--junit-file", "/dev/full", "-o", "json")
    result = judged(done.stdout)
    assert (done.returncode, result["result"]) == (2, "error") and "No space left" in result["message"]
    assert os.path.exists("/dev/full") and not os.path.isfile("/dev/full")
    done = grpcroute(*short(command, target), *FAILS[command], "--json-file", "/dev/full")
    assert done.returncode == 1 and "No space left" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_two_results_are_not_one_file(command, target, tmp_path):
    new, old, link = tmp_path / "new", tmp_path / "old", tmp_path / "link"
    old.write_text("of yesterday")
    link.symlink_to("old")
    for first, second in ((new, new), (old, link)):
        done = grpcroute(*short(command, target), "--json-file", first, "--junit-file", second)
        assert (done.returncode, done.stderr) == \
            (2, f"grpcroute {command}: --json-file and --junit-file are the same file, {second}; give each its own\n")
        assert not first.exists() and not second.exists()
    assert grpcroute(*short(command, target), "--json-file", "/dev/null", "--junit-file", "/dev/null").returncode == 0


@pytest.mark.parametrize("words", [
    ["verify", "--target", "localhost:1", "--cacert", "{}"], ["verify", "--target", "localhost:1", "--key", "{}"],
    ["verify", "--logs", "{}"], ["verify", "--routes", "{}"], ["bench", "merge", "other", "{}"],
    ["bench", "compare", "{}", "other"], ["limits", "compare", "{}", "other"], ["limits", "--contract", "{}"],
    ["verify", "--cacert={}", "--no-such-option"], ["verify", "--no-such-option", "{}"],
], ids=" ".join)
@pytest.mark.parametrize("output", ["--json-file", "--junit-file", "--report-file"])
def test_what_is_read_is_not_written_over(tmp_path, words, output):
    """By whatever name."""
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.write_text("precious")
    link.symlink_to(kept)
    for name in (kept, link, tmp_path / "." / "kept"):
        done = grpcroute(*(word.format(kept) for word in words), output, name)
        assert done.returncode == 2 and kept.read_text() == "precious", done
        refused = "--no-such-option" in words or "--report-file does not go with compare" in done.stderr
        assert refused or "give the result its own file" in done.stderr, done


def into_full(*args):
    """Standard output is on a full disk."""
    with open("/dev/full", "w") as full:
        return subprocess.run([BIN, *map(str, args)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_failure_that_nobody_can_read_is_told(command, output, target):
    for more, code in ((FAILS[command], 1), (UNKNOWN[command], 4)):
        done = into_full(*short(command, target), *more, "-o", output)
        assert done.returncode == code and \
            done.stderr.endswith("grpcroute: cannot write to standard output: No space left on device\n"), done


@pytest.mark.parametrize("args", ["render envoy", "completion bash", "completion zsh", "man", "man verify",
                                  "verify --help", "--help", "--version"])
def test_what_a_full_disk_does_not_take_is_told_with_its_cause(args):
    done = into_full(*args.split())
    assert (done.returncode, done.stderr) == \
        (2, "grpcroute: cannot write to standard output: No space left on device\n")


def test_a_file_that_is_standard_output_fails_once(target):
    done = into_full(*short("verify", target), *FAILS["verify"], "--json-file", "-")
    assert done.returncode == 1 and done.stderr.count("No space left on device") == 1, done
    assert "Input/output error" not in done.stderr and "standard output" not in done.stderr
    done = into_full("render", "envoy", "--output", "-")
    assert done.returncode == 2 and re.fullmatch(r"grpcroute render: .*No space left on device\n", done.stderr), done


def test_the_schemas_are_strict(target):
    result = judged(grpcroute(*short("verify", target), "-o", "json").stdout)
    broken = [result | {"new": 1}, result | {"exit_code": 1}, result | {"result": "fine"}, result | {"message": ""},
              {k: v for k, v in result.items() if k != "checks"},
              result | {"checks": [result["checks"][0] | {"open_seconds": 1}]}]
    for key in ENVELOPE:
        broken.append({k: v for k, v in result.items() if k != key})
    for one in broken:
        with pytest.raises((jsonschema.ValidationError, KeyError)):
            judged(json.dumps(one))


# ---- render
# -----------------------------------------------------------------------------------------------------------------


def test_render_writes_where_it_is_told(tmp_path):
    text = grpcroute("render", "haproxy").stdout
    real, link = tmp_path / "real.cfg", tmp_path / "link.cfg"
    link.symlink_to("real.cfg")
    for _ in range(2):
        assert grpcroute("render", "haproxy", "--output", link).returncode == 0
        assert link.is_symlink() and real.read_text() == text
    assert grpcroute("render", "haproxy", "--output", "-").stdout == text
    assert grpcroute("render", "haproxy", "--output", "/dev/stdout").stdout == text
    full = grpcroute("render", "haproxy", "--output", "/dev/full")
    assert full.returncode == 2 and "--output: /dev/full: No space left" in full.stderr and \
        not os.path.isfile("/dev/full")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE, text=True) as cat:
        assert grpcroute("render", "haproxy", "--output", fifo).returncode == 0
        assert cat.communicate(timeout=10)[0] == text and fifo.is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"real.cfg", "link.cfg", "fifo"}


# ---- what is printed for people to use
# --------------------------------------------------------------------------------------


def test_minus_k_warns(started, certs):
    proxy = started(Proxy(certs, [started(Server("v1", "s"))], [])).wait_ready()
    done = grpcroute("verify", "--target", proxy.target, "-k", "--versions", "v1.1", "-n", "1", "-o", "json")
    assert done.stderr.count("warning: --tls-skip-verify (-k): the certificate is not verified") == 1
    judged(done.stdout)
    agent = grpcroute("agent", "--version", "v1.1", "--target", proxy.target, "-k", "--messages", "1")
    assert agent.returncode == 0 and "warning" not in agent.stdout + agent.stderr, "a log has the agent's lines alone"
    assert "warning" not in grpcroute("verify", "--target", proxy.target, "--cacert", certs / "ca.pem", "--versions",
                                      "v1.1").stderr


def test_the_dashboard_and_commands_can_be_pasted(started, certs, tmp_path):
    proxy = started(Proxy(certs, [], []))
    url = proxy.wait_for(r"Dashboard: (http://127\.0\.0\.1:\d+/dashboard)$").group(1)
    assert url == f"{proxy.admin}/dashboard"
    everywhere = started(Process([BIN, "proxy", "--listen", "127.0.0.1:0", "--admin", ":0", "--plaintext"]))
    assert everywhere.wait_for(r"Dashboard: http://localhost:\d+/dashboard$")
    home = tmp_path / "it's here"
    home.mkdir()
    (home / "a router").symlink_to(BIN)
    demo = started(Process(["./a router", "demo", "--keep"], cwd=home, env={"TMPDIR": str(home)}))
    demo.wait_for(r"dashboard", count=2, deadline_s=40)
    url = demo.wait_for(r"dashboard, in a browser: (http://\S+/dashboard)$").group(1)
    assert b"<html" in urllib.request.urlopen(url).read()
    for line in [line for line in demo.lines if line.startswith("  './a router' ") and " agent " not in line]:
        assert subprocess.run(["bash", "-c", line], cwd=home, capture_output=True, check=False).returncode == 0, line
    assert demo.stop(signal.SIGINT, 8) == 0


def test_versions_are_those_that_run():
    text = grpcroute("--version").stdout
    assert re.fullmatch(r"grpcroute \d+\.\d+\.\d+ \(commit \S+, nghttp2 [\d.]+, OpenSSL \d[\w.]+, libuv [\d.]+\)\n",
                        text), text
    assert grpcroute("version").stdout == grpcroute("help", "version").stdout == text


def test_numbers_in_json_logs_are_numbers(started):
    server = started(Process([BIN, "server", "--version", "v1", "--id", "7", "--listen", "127.0.0.1:0", "--log-format",
                              "json"]))
    listening = json.loads(server.wait_for("listening").group(0) and server.lines[0])
    assert isinstance(listening["port"], int) and listening["id"] == "7"
    done = grpcroute("agent", "--version", "v1.1", "--id", "8", "--target", f"127.0.0.1:{listening['port']}",
                     "--plaintext", "--messages", "2", "--interval", "10ms", "--log-format", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    # the second ping does not wait for the first pong
    numbers = sorted(event["sequence"] for event in events if "sequence" in event)
    assert numbers == [1, 1, 2, 2] and events[0]["id"] == "8"


def test_a_reader_that_goes_away(started, target):
    agent = subprocess.Popen(f"{BIN} agent --version v1.1 {' '.join(target)} --interval 20ms | head -1", shell=True,
                             stdout=subprocess.PIPE, text=True)
    assert "Stream opened" in agent.communicate(timeout=10)[0]
    done = subprocess.run(["bash", "-c", f"{BIN} demo | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.stdout == "2\n" and "cannot write to standard output: Broken pipe" in done.stderr


@pytest.mark.parametrize("args, words", [
    (["verify", "--target", "ipv4:127.0.0.1:1"], "without a prefix such as ipv4:"),
    (["verify", "--target", "localhost:8443/"], "without a slash"),
    (["verify", "--timeout", "-1s"], "a duration that is not negative"),
    (["bench", "--pid", "1,2"], "give --pid once for each"),
    (["bench", "--pid", "1 2"], "give --pid once for each")])
def test_slips_have_their_own_words(args, words):
    done = grpcroute(*args)
    assert done.returncode == 2 and words in done.stderr


@pytest.mark.parametrize("args, words", [
    (["compare", "a", "b", "--threshold", "p99<1us"], "--threshold does not go with compare, which takes --metric, "),
    (["-c", "5", "compare", "a", "b"], "--connections does not go with compare, which takes --metric, "),
    (["compare", "a", "b", "--target", "a:1"], "--target does not go with compare, which takes --metric, "),
    (["merge", "a", "b", "--tolerance", "5"], "--tolerance does not go with merge, which takes --threshold, "),
    (["merge", "a", "b", "--pid", "1"], "--pid does not go with merge, which takes --threshold, "),
    (["--tolerance", "5"], "--tolerance goes with bench compare only"),
    (["--metric", "p99"], "--metric goes with bench compare only")])
def test_a_bench_refuses_options_that_it_would_not_use(args, words):
    done = grpcroute("bench", *args)
    assert done.returncode == 2 and words in done.stderr and done.stdout == "", done.stderr


def test_what_the_environment_says_is_for_all_commands(target, tmp_path):
    file = tmp_path / "a.json"
    assert grpcroute(*short("bench", target), "--json-file", file).returncode == 0
    told = grpcroute("bench", "compare", file, file, "--metric", "errors", env={"SERVER_ADDRESS": "other:1"})
    assert told.returncode == 0, told.stderr
    stray = grpcroute("bench", "conpare", file, file, "--tolerance", "5")
    assert stray.returncode == 2 and '"conpare" is not valid' in stray.stderr


def test_blanks_in_lists(target):
    assert grpcroute("verify", *target, "--versions", "v1.1, v1.2", "-n", "1").returncode == 0
    assert grpcroute(*short("bench", target), "-c", "2", "--versions", "v1.1 , v1.2").returncode == 0


def test_help_says_repeatable_once():
    for command in [*COMMANDS, "agent", "proxy", "server", "render", "demo"]:
        assert not re.search(r"repeatable\)?\s+\(.*repeatable", grpcroute(command, "--help").stdout)
