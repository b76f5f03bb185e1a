"""One cell: what a result says, in few words, and whether it is good. Limits are judged by needs.txt, faults by what
clients are owed: what does not concern a stream leaves it alone, what ends it lets it come back, and nothing is left
open without an end."""
from dataclasses import dataclass, field

NS = 1e9


@dataclass(frozen=True)
class Cell:
    """`good` is None where nothing is judged; `notes` are sentences below the table."""
    words: str
    good: bool | None = None
    notes: list = field(default_factory=list)


NOT_RUN = Cell("not run")


def failed(result):
    return Cell("no result", False, [result["failed"]])


# ---- limits ----------------------------------------------------------------------------------------------------------


def limit(result, shape, program):
    """The cell of one shape; of the settings that look so, those of `program` are told, if there are any."""
    if result is None:
        return NOT_RUN
    if "failed" in result:
        return Cell("no result", False)  # why: once for all shapes
    finding = next((one for one in result["report"].get("limits", []) if one["shape"] == shape), None)
    if finding is None or finding["state"] == "not_measured":
        return Cell("not measured", None, [finding["why"]] if finding else [])
    promise = next((one for one in result["report"].get("contract", {}).get("promises", [])
                    if one["shape"] == shape), None)
    good = {"kept": True, "broken": False}.get(promise["verdict"]) if promise else None
    return Cell(finding_words(finding), good, finding_notes(finding, promise, program) if good is not True else [])


def finding_words(finding):
    if finding["state"] == "by_other":
        return f"{finding['text']}, by {finding['by']}" if finding["by"] not in finding["text"] else finding["text"]
    return finding["text"]


def settings_of(finding, program):
    own = [one for one in finding["settings"] if one["program"].startswith(program)]
    return [f"{one['name']} of {one['program']}" for one in own or finding["settings"]]


def finding_notes(finding, promise, program):
    """Nothing of what another shape explains, whose note is there."""
    told = finding["state"] in ("found", "unsteady") and (promise or finding["kind"] not in ("bytes", "count"))
    notes = [finding["look"] or finding["why"], *settings_of(finding, program)] if told else []
    if promise and promise["verdict"] == "not_checked":
        notes.append(f"not judged: {promise['why']}")
    return [note for note in notes if note]


# ---- routes ----------------------------------------------------------------------------------------------------------


def boundary(result):
    if result is None:
        return NOT_RUN
    if "failed" in result:
        return failed(result)
    checks = result["report"].get("checks", [])
    bad = [check for check in checks if check["result"] != "passed"]
    notes = [f"{check['name']}: {finding['text']}" for check in bad for finding in check["findings"]]
    repeated = [check["outcome"] for check in checks if len(check["agent_version"]) > 1]
    words = f"{len(checks) - len(bad)} of {len(checks)} as the routes say" + \
        "".join(f"; a repeated header: {outcome}" for outcome in repeated)
    return Cell(words, result["report"]["exit_code"] == 0, notes)


# ---- faults ----------------------------------------------------------------------------------------------------------


def seconds(ns):
    return f"{ns / NS:.1f} s"


def cut(report):
    return [stream for stream in report["streams"] if stream["cause"]]


def silence(streams):
    return max((stream["gap_ns"] for stream in streams), default=0)


def holes(report):
    return [hole for hole in report["black_holes"] if hole["still_open"]]


def new_streams(report):
    """A sentence where new streams were not all answered."""
    call = report["roll_call"]
    hung = call["streams"] - call["answered"] if call["made"] else 0
    return [f"{hung} of {call['streams']} new streams were not answered"] if hung else []


def causes(streams):
    seen = sorted({stream["cause"] for stream in streams})
    return [f"streams ended with: {'; '.join(seen[:3])}"] if seen else []


