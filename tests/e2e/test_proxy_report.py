"""The page of what proxies do: a cell for each proxy and try, red where it must be, and `not run` where nothing was."""
import json
import os
import re
import shutil
import signal
import sys
import time

import pytest

from testenv.grpcroute import ROOT
from testenv.process import Process, run

sys.path.insert(0, str(ROOT / "tests/report"))

import judge  # noqa: E402
import page  # noqa: E402
from raw import Raw, duration_s  # noqa: E402
from subjects import subjects  # noqa: E402
from tries import TRIES  # noqa: E402

SCRIPT = [sys.executable, ROOT / "tests/report/proxy_report.py"]


def report(folder, *args, code=0):
    done = run([*SCRIPT, "--work", folder / "work", "--page", folder / "page.md", *args], timeout=240)
    assert done.returncode == code, done.stdout + done.stderr
    return (folder / "page.md").read_text()


def rows_of(text):
    """{row: {column: cell}} of all tables."""
    rows = {}
    columns = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        if line.startswith("| |"):
            columns = [cell.strip() for cell in line.strip("|").split("|")][1:]
        elif cells and "<br>`" in line:
            name = re.search(r"<br>`([^`]+)`", cells[0])[1]
            rows.setdefault(name, {}).update(zip(columns, cells[1:]))
    return rows


def test_each_proxy_has_its_cells_and_what_cuts_is_red(tmp_path):
    """nginx that waits 3 s for its server, and grpcroute's own."""
    minimal = tmp_path / "minimal"
    shutil.copytree(ROOT / "tests/report/minimal", minimal)
    config = minimal / "nginx.conf"
    text = config.read_text().replace("grpc_pass grpc", "grpc_read_timeout 3s;\n            grpc_pass grpc")
    config.write_text(text)
    names = ["embedded", "nginx-minimal"]
    text = report(tmp_path, "--quick", "--only", ",".join(names), "--minimal", minimal)
    rows = rows_of(text)
    assert list(rows) == names, text
    for name in names:
        assert rows[name].keys() == {*page.columns()}, rows[name]
        assert rows[name]["boundary"].startswith("✅"), text
        assert rows[name]["reload"].startswith("✅ 0 of 40 cut; in force after"), text
        assert rows[name]["kill"] == "not run" and rows[name]["message_up"] == "not measured", text
    cut = re.match(r"❌ (\d\.\d+)s", rows["nginx-minimal"]["idle_server"])
    assert cut and 2.5 <= float(cut[1]) <= 5, text
    assert re.search(r"❌ \*\*idle_server\*\* \(nginx-minimal\): .*; grpc_read_timeout of nginx$", text, re.M), text
    assert rows["embedded"]["idle_server"] == "✅ none within 6.00s", text
    assert "grpcroute limits --target localhost:8443" in text and "Measured 20" in text, text
    # The page again, without measuring.
    assert report(tmp_path, "--quick", "--only", ",".join(names), "--no-measure") == text


def test_what_cannot_be_started_is_no_result(tmp_path):
    minimal = tmp_path / "minimal"
    minimal.mkdir()
    (minimal / "haproxy.cfg").write_text("no such line\n")
    text = report(tmp_path, "--quick", "--only", "haproxy-minimal", "--tries", "boundary", "--minimal", minimal, code=1)
    assert rows_of(text)["haproxy-minimal"]["boundary"] == "❌ no result", text
    assert "it could not be started" in text, text


@pytest.mark.parametrize("args", [["--only", "squid"], ["--tries", "nothing"], ["--within", "never"]])
def test_what_is_not_known_is_refused(tmp_path, args):
    done = run([*SCRIPT, "--work", tmp_path, "--page", tmp_path / "page.md", *args])
    assert done.returncode == 2 and repr(args[1]) in done.stderr and not (tmp_path / "page.md").exists(), done.stderr


def test_an_interruption_leaves_nothing(tmp_path, started):
    """No process, which the end of all tests looks for, no result, and no page."""
    going = started(Process([*SCRIPT, "--only", "nginx-rendered,haproxy-rendered", "--tries", "stop", "--work",
                             tmp_path / "work", "--page", tmp_path / "page.md"], env={"TMPDIR": str(tmp_path)}))
    end = time.monotonic() + 60
    while not list(tmp_path.glob("*/*.stop/begun")):
        assert time.monotonic() < end and going.running(), going.output
        time.sleep(0.05)  # until a fault has begun
    going.send_signal(signal.SIGINT)
    assert going.wait(30) == 130, going.output
    assert not (tmp_path / "page.md").exists() and not list((tmp_path / "work").iterdir()), os.listdir(tmp_path)


# ---- verdicts --------------------------------------------------------------------------------------------------------


