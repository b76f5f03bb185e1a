"""The table of peers: its arithmetic, its columns, and that what goes wrong is in it instead of a figure."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from testenv.grpcroute import ROOT
from testenv.process import DIE_WITH_PARENT, Process

sys.path.insert(0, str(ROOT / "tests/bench"))

import measure  # noqa: E402
import table  # noqa: E402
from measure import Failed, Sample, Shape  # noqa: E402

SCRIPT = [sys.executable, ROOT / "tests/bench/peers.py"]
QUICK = ["--shapes", "4x1", "--seconds", "1", "--rounds", "1"]


def costs(*values):
    return [Sample(value) for value in values]


# ---- arithmetic --------------------------------------------------------------------------------


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    """The machine was three times slower in the last round, for both: the ratio of medians would be 2."""
    assert table.median_ratio(costs(20, 40, 60), costs(10, 10, 30)) == 2
    assert table.median_ratio(costs(20, 30, 90), costs(10, 10, 30)) == 3


@pytest.mark.parametrize("samples, ours", [((), ()), ((20, 20), (10,)), ((20,), ()), ((20,), (0,)),
                                           ((20, 20), (10, -1))])
def test_there_is_no_ratio_without_every_round_of_both(samples, ours):
    assert table.median_ratio(costs(*samples), costs(*ours)) is None


def test_each_figure_has_its_own_median():
    middle = table.median_sample([Sample(1, 9, 5, 0.2, 70), Sample(3, 7, 6, 0.1, 80), Sample(2, 8, 4, 0.9, 10)])
    assert middle == Sample(2, 8, 5, 0.2, 70)
    assert table.median_sample(costs(4, 2)) == Sample(3)


def test_a_failure_hides_the_samples_that_came_before_it():
    shown = table.cell(costs(20), costs(10), "refused")
    assert shown.sample is None and shown.ratio is None and table.cost_words(shown) == "failed"


def test_shapes():
    assert Shape.parse("50x2") == Shape("50x2", 50, 2, False)
    assert Shape.parse("3000idle") == Shape("3000idle", 3000, 1, True)
    for word in ("", "50", "0x1", "50x", "idle", "-1x1", "50x1x1", "100000x1"):
        with pytest.raises(ValueError):
            Shape.parse(word)


# ---- verdicts ----------------------------------------------------------------------------------


def report(**changes):
    return {"lost": 0, "misrouted": 0, "moved": 0, "disordered": 0, "reopened": 0, "errors": {}, "streams_opened": 100,
            "valid": True, "answered": 1000, "seconds_ns": 2e9, "latency": {"p50_ns": 1e6, "p99_ns": 5e6},
            "processes": [{"cpu_seconds": 0.01}, {"cpu_seconds": 0.99}], **changes}


@pytest.mark.parametrize("changes, words", [
    ({"lost": 2}, "2 lost"), ({"misrouted": 7}, "7 misrouted"), ({"moved": 1}, "1 moved"),
    ({"disordered": 1}, "1 disordered"),
    ({"reopened": 3}, "3 reopened"), ({"errors": {"a": 1, "refused": 5}}, "5 streams or connections ended: refused"),
    ({"streams_opened": 99}, "99 of 100"), ({"answered": 0, "misrouted": None}, "nothing"),
    ({"misrouted": None}, "not checked: misrouted"), ({"misrouted": None, "errors": {"refused": 5}}, "refused"),
])
def test_a_wrong_report_is_refused(changes, words):
    shape = Shape.parse("50x2")
    assert measure.wrong(report(), shape) is None
    assert words in measure.wrong(report(**changes), shape)


def test_all_processes_of_a_proxy_count():
    assert measure.load_sample(report(), False) == Sample(1000, 1, 5, 0.5, 500)


def test_a_process_that_did_not_do_the_work_is_refused():
    with pytest.raises(Failed, match="something else"):
        measure.load_sample(report(answered=100_000, processes=[{"cpu_seconds": 0.01}]), False)
    starved = report(answered=50, processes=[{"cpu_seconds": 0.01}])  # a busy machine lets little through
    assert measure.load_sample(starved, False).cost == pytest.approx(200)


def test_a_driver_at_its_limit_is_refused_or_at_least_gives_no_latency():
    busy = report(valid=False, invalid_because="the driver used its whole core")
    with pytest.raises(Failed, match="the driver"):
        measure.load_sample(busy, False)
    assert measure.load_sample(busy, True) == Sample(1000, None, None, 0.5, 500)


# ---- runs --------------------------------------------------------------------------------------


def session(pid):
    """The names of all that runs in the session of this process."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue  # it ended just now
        if int(rest.split()[3]) == pid and rest.split()[0] != "Z":
            found.append(name)
    return found


