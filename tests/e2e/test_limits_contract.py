"""`limits --contract`: what a service needs of its path, held against what the path does."""
import json
import re
import signal
import subprocess
import xml.etree.ElementTree

import jsonschema
import pytest

from testenv.grpcroute import BIN, ROOT, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import DIE_WITH_PARENT

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/limits.json").read_text()))
SHAPES = "age_stream,idle_connection,headers_first,streams_per_connection"
AGE = 2  # seconds that a stream may live on the path


@pytest.fixture(scope="module")
def path(certs):
    """A proxy that ends each stream of that age, and takes 100 streams on a connection."""
    server = Server("v1", "pod-1")
    proxy = Proxy(certs, [server], None, "--max-stream-age", f"{AGE}s", "--age-jitter", "0").wait_ready()
    yield proxy
    proxy.stop()
    server.stop()


@pytest.fixture
def limits(path, tmp_path):
    """Runs it with a contract of these lines, on this path unless told otherwise."""
    def run(lines, *args, target=None):
        contract = tmp_path / "needs.txt"
        contract.write_text("\n".join(lines) + "\n")
        where = target or ["--target", path.target, "--cacert", path.certs / "ca.pem"]
        return grpcroute("limits", *where, "--shapes", SHAPES, "--within", "4s", "--contract", contract, *args,
                         timeout=120)
    return run


def told(text):
    result = json.loads(text)
    SCHEMA.validate(result)
    return result


def test_a_contract_that_is_kept(limits):
    done = limits(["age_stream >= 1s  # streams of a second", "", "headers_first=yes", "streams_per_connection >= 100",
                   "idle_connection >= 3s"], "-o", "json")
    result = told(done.stdout)
    assert (done.returncode, result["result"]) == (0, "passed"), done.stdout
    assert result["message"] == "The path keeps all 4 promises of the contract"
    assert [(one["line"], one["verdict"]) for one in result["contract"]["promises"]] == \
        [(1, "kept"), (3, "kept"), (4, "kept"), (5, "kept")]


def test_each_form_says_which_promise_is_broken_kept_and_not_checked(limits, tmp_path):
    lines = ["age_stream >= 10m", "streams_per_connection >= 50", "idle_connection >= 1h"]
    files = [tmp_path / "result.json", tmp_path / "result.xml", tmp_path / "result.html"]
    done = limits(lines, "--json-file", files[0], "--junit-file", files[1], "--report-file", files[2])
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^❌ age_stream >= 10m: broken, (found|unsteady)", done.stdout, re.M)
    assert re.search(r"^✅ streams_per_connection >= 50: kept, found 100 ", done.stdout, re.M)
    assert re.search(r"^⚠️ idle_connection >= 1h: not checked, none within [\d.]+s, which says nothing of longer; "
                     r"look with --within 1h$", done.stdout, re.M)
    assert "\x1b" not in done.stdout and max(map(len, done.stdout.splitlines())) <= 120
    verdicts = {one["promise"]: one["verdict"] for one in told(files[0].read_text())["contract"]["promises"]}
    assert verdicts == {"age_stream >= 10m": "broken", "streams_per_connection >= 50": "kept",
                        "idle_connection >= 1h": "not_checked"}
    suite = xml.etree.ElementTree.parse(files[1]).getroot()
    problems = {case.get("name"): case[0].tag for case in suite.findall(".//testcase") if case[0].tag != "system-out"}
    assert problems == {"age_stream >= 10m": "failure", "idle_connection >= 1h": "error"}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "1", "1")
    assert float(suite.get("time")) == json.loads(files[0].read_text())["seconds"] > AGE
    assert "age_stream" in files[2].read_text()
    done = limits(lines, "-o", "markdown")
    assert done.returncode == 1
    assert "\n| broken | age_stream &gt;= 10m | 1 |" in done.stdout
    assert re.search(r"^\| not_checked \| idle_connection &gt;= 1h \| 3 \| none within", done.stdout, re.M)


@pytest.mark.parametrize(("line", "why"), [
    ("idle_connection >= 1h", r"none within [\d.]+s, which says nothing of longer; look with --within 1h"),
    ("half_close >= 1s", "left out by --shapes"),
])
def test_what_was_not_checked_is_never_ok(line, why, limits):
    done = limits([line, "headers_first = yes"], "-o", "json")
    result = told(done.stdout)
    assert (done.returncode, result["result"]) == (4, "no_evidence")
    assert result["contract"]["promises"][0]["verdict"] == "not_checked"
    assert re.fullmatch(why, result["contract"]["promises"][0]["why"])
    assert result["message"].endswith(f"keeps 1 of the 2 promises of the contract; not checked: {line}")


