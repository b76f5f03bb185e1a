"""The pages of --report-file, in real Chromium: what they show is what was seen, whoever chose the names."""
import json
import re

import pytest
from playwright.sync_api import expect

from testenv.chromium import View, launch
from testenv.grpcroute import Server, grpcroute

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
        return self.page.locator(f"{chart} .tick.{axis}").evaluate_all("all => all.map(t => [Number(t.dataset.value), Number(t.dataset.at), t.textContent])")


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
    return grpcroute("bench", "--target", target, "--plaintext", "--warmup", "200ms", "--versions", "v1.1", *args, timeout=60)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A page and the report of the same load, 3 s long; one of its limits does not hold."""
    folder = tmp_path_factory.mktemp("bench")
    server = Server("v1", "s")
    try:
        done = bench(server.address, "-z", "3s", "-r", "300", "-c", "4", "--threshold", "p99<1h", "--threshold", "max<1us", "--threshold", "rate>=1",
                     "-H", "authorization: Bearer s3cret", "--report-file", folder / "page.html", "-o", "json")
    finally:
        server.stop()
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "page.html", json.loads(done.stdout)


def test_bench_says_what_was_run_and_how_it_ended(loaded, opened):
    page, result = loaded
    report = opened(page)
    assert report.verdict() == "Failed" and "of 3 conditions" in report.headline()
    assert any(reason.startswith("max<1us: ") for reason in report.reasons())
    about = report.about()
    assert " bench --target " in about["Command"] and "-H 'authorization: ...'" in about["Command"] and "s3cret" not in page.read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", about["Date"]) and about["Program"].startswith("grpcroute ")
    assert about["Exit code"] == "1" and about["Target"] == result["target"] and "4 connections" in about["Load"]
    assert "of one core" in about["Driver"]
    assert [row[0:1] + row[2:] for row in report.rows("limits")] == [["p99<1h", "kept"], ["max<1us", "missed"], ["rate>=1", "kept"]]
    assert report.page.title() == "failed: grpcroute bench"


def test_bench_counts_what_json_counts(loaded, opened):
    page, result = loaded
    report = opened(page)
    assert report.tile("answered") == str(result["answered"]) and report.tile("streams") == "4"
    figures = dict(report.rows("figures"))
    assert figures["Sent"] == str(result["sent"]) and figures["Not answered"] == "0" and figures["Streams opened"] == "4"
    bars = report.page.locator("#histogram .bar").evaluate_all("all => all.map(bar => Number(bar.dataset.count))")
    assert sum(bars) == result["latency"]["count"] == sum(result["latency"]["buckets"][1::2])


def test_bench_has_right_axes(loaded, opened):
    report = opened(loaded[0])
    seconds = report.ticks("#rate-chart", "x")
    assert [text for _, _, text in seconds] == ["0 s", "1 s", "2 s", "3 s"]
    assert_linear(seconds)
    assert_linear(report.ticks("#rate-chart", "y"))
    right = report.page.locator("#rate-chart .grid").evaluate_all("all => Math.max(...all.map(line => line.getBBox().x + line.getBBox().width))")
    assert seconds[-1][1] == pytest.approx(right, abs=1), "the last second ends where the chart does"
    # the line is drawn to the end of the last second
    end = report.page.locator("#rate-chart .line").evaluate("line => line.getBBox().x + line.getBBox().width")
    assert end == pytest.approx(right, abs=3)
    assert len(report.data()["runs"][0]["timeline"]) == 3
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
        back, text = report.page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
        light = sum(map(int, re.findall(r"\d+", back)[:3])) > sum(map(int, re.findall(r"\d+", text)[:3]))
        assert light != (context.get("color_scheme") == "dark")
        size = report.page.locator("#rate-chart .tick").first.evaluate("tick => tick.getBoundingClientRect().height")
        assert size > 10, "letters are not scaled down with the chart"


def test_a_chart_follows_its_window(loaded, opened):
    report = opened(loaded[0])
    report.page.set_viewport_size(PHONE)
    expect(report.page.locator("#rate-chart svg")).to_have_attribute("width", re.compile(r"^3\d\d$"))
    assert report.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("hostile", ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\u2028\"'&lt;", "x" * 65536])
def test_bench_shows_hostile_reports_as_text(loaded, opened, tmp_path, hostile):
    file, page = tmp_path / "report.json", tmp_path / "page.html"
    file.write_text(json.dumps(loaded[1] | {"target": hostile, "versions": [hostile], "errors": {hostile: 3}}))
    done = grpcroute("bench", "merge", file, "--report-file", page)
    assert done.returncode in (0, 1, 4) and page.exists(), done.stderr
    for viewport in (DESKTOP, PHONE):
        report = opened(page, viewport=viewport)
        assert hostile[:20].replace("\u2028", "\\xe2\\x80\\xa8") in report.about()["Target"]
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
        assert [name.split(": ")[0] for name in report.page.locator(f"#{part} .legend li").all_inner_texts()] == ["before", "now", "now"]
    assert [row for row in report.rows("comparison-1") if row[0] == "rate"][0][4] == "worse"
    good = grpcroute("bench", "compare", files[0], files[0], "--report-file", page)
    assert good.returncode in (0, 4) and opened(page).verdict() in ("Passed", "Not enough evidence")


def test_bench_writes_its_page_however_it_ends(opened, started, tmp_path):
    from testenv.net import ReservedPort
    page = tmp_path / "page.html"
    page.write_text("of yesterday")
    done = bench(f"127.0.0.1:{started(ReservedPort()).port}", "-z", "1s", "-c", "1", "--report-file", page)
    assert done.returncode == 3
    report = opened(page)
    assert report.verdict() == "Not connected" and "refused" in report.headline()
