"""verify --every: a line where the verdict or its cause changes, a summary in the end, nothing but a signal ends it."""
import json
import re
import signal
import socket
import subprocess
import time
import urllib.request

import jsonschema
import pytest

from testenv.grpcio_peers import Relay
from testenv.grpcroute import BIN, ROOT, Server, grpcroute
from testenv.net import ReservedPort
from testenv.own_service import METHODS, SERVICE, OwnService
from testenv.process import Process
from testenv.wait import wait_until


class Every(Process):
    exit_codes = {143}

    def __init__(self, target, *args, timeout="5s"):
        super().__init__([BIN, "verify", "--every", "200ms", "--timeout", timeout, "--target", target, "--plaintext",
                          "--versions", "v1.1", *args])

    def metrics(self):
        url = self.wait_for(r"Metrics on (http://\S+)").group(1)
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in lines}

    def runs(self, result):
        return self.metrics()[f'grpcroute_verify_runs_total{{result="{result}"}}']

    def verdicts(self):
        return [line for line in self.lines if re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z ", line)]


def test_a_line_is_printed_only_where_the_verdict_changes(started):
    port = started(ReservedPort())
    every = started(Every(f"127.0.0.1:{port.port}", "--metrics-listen", "127.0.0.1:0"))
    every.wait_for(r"Z ❌ not connected: .*refused")
    wait_until(lambda: every.runs("not_connected") >= 3, 10, "three runs without a connection")
    server = started(Server("v1", "pod-1", port=port.port))
    every.wait_for(r"Z ✅ passed: 1 checks, 6 streams, 30 messages")
    wait_until(lambda: every.runs("passed") >= 3, 10, "three good runs")
    server.kill()
    wrong = started(Server("v2", "pod-2", port=port.port))
    every.wait_for(r"Z ❌ failed: Agent v1\.1 → expected server v1, answered: v2 .*pod-2")
    wait_until(lambda: every.runs("failed") >= 4, 10,
               "three bad runs, and one that met the server's start with some of its connections")
    metrics = every.metrics()
    assert metrics['grpcroute_verify_version_ok{agent_version="v1.1"}'] == 0 == metrics["grpcroute_verify_passed"]
    assert metrics['grpcroute_verify_misrouted_messages_total{agent_version="v1.1"}'] >= 90
    last = {name: metrics[f"grpcroute_verify_last_{name}_timestamp_seconds"] for name in ("success", "run")}
    assert last["success"] <= last["run"]
    assert abs(metrics["grpcroute_verify_last_run_timestamp_seconds"] - time.time()) < 10
    assert metrics['grpcroute_verify_rtt_seconds_count{agent_version="v1.1"}'] >= 180
    every.send_signal(signal.SIGINT)
    assert every.wait() == 130
    said = every.verdicts()
    # one for each verdict and the end; between two servers a run may have met none, and some connections of a run a
    # server's start or end, or all of them
    assert [line for line in said if "not connected:" in line and "interrupted" not in line] and len(said) <= 9, said
    assert re.search(r"⚠️ interrupted after \d+ runs: \d+ passed, \d+ failed, \d+ without enough evidence, \d+ not "
                     r"connected$", said[-1])
    assert wrong.ident in every.output


def test_another_cause_of_the_same_verdict_is_told_once(started, certs):
    port = started(ReservedPort())
    every = started(Every(f"127.0.0.1:{port.port}", "--metrics-listen", "127.0.0.1:0"))
    every.wait_for(r"Z ❌ not connected: .*refused")
    started(Server("v1", "pod-1", "--cert", certs / "cert.pem", "--key", certs / "key.pem", port=port.port))
    every.wait_for(r"Z ❌ not connected: .*TLS")
    seen = every.runs("not_connected")
    wait_until(lambda: every.runs("not_connected") >= seen + 3, 10, "three more of these")
    every.send_signal(signal.SIGINT)
    assert every.wait() == 130
    said = [re.sub(r"^\S+", "", line) for line in every.verdicts() if "interrupted" not in line]
    assert len(said) == len(set(said)) and sum("TLS" in line for line in said) == 1, said


def test_each_run_has_streams_and_an_order_of_its_own(started):
    servers = [started(Server("v1", "pod-1")), started(Server("v2", "pod-2"))]
    seen = []

    def choose(number, metadata):
        seen.append(metadata["agent-id"])
        return servers[metadata["agent-version"].startswith("v2")].address

    every = started(Process([BIN, "verify", "--every", "200ms", "--timeout", "5s", "--target",
                             started(Relay(choose)).target, "--plaintext",
                             "--versions", "v1.1,v2.1", "-n", "1", "--interval", "1ms"]))
    wait_until(lambda: len(seen) >= 48, 20, "four runs", lambda: every.output)
    every.send_signal(signal.SIGTERM)
    assert every.wait() == 143
    runs = [seen[n:n + 12] for n in range(0, 48, 12)]
    assert len({ident for ident in seen[:48]}) == 48
    assert len({tuple(re.sub(r"verify-\w+-", "", ident) for ident in run) for run in runs}) == 4
    assert "passed" in every.output


def test_json_has_a_line_for_each_change_and_for_the_end(started):
    port = started(ReservedPort())
    every = started(Every(f"127.0.0.1:{port.port}", "-o", "json"))
    every.wait_for('"result":"not_connected"')
    server = started(Server("v1", "pod-1", port=port.port))
    every.wait_for('"result":"passed"')
    server.kill()  # perhaps in the middle of a run, whose connections end as they may
    every.wait_for('"result":"not_connected"', count=2)
    every.send_signal(signal.SIGTERM)
    assert every.wait() == 143
    lines, rest = [], every.output[every.output.index("{"):].strip()
    while rest:  # a line for each change, then the envelope
        one, end_of_it = json.JSONDecoder().raw_decode(rest)
        lines.append(one)
        rest = rest[end_of_it:].strip()
    assert lines[0]["run"] == 1 and lines[0]["exit_code"] == 3 and "refused" in lines[0]["message"]
    good, = [line for line in lines if line["result"] == "passed"]
    assert good["run"] > 1 and good["exit_code"] == 0 and good["findings"] == []
    assert lines[-2]["result"] == "not_connected" and lines[-2]["exit_code"] == 3
    end = lines[-1]
    assert (end["result"], end["exit_code"], end["last_passed"]) == ("interrupted", 143, False)
    assert end["runs"]["passed"] >= 1 and end["runs"]["not_connected"] >= 1 and end["runs"]["failed"] == 0


def test_a_target_that_says_nothing_shows_within_an_interval(started):
    """The streams open and nobody answers."""
    server = started(Server("v1", "pod-1"))
    every = started(Every(server.address, "--every", "2s", "--metrics-listen", "127.0.0.1:0", timeout="0"))
    every.wait_for("passed")
    server.send_signal(signal.SIGSTOP)
    before = time.monotonic()
    try:
        every.wait_for(r"(not enough evidence|not connected|failed): ")
        assert time.monotonic() - before < 6  # what is left of an interval, and one more
    finally:
        server.send_signal(signal.SIGCONT)
    wait_until(lambda: every.metrics()["grpcroute_verify_passed"] == 1, 10, "it passes again")


def test_the_certificate_that_is_served_is_told(started, proxy, certs):
    every = started(Process([BIN, "verify", "--every", "200ms", "--timeout", "5s", "--metrics-listen", "127.0.0.1:0",
                             "--target", proxy.target, "--cacert", certs / "ca.pem"]))
    url = every.wait_for(r"Metrics on (http://\S+)").group(1)
    every.wait_for("passed")
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    ends = dict(re.findall(r'certificate_expiry_timestamp_seconds\{certificate="(\w+)"\} (\S+)', text))
    assert set(ends) == {"leaf", "chain"} and float(ends["chain"]) <= float(ends["leaf"])
    assert 800 * 86400 < float(ends["leaf"]) - time.time() < 826 * 86400


@pytest.mark.parametrize("args, words", [
    (["--metrics-listen", ":9102"], "--metrics-listen needs --every"),
    (["--every", "1ms"], "at least 100ms"),
    (["--every", "1s", "--logs", "-"], "does not go with --logs"),
    (["--every", "1s", "--split", "--routes", "r.yaml"], "does not go with --split"),
    (["--every", "1s", "--junit-file", "out.xml"], "--junit-file"),
    (["--every", "1s", "--report-file", "out.html"], "--report-file"),
    (["--every", "1s", "--versions", ","], "--versions"),
    (["--every", "1s", "--cacert", "/nowhere.pem"], "/nowhere.pem"),
])
def test_what_cannot_work_is_told_before_anything_starts(args, words, tmp_path):
    done = grpcroute("verify", *[arg.replace("out.", f"{tmp_path}/out.") for arg in args])
    assert done.returncode == 2 and words in done.stderr and done.stdout == "", done.stderr


def test_a_port_in_use_is_told(started):
    port = started(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
    done = grpcroute("verify", "--every", "1s", "--metrics-listen", f"127.0.0.1:{port}")
    assert done.returncode == 2 and "in use" in done.stderr


@pytest.mark.parametrize("kind", ["bidi", "unary", "server-stream"])
def test_a_service_of_ones_own_is_probed_again_and_again(started, kind):
    service = started(OwnService())
    words = ["--method", f"/{SERVICE}/{METHODS[kind]}", "--call", kind, "--server-from", "field:1", "--metrics-listen",
             "127.0.0.1:0"]
    good = started(Every(service.target, *words))
    wrong = started(Every(service.target, *words, "--expect", "v1.1=v2"))
    wait_until(lambda: good.runs("passed") >= 2, 10, "two good runs")
    wait_until(lambda: wrong.runs("failed") >= 2, 10, "two bad runs")
    assert good.runs("failed") == wrong.runs("passed") == 0


def read_report(path):
    report = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/verify.json").read_text())).validate(report)
    return report


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_file_holds_the_last_run_and_in_the_end_the_summary(started, tmp_path, number):
    path = tmp_path / "report.json"
    path.write_text("of yesterday")
    server = started(Server("v1", "pod-1"))
    every = started(Every(server.address, "--json-file", path))
    every.wait_for("passed")
    wait_until(path.exists, 10, "the first run is written")
    first = read_report(path)
    assert (first["result"], first["exit_code"], first["checks"][0]["answers"][0]["server_id"]) == \
        ("passed", 0, "pod-1")
    wait_until(lambda: read_report(path)["started_at"] != first["started_at"], 10,
               "the next run is written, of the same verdict")
    server.kill()
    wait_until(lambda: read_report(path)["result"] == "not_connected", 10, "and so is one that fails")
    every.send_signal(number)
    assert every.wait() == 128 + number
    end = read_report(path)
    assert (end["result"], end["exit_code"], end["last_passed"]) == ("interrupted", 128 + number, False)
    assert end["runs"]["passed"] >= 2 and end["runs"]["not_connected"] >= 1


def test_a_signal_within_the_first_run_leaves_the_summary(started, tmp_path):
    path = tmp_path / "report.json"
    server = started(Server("v1", "pod-1"))
    every = started(Every(server.address, "--json-file", path, "-n", "1000"))
    server.wait_for("Sent pong")
    every.send_signal(signal.SIGINT)
    assert every.wait() == 130
    assert read_report(path)["runs"] == {"passed": 0, "failed": 0, "no_evidence": 0, "not_connected": 0}


def test_a_report_on_standard_output_stands_there_alone(started):
    server = started(Server("v1", "pod-1"))
    with subprocess.Popen([BIN, "verify", "--every", "200ms", "--target", server.address, "--plaintext", "--versions",
                           "v1.1",
                           "--json-file", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as every:
        server.wait_for("Stream closed", count=12)  # of two runs
        every.send_signal(signal.SIGINT)
        out, err = every.communicate(timeout=20)
    results = []
    while out.strip():
        report, end = json.JSONDecoder().raw_decode(out.strip())
        results.append(report["result"])
        out = out.strip()[end:]
    assert results[0] == "passed" and results[-1] == "interrupted" and len(results) >= 2, results
    assert "passed: 1 checks" in err, err
