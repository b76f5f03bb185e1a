"""The figures as text, Markdown and JSON: a table for each driver, with a row for each shape."""
from figures import disagreements, median_ratio, median_sample, to_best

HOW = ("CPU of proxy or server in us per round trip while the load lasted, in brackets times grpcroute's in the same "
       "round; the last columns are grpcroute's to the best peer's. Connections x streams: closed loop, a stream sends "
       "when it was answered; @: so many pings a second, sent when due; :16k: pings of 16 KiB; newconn: a TLS "
       "connection for each call, so many at a time; unary: a stream for each call; /2: two workers on both cores, "
       "which load and servers share; idle: (PSS at N - PSS at 0) / N in kB. Where one used well below 100% of its "
       "core in a closed loop, the other core, with load and servers, was the limit: it made the latency, and it "
       "found less to do at a time.")


def cost_words(samples, ours, failure):
    if failure is not None:
        return "failed"
    if samples is None:
        return "-"
    if not samples:
        return ""
    cost, ratio = median_sample(samples).cost, median_ratio(samples, ours)
    mark = "*" if any(sample.unkept for sample in samples) else ""
    return f"{cost:.{2 if cost < 10 else 1}f}{mark}" + (f" ({ratio:.2f})" if ratio is not None else "")


def latency_words(samples):
    sample = median_sample(samples) if samples else None
    if sample is None or sample.busy is None:
        return ""
    if sample.p50_ms is None:  # it is the driver's, or not known
        return f"{sample.busy:.0%}"
    return f"{sample.p50_ms:.2f} / {sample.p99_ms:.2f} ms, {sample.busy:.0%}"


def best_words(results, driver, shape, own):
    best = to_best(results, driver, shape, own)
    return f"{best[0]:.2f} of {best[1].title}" if best else ""


def cost_rows(results, driver):
    """Lists of words: the heading, then each shape that the driver can do."""
    to_best_titles = ["to the best", *(f"{own.title}: to the best" for own in results.owns[1:])]
    rows = [["", *(results.title(contender) for contender in results.contenders), *to_best_titles]]
    for shape in filter(driver.can, results.shapes):
        rows.append([shape.name, *(cost_words(results.of(driver, contender, shape), results.ours(driver, shape),
                                              results.failure(driver, contender, shape))
                                   for contender in results.contenders),
                     *(best_words(results, driver, shape, own) for own in results.owns)])
    return rows


def latency_rows(results, driver):
    rows = [["p50 / p99, cores used", *(results.title(contender) for contender in results.contenders)]]
    for shape in results.shapes:
        if driver.can(shape) and not shape.idle:
            rows.append([shape.name, *(latency_words(results.of(driver, contender, shape))
                                       for contender in results.contenders)])
    return rows


def failures(results):
    """One line for each thing that went wrong."""
    titles = {contender.name: contender.title for contender in results.contenders}
    return [f"{titles[name]} at {shape} by {driver}: {reason}"
            for (driver, name, shape), reason in results.failures.items()]


def unkept(results):
    """One line for each figure that was taken under another load than that of the others."""
    lines = []
    for (driver, name, shape), samples in results.samples.items():
        reasons = [sample.unkept for sample in samples if sample.unkept]
        if reasons:
            lines.append(f"{name} at {shape} by {driver}, {len(reasons)} of {len(samples)} rounds: {reasons[-1]}")
    return lines


def notes(results):
    return [f"{results.title(contender)}: {contender.settings}." for contender in results.contenders]


# ---- as text and Markdown ----------------------------------------------------------------------


def aligned(rows):
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    return ["".join(f"{word:<{width}}" for word, width in zip(row, widths)).rstrip() for row in rows]


def piped(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def whole(results, confirmed, laid_out, item):
    lines = []
    for driver in results.drivers:
        if not any(map(driver.can, results.shapes)):
            continue
        lines += [f"By {driver.name}: {driver.title}", "", *laid_out(cost_rows(results, driver)), ""]
    lines += [*laid_out(latency_rows(results, results.drivers[0])), "", HOW, "",
              *(item + note for note in notes(results)), ""]
    lines += [f"{item}DRIVERS DISAGREE: {line}" for line in disagreements(results)]
    lines += [f"{item}* NOT THE LOAD THAT WAS ASKED FOR: {line}" for line in unkept(results)]
    lines += [f"{item}FAILED: {line}" for line in failures(results)]
    return "\n".join([*lines, results.circumstances(confirmed)])


def text(results, confirmed):
    return whole(results, confirmed, aligned, "")


def markdown(results, confirmed):
    return whole(results, confirmed, piped, "- ")


# ---- as JSON -----------------------------------------------------------------------------------


def as_json(results):
    return {
        "format": "grpcroute-bench-peers-2",
        "machine": results.machine,
        "rounds": results.rounds,
        "seconds": results.seconds,
        "disagreements": disagreements(results),
        "rows": [json_row(results, driver, contender)
                 for driver in results.drivers for contender in results.contenders],
    }


def json_row(results, driver, contender):
    return {
        "driver": driver.name,
        "name": contender.name,
        "version": results.versions[contender.name],
        "settings": contender.settings,
        "shapes": {shape.name: json_cell(results, driver, contender, shape)
                   for shape in results.shapes if driver.can(shape)},
    }


def json_cell(results, driver, contender, shape):
    failure, samples = results.failure(driver, contender, shape), results.of(driver, contender, shape)
    if failure is not None or not samples:
        return {"failed": failure or "not measured"}
    return {**median_sample(samples).as_json(), "unit": "kB" if shape.idle else "us",
            "ratio": median_ratio(samples, results.ours(driver, shape)),
            "rounds": [sample.as_json() for sample in samples]}
