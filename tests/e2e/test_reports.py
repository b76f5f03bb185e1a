"""The pages of --report-file, in real Chromium: what they show is what was seen, whoever chose the names."""
import base64
import hashlib
import json
import re
import shlex
import signal

import pytest
from playwright.sync_api import expect

from testenv.chromium import View, launch
from testenv.grpcio_peers import PingServer, Relay
from testenv.grpcroute import BIN, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.own_service import METHODS, SERVICE, OwnService
from testenv.process import Process

DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium():
    yield from launch()


class Report(View):
    """A page that was opened from the disk. It asks for nothing, complains of nothing, and fits into its window."""

    def __init__(self, browser, path, **context):
        super().__init__(browser, **{"viewport": DESKTOP, **context})
        self.url = path.as_uri()
        self.page.goto(self.url)
        expect(self.page.locator("#verdict .word")).to_be_visible()
        assert self.requests == [self.url] and self.complaints == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def data(self, of="data"):
        return json.loads(self.page.locator(f"#{of}").text_content())

    def verdict(self):
        return self.page.locator("#verdict .word").inner_text()

    def headline(self):
        return self.page.locator("#verdict .headline").inner_text()

    def reasons(self):
        return self.page.locator("#reasons li").all_inner_texts()

    def about(self):
        names, values = (self.page.locator(f"#about {kind}").all_inner_texts() for kind in ("dt", "dd"))
        return dict(zip(names, values))

    def tile(self, name):
        return self.page.locator(f"#tile-{name} .value").inner_text()

    def rows(self, part):
        return [row.locator("td").all_inner_texts() for row in self.page.locator(f"#{part} tbody tr").all()]

    def ticks(self, chart, axis):
        """(value, place, text) of each label that is shown."""
        return self.page.locator(f"{chart} .tick.{axis}").evaluate_all("all => all.map(t => [Number(t.dataset.value), "
                                                                       "Number(t.dataset.at), t.textContent])")


@pytest.fixture
def opened(chromium, started):
    def start(path, **context):
        return started(Report(chromium, path, **context))
    return start


def assert_linear(ticks):
    """Equal steps of the value are equal steps on the paper, and no two say the same."""
    assert len(ticks) >= 2 and len({text for _, _, text in ticks}) == len(ticks), ticks
    (v0, p0, _), (v1, p1, _) = ticks[0], ticks[-1]
    for value, place, _ in ticks:
        assert place == pytest.approx(p0 + (value - v0) / (v1 - v0) * (p1 - p0), abs=0.5)


# ---- bench ---------------------------------------------------------------------------------------


