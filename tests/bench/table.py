"""What is made of samples: medians, ratios within a round, and the table as text, Markdown and JSON."""
import statistics
from dataclasses import dataclass, fields

from measure import Sample

WHAT = "CPU per round trip in us"
HOW = ("Connections x streams; in brackets, times grpcroute's in the same round. Closed loop: a stream sends when it "
       "was answered. "
       "Below: p50 / p99 of the round trip, and how much of its core the proxy used; where that is well below 100%, "
       "the other core, "
       "with load and servers, was the limit: it made the latency, and the proxy found less to do at a time.")


@dataclass(frozen=True)
class Cell:
    """One contender at one shape: medians over the rounds, or why there are none."""
    sample: Sample = None
    ratio: float = None
    failure: str = None


def median_sample(samples):
    values = {}
    for field in fields(Sample):
        known = [value for value in (getattr(sample, field.name) for sample in samples) if value is not None]
        values[field.name] = statistics.median(known) if known else None
    return Sample(**values)


def median_ratio(samples, ours):
    """Of the ratios of each round, not the ratio of medians: machines drift, and one round sees one state of them.
    None when there is nothing to divide by."""
    if not samples or len(samples) != len(ours) or min(own.cost for own in ours) <= 0:
        return None
    return statistics.median(sample.cost / own.cost for sample, own in zip(samples, ours))


def cell(samples, ours, failure):
    """`samples` and `ours` by round; `ours` is empty when it failed."""
    if failure is not None:
        return Cell(failure=failure)
    return Cell(median_sample(samples), median_ratio(samples, ours))


# ---- words -------------------------------------------------------------------------------------


def cost_words(shown):
    if shown.failure is not None:
        return "failed"
    ratio = f" ({shown.ratio:.2f})" if shown.ratio is not None else ""
    return f"{shown.sample.cost:.{2 if shown.sample.cost < 10 else 1}f}{ratio}"


def latency_words(shown):
    if shown.failure is not None or shown.sample.busy is None:
        return ""
    if shown.sample.p50_ms is None:
        return f"the driver's limit, {shown.sample.busy:.0%}"
    return f"{shown.sample.p50_ms:.2f} / {shown.sample.p99_ms:.2f} ms, {shown.sample.busy:.0%}"


def heading(shape):
    return f"kB per idle stream ({shape.connections})" if shape.idle else shape.name


def failures(results):
    """One line for each thing that went wrong."""
    return [f"{contender.title} at {shape.name}: {shown.failure}"
            for contender, cells in results.rows for shape, shown in cells if shown.failure is not None]


def notes(results):
    return [f"{results.title(contender)}: {contender.settings}." for contender, _ in results.rows]


# ---- tables ------------------------------------------------------------------------------------


def text(results):
    first = max(len(results.title(contender)) for contender, _ in results.rows) + 2
    widths = [max(26, len(heading(shape)) + 2) for shape in results.shapes]
    lines = [f"{WHAT}, connections x streams", " " * first + padded(map(heading, results.shapes), widths)]
    for contender, cells in results.rows:
        lines.append(f"{results.title(contender):<{first}}" + padded((cost_words(shown) for _, shown in cells), widths))
        lines.append(" " * first + padded((latency_words(shown) for _, shown in cells), widths))
    lines += ["", HOW, "", *notes(results), "", results.circumstances()]
    lines += [f"FAILED: {line}" for line in failures(results)]
    return "\n".join(line.rstrip() for line in lines)


def padded(words, widths):
    return "".join(f"{word:<{width}}" for word, width in zip(words, widths))


def markdown(results):
    lines = [f"| {WHAT} | " + " | ".join(map(heading, results.shapes)) + " |", "|---|" + "---|" * len(results.shapes)]
    for contender, cells in results.rows:
        both = ("<br>".join(filter(None, (cost_words(shown), latency_words(shown)))) for _, shown in cells)
        lines.append(f"| {results.title(contender)} | " + " | ".join(both) + " |")
    lines += ["", HOW, "", *(f"- {note}" for note in notes(results)), "", results.circumstances()]
    lines += [f"- **failed**: {line}" for line in failures(results)]
    return "\n".join(lines)


def as_json(results):
    return {
        "format": "grpcroute-bench-peers-1",
        "machine": results.machine,
        "rounds": results.rounds,
        "seconds": results.seconds,
        "rows": [{
            "name": contender.name,
            "version": results.versions[contender.name],
            "settings": contender.settings,
            "shapes": {shape.name: json_cell(results, contender, shape, shown) for shape, shown in cells},
        } for contender, cells in results.rows],
    }


def json_cell(results, contender, shape, shown):
    if shown.failure is not None:
        return {"failed": shown.failure}
    rounds = [sample.as_json() for sample in results.samples[contender.name, shape.name]]
    return {**shown.sample.as_json(), "unit": "kB" if shape.idle else "us", "ratio": shown.ratio, "rounds": rounds}
