"""The page: tables of cells, what is red and why, and how each cell is made again."""
import collections
import datetime

import judge
from subjects import ROOT
from tries import NEEDS

GOOD, BAD, OPEN = "✅ ", "❌ ", ""

SHAPES = {
    "Time": ("age_stream", "idle", "idle_with_pings", "idle_client", "idle_server", "half_close", "age_connection",
             "idle_connection", "ping_interval"),
    "How many, how large": ("streams_per_connection", "requests_per_connection", "message_up", "message_down",
                            "metadata_up", "metadata_down", "metadata_fields_up", "metadata_fields_down", "slow_reader",
                            "buffered"),
    "What arrives": ("headers_first", "status", "trailers_only", "status_message", "binary_metadata",
                     "reset_from_server", "reset_from_client", "cancel", "deadline", "goaway", "grace"),
}
TIME_WORDS = """What ends a stream or a connection, and after how long. A limit is `none within` the time for which was
looked, never none. ❌ is what a service with long-lived streams cannot have, by [what it needs]({needs}); a shape that
is not named there is not judged."""
FAULT_WORDS = {
    "boundary": "versions at the edge of the patterns: missing, repeated, malformed",
    "reload": "a route is added: no stream may end, and it must be in force",
    "rotate": "the certificate is replaced: no stream may end, and it must be shown",
    "scale": "two more servers are in the configuration: no stream may end, new ones must reach them",
    "kill": "one of two servers gets SIGKILL: its streams must come back within 10 s, those of the other stay",
    "stop": "one of two servers gets SIGSTOP, as a node that hangs: the client must be told within 25 s",
    "restart": "SIGTERM to the proxy, and its start: all streams must be back within 10 s",
}


def columns():
    return [shape for shapes in SHAPES.values() for shape in shapes] + ["boundary", *judge.FAULTS]


def cells_of(raw, subject):
    """{column: Cell} of one row, and `limits`: why none of its shapes was measured."""
    limits = raw.read(subject.name, "limits")
    cells = {shape: judge.limit(limits, shape, subject.title) for shapes in SHAPES.values() for shape in shapes}
    cells["limits"] = judge.failed(limits) if limits and "failed" in limits else judge.NOT_RUN
    cells["boundary"] = judge.boundary(raw.read(subject.name, "boundary"))
    for name in judge.FAULTS:
        cells[name] = judge.fault(raw.read(subject.name, name), name)
    return cells


def shown(cell):
    mark = {True: GOOD, False: BAD, None: OPEN}[cell.good]
    return clean(mark + cell.words)


def clean(text):
    return text.replace("|", "\\|").replace("\n", " ")


def row_title(subject, version):
    return f"{subject.title} {version}, {subject.configuration}<br>`{subject.name}`"


def table(rows, columns):
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for title, _, cells in rows:
        lines.append(f"| {title} | " + " | ".join(shown(cells[column]) for column in columns) + " |")
    return lines


def findings(rows, columns):
    """What is red or worth a word, once for all rows that say the same."""
    said = collections.OrderedDict()
    for _, name, cells in rows:
        for column in columns:
            if cells[column].notes:
                key = (column, "; ".join(cells[column].notes), cells[column].good is False)
                said.setdefault(key, []).append(name)
    return [f"- {BAD if bad else ''}**{column}** ({', '.join(names)}): {clean(words)}"
            for (column, words, bad), names in said.items()]


def commands(raw, subjects, names):
    """Each command once, as a person types it."""
    found = {}
    for name in names:
        for subject in subjects:
            result = raw.read(subject.name, name)
            if result and result.get("command"):
                found.setdefault(result["command"], []).append(subject.name)
                if name in ("limits", "boundary", "kill", "stop", "restart"):
                    break
    return list(found)


def versions_of(raw, subject, names):
    """The version that was measured, and when: the oldest of the results that stand on the page."""
    results = [result for result in (raw.read(subject.name, name) for name in names) if result]
    return (results[0]["version"] if results else subject.version()), [result["date"] for result in results]


def legend(raw, subjects, shapes):
    """What the shapes are, as limits says it."""
    for subject in subjects:
        report = (raw.read(subject.name, "limits") or {}).get("report") or {}
        what = {finding["shape"]: finding["what"] for finding in report.get("limits", [])}
        if any(shape in what for shape in shapes):
            return "; ".join(f"**{shape}**: {what[shape]}" for shape in shapes if shape in what) + "."
    return ""


def section(title, words, rows, columns, typed):
    lines = [f"## {title}", "", *words, "", *table(rows, columns), ""]
    red = findings(rows, (*columns, "limits") if columns == SHAPES["Time"] else columns)
    lines += [*red, ""] if red else []
    return lines + (["```sh", *typed, "```", ""] if typed else [])


def make(raw, subjects, names):
    rows, dates = [], []
    for subject in subjects:
        version, measured = versions_of(raw, subject, names)
        dates += measured
        rows.append((row_title(subject, version), subject.name, cells_of(raw, subject)))
    lines = head(subjects, dates)
    limits = commands(raw, subjects, ["limits"])
    for number, (title, shapes) in enumerate(SHAPES.items()):
        words = [legend(raw, subjects, shapes)]
        if number == 0:
            words += ["", TIME_WORDS.format(needs="../" + str(NEEDS.relative_to(ROOT)))]
        lines += section(title, words, rows, shapes, limits if number == 0 else [])
    faults = ["boundary", *judge.FAULTS]
    words = [f"- **{name}**: {text}" for name, text in FAULT_WORDS.items()]
    lines += section("Routes and faults", words, rows, faults, commands(raw, subjects, faults))
    return "\n".join(lines).rstrip() + "\n"


def head(subjects, dates):
    when = f"Measured {min(dates)} to {max(dates)}" if dates else f"Nothing was measured by {today()}"
    return f"""# What proxies do to long-lived gRPC streams

Made by `make proxy-report` from real runs on one machine; each cell is made again by

```sh
make proxy-report REPORT_ARGS='--only ROW --tries COLUMN' # limits for the columns of the first three tables
grpcroute render nginx --cert cert.pem --key key.pem \\
  --endpoints server-v1=127.0.0.1:50051,127.0.0.1:50052 --endpoints server-v2=127.0.0.1:50061 # a rendered configuration
```

{when}. A row is a proxy with a configuration: `minimal` has nothing but TLS, HTTP/2 and two backends by the header
`agent-version`, so that its defaults show ([configurations](../tests/report/minimal)); `rendered` is what
`grpcroute render` writes. Each stands between clients of `grpcroute`, two servers of v1 and one of v2, on loopback.
❌ of grpcroute's own stand here, too. What was not measured says so.
Below each table stands what is red or otherwise worth a word: how it looked to the client, and the setting of it.
""".splitlines() + [""]


def today():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