def stream(before="a", cause="", back=True, gap_s=0.1, misrouted=0):
    return {"before": before, "cause": cause, "back": back, "gap_ns": int(gap_s * 1e9), "misrouted": misrouted}


def faulted(streams, effect=None, answered=16, holes=(), pods=(), code=0):
    return {"effect": effect, "report": {
        "exit_code": code, "message": "", "streams": streams, "interrupted": 0, "max_gap_ns": 10e9,
        "black_holes": holes,
        "roll_call": {"made": True, "streams": 16, "answered": answered}, "reconnects": {"peak_over_mean": 3},
        "spreads": [{"pods": [{"pod": pod, "roll_call": 4} for pod in pods]}]}}


QUIET, CUT = stream(), stream(cause="UNAVAILABLE")
IN_FORCE, HIT, CAME = {"in_force_after_s": 0.2}, {"hit": "a"}, {"came": ["c", "d"]}
OPEN = {"still_open": 1}
VERDICTS = [
    ("reload", faulted([QUIET], IN_FORCE), True), ("reload", faulted([QUIET, CUT], IN_FORCE), False),
    ("reload", faulted([QUIET], {"in_force_after_s": None}), False),
    ("reload", faulted([stream(misrouted=1)], IN_FORCE), False),
    ("rotate", faulted([QUIET], IN_FORCE, answered=15), False),
    ("scale", faulted([QUIET], CAME, pods="abcd"), True), ("scale", faulted([QUIET], CAME, pods="abc"), False),
    ("scale", faulted([CUT], CAME, pods="abcd"), False),
    ("kill", faulted([CUT, stream("b")], HIT), True), ("kill", faulted([CUT, stream("b", "lost")], HIT), False),
    ("kill", faulted([QUIET, stream("b")], HIT), False), ("kill", faulted([stream(cause="x", back=False)], HIT), False),
    ("stop", faulted([CUT], HIT), True), ("stop", faulted([QUIET], HIT, holes=[OPEN]), False),
    ("stop", faulted([CUT], HIT, answered=8), False),
    ("restart", faulted([CUT, CUT]), True), ("restart", faulted([CUT, stream(cause="x", gap_s=11)]), False),
    ("restart", faulted([CUT, stream(cause="x", back=False)]), False),
    ("reload", {**faulted([QUIET], IN_FORCE), "ended_badly": "died of SIGSEGV"}, False),
    ("reload", {"failed": "refused"}, False), ("reload", faulted([], IN_FORCE, code=3), False),
    ("reload", None, None),
]


@pytest.mark.parametrize("name, result, good", VERDICTS)
def test_a_fault_is_judged_by_what_clients_are_owed(name, result, good):
    cell = judge.fault(result, name)
    assert cell.good is good and bool(cell.notes) == (good is False), cell


@pytest.mark.parametrize("verdict, good", [("kept", True), ("broken", False), ("not_checked", None)])
def test_a_limit_is_judged_by_what_the_service_needs(verdict, good):
    finding = {"shape": "idle", "state": "found", "kind": "duration", "text": "5.00s", "look": "RST", "why": "",
               "settings": [{"program": program, "name": program[:1]} for program in ("Envoy", "nginx")]}
    promise = {"shape": "idle", "verdict": verdict, "why": "near"}
    cell = judge.limit({"report": {"limits": [finding], "contract": {"promises": [promise]}}}, "idle", "nginx")
    assert cell.good is good and cell.words == "5.00s", cell
    assert cell.notes[:2] == ([] if good else ["RST", "n of nginx"]), cell


def test_every_row_and_try_is_on_a_page_without_results(tmp_path):
    rows = rows_of(page.make(Raw(tmp_path), list(subjects().values()), list(TRIES)))
    assert list(rows) == list(subjects()) and len(rows) == 17, rows
    assert {cell for row in rows.values() for cell in row.values()} == {"not run"}


def test_every_shape_of_limits_has_its_column():
    """But the quiet path: behind these proxies are servers alone, and what they cut themselves `idle` shows."""
    schema = json.loads((ROOT / "docs/schema/limits.json").read_text())
    shapes = set(schema["properties"]["limits"]["items"]["properties"]["shape"]["enum"]) - {"idle_path"}
    assert sorted(page.columns()) == sorted([*shapes, "boundary", *judge.FAULTS])


def test_a_result_is_read_as_it_was_written(tmp_path):
    raw = Raw(tmp_path)
    raw.write("embedded", "kill", {"failed": "ä"})
    assert raw.read("embedded", "kill") == {"failed": "ä"} and raw.read("embedded", "stop") is None
    assert [json.loads(file.read_text()) for file in tmp_path.iterdir()] == [{"failed": "ä"}]


def test_durations():
    assert duration_s("90s") == 90 and duration_s("10m") == 600
    for word in ("", "0s", "90", "1h", "1.5s"):
        with pytest.raises(ValueError):
            duration_s(word)
