"""What the guards share: their options, and figures against the budget that was recorded for them."""
import argparse
import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLACK = 0.03


def options_of(script, doc):
    """Of the guard `script`, whose budget lies beside it; GRPCROUTE_BIN names the program from then on."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--bin", default=str(ROOT / "build-test/src/grpcroute"))
    parser.add_argument("--budget", type=pathlib.Path, default=pathlib.Path(script).with_suffix(".json"))
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    os.environ["GRPCROUTE_BIN"] = options.bin
    return options


def judge(name, now, budget, slack=SLACK):
    """Prints a line; returns whether it is within the budget."""
    if name not in budget:
        print(f"{name:16}{now:10.1f}  without a budget: run with --record")
        return False
    change = now / budget[name] - 1
    verdict = "more than the slack: find the cause, or --record and say why" if change > slack else \
        "less: --record keeps it so" if change < -slack else "ok"
    print(f"{name:16}{now:10.1f}{budget[name]:10.1f}{change:+9.1%}  {verdict}")
    return change <= slack


def judge_all(options, measured, what):
    """Prints the figures, `what` they are first; with --record they are the budget. Returns whether all are within."""
    if options.record:
        options.budget.write_text(json.dumps(measured, indent=2) + "\n")
    budget = json.loads(options.budget.read_text()) if options.budget.exists() else {}
    print(f"{what}, slack {SLACK:.0%}\n{'':16}{'now':>10}{'budget':>10}")
    return all([judge(name, now, budget) for name, now in measured.items()])