def bench(target, *args):
    return grpcroute("bench", "--target", target, "--plaintext", "--warmup", "200ms", "--versions", "v1.1", *args,
                     timeout=60)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A page and the report of the same load, 3 s long; one of its limits does not hold."""
    folder = tmp_path_factory.mktemp("bench")
    server = Server("v1", "s")
    try:
        done = bench(server.address, "-z", "3s", "-r", "300", "-c", "4", "--threshold", "p99<1h", "--threshold",
                     "max<1us", "--threshold", "rate>=1", "-H", "authorization: Bearer s3cret", "--report-file",
                     folder / "page.html", "-o", "json")
    finally:
        server.stop()
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "page.html", json.loads(done.stdout)


def test_the_page_runs_nothing_but_its_own_script_and_asks_nobody(loaded, opened):
    """It comes from a disk and has names that others chose: its policy stands in the page itself, and is in force."""
    page, _ = loaded
    report = opened(page)
    policy = report.page.locator('meta[http-equiv="Content-Security-Policy"]').get_attribute("content")
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "connect-src" not in policy
    hashes = set(re.findall(r"'(sha256-[^']+)'", policy))
    scripts, styles = (re.findall(rf"<{kind}>(.*?)</{kind}>", page.read_text(), re.S) for kind in ("script", "style"))
    assert hashes == {"sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
                      for text in scripts + styles}
    assert report.page.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.ran = "
                                "true';"
                                " document.body.append(s); return window.ran ?? null; }") is None
    assert report.page.evaluate("() => { const p = document.createElement('p'); p.setAttribute('onclick', 'window.ran "
                                "= true');"
                                " document.body.append(p); p.click(); return window.ran ?? null; }") is None
    assert report.page.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'asked', (error) => error.name)") == \
        "TypeError"
    assert len([text for text in report.complaints if "Content Security Policy" in text]) >= 3
    assert report.requests == [page.as_uri()]


def test_bench_says_what_was_run_and_how_it_ended(loaded, opened):
    page, result = loaded
    report = opened(page)
    assert report.verdict() == "Failed" and "of 3 conditions" in report.headline()
    assert any(reason.startswith("max<1us: ") for reason in report.reasons())
    about = report.about()
    assert " bench --target " in about["Command"] and "-H 'authorization: ...'" in about["Command"] and \
        "s3cret" not in page.read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", about["Date"]) and \
        about["Program"].startswith("grpcroute ")
    assert about["Exit code"] == "1" and about["Target"] == result["target"] and "4 connections" in about["Load"]
    assert "of one core" in about["Driver"]
    assert [row[0:1] + row[2:] for row in report.rows("limits")] == [["p99<1h", "kept"], ["max<1us", "missed"],
                                                                     ["rate>=1", "kept"]]
    assert report.page.title() == "failed: grpcroute bench"


def test_bench_counts_what_json_counts(loaded, opened):
    page, result = loaded
    report = opened(page)
    assert report.tile("answered") == str(result["answered"]) and report.tile("streams") == "4"
    figures = dict(report.rows("figures"))
    assert figures["Sent"] == str(result["sent"]) and figures["Not answered"] == "0" and figures["Streams opened"] == \
        "4"
    bars = report.page.locator("#histogram .bar").evaluate_all("all => all.map(bar => Number(bar.dataset.count))")
    assert sum(bars) == result["latency"]["count"] == sum(result["latency"]["buckets"][1::2])


def test_bench_has_right_axes(loaded, opened):
    report = opened(loaded[0])
    seconds = report.ticks("#rate-chart", "x")
    assert [text for _, _, text in seconds] == ["0 s", "1 s", "2 s", "3 s"]
    assert_linear(seconds)
    assert_linear(report.ticks("#rate-chart", "y"))
    right = report.page.locator("#rate-chart .grid").evaluate_all("all => Math.max(...all.map(line => "
                                                                  "line.getBBox().x + line.getBBox().width))")
    timeline = report.data()["runs"][0]["timeline"]
    length = max(3, sum(second["length_ns"] for second in timeline) / 1e9)  # a timer may have been late
    begin = seconds[0][1]
    assert seconds[-1][1] == pytest.approx(begin + (right - begin) * 3 / length, abs=1), \
        "the last second ends where the chart does"
    # the line is drawn to the end of the last second
    end = report.page.locator("#rate-chart .line").evaluate("line => line.getBBox().x + line.getBBox().width")
    assert end == pytest.approx(right, abs=3)
    assert len(timeline) == 3
    times = report.ticks("#histogram-chart", "x")
    units = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9}
    for value, _, text in times:
        number, unit = text.split(" ")
        assert float(number) * units[unit] == pytest.approx(value)


def test_bench_draws_its_limits(loaded, opened):
    report = opened(loaded[0])
    limits = report.page.locator("#histogram text.limit").all_text_contents()
    assert any(text.startswith("p99<1h") for text in limits) and any(text.startswith("max<1us") for text in limits)
    assert report.page.locator("#histogram line.limit.missed").count() == 1
    assert report.page.locator("#rate line.limit.kept").count() == 1


def test_every_page_is_readable_on_a_phone_and_in_the_dark(loaded, opened):
    for context in ({"viewport": PHONE}, {"viewport": PHONE, "color_scheme": "dark"}, {"color_scheme": "dark"}):
        report = opened(loaded[0], **context)
        back, text = report.page.evaluate("[getComputedStyle(document.body).backgroundColor, "
                                          "getComputedStyle(document.body).color]")
        light = sum(map(int, re.findall(r"\d+", back)[:3])) > sum(map(int, re.findall(r"\d+", text)[:3]))
        assert light != (context.get("color_scheme") == "dark")
        size = report.page.locator("#rate-chart .tick").first.evaluate("tick => tick.getBoundingClientRect().height")
        assert size > 10, "letters are not scaled down with the chart"


def test_a_chart_follows_its_window(loaded, opened):
    report = opened(loaded[0])
    report.page.set_viewport_size(PHONE)
    expect(report.page.locator("#rate-chart svg")).to_have_attribute("width", re.compile(r"^3\d\d$"))
    assert report.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("hostile", ["</script ><script >alert(1)</script >", "<!--<script ",
                                     "<img src=x onerror=alert(1)>", "\u2028\"'&lt;", "x" * 65536])
def test_bench_shows_hostile_reports_as_text(loaded, opened, tmp_path, hostile):
    file, page = tmp_path / "report.json", tmp_path / "page.html"
    file.write_text(json.dumps(loaded[1] | {"target": hostile, "versions": [hostile], "errors": {hostile: 3}}))
    done = grpcroute("bench", "merge", file, "--report-file", page)
    assert done.returncode in (0, 1, 4) and page.exists(), done.stderr
    for viewport in (DESKTOP, PHONE):
        report = opened(page, viewport=viewport)
        assert hostile[:20].strip(" ").replace("\u2028", "\\xe2\\x80\\xa8") in report.about()["Target"]
        assert report.page.locator("img").count() == 0 and report.page.locator("script").count() == 3


def test_compare_lays_runs_over_each_other(loaded, opened, tmp_path):
    files = [tmp_path / name for name in ("one.json", "two.json", "</script>.json".replace("/", "\u2215"))]
    for i, file in enumerate(files):
        file.write_text(json.dumps(loaded[1] | {"answered": loaded[1]["answered"] // (i + 1)}))
    page = tmp_path / "page.html"
    done = grpcroute("bench", "compare", *files, "--report-file", page)
    assert done.returncode == 1, done.stderr
    report = opened(page)
    assert report.verdict() == "Failed" and sum(reason.startswith("rate of ") for reason in report.reasons()) == 2
    for part in ("histogram", "quantiles", "rate", "latencies"):
        assert report.page.locator(f"#{part} .line").count() == 3
        assert [name.split(": ")[0] for name in report.page.locator(f"#{part} .legend li").all_inner_texts()] == \
            ["before", "now", "now"]
    assert [row for row in report.rows("comparison-1") if row[0] == "rate"][0][4] == "worse"
    good = grpcroute("bench", "compare", files[0], files[0], "--report-file", page)
    assert good.returncode in (0, 4) and opened(page).verdict() in ("Passed", "Not enough evidence")


def test_bench_writes_its_page_however_it_ends(opened, started, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("of yesterday")
    done = bench(f"127.0.0.1:{started(ReservedPort()).port}", "-z", "1s", "-c", "1", "--report-file", page)
    assert done.returncode == 3
    report = opened(page)
    assert report.verdict() == "Not connected" and "refused" in report.headline()


def test_bench_of_a_service_says_what_was_called_and_what_was_not_seen(opened, started, tmp_path):
    service = started(OwnService())
    page = tmp_path / "page.html"
    for kind, unit, limit in (("unary", "Calls", "not checked"), ("bidi", "Messages", "not checked")):
        done = bench(service.target, "-r", "100", "-z", "1s", "--method", f"{SERVICE}/{METHODS[kind]}", "--call", kind,
                     "--server-from", "field:1", "--threshold", "disordered==0", "--report-file", page)
        assert done.returncode == 4, done.stdout + done.stderr
        report = opened(page)
        assert report.verdict() == "Not enough evidence" and "disordered==0: not checked" in report.reasons()
        assert f"/{SERVICE}/{METHODS[kind]} ({kind}), 10 connections" in report.about()["Load"]
        assert [row[0:1] + row[2:] for row in report.rows("limits")] == [["disordered==0", limit]]
        figures = dict(report.rows("figures"))
        assert figures.get("Out of order or too many") == (None if kind == "unary" else "not checked")
        assert report.page.locator("#tile-rate").inner_text().lower().startswith(f"{unit.lower()} per second")


def test_compare_shows_what_one_of_two_does_not_have(loaded, opened, tmp_path):
    full, mute, page = tmp_path / "full", tmp_path / "mute", tmp_path / "page.html"
    full.write_text(json.dumps(loaded[1]))
    empty = {"count": 0, "sum_ns": 0, "min_ns": 0, "max_ns": 0, "buckets": []}
    mute.write_text(json.dumps(loaded[1] | {"answered": 0, "latency": empty}))
    done = grpcroute("bench", "compare", full, mute, "--metric", "p50", "--report-file", page)
    assert done.returncode == 4, done.stdout
    assert [row[4] for row in opened(page).rows("comparison-1") if row[0] == "p50"] == ["missing"]


# ---- failover-test -------------------------------------------------------------------------------


def failover(target, fault, *args):
    return grpcroute("failover-test", "--target", target, "--plaintext", "--fault", fault, "--settle", "1s", *args,
                     timeout=90)


@pytest.fixture
def moving(started, tmp_path):
    """Starts a target whose first streams are on one server until the file `broken` is there, and that then go to
    another; returns it and the command that breaks it."""
    def start(first, second, count, broken="broken"):
        file = tmp_path / broken

        def choose(number, metadata):
            return lambda index: second.address if number >= count else None if file.exists() else first.address

        return started(Relay(choose)).target, f"sleep 0.3; touch {file}; sleep 0.3"
    return start


def pieces(report, band):
    """(kind, first pixel, behind the last) of each piece of a lane."""
    return report.page.locator("#lanes-chart .band").nth(band).locator("rect").evaluate_all(
        "all => all.map(r => [Number(r.dataset.kind), r.x.baseVal.value, r.x.baseVal.value + r.width.baseVal.value])")


def merged(parts):
    """Neighbours of one kind as one."""
    out = []
    for kind, first, end in sorted(parts, key=lambda part: part[1]):
        if out and out[-1][0] == kind:
            out[-1][2] = end
        else:
            out.append([kind, first, end])
    return out


def in_turn(parts):
    """The kinds that answered, one after the other: a machine that stood still is a silence, too."""
    kinds = [kind for kind, _, _ in parts if kind != -1]
    return [kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1]]


def silent_at_end(report):
    """How many streams the data has as silent in the end, which a machine that stood still just then makes of them."""
    data = report.data()
    return sum(data["ended_us"] - stream["lanes"][-2] > data["silence_us"] for stream in data["streams"])


def test_failover_draws_where_each_stream_was_and_when(moving, opened, started, tmp_path):
    target, fault = moving(started(Server("v1", "one")), started(Server("v1", "two")), 4)
    page = tmp_path / "page.html"
    done = failover(target, fault, "--versions", "v1.1", "--agents", "4", "--report-file", page, "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    streams = json.loads(done.stdout)["streams"]
    gaps = sorted((stream["gap_ns"] for stream in streams), reverse=True)
    report = opened(page)
    assert report.verdict() == "Passed" and "back and rightly routed" in report.headline()
    assert fault in report.about()["Fault"] and report.about()["It ran for"].endswith("exit code 0")
    assert report.tile("interrupted") == "4" and report.tile("notback") == report.tile("misrouted") == "0"
    assert report.tile("lost") == str(sum(stream["lost"] for stream in streams))
    ticks = report.ticks("#lanes-chart", "x")
    assert_linear(ticks)
    (v0, p0, _), (v1, p1, _) = ticks[0], ticks[-1]
    us_per_pixel = (v1 - v0) / (p1 - p0)
    assert report.page.locator("#lanes-chart .band").count() == 4
    for band in range(4):
        parts = merged(pieces(report, band))
        change = [kind for kind, _, _ in parts].index(1) - 1
        assert in_turn(parts) == [0, 1] and parts[change][0] == -1, "one, silence, two"
        longest = max(end - first for kind, first, end in parts if kind == -1)  # likewise
        assert longest * us_per_pixel * 1000 == pytest.approx(gaps[band], abs=3 * us_per_pixel * 1000)
    fault_line = report.page.locator("#lanes-chart line.fault").first
    assert fault_line.get_attribute("data-value") == "0"
    assert float(fault_line.get_attribute("x1")) == pytest.approx(p0 + (0 - v0) / us_per_pixel, abs=1)
    quiet = silent_at_end(report)
    assert report.page.locator("#lanes .legend li").all_inner_texts() == ["one: 4 → 0", f"two: 0 → {4 - quiet}",
                                                                          f"silent: 0 → {quiet}"]
    assert report.rows("pods") == [["one", "4", "0", "4", "0"], ["two", "0", f"{4 - quiet}", "0", f"{4 - quiet}"],
                                   ["silent", "0", f"{quiet}", "", ""]]
    bars = report.page.locator("#reconnects-chart .back").evaluate_all("all => all.map(bar => "
                                                                       "Number(bar.dataset.count))")
    assert sum(bars) == 4 and sum(report.data()["ended"]) == 4
    assert len(report.rows("streams")) == 4 and "ended on purpose" in report.rows("streams")[0][-1]


def test_failover_shows_what_was_not_interrupted(opened, started, tmp_path):
    page, server = tmp_path / "page.html", started(Server("v1", "s"))
    assert failover(server.address, "true", "--versions", "v1.1", "--agents", "3", "--report-file",
                    page).returncode == 0
    report = opened(page, viewport=PHONE)
    assert report.tile("interrupted") == "0" and report.page.locator("#reconnects, #streams, #spread").count() == 0
    lanes = [merged(pieces(report, band)) for band in range(3)]
    assert all(in_turn(parts) == [0] for parts in lanes), lanes
    told = sum(len(stream["lanes"]) // 4 - 1 for stream in report.data()["streams"]) + silent_at_end(report)
    assert sum(kind == -1 for parts in lanes for kind, _, _ in parts) <= told, \
        "no silence but those of a machine that stood still"


def test_failover_shows_wrong_versions_and_who_is_not_back(moving, opened, started, tmp_path):
    page = tmp_path / "page.html"
    one = started(Server("v1", "one"))
    target, fault = moving(one, started(Server("v2", "two")), 3)
    assert failover(target, fault, "--versions", "v1.1", "--agents", "3", "--report-file", page).returncode == 1
    report = opened(page)
    assert report.verdict() == "Failed" and "3 were answered by a wrong version" in report.headline()
    parts = merged(pieces(report, 0))
    assert in_turn(parts) == [0, -2] and parts[[kind for kind, _, _ in parts].index(-2) - 1][0] == -1, \
        "one, silence, wrong"
    assert report.page.locator("#lanes .legend").inner_text().endswith("answered by a version that must not answer")
    one.expect_signal(9)
    done = failover(one.address, f"kill -9 {one.pid}", "--versions", "v1.1", "--agents", "3", "--max-gap", "1s",
                    "--report-file", page)
    assert done.returncode == 1
    report = opened(page)
    assert report.tile("notback") == "3" and "3 are not back" in report.headline()
    parts = merged(pieces(report, 0))
    assert in_turn(parts) == [0] and parts[-1][0] == -1
    right = report.page.locator("#lanes-chart svg").evaluate("svg => svg.width.baseVal.value") - 8
    assert parts[-1][2] == pytest.approx(right, abs=1), "silent to the end"


def test_failover_draws_how_unevenly_pods_hold_streams(opened, started, tmp_path):
    """Two servers hold nothing and are there: the roll call found them."""
    page, pods = tmp_path / "page.html", [started(Server("v1", name)) for name in "abcd"]
    target = started(Relay(lambda number, metadata: pods[number % (2 if number < 8 else 4)].address)).target
    done = failover(target, "true", "--versions", "v1.1", "--agents", "8", "--max-spread", "10%", "--max-herd", "3",
                    "--report-file", page)
    assert done.returncode == 1, done.stdout + done.stderr
    for viewport, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        report = opened(page, viewport=viewport, color_scheme=scheme)
        assert report.verdict() == "Failed" and report.headline().endswith("the spread is 100%, above 10%")
        assert report.tile("spread") == "100%" and report.tile("herd") == "0"
        assert report.page.locator("#tile-spread.bad").count() == 1 and \
            report.page.locator("#tile-herd.bad").count() == 0
        assert report.page.locator("#spread-chart .line").count() == 1
        assert report.page.locator("#spread-chart line.limit.missed").get_attribute("data-value") == "10"
        spread, *of_pods = report.rows("spread")
        assert spread == ["v1", "8", "4", "0 %", "100 %", "never"]
        assert sorted(of_pods) == [["v1", name, count, count, "4"] for name,
                                   count in (("a", "4"), ("b", "4"), ("c", "0"), ("d", "0"))]
        assert_linear(report.ticks("#spread-chart", "x"))
        assert report.ticks("#spread-chart", "x") == report.ticks("#lanes-chart", "x")


def test_failover_says_in_its_page_what_it_could_not_judge(opened, started, tmp_path):
    page, pods = tmp_path / "page.html", [started(Server("v1", name)) for name in "ab"]
    target = started(Relay(lambda number, metadata: pods[number % 2].address if number < 4 else None)).target
    done = failover(target, "true", "--versions", "v1.1", "--agents", "4", "--max-spread", "10%", "--meet", "v1.1",
                    "--report-file", page)
    assert done.returncode == 4, done.stdout + done.stderr
    report = opened(page)
    assert report.verdict() == "Not enough evidence" and "did not meet every version" in report.headline()
    said = " / ".join(report.reasons())
    assert "did not meet v1.1" in said and "16 of 16 new streams" in said and \
        "whether spread<=10% could not be judged" in said


def test_failover_shows_what_a_short_name_ran(opened, started, tmp_path):
    page, server = tmp_path / "page.html", started(Server("v1", "s"))
    done = grpcroute("failover-test", "--target", server.address, "--plaintext", "--versions", "v1.1", "--agents", "1",
                     "--fault", "rollout:a",
                     "--settle", "100ms", "--report-file", page, env={"KUBECTL": "true '<img src=q>'"})
    assert done.returncode == 0, done.stdout + done.stderr
    report = opened(page)
    assert report.about()["Fault"] == "rollout:a"
    ran = "true '<img src=q>' -n grpc-routing-poc rollout restart deployment/a && "
    assert report.about()["It ran"].startswith(ran)


def with_data(page, change):
    """The same page with other data, as the program would have written it."""
    head, data, tail = re.fullmatch(r'(?s)(.*<script type="application/json" id="data">)(.*?)(</script>.*)',
                                    page.read_text()).groups()
    data = json.loads(data)
    change(data)
    page.write_text(head + json.dumps(data).replace("<", "\\u003c") + tail)


def test_five_thousand_streams_are_readable(moving, opened, started, tmp_path):
    page = tmp_path / "page.html"
    target, fault = moving(started(Server("v1", "one")), started(Server("v1", "two")), 20)
    done = failover(target, fault, "--versions", "v1.1", "--agents", "20", "--report-file", page)
    assert done.returncode == 0, done.stdout + done.stderr

    def multiply(data):
        data["streams"] *= 250
    with_data(page, multiply)
    for viewport, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        report = opened(page, viewport=viewport, color_scheme=scheme)
        assert report.page.locator("#lanes-chart .band").count() <= 186
        assert report.page.locator("#lanes-chart svg").evaluate("svg => svg.height.baseVal.value") < 700
        quiet = silent_at_end(report)
        assert report.page.locator("#lanes .legend li").all_inner_texts() == \
            ["one: 5,000 → 0", f"two: 0 → {5000 - quiet:,}", f"silent: 0 → {quiet:,}"]
        # whatever the moment, all that were opened are somewhere
        columns = report.page.locator("#shares-chart rect").evaluate_all("""all => {
            const sums = new Map();
            for (const r of all) {
                sums.set(r.x.baseVal.value, (sums.get(r.x.baseVal.value) || 0) + Number(r.dataset.count));
            }
            return [...sums.values()]; }""")
        assert len(columns) > 2 and max(columns) == columns[-1] == 5000
        silences = report.page.locator('#lanes-chart rect[data-kind="-1"]')
        thinnest = silences.evaluate_all("all => Math.min(...all.map(r => r.height.baseVal.value))")
        assert thinnest >= 0.99, "no silence is too thin to be seen"
        assert len(report.rows("streams")) == 100 and "of 5,000" in report.page.locator("#streams .note").inner_text()


def test_failover_writes_its_page_however_it_ends(opened, started, tmp_path):
    page, server = tmp_path / "page.html", started(Server("v1", "s"))
    page.write_text("of yesterday")
    test = started(Process([BIN, "failover-test", "--target", server.address, "--plaintext", "--versions", "v1.1",
                            "--agents", "2", "--fault", "echo begun; sleep 60", "--report-file", page]))
    test.wait_for("begun")
    test.send_signal(signal.SIGINT)
    assert test.wait() == 130
    report = opened(page)
    assert report.verdict() == "Interrupted" and report.about()["It ran for"] in ("was not over", "") or \
        "exit code" in report.about()["It ran for"]
    assert failover(server.address, "exit 3", "--versions", "v1.1", "--agents", "2", "--report-file",
                    page).returncode == 2
    assert "failed with exit code 3" in opened(page).headline()
    assert failover(f"127.0.0.1:{started(ReservedPort()).port}", "true", "--agents", "2", "--report-file",
                    page).returncode == 3
    report = opened(page)
    assert report.verdict() == "Not connected" and "refused" in report.headline() and \
        report.page.locator("#nothing").count() == 1
    assert failover(server.address, "true", "--versions", "green", "--agents", "2", "--report-file",
                    page).returncode == 4
    report = opened(page)
    assert report.verdict() == "Not enough evidence" and any("green was not checked" in reason
                                                             for reason in report.reasons())


# ---- verify --------------------------------------------------------------------------------------


def verify(target, *args):
    return grpcroute("verify", "--target", target, "--plaintext", *args, timeout=60)


def links(report):
    return report.page.locator("#flow path.flow").evaluate_all("all => all.map(p => [p.getAttribute('class').split(' "
                                                               "')[1], Number(p.dataset.count)])")


def test_verify_draws_versions_to_pods(opened, started, proxy, certs, tmp_path):
    page = tmp_path / "page.html"
    done = grpcroute("verify", "--target", proxy.target, "--cacert", certs / "ca.pem", "--boundary", "--report-file",
                     page, "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    for context in ({}, {"viewport": PHONE, "color_scheme": "dark"}):
        report = opened(page, **context)
        assert report.verdict() == "Passed" and report.tile("groups") == f"{len(checks)} of {len(checks)}" and \
            report.tile("wrong") == "0"
        assert report.tile("answers") == str(sum(check["messages_answered"] for check in checks)) and \
            report.tile("pods") == "4"
        drawn = links(report)
        assert sorted(count for _, count in drawn if count > 0) == sorted(answer["messages"] for check in checks
                                                                          for answer in check["answers"])
        assert not any(kind == "unexpected" for kind, _ in drawn)
        names = report.page.locator("#flow text.name").all_text_contents()
        assert "v1.1" in names and {"server-v1-a", "server-v1-b", "server-v2-a", "server-v2-b"} <= set(names)
        rows = report.rows("evidence")
        assert [row[4] for row in rows] == [f"{check['messages_answered']} of {check['messages_sent']}"
                                            for check in checks]


def test_verify_shows_wrong_answers(opened, started, certs, tmp_path):
    page = tmp_path / "page.html"
    ones, twos = [started(Server("v1", "one"))], [started(Server("v2", "two"))]
    proxy = started(Proxy(certs, ones, [*ones, *twos])).wait_ready()
    done = grpcroute("verify", "--target", proxy.target, "--cacert", certs / "ca.pem", "--versions", "v1.1,v2.1",
                     "--report-file", page, "-o", "json")
    assert done.returncode == 1
    wrong = [answer["messages"] for check in json.loads(done.stdout)["checks"] if check["name"].endswith("v2.1")
             for answer in check["answers"] if answer["server_version"] == "v1"]
    report = opened(page)
    assert report.verdict() == "Failed" and any(reason.startswith("v2.1: expected server v2")
                                                for reason in report.reasons())
    assert [count for kind, count in links(report) if kind == "unexpected"] == wrong and report.tile("wrong") == \
        str(sum(wrong))
    assert report.page.locator("#flow rect.failed").count() == 2, "the version and the pod"
    assert "bad" in report.page.locator("#evidence li", has_text="v1/one").last.get_attribute("class")


def test_verify_shows_what_is_not_judged(opened, started, tmp_path):
    page, server = tmp_path / "page.html", started(Server("v1", "s"))
    assert verify(server.address, "--versions", "v1.1,green", "--report-file", page).returncode == 4
    report = opened(page)
    assert report.verdict() == "Not enough evidence" and any("green" in reason for reason in report.reasons())
    assert {kind for kind, _ in links(report)} == {"expected", "open"}


HOSTILE = ["</script ><script >alert(1)</script >", "<!--<script ", "<img src=x onerror=alert(1)>", "\"'><b>x",
           "\u2028\u2029\u202e\u0000\x1b[31m", "&lt;b&gt;", "grün \U0001f600", "x" * 65536]


@pytest.mark.parametrize("ident", HOSTILE)
def test_hostile_pods_are_shown_as_text(opened, started, stubs, tmp_path, ident):
    page = tmp_path / "page.html"
    server = started(PingServer(stubs["ping_pb2"], "v1", ident[:60000]))
    fault = "echo " + shlex.quote(ident.replace("\0", "")) + " >/dev/null"
    for run in (lambda *args: verify(*args, "-s", "2", "-n", "2"), lambda target,
                *args: failover(target, fault, *args, "--agents", "2")):
        done = run(server.target, "--versions", "v1.1", "--report-file", page)
        assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
        for viewport in (DESKTOP, PHONE):
            report = opened(page, viewport=viewport)
            assert report.page.locator("img, b").count() == 0 and report.page.locator("script").count() == 3
            if ident[0] in "<\"&g":
                assert ident[:12] in report.page.locator("#report").inner_text()
            assert not re.search("[\x00-\x08\x1b\u2028\u2029\u202e]", report.page.locator("#report").text_content())


def test_verify_with_many_versions_and_pods_stays_a_picture(opened, started, tmp_path):
    page, server = tmp_path / "page.html", started(Server("v1", "s"))
    assert verify(server.address, "--versions", "v1.1", "--report-file", page).returncode == 0

    def multiply(data):
        [group] = data["groups"]
        pods = [{**group["answers"][0], "pod": f"server-{i}", "messages": 1} for i in range(64)]
        data["groups"] = [{**group, "name": f"Agent v1.{i}", "answers": pods} for i in range(64)]
    with_data(page, multiply)
    report = opened(page, viewport=PHONE)
    assert len(links(report)) == 60 * 64 and sum(count for _, count in links(report)) == 64 * 64
    assert report.page.locator("#flow svg").evaluate("svg => svg.height.baseVal.value") < 16000
    assert report.page.locator("#flow .count").count() == 0 and len(report.rows("evidence")) == 64


def test_verify_writes_its_page_however_it_ends(opened, started, tmp_path):
    page, logs = tmp_path / "page.html", tmp_path / "logs"
    page.write_text("of yesterday")
    assert verify(f"127.0.0.1:{started(ReservedPort()).port}", "--report-file", page).returncode == 3
    report = opened(page)
    assert report.verdict() == "Not connected" and "refused" in report.headline()
    server = started(Server("v1", "s"))
    test = started(Process([BIN, "verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-n",
                            "1000", "--interval", "50ms", "--timeout", "60s",
                            "--report-file", page]))
    server.wait_for("Sent pong")
    test.send_signal(signal.SIGTERM)
    assert test.wait() == 143
    assert opened(page).verdict() == "Interrupted"
    logs.write_text("[AGENT_v1.1/a] Stream opened to h:1\n"
                    + "[AGENT_v1.1/a] Received pong from server=v2/<b> message=pong\n" * 5 + "[AGENT_v1.1/a] Rece\n")
    assert grpcroute("verify", "--logs", logs, "--versions", "v1.1", "--report-file", page).returncode == 1
    report = opened(page)
    assert report.verdict() == "Failed" and report.about()["Judged"] == "7 lines of logs" and \
        "v2/<b>: 5" in report.page.locator("#evidence").inner_text()
    assert any("not understood" in reason for reason in report.reasons())


def test_sticky_test_draws_its_streams(opened, started, tmp_path):
    page, server = tmp_path / "page.html", started(Server("v1", "s"))
    done = grpcroute("sticky-test", "--target", server.address, "--plaintext", "--agents", "70", "-n", "2",
                     "--report-file", page)
    assert done.returncode == 0, done.stdout + done.stderr
    report = opened(page, viewport=PHONE)
    assert report.headline() == "Every stream stayed on its pod" and sum(count for _, count in links(report)) == 140
    assert "11 more" in report.page.locator("#flow text.name").all_text_contents()


# ---- all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["verify", "sticky-test", "failover-test", "bench"])
def test_a_page_that_cannot_be_written_is_told_before_streams_open(started, tmp_path, command):
    server, mark = started(Server("v1", "s")), tmp_path / "mark"
    args = ["--fault", f"touch {mark}"] if command == "failover-test" else []
    done = grpcroute(command, "--target", server.address, "--plaintext", *args, "--report-file", "/nowhere/page.html")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "/nowhere/page.html" in done.stderr and \
        "--report-file" in done.stderr
    assert not mark.exists() and "Stream opened" not in server.output


@pytest.mark.parametrize("command", ["verify", "sticky-test", "failover-test", "bench"])
def test_help_and_completion_know_it(command):
    assert "--report-file FILE" in grpcroute(command, "--help").stdout
    assert "--report-file" in grpcroute("completion", "bash").stdout
