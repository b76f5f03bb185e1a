"""The guard against slower round trips: it reads profiles rightly, and says no."""
import importlib.util
import pathlib

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "bench/instructions.py"
PROFILE = """events: Ir
ob=(1) /somewhere/grpcroute
fn=(1) relay
10 100
+1 20
cfn=(2) SSL_read
cob=(2) /usr/lib/libssl.so.3
calls=3 0
* 5000
12 3
ob=(2)
fn=(2)
0 4000
ob=(3) /usr/lib/libcrypto.so.3
0 90000
ob=(1)
-2 7
"""


@pytest.fixture(scope="module")
def guard():
    spec = importlib.util.spec_from_file_location("instructions", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_own_cost_of_counted_code_counts(guard, tmp_path):
    profile = tmp_path / "profile"
    profile.write_text(PROFILE)
    assert guard.callgrind.by_object(profile) == {"grpcroute": 130, "libssl.so.3": 4000, "libcrypto.so.3": 90000}
    assert guard.callgrind.counted(profile, "grpcroute") == 4130


@pytest.mark.parametrize("now, good, word", [
    (100, True, "ok"), (102.9, True, "ok"), (103.1, False, "more than the slack"), (90, True, "less"),
])
def test_three_percent_more_is_too_much(guard, capsys, now, good, word):
    assert guard.budget.judge("proxy 1x1", now, {"proxy 1x1": 100}) is good
    assert word in capsys.readouterr().out


@pytest.mark.parametrize("now, good", [(102.9, True), (103.1, False)])
def test_two_workers_may_cost_three_percent_more(guard, now, good):
    assert guard.budget.judge("proxy 1x1 -w 2", now, {"proxy 1x1 -w 2": 100}, guard.SLACK_OF_WORKERS) is good


def test_no_budget_is_no_pass(guard):
    assert not guard.budget.judge("proxy 1x1", 100, {})