def disturbed(report):
    """Of a change that concerns no live stream: (words, what is wrong)."""
    streams = cut(report)
    words = f"{len(streams)} of {len(report['streams'])} cut"
    wrong = causes(streams) + new_streams(report)
    if report["black_holes"] and not streams:
        wrong.append(f"{report['interrupted']} streams were silent for too long")
    return words, wrong


def changed(result):
    """Reload of routes, rotation."""
    words, wrong = disturbed(result["report"])
    after = result["effect"]["in_force_after_s"]
    if after is None:
        return Cell(f"{words}; not in force", False, [*wrong, "the new configuration is not in force 15 s later"])
    return Cell(f"{words}; in force after {after:.1f} s", not wrong, wrong)


def scaled(result):
    words, wrong = disturbed(result["report"])
    pods = {pod["pod"]: pod for spread in result["report"]["spreads"] for pod in spread["pods"]}
    came = result["effect"]["came"]
    used = [name for name in came if pods.get(name, {}).get("roll_call")]
    if len(used) < len(came):
        wrong.append(f"of the new servers only {len(used)} get new streams")
    return Cell(f"{words}; new streams reach {len(used)} of {len(came)} new servers", not wrong, wrong)


def back(report, streams):
    wrong = [f"{sum(not stream['back'] for stream in streams)} streams did not come back"] \
        if any(not stream["back"] for stream in streams) else []
    if silence(streams) > report["max_gap_ns"]:
        wrong.append(f"silent for {seconds(silence(streams))}")
    return wrong


def killed(result):
    report, hit = result["report"], result["effect"]["hit"]
    its, others = ([stream for stream in report["streams"] if (stream["before"] == hit) is same]
                   for same in (True, False))
    wrong = back(report, its) + [f"{len(cut({'streams': others}))} streams of the other server were cut"
                                 for _ in cut({"streams": others})[:1]] + new_streams(report)
    open_ones = [stream for stream in its if not stream["cause"]]
    if open_ones:
        wrong.append(f"{len(open_ones)} of its {len(its)} streams stay open and silent to the end")
    return Cell(f"{len(its) - len(open_ones)} of {len(its)} told, back within {seconds(silence(its))}", not wrong,
                wrong + (causes(its) if wrong else []))


def stopped(result):
    report, hit = result["report"], result["effect"]["hit"]
    its = [stream for stream in report["streams"] if stream["before"] == hit]
    left = sum(hole["still_open"] for hole in holes(report))
    wrong = new_streams(report)
    if left:
        return Cell(f"{left} of {len(its)} open and silent to the end ({seconds(silence(its))})", False,
                    ["nobody tells the client that its server is gone", *wrong])
    return Cell(f"all told, after {seconds(silence(its))} at most", not wrong, wrong)


def restarted(result):
    report = result["report"]
    streams = cut(report)
    wrong = back(report, streams) + new_streams(report)
    herd = report["reconnects"]["peak_over_mean"]
    return Cell(f"{len(streams)} of {len(report['streams'])} cut, back within {seconds(silence(streams))}, "
                f"peak {herd:.0f}x the mean", not wrong, wrong + (causes(streams) if wrong else []))


FAULTS = {"reload": changed, "rotate": changed, "scale": scaled, "kill": killed, "stop": stopped, "restart": restarted}


def fault(result, name):
    if result is None:
        return NOT_RUN
    if "failed" in result:
        return failed(result)
    if result["report"]["exit_code"] not in (0, 1, 4) or not result["report"].get("streams"):
        return failed({"failed": result["report"]["message"]})
    cell = FAULTS[name](result)
    misrouted = sum(stream["misrouted"] for stream in result["report"]["streams"])
    if misrouted:
        cell = Cell(f"{cell.words}; {misrouted} misrouted", False, [*cell.notes, f"{misrouted} answers were misrouted"])
    if result.get("ended_badly"):
        cell = Cell(cell.words, False, [*cell.notes, f"it did not end well: {result['ended_badly']}"])
    return cell
