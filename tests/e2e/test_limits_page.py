"""The page of `limits --report-file`, in real Chromium: a timeline with both tries of each shape, and tables."""
import json
import re

import pytest
from playwright.sync_api import expect

from testenv.chromium import View, launch
from testenv.grpcroute import Proxy, Server, grpcroute
from testenv.net import ReservedPort

DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
NAMES = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def chromium():
    yield from launch()


class Report(View):
    """A page that was opened from the disk. It asks for nothing, complains of nothing, and fits into its window."""

    def __init__(self, browser, path, **context):
        super().__init__(browser, **{"viewport": DESKTOP, **context})
        self.page.goto(path.as_uri())
        expect(self.page.locator("#verdict .word")).to_be_visible()
        assert self.requests == [path.as_uri()] and self.complaints == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def rows(self, part):
        return [row.locator("td").all_inner_texts() for row in self.page.locator(f"#{part} tbody tr").all()]

    def tile(self, name):
        return self.page.locator(f"#tile-{name} .value").inner_text()


@pytest.fixture
def opened(chromium, started):
    return lambda path, **context: started(Report(chromium, path, **context))


@pytest.fixture(scope="module")
def run(certs, tmp_path_factory):
    """A page and the result of the same run: streams end after 2 s on that path, and the server has a name that is no
    text."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "needs.txt").write_text("age_stream >= 10m\nheaders_first = yes\nidle_connection >= 1h\n")
    server = Server("v1", NAMES)
    proxy = Proxy(certs, [server], None, "--max-stream-age", "2s", "--age-jitter", "0").wait_ready()
    try:
        done = grpcroute("limits", "--target", proxy.target, "--cacert", certs / "ca.pem", "--within", "4s", "--shapes",
                         "age_stream,idle_connection,headers_first,streams_per_connection", "--contract",
                         folder / "needs.txt", "--report-file", folder / "page.html", "-o", "json", timeout=120)
    finally:
        proxy.stop()
        server.stop()
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "page.html", json.loads(done.stdout)


def test_both_tries_of_each_shape_are_bars_as_long_as_they_lived(run, opened):
    page, result = run
    report = opened(page)
    shapes = {limit["shape"]: limit for limit in result["limits"] if limit["kind"] == "duration"}
    drawn = report.page.locator("#timeline-chart .try").evaluate_all(
        "all => all.map(g => [g.dataset.shape, Number(g.dataset.try), g.dataset.end, "
        "Number(g.querySelector('.life').dataset.from), Number(g.querySelector('.life').dataset.to), "
        "g.querySelector('.life').getBBox().width, g.querySelectorAll('.end').length])")
    assert [(name, number) for name, number, *_ in drawn] == [(name, number) for name in shapes for number in (0, 1)]
    ratio = None
    for name, number, end, start, to, width, marks in drawn:
        sample = shapes[name]["samples"][number]
        assert (end, start, to) == (sample["end"], sample["opened_ns"], sample["opened_ns"] + sample["lived_ns"])
        assert marks == (0 if end in ("open", "here") else 1), "what ended has a mark at its end"
        ratio = ratio or width / sample["lived_ns"]
        assert width == pytest.approx(ratio * sample["lived_ns"], abs=0.5)
    ends = {name: end for name, _, end, *_ in drawn}
    assert ends["age_stream"] == "trailers" and ends["idle_connection"] == "open"
    texts = report.page.locator("#timeline-chart text.shape").all_text_contents()
    assert len(texts) == len(shapes) and texts[0].startswith(f"age_stream: {shapes['age_stream']['text']}")
    ticks = report.page.locator("#timeline-chart .tick.x").all_text_contents()
    assert ticks[0] == "0 s" and len(set(ticks)) == len(ticks) >= 3


def test_tables_say_what_json_says(run, opened):
    page, result = run
    report = opened(page)
    assert [row[:3] for row in report.rows("limits")] == [[one["shape"], one["what"], one["text"]]
                                                           for one in result["limits"]]
    assert [row[:2] + row[3:] for row in report.rows("contract")] == [
        ["age_stream >= 10m", "broken", "1"], ["headers_first = yes", "kept", "2"],
        ["idle_connection >= 1h", "not checked", "3"]]
    assert report.tile("contract") == "1 of 3" and report.tile("missing") == "0"
    settings = {row[0]: row[2] for row in report.rows("settings")}
    assert "grpcroute proxy --max-stream-age" in settings["age_stream"]
    tries = [row for row in report.rows("tries") if row[0] == "age_stream"]
    assert len(tries) == 2 and all("--max-stream-age" in row[3] for row in tries)
    assert report.page.locator("#verdict .word").inner_text() == "Failed"
    assert report.page.locator("#verdict .headline").inner_text() == result["message"]


def test_names_of_others_are_text(run, opened):
    report = opened(run[0])
    assert NAMES in report.page.locator("#about").inner_text()
    assert report.page.locator("img").count() == 0 and report.complaints == []


def test_it_is_readable_on_a_phone_and_in_the_dark(run, opened):
    for context in ({"viewport": PHONE}, {"viewport": PHONE, "color_scheme": "dark"}):
        report = opened(run[0], **context)
        size = report.page.locator("#timeline-chart text.shape").first.evaluate("t => t.getBoundingClientRect().height")
        assert size > 10, "letters are not scaled down with the chart"
        assert report.page.locator("#timeline-chart .try").count() == 4


def test_a_run_without_a_connection_has_a_page_that_says_so(opened, started, tmp_path):
    page = tmp_path / "page.html"
    done = grpcroute("limits", "--target", f"127.0.0.1:{started(ReservedPort()).port}", "--plaintext", "--report-file",
                     page)
    assert done.returncode == 3
    report = opened(page)
    assert report.page.locator("#verdict .word").inner_text() == "Not connected"
    assert re.search("refused", report.page.locator("#verdict .headline").inner_text())
    assert "nothing to draw" in report.page.locator("#nothing").inner_text()
