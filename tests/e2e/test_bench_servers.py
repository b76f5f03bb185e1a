"""The table of servers without a proxy: ours is the first, the others are real gRPC servers, and an echo that is only a
floor."""
import json
import os
import subprocess
import sys

from testenv.grpcroute import ROOT
from testenv.process import DIE_WITH_PARENT

sys.path.insert(0, str(ROOT / "tests/bench"))

import figures  # noqa: E402
import table  # noqa: E402
from bare_servers import SERVERS  # noqa: E402
from drivers import DRIVERS  # noqa: E402
from measure import Sample  # noqa: E402
from results import Results  # noqa: E402
from shapes import Shape  # noqa: E402


def test_the_best_server_is_no_floor_and_ratios_are_to_grpcroute_server():
    driver, shape = DRIVERS["nghttp2"], Shape.parse("4x1")
    results = Results([driver], SERVERS, [shape], 1, 1)
    for name, cost in {"floor": 10, "echo": 1, "grpc-go": 12, "grpcio": 90}.items():
        results.samples["nghttp2", name, "4x1"].append(Sample(cost))
    ratio, best = figures.to_best(results, driver, shape, SERVERS[0])
    assert best.name == "grpc-go" and ratio == 10 / 12
    assert table.cost_rows(results, driver)[1][1:5] == ["10.0 (1.00)", "1.00 (0.10)", "12.0 (1.20)", "90.0 (9.00)"]


def test_every_server_is_measured(tmp_path):
    argv = [sys.executable, ROOT / "tests/bench/peers.py", "--servers", "--driver", "nghttp2", "--shapes",
            "4x1,unary4x4", "--seconds", "1", "--rounds", "1", "--json", tmp_path / "table.json"]
    done = subprocess.run([*DIE_WITH_PARENT, *argv], capture_output=True, text=True, timeout=120, check=False,
                          env=os.environ)
    assert done.returncode in (0, 1), done.stderr
    told = json.loads((tmp_path / "table.json").read_text())
    assert done.returncode == 0, json.dumps(told, indent=1)
    assert all(name.title in done.stdout for name in SERVERS), done.stdout
    assert "grpcroute proxy" not in done.stdout
