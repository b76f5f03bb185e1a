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

import drivers  # noqa: E402
import figures  # noqa: E402
import measure  # noqa: E402
import table  # noqa: E402
from contenders import OURS, PEERS  # noqa: E402
from drivers import DRIVERS, Failed, H2load, Report  # noqa: E402
from measure import Sample  # noqa: E402
from results import Results  # noqa: E402
from shapes import ALL, Shape  # noqa: E402

SCRIPT = [sys.executable, ROOT / "tests/bench/peers.py"]
QUICK = ["--driver", "grpcroute", "--shapes", "4x1", "--seconds", "1", "--rounds", "1"]


def costs(*values):
    return [Sample(value) for value in values]


# ---- arithmetic --------------------------------------------------------------------------------


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    """The machine was three times slower in the last round, for both: the ratio of medians would be 2."""
    assert figures.median_ratio(costs(20, 40, 60), costs(10, 10, 30)) == 2
    assert figures.median_ratio(costs(20, 30, 90), costs(10, 10, 30)) == 3


@pytest.mark.parametrize("samples, ours", [((), ()), ((20, 20), (10,)), ((20,), ()), ((20,), (0,)),
                                           ((20, 20), (10, -1))])
def test_there_is_no_ratio_without_every_round_of_both(samples, ours):
    assert figures.median_ratio(costs(*samples), costs(*ours)) is None


def test_each_figure_has_its_own_median():
    middle = figures.median_sample([Sample(1, 9, 5, 0.2, 70), Sample(3, 7, 6, 0.1, 80), Sample(2, 8, 4, 0.9, 10)])
    assert middle == Sample(2, 8, 5, 0.2, 70)
    assert figures.median_sample(costs(4, 2)) == Sample(3)


def results_of(costs_by_driver, shape="4x1", peers=("haproxy", "envoy", "echo")):
    """Of a run whose rounds cost {driver: {contender: [us, ...]}}."""
    shape = Shape.parse(shape)
    results = Results([DRIVERS[name] for name in costs_by_driver],
                      [OURS, *(PEERS[name] for name in peers)], [shape], 2, 1)
    for driver, by_contender in costs_by_driver.items():
        for contender, rounds in by_contender.items():
            results.samples[driver, contender, shape.name] += costs(*rounds)
    return results


def test_a_failure_hides_the_samples_that_came_before_it():
    results = results_of({"nghttp2": {"grpcroute": [10], "haproxy": [20]}})
    results.failures["nghttp2", "haproxy", "4x1"] = "refused"
    assert [row[2] for row in table.cost_rows(results, DRIVERS["nghttp2"])][1] == "failed"
    assert table.failures(results) == ["HAProxy at 4x1 by nghttp2: refused"]


def test_the_best_peer_is_a_proxy_and_the_ratio_is_to_it():
    results = results_of({"nghttp2": {"grpcroute": [10, 30], "haproxy": [20, 60], "envoy": [16, 40], "echo": [1, 1]}})
    ratio, best = figures.to_best(results, DRIVERS["nghttp2"], results.shapes[0], OURS)
    assert best.name == "envoy" and ratio == pytest.approx((10 / 16 + 30 / 40) / 2)


def test_the_same_proxy_in_another_setting_is_no_peer_and_has_a_last_column_of_its_own():
    results = results_of({"nghttp2": {"grpcroute": [10], "coalesce": [6], "haproxy": [20]}}, "4x1",
                         ["coalesce", "haproxy"])
    titles, row = table.cost_rows(results, DRIVERS["nghttp2"])
    assert titles[-2:] == ["to the best", "with --coalesce 300us: to the best"]
    assert row[1:] == ["10.0 (1.00)", "6.00 (0.60)", "20.0 (2.00)", "0.50 of HAProxy", "0.30 of HAProxy"]
    assert PEERS["coalesce"].settings == OURS.settings + " --coalesce 300us"