def test_a_server_without_the_probe_service_leaves_a_contract_open(limits, started):
    server = started(Server("v1", "pod-1", "--no-probe"))
    done = limits(["headers_first = yes"], "-o", "json", target=["--target", server.address, "--plaintext"])
    result = told(done.stdout)
    assert (done.returncode, result["has_probe"]) == (4, False), done.stdout
    assert result["contract"]["promises"][0]["why"].startswith("not measured: ")


@pytest.mark.parametrize(("lines", "said"), [
    (["idle >= 1m", "idel >= 5m"], ':2: nothing is called "idel"; did you mean idle?'),
    (["# all", "idle <= 1m"], ":2: idle takes >=, not <=; write idle >= 10m"),
    (["ping_interval >= 10s"], ":1: ping_interval takes <=, not >=; write ping_interval <= 10s"),
    (["idle >= soon"], ':1: "soon" is not a duration such as 250ms, 5s or 1m30s; write idle >= 10m'),
    (["headers_first = no"], ':1: "no" is not yes: a contract says what is needed; write headers_first = yes, or no '
                             "line of it"),
    (["idle >= 1m", "idle >= 2m"], ":2: idle stands in line 1 already; leave one of the two"),
    (["# nothing"], ": holds no promise; write one a line, such as idle >= 10m"),
])
def test_a_wrong_line_is_told_before_anything_is_measured(lines, said, limits, started):
    nobody = ["--target", f"127.0.0.1:{started(ReservedPort()).port}", "--plaintext"]
    done = limits(lines, target=nobody)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("grpcroute limits: --contract: ") and done.stderr.endswith(f"needs.txt{said}\n")
    assert done.stderr.count("\n") == 1


def test_the_manual_names_each_shape_with_a_promise(limits, started):
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(\w+ (?:>=|<=|=) \S+)` \|$", (ROOT / "docs/limits.md").read_text(), re.M)
    assert [name for name, _ in rows] == [line.split()[0] for _, line in rows] == \
        SCHEMA.schema["properties"]["limits"]["items"]["properties"]["shape"]["enum"]
    nobody = ["--target", f"127.0.0.1:{started(ReservedPort()).port}", "--plaintext"]
    assert limits([line for _, line in rows], target=nobody).returncode == 3, "all of it was read"


def test_a_contract_may_come_from_standard_input(path):
    args = ["limits", "--target", path.target, "--cacert", path.certs / "ca.pem", "--shapes", "headers_first",
            "--contract", "-", "-o", "json"]
    result = told(grpcroute(*args, stdin=b"headers_first = yes\n").stdout)
    assert (result["exit_code"], result["contract"]["file"]) == (0, "-")
    done = grpcroute(*args, stdin=b"headers_first = maybe\n")
    assert done.returncode == 2 and "--contract: -:1: " in done.stderr


def test_an_interrupted_run_judges_what_is_known(certs, started, tmp_path):
    server = started(Server("v1", "pod-1"))
    proxy = started(Proxy(certs, [server], None, "--access-log", "-", "--access-log-open")).wait_ready()
    files = [tmp_path / "needs.txt", tmp_path / "result.json", tmp_path / "result.xml"]
    files[0].write_text("idle >= 60s\n")
    run = subprocess.Popen([*DIE_WITH_PARENT, BIN, "limits", "--target", proxy.target, "--cacert", certs / "ca.pem",
                            "--shapes", "idle", "--within", "60s", "--contract", files[0], "--json-file", files[1],
                            "--junit-file", files[2]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # One shows whether a hop is between, two keep the path in use.
        proxy.wait_for("probe.ProbeService/Run", count=5)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 130, err
    assert "Interrupted; this is what was known by then." in out and "idle >= 60s: not checked, " in out
    result = told(files[1].read_text())
    assert (result["result"], result["contract"]["promises"][0]["verdict"]) == ("interrupted", "not_checked")
    suite = xml.etree.ElementTree.parse(files[2]).getroot()
    assert int(suite.get("errors")) == len(suite.findall(".//error")) > 0


def test_a_contract_that_is_not_there(path, tmp_path):
    done = grpcroute("limits", "--target", path.target, "--contract", tmp_path / "none.txt")
    assert done.returncode == 2 and "none.txt: No such file or directory" in done.stderr


def test_no_connection_is_told_as_that(limits, started, tmp_path):
    done = limits(["headers_first = yes"], "-o", "json", "--junit-file", tmp_path / "x.xml",
                  target=["--target", f"127.0.0.1:{started(ReservedPort()).port}", "--plaintext"])
    result = told(done.stdout)
    assert (done.returncode, result["result"]) == (3, "not_connected") and "refused" in result["message"]
    suite = xml.etree.ElementTree.parse(tmp_path / "x.xml").getroot()
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