def peers(*args, path=None):
    """Runs it to its end; nothing of it may be left."""
    env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    run = subprocess.Popen([*DIE_WITH_PARENT, *SCRIPT, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, env=env, start_new_session=True)
    with run:
        try:
            out, err = run.communicate(timeout=150)
        except BaseException:
            run.terminate()
            raise
    assert session(run.pid) == []
    return subprocess.CompletedProcess(args, run.returncode, out, err)


def stand_in(folder, program, script):
    """A program that is found before the real one, whose path the script has as $real."""
    real = shutil.which(program)
    assert real is not None
    path = folder / program
    path.write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
    path.chmod(0o755)


def test_the_table_has_a_row_for_each_and_a_column_for_each_shape(tmp_path):
    out = tmp_path / "out.json"
    done = peers("--shapes", "4x1,20idle", "--seconds", "1", "--rounds", "1", "--peers", "haproxy,nginx", "--json", out,
                 "--markdown")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in rows[0]] == ["CPU per round trip in us", "4x1", "kB per idle stream (20)"]
    assert [row[0].split()[0] for row in rows[2:]] == ["grpcroute", "HAProxy", "nginx"]
    for row in rows[2:]:
        assert re.search(r"\d\.\d+\.\d+", row[0]), "no version"
        assert re.fullmatch(r" [\d.]+ \([\d.]+\)<br>[\d.]+ / [\d.]+ ms, \d+% ", row[1]), row
        assert re.fullmatch(r" -?[\d.]+( \(-?[\d.]+\))? ", row[2]), row
    rows = json.loads(out.read_text())["rows"]
    assert rows[0]["shapes"]["4x1"]["ratio"] == 1
    for row in rows:
        shown = row["shapes"]["4x1"]
        assert shown["cost"] > 0 and 0 < shown["p50_ms"] <= shown["p99_ms"] and shown["busy"] > 0 and \
            len(shown["rounds"]) == 1


def test_a_peer_that_does_not_start_is_told(tmp_path):
    stand_in(tmp_path, "haproxy", "echo 'no such luck'; exit 1")
    done = peers(*QUICK, "--peers", "haproxy", path=tmp_path)
    assert done.returncode == 1
    assert "FAILED: HAProxy at 4x1: it could not be started: no such luck" in done.stdout, done.stdout + done.stderr
    assert re.search(r"^grpcroute proxy \S+ +[\d.]+ \(1\.00\)$", done.stdout, re.M), "the others are there"
    assert re.search(r"^HAProxy +failed$", done.stdout, re.M)


@pytest.mark.parametrize("program, script, words", [
    ("haproxy", 'for last; do :; done; [ ! -f "$last" ] || sed -i "s/use_backend server-v2/use_backend server-v1/" '
                '"$last"; '
                'exec $real "$@"', "misrouted"),
    ("nginx", '[ ! -f "$4" ] || sed -i "s/grpc_pass .*;/return 503;/" "$4"; exec $real "$@"', "HTTP status 503"),
], ids=["misrouted", "refused"])
def test_a_peer_whose_streams_fail_is_told(tmp_path, program, script, words):
    stand_in(tmp_path, program, script)
    done = peers(*QUICK, "--peers", program, path=tmp_path)
    assert done.returncode == 1
    assert re.search(rf"^FAILED: \w+ at 4x1: .*{words}", done.stdout, re.M), done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_run_that_is_interrupted(started, number):
    # SIGINT ends it also where it is ignored here, as it is for a job in the background.
    run = started(Process([*SCRIPT, "--peers", "nginx", "--shapes", "4x1", "--seconds", "1"],
                          through=("setsid", "env", "--default-signal=INT")))
    run.wait_for("round 1/3 +4x1 +grpcroute")
    end = time.monotonic() + 20
    while session(run.pid).count("nginx") < 2:  # it and its worker
        assert time.monotonic() < end
        time.sleep(0.02)
    assert run.stop(number) == 128 + number
    assert session(run.pid) == []


@pytest.mark.parametrize("args, words", [(["--peers", "apache"], "apache"), (["--shapes", "4"], "'4'"),
                                         (["--rounds", "0"], "between")])
def test_wrong_options_start_nothing(args, words):
    done = peers(*args)
    assert done.returncode == 2 and words in done.stderr