def test_drivers_that_disagree_by_more_than_a_tenth_are_told():
    by_nghttp2 = {"grpcroute": [10, 10], "haproxy": [20, 20], "envoy": [15, 15], "echo": [5, 5]}
    by_ours = {"grpcroute": [9.5, 9.5], "haproxy": [24, 24], "envoy": [15, 15], "echo": [4.9, 4.9]}
    told = figures.disagreements(results_of({"nghttp2": by_nghttp2, "grpcroute": by_ours}))
    assert told == ["4x1, HAProxy: 2.00 times grpcroute's by nghttp2, 2.53 by grpcroute"]
    told = figures.disagreements(results_of({"nghttp2": by_nghttp2, "grpcroute": {**by_ours, "grpcroute": [5, 5]}}))
    assert "4x1, grpcroute proxy: 10.00 us by nghttp2, 5.00 by grpcroute" in told
    unkept = results_of({"nghttp2": by_nghttp2, "grpcroute": by_ours})
    unkept.samples["nghttp2", "haproxy", "4x1"] = [Sample(20, unkept="late")] * 2
    assert figures.disagreements(unkept) == [], "it was another load"


def test_drivers_are_compared_by_the_rounds_that_both_saw():
    drifted = {"grpcroute": [20, 10, 10], "haproxy": [40, 30, 30], "envoy": [30, 15, 15], "echo": [10, 5, 5]}
    once = {name: costs[:1] for name, costs in drifted.items()}
    assert figures.disagreements(results_of({"nghttp2": drifted, "grpcroute": once})) == []
    told = figures.disagreements(results_of({"nghttp2": drifted, "grpcroute": {**once, "haproxy": [60]}}))
    assert told == ["4x1, HAProxy: 2.00 times grpcroute's by nghttp2, 3.00 by grpcroute"]


def test_a_driver_that_was_late_is_told_and_gives_no_latency():
    results = results_of({"nghttp2": {}})
    results.samples["nghttp2", "grpcroute", "4x1"] = [Sample(10, busy=1, unkept="3% of its pings were sent late")]
    assert table.unkept(results) == ["grpcroute at 4x1 by nghttp2, 1 of 1 rounds: 3% of its pings were sent late"]
    assert table.cost_rows(results, DRIVERS["nghttp2"])[1][1] == "10.0* (1.00)"
    assert table.latency_rows(results, DRIVERS["nghttp2"])[1][1] == "100%"


def test_shapes():
    assert Shape.parse("50x2") == Shape("50x2", "streams", 50, 2)
    assert Shape.parse("200x1@20k") == Shape("200x1@20k", "streams", 200, 1, 20000)
    assert Shape.parse("4x4:16k") == Shape("4x4:16k", "streams", 4, 4, size=16384)
    assert Shape.parse("unary50x10/2") == Shape("unary50x10/2", "unary", 50, 10, workers=2)
    assert Shape.parse("newconn4") == Shape("newconn4", "connect", 4)
    assert Shape.parse("3000idle") == Shape("3000idle", "idle", 3000)
    assert all(map(Shape.parse, ALL.split(",")))
    for word in ("", "50", "0x1", "50x", "idle", "-1x1", "50x1x1", "100000x1", "50x1@", "unary1x1@1k", "30idle/2"):
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
    assert drivers.wrong(report(), shape) is None
    assert words in drivers.wrong(report(**changes), shape)


def test_a_process_that_did_not_do_the_work_is_refused():
    with pytest.raises(Failed, match="something else"):
        measure.load_sample(Report(100_000, 1, 0.001))
    starved = Report(50, 1, 0.01)  # a busy machine lets little through
    assert measure.load_sample(starved).cost == pytest.approx(200)


def test_a_driver_at_its_limit_gives_no_latency():
    assert measure.load_sample(Report(1000, 2, 1, 1, 5)) == Sample(1000, 1, 5, 0.5, 500)
    assert measure.load_sample(Report(1000, 2, 1, 1, 5), 500).unkept is None
    assert measure.load_sample(Report(900, 2, 1, 1, 5), 500).unkept == "450 of 500 a second were answered"
    assert measure.load_sample(Report(1000, 2, 1, 1, 5, "late")) == Sample(1000, None, None, 0.5, 500, "late")


@pytest.mark.parametrize("line, words", [
    ("requests: 9 total, 9 started, 9 done, 8 succeeded, 1 failed, 0 errored, 0 timeout", "8 of 9 calls succeeded, 1"),
    ("requests: 9 total, 0 started, 0 done, 0 succeeded, 0 failed, 0 errored, 0 timeout", "0 of 0"),
    ("nothing of that kind", "nothing of that kind")])
def test_what_h2load_did_not_do_is_refused(line, words):
    with pytest.raises(Failed, match=words):
        H2load.report(subprocess.CompletedProcess([], 0, line, ""), 1, 1)


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


def test_there_is_a_table_for_each_driver_with_a_row_for_each_shape(tmp_path):
    out = tmp_path / "out.json"
    done = peers("--shapes", "4x1,unary2x2,newconn2,20idle", "--rounds", "1", "--peers", "haproxy,nginx,tcp-relay",
                 "--json", out, "--markdown")
    assert done.returncode == 0, done.stdout + done.stderr
    tables = {}
    for part in re.split(r"^By (?=\w+:)", done.stdout, flags=re.M)[1:]:
        lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
        tables[part.split(":")[0]] = lines
    assert list(tables) == ["nghttp2", "grpcroute", "h2load"]
    assert [row[0] for row in tables["nghttp2"][2:6]] == ["4x1", "unary2x2", "newconn2", "20idle"]
    assert [row[0] for row in tables["grpcroute"][2:]] == ["4x1", "unary2x2", "20idle"]
    assert [row[0] for row in tables["h2load"][2:4]] == ["unary2x2", "newconn2"]
    for row in tables["nghttp2"][2:5]:
        assert re.fullmatch(r"[\d.]+\*? \(1\.00\)", row[1]), row
        assert all(re.fullmatch(r"[\d.]+\*? \([\d.]+\)", cell) for cell in row[2:5]), row
        assert re.fullmatch(r"[\d.]+ of (HAProxy|nginx)", row[5]), row
    rows = json.loads(out.read_text())["rows"]
    assert [(row["driver"], row["name"]) for row in rows[:2]] == [("nghttp2", "grpcroute"), ("nghttp2", "haproxy")]
    assert all(re.search(r"\d\.\d+\.\d+", row["version"]) for row in rows)
    for row in rows[:3]:
        for shape in ("4x1", "unary2x2", "newconn2"):
            shown = row["shapes"][shape]
            assert shown["cost"] > 0 and shown["busy"] > 0 and len(shown["rounds"]) == 1
            assert 0 < shown["p50_ms"] <= shown["p99_ms"]


def test_a_peer_that_does_not_start_is_told(tmp_path):
    stand_in(tmp_path, "haproxy", "echo 'no such luck'; exit 1")
    done = peers(*QUICK, "--peers", "haproxy", path=tmp_path)
    assert done.returncode == 1
    assert "FAILED: HAProxy at 4x1 by grpcroute: it could not be started: no such luck" in done.stdout, \
        done.stdout + done.stderr
    assert re.search(r"^4x1 +[\d.]+\*? \(1\.00\) +failed$", done.stdout, re.M), "the others are there"


@pytest.mark.parametrize("driver, words_by_driver", [("grpcroute", {}), ("nghttp2", {
    "misrouted": "the wrong server answered"})], ids=["grpcroute", "nghttp2"])
@pytest.mark.parametrize("program, script, words", [
    ("haproxy", 'for last; do :; done; [ ! -f "$last" ] || sed -i "s/use_backend server-v2/use_backend server-v1/" '
                '"$last"; '
                'exec $real "$@"', "misrouted"),
    ("nginx", '[ ! -f "$4" ] || sed -i "s/grpc_pass .*;/return 503;/" "$4"; exec $real "$@"', "HTTP status 503"),
], ids=["misrouted", "refused"])
def test_a_peer_whose_streams_fail_is_told(tmp_path, program, script, words, driver, words_by_driver):
    stand_in(tmp_path, program, script)
    done = peers(*QUICK, "--driver", driver, "--peers", program, path=tmp_path)
    assert done.returncode == 1
    words = words_by_driver.get(words, words)
    assert re.search(rf"^FAILED: \w+ at 4x1 by {driver}: .*{words}", done.stdout, re.M), done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_run_that_is_interrupted(started, number):
    # SIGINT ends it also where it is ignored here, as it is for a job in the background.
    run = started(Process([*SCRIPT, "--peers", "nginx", "--shapes", "4x1", "--seconds", "1"],
                          through=("setsid", "env", "--default-signal=INT")))
    run.wait_for("round 1/5 +4x1 +nghttp2 +grpcroute")
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
