"""The live page of the proxy's admin port, in real Chromium."""
import collections
import json
import os
import pathlib
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import grpc
import pytest
from playwright.sync_api import expect

from testenv.chromium import View, launch
from testenv.grpcroute import BIN, Agent, Proxy, Server
from testenv.net import ReservedPort
from testenv.process import Process
from testenv.slow import slow

expect.set_options(timeout=30000)


@pytest.fixture(scope="module")
def chromium():
    yield from launch()


class Dashboard(View):
    def __init__(self, browser, admin, **context):
        super().__init__(browser, **context)
        self.admin = admin
        self.page.goto(admin + "/dashboard")
        expect(self.page.locator("#link")).to_have_text("live")

    def value(self, tile):
        return self.page.locator(f"#tile-{tile} .value")

    def cells(self, row=0):
        return self.page.locator("#rows tr").nth(row).locator("td").all_inner_texts()


@pytest.fixture
def opened(chromium, started):
    def start(admin, **context):
        return started(Dashboard(chromium, admin, **context))
    return start


def get(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


def streams(proxy, **query):
    return json.loads(get(f"{proxy.admin}/streams?{urllib.parse.urlencode(query)}"))


def wait_until(condition, deadline_s=30):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)  # polling an answer that no event announces


class Streams:
    """Open ping streams of one grpcio channel, each with one answer."""

    def __init__(self, proxy, certs, stubs, agents, *more):
        """`agents`: (agent-id, agent-version) pairs; `more`: metadata that all send, too."""
        credentials = grpc.ssl_channel_credentials((certs / "ca.pem").read_bytes())
        self._channel = grpc.secure_channel(proxy.target, credentials, [("grpc.use_local_subchannel_pool", 1)])
        self._ends = []
        request = stubs["ping_pb2"].PingRequest(message="ping", sequence=1).SerializeToString()
        method = self._channel.stream_stream("/ping.PingService/PingPong")
        for ident, version in agents:
            pings = Pings(request)
            call = method(pings, metadata=[("agent-id", ident), ("agent-version", version), *more])
            self._ends.append((call, pings))
        for call, _ in self._ends:
            next(call)

    def close(self):
        for call, pings in self._ends:
            pings.end()
            call.cancel()
        self._channel.close()


class Pings:
    """One ping, then silence until cancelled."""

    def __init__(self, request):
        self._requests = collections.deque([request])
        self._end = threading.Event()

    def end(self):
        self._end.set()

    def __iter__(self):
        return self

    def __next__(self):
        if self._requests:
            return self._requests.popleft()
        self._end.wait()
        raise StopIteration


# ---- the numbers ---------------------------------------------------------------------------------


def test_the_numbers_are_what_runs(proxy, opened, started, certs, stubs):
    started(Streams(proxy, certs, stubs, [("a", "v1.1"), ("b", "v1.1"), ("c", "v2.3")]))
    dashboard = opened(proxy.admin)
    expect(dashboard.value("streams")).to_have_text("3")
    expect(dashboard.value("accuracy")).to_have_text("100 %")
    expect(dashboard.value("health")).to_have_text("4 of 4")
    text = dashboard.page.locator("#topology-text")
    expect(text).to_contain_text("agents v1.1 to server-v1: 2 streams")
    expect(text).to_contain_text("agents v2.3 to server-v2: 1 stream")
    expect(dashboard.page.locator("#topology path.bad")).to_have_count(0)
    expect(dashboard.page.locator("#rows tr")).to_have_count(3)
    rows = {cells[1]: cells for cells in map(dashboard.cells, range(3))}
    assert rows["c"][2:4] == ["v2.3", "server-v2"]
    assert rows["c"][4] in ("server-v2-a", "server-v2-b")


def test_rates_and_answer_times_are_live(proxy, opened, started, certs):
    started(Agent("v1.1", "busy", proxy.target, "--interval", "20ms", cacert=certs / "ca.pem"))
    dashboard = opened(proxy.admin)
    # 50 pings and 50 pongs a second, less on a busy machine
    expect(dashboard.value("messages")).to_have_text(re.compile(r"^([2-9]\d|1[01]\d)$"))
    expect(dashboard.value("p50")).to_have_text(re.compile(r"^[\d.]+ (µs|ms|s)$"))
    expect(dashboard.value("p99")).to_have_text(re.compile(r"^[\d.]+ (µs|ms|s)$"))
    expect(dashboard.page.locator("#chart-messages path.line")).to_have_count(2)


def test_a_killed_server_shows(proxy, backends, opened):
    dashboard = opened(proxy.admin)
    expect(dashboard.value("health")).to_have_text("4 of 4")
    backends[0][0].stop(9)
    expect(dashboard.value("health")).to_have_text("3 of 4")
    expect(dashboard.page.locator("#tile-health")).to_have_class(re.compile("bad"))
    expect(dashboard.page.locator("#topology rect.unhealthy")).to_have_count(1)
    expect(dashboard.page.locator("#feed")).to_contain_text(f"Endpoint {backends[0][0].address} of cluster server-v1 "
                                                            f"is unhealthy")
    row = dashboard.page.locator("#endpoints tr").filter(has_text=backends[0][0].address)
    expect(row).to_contain_text(re.compile(r"unhealthy: .*(refused|closed)"))


def test_swapped_routes_show_red(opened, started, certs, stubs, backends, tmp_path):
    swapped = started(Proxy(certs, backends[1], backends[0])).wait_ready()
    started(Streams(swapped, certs, stubs, [("a", "v1.1"), ("b", "v2.1"), ("c", "v2.1")]))
    dashboard = opened(swapped.admin)
    expect(dashboard.value("accuracy")).to_have_text("0.00 %")
    expect(dashboard.page.locator("#tile-accuracy")).to_have_class(re.compile("bad"))
    expect(dashboard.page.locator("#topology path.bad")).not_to_have_count(0)
    expect(dashboard.page.locator("#rows tr.bad")).to_have_count(3)
    dashboard.page.screenshot(path=tmp_path / "red.png", full_page=True)
    assert "http.grpc.misrouted: 3" in get(swapped.admin + "/stats")
    assert "\ngrpcroute_proxy_misrouted_total 3" in get(swapped.admin + "/stats/prometheus")


def test_a_reader_too_many_is_told(proxy, started):
    class Reader:
        def __init__(self):
            self.response = urllib.request.urlopen(proxy.admin + "/events", timeout=20)
            assert self.response.readline().startswith(b"data: {")

        def close(self):
            self.response.close()

    for _ in range(16):
        started(Reader())
    with pytest.raises(urllib.error.HTTPError) as error:
        Reader()
    assert error.value.code == 503 and b"too many" in error.value.read()


# ---- from before the page ------------------------------------------------------------------------


def history(proxy):
    return json.loads(get(f"{proxy.admin}/history"))


def texts(proxy):
    return [event["text"] for event in history(proxy)["events"]]


def test_what_was_before_is_there_at_once_and_after_a_reload(proxy, backends, opened, started, certs, stubs):
    """Samples and events are taken while nobody looks, and the charts have them without waiting for a tick."""
    started(Streams(proxy, certs, stubs, [("a", "v1.1"), ("b", "v1.1"), ("c", "v2.1")]))
    wait_until(lambda: 3 in history(proxy)["history"]["streams"])
    backends[1][0].stop(9)
    dead = backends[1][0].address
    wait_until(lambda: any(f"Endpoint {dead} of cluster server-v2 is unhealthy" in text for text in texts(proxy)))
    wait_until(lambda: len(history(proxy)["history"]["number"]) >= 3)
    dashboard = opened(proxy.admin)
    for _ in range(2):
        path = dashboard.page.locator("#chart-streams path.line").first
        expect(path).to_have_attribute("d", re.compile("^M.*L.*L"))
        expect(dashboard.page.locator("#feed")).to_contain_text(f"Endpoint {dead} of cluster server-v2 is unhealthy")
        expect(dashboard.page.locator("#feed")).not_to_contain_text("undefined")
        label = dashboard.page.locator("#chart-streams svg").get_attribute("aria-label")
        assert re.search(r"all: now \d+, highest 3; v1.1 → server-v1: now 2, highest 2; v2.1 → server-v2: now \d",
                         label), label
        dashboard.page.reload()
        expect(dashboard.page.locator("#link")).to_have_text("live")


def test_the_history_is_bounded_and_counts_each_interval(proxy, started, certs, stubs):
    started(Streams(proxy, certs, stubs, [("a", "v1.1"), ("b", "v2.1")]))
    begun_and_answered = ("streams_begun", "messages_up", "messages_down", "checked")  # a sample may fall in between
    wait_until(lambda: all(sum(history(proxy)["history"][name]) >= 2 for name in begun_and_answered))
    said = history(proxy)["history"]
    assert (said["period_ms"], said["kept"]) == (5000, 180)
    columns = [name for name, value in said.items() if isinstance(value, list) and name != "flows"]
    assert {len(said[name]) for name in columns} == {len(said["number"])}
    assert said["number"] == list(range(1, len(said["number"]) + 1))
    assert sum(said["connections_begun"]) == 1 and sum(said["streams_begun"]) == 2 and sum(said["misrouted"]) == 0
    assert sum(said["messages_up"]) == 2 and sum(said["checked"]) == 2
    assert {(flow["version"], flow["cluster"], flow["streams"][-1]) for flow in said["flows"]} == {
        ("v1.1", "server-v1", 1), ("v2.1", "server-v2", 1)}
    assert any(p99 is not None for p99 in said["p99_us"]), "no answer was timed, although nobody watched"


class Events:
    """Reads /events as it comes."""

    def __init__(self, proxy):
        self.response = urllib.request.urlopen(proxy.admin + "/events", timeout=20)

    def next(self):
        line = self.response.readline()
        assert line.startswith(b"data: "), line
        assert self.response.readline() == b"\n"
        return json.loads(line[6:])

    def samples(self, count):
        """The numbers of the samples that come with the next ticks, once there are so many."""
        numbers = []
        while len(numbers) < count:
            tick = self.next()
            assert not tick["whole"]
            numbers += tick["history"]["number"]
        return numbers

    def close(self):
        self.response.close()


@slow
def test_each_first_reader_gets_the_whole_past_and_then_each_sample_once(proxy, started):
    """Also the first one after there was none: what came meanwhile is in its first tick, and not again in the next."""
    last = 0
    for _ in range(2):
        reader = started(Events(proxy))
        first = reader.next()
        assert first["whole"]
        known = first["history"]["number"]
        assert known == list(range(1, len(known) + 1)) and len(known) >= last
        last = len(known) + 2
        assert reader.samples(2) == [last - 1, last]
        another = started(Events(proxy))  # not the first one: it gets all of it, too
        known = another.next()["history"]["number"]
        assert known == list(range(1, len(known) + 1)) and len(known) >= last
        last = len(known)
        reader.close()
        another.close()
        wait_until(lambda: history(proxy)["history"]["number"][-1] >= last + 2)


def test_an_event_that_comes_again_is_the_same_with_a_higher_count(proxy, started, certs, stubs):
    """In ticks: one entry with its number raised, which takes the place of what the reader has."""
    reader = started(Events(proxy))
    assert reader.next()["whole"]
    seen = []
    for count in (1, 2):
        with pytest.raises(grpc.RpcError):  # which of the two it is is not guessed
            started(Streams(proxy, certs, stubs, [("a", "v1.1")], ("agent-version", "v2.1")))
        deadline = time.monotonic() + 20
        # what comes while a tick is made is in the next one, too
        while not (found := [event for event in reader.next()["events"] if event["event"] == "rejected" and
                             event["count"] >= count]):
            assert time.monotonic() < deadline
        seen += found
    assert len(seen) == 2 and seen[0]["id"] == seen[1]["id"] and seen[0]["number"] < seen[1]["number"]
    assert (seen[0]["count"], seen[1]["count"]) == (1, 2) and seen[0]["first_ms"] == \
        seen[1]["first_ms"] <= seen[1]["time_ms"]
    kept = [event for event in history(proxy)["events"] if event["event"] == "rejected"]
    assert [(event["id"], event["count"]) for event in kept] == [(seen[0]["id"], 2)]


def test_values_under_the_pointer_and_by_keys(proxy, opened, started, certs, stubs):
    wait_until(lambda: history(proxy)["history"]["streams"][:1] == [0])
    started(Streams(proxy, certs, stubs, [("a", "v1.1"), ("b", "v1.1")]))
    wait_until(lambda: history(proxy)["history"]["streams"][-2:] == [2, 2])
    dashboard = opened(proxy.admin)
    chart, value = dashboard.page.locator("#chart-streams"), dashboard.page.locator("#chart-streams-value")
    expect(chart.locator("svg text").filter(has_text="live streams")).to_have_count(1)
    expect(chart.locator("text.tick.x").first).to_have_text(re.compile(r"^\d\d:\d[05]$"))
    box = chart.bounding_box()
    chart.hover(position={"x": box["width"] - 12, "y": 80})
    expect(value).to_contain_text(re.compile(r"^\d\d:\d\d:\d\d +all 2, v1.1 → server-v1 2"))
    dashboard.page.mouse.move(1, 1)
    expect(value).to_have_text("")
    chart.focus()
    dashboard.page.keyboard.press("End")
    expect(value).to_contain_text("all 2")
    dashboard.page.keyboard.press("Home")
    expect(value).to_contain_text("all 0")


def test_a_reload_a_refusal_and_what_leaves_are_told(started, opened, certs, stubs, backends, tmp_path):
    routes = tmp_path / "routes.yaml"
    v3 = started(Server("v3", "server-v3-a"))
    rule = ("    - {{matches: [{{headers: [{{name: agent-version, type: RegularExpression, value: 'v{0}[.].*'}}]}}], "
            "backendRefs: [{{name: server-v{0}, port: 50051}}]}}\n")
    head = ("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: all}\nspec:\n"
            "  parentRefs: [{name: gateway}]\n  rules:\n")
    routes.write_text(head + rule.format(1) + rule.format(3))
    proxy = started(Proxy(certs, backends[0], None, "--routes", routes, "--no-watch",
                          "--endpoints", f"server-v3={v3.address}")).wait_ready()
    started(Streams(proxy, certs, stubs, [("stays", "v3.1"), ("other", "v1.1")]))
    dashboard = opened(proxy.admin)
    expect(dashboard.page.locator("#rules tr")).to_have_count(2)
    expect(dashboard.page.locator("#rules")).to_contain_text("agent-version matches v3[.].*")
    routes.write_text(head + rule.format(1))
    proxy.send_signal(1)
    feed = dashboard.page.locator("#feed")
    expect(feed).to_contain_text("cluster server-v3 gone")
    expect(dashboard.page.locator("#rules tr")).to_have_count(1)
    expect(dashboard.page.locator("#topology rect.leaving")).to_have_count(2)
    expect(dashboard.page.locator("#endpoints tr").filter(has_text="server-v3 (leaving)")).to_contain_text(v3.address)
    assert "server-v3::leaving::true\nserver-v3::lb_policy" in get(proxy.admin + "/clusters")
    left = [cluster for cluster in json.loads(get(proxy.admin + "/clusters?format=json"))["clusters"]
            if cluster["leaving"]]
    assert [(cluster["name"], [(end["address"], end["leaving"], end["rq_active"]) for end in cluster["endpoints"]])
            for cluster in left] == [
        ("server-v3", [(v3.address, True, 1)])]
    routes.write_text("nonsense: <b>{</b>")
    proxy.send_signal(1)
    expect(feed.locator("li.bad").filter(has_text="Not reloaded (SIGHUP)")).to_have_count(1)
    assert dashboard.complaints == []


def test_a_cluster_that_left_is_gone_with_its_last_stream(started, certs, stubs, backends, tmp_path):
    with Gone(started, certs, stubs, backends, tmp_path) as proxy:
        wait_until(lambda: "server-v2::leaving::true" in get(proxy.admin + "/clusters"))
    wait_until(lambda: "server-v2" not in get(proxy.admin + "/clusters"))


class Gone:
    """A proxy whose cluster server-v2 left the routes while a stream lives on it: until the block ends."""

    def __init__(self, started, certs, stubs, backends, folder):
        self._routes = folder / "routes.yaml"
        self._write(1, 2)
        self.proxy = started(Proxy(certs, *backends, "--routes", self._routes, "--no-watch")).wait_ready()
        self._streams = Streams(self.proxy, certs, stubs, [("stays", "v2.1")])

    def _write(self, *versions):
        rules = "".join(f"    - {{matches: [{{headers: [{{name: agent-version, value: v{n}.1}}]}}], backendRefs: "
                        f"[{{name: server-v{n}, port: 50051}}]}}\n"
                        for n in versions)
        self._routes.write_text("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: "
                                "all}\nspec:\n"
                                "  parentRefs: [{name: gateway}]\n  rules:\n" + rules)

    def __enter__(self):
        self._write(1)
        self.proxy.send_signal(1)
        self.proxy.wait_for(r"Reloaded: .*cluster server-v2 gone")
        return self.proxy

    def __exit__(self, *_):
        self._streams.close()


# ---- misroutes -----------------------------------------------------------------------------------


@pytest.fixture
def mixed(started, certs, stubs, backends):
    """A proxy whose server-v1 has one endpoint in four that is really v2, with 16 streams: 4 are misrouted."""
    wrong = started(Server("v2", "server-v2-strayed"))
    right = [*backends[0], started(Server("v1", "server-v1-c"))]
    proxy = started(Proxy(certs, [*right, wrong], backends[1])).wait_ready()
    started(Streams(proxy, certs, stubs, [(f"agent-{n:02d}", "v1.1") for n in range(16)]))
    started(Streams(proxy, certs, stubs, [("other", "v2.1")]))
    proxy.wrong = wrong
    return proxy


def test_only_the_misrouted_share_of_a_ribbon_is_red(mixed, opened):
    dashboard = opened(mixed.admin)
    ribbons = dashboard.page.locator("#topology path").filter(has_text="agents v1.1 to server-v1: 16 streams, 4 "
                                                                       "(25.00 %) misrouted")
    expect(ribbons).to_have_count(2)
    widths = {(path.get_attribute("class") or "good"): float(path.get_attribute("stroke-width"))
              for path in ribbons.all()}
    assert set(widths) == {"good", "bad"} and abs(widths["bad"] / sum(widths.values()) - 0.25) < 0.02, widths
    # to endpoints: all of the strayed one, nothing of the others; v2's flow has no red
    expect(dashboard.page.locator("#topology path.bad")).to_have_count(2)
    # the proxy looks once a second, and may have seen some of them earlier
    expect(dashboard.page.locator("#feed")).to_contain_text(re.compile(r"agents v1\.1 on cluster server-v1 \(4 times( "
                                                                       r"since [\d:]+)?\)"))


def test_only_misrouted_and_a_click_on_a_node_filter(mixed, opened):
    dashboard = opened(mixed.admin)
    rows, found = dashboard.page.locator("#rows tr"), dashboard.page.locator("#found")
    expect(rows).to_have_count(17)
    dashboard.page.check("#misrouted")
    expect(rows).to_have_count(4)
    expect(dashboard.page.locator("#rows tr.bad")).to_have_count(4)
    dashboard.page.uncheck("#misrouted")
    expect(rows).to_have_count(17)
    for name, count, chip in (("v2.1", 1, "version v2.1"), ("server-v1", 16, "cluster server-v1"),
                              ("server-v2-strayed", 4, f"endpoint {mixed.wrong.address}")):
        node = dashboard.page.locator("#topology .node").filter(has=dashboard.page.locator("text",
                                                                                           has_text=re.compile(f"^{name}$")))
        node.click()
        expect(rows).to_have_count(count)
        expect(dashboard.page.locator("#filters")).to_contain_text(chip)
        expect(node).to_have_attribute("aria-pressed", "true")
        node.focus()
        dashboard.page.keyboard.press("Enter")  # the same again takes it back
        expect(rows).to_have_count(17)
        expect(node).to_be_focused()
    dashboard.page.locator("#endpoints button").filter(has_text=mixed.wrong.address).click()
    expect(rows).to_have_count(4)
    dashboard.page.fill("#query", "agent-zz")
    expect(found).to_have_text("none")
    assert [len(streams(mixed, **query)["streams"]) for query in (
        {"misrouted": 1}, {"misrouted": 0}, {"version": "v1.1"}, {"version": "v1"}, {"version": ""},
        {"cluster": "server-v2"},
        {"endpoint": mixed.wrong.address, "cluster": "server-v2"}, {"misrouted": 1, "q": "strayed"})] == \
            [4, 17, 16, 0, 0, 1, 0, 4]


# ---- the table -----------------------------------------------------------------------------------


def test_search_finds_one_agent(proxy, opened, started, certs, stubs):
    started(Streams(proxy, certs, stubs, [(f"agent-{n:02d}", "v1.1") for n in range(30)]))
    dashboard = opened(proxy.admin)
    expect(dashboard.page.locator("#rows tr")).to_have_count(30)
    dashboard.page.fill("#query", "GENT-17")
    expect(dashboard.page.locator("#rows tr")).to_have_count(1)
    assert dashboard.cells()[1] == "agent-17"
    dashboard.page.fill("#query", "nobody")
    expect(dashboard.page.locator("#found")).to_have_text("none")


def test_streams_page_over_several_workers_without_losing_any(started, certs, stubs, backends):
    proxy = started(Proxy(certs, *backends, "--workers", "3")).wait_ready()
    agents = [(f"agent-{n:03d}", "v1.1" if n % 3 else "v2.1") for n in range(60)]
    for begin in range(0, 60, 6):  # ten connections, which the kernel spreads over the workers
        started(Streams(proxy, certs, stubs, agents[begin:begin + 6]))
    seen, after = [], 0
    while True:
        page = streams(proxy, limit=7, after=after)
        seen += page["streams"]
        if page["next"] is None:
            break
        assert len(page["streams"]) == 7
        after = page["next"]
    assert len({row["worker"] for row in seen}) > 1
    numbers = [row["number"] for row in seen]
    assert numbers == sorted(set(numbers))
    assert sorted(row["agent_id"] for row in seen) == [ident for ident, _ in agents]
    for search, count in (("agent-01", 10), ("V2.1", 20), ("server-v2-", 20), ("no-such", 0)):
        assert len(streams(proxy, q=search)["streams"]) == count, search
    assert len(streams(proxy, q=backends[1][0].address)["streams"]) == 10
    row = streams(proxy, q="agent-000")["streams"][0]
    assert row["server_version"] == "v2" and row["pod"].startswith("server-v2-")


def test_streams_are_listed_while_they_come_and_go(started, certs, stubs, backends):
    proxy = started(Proxy(certs, *backends, "--workers", "2", "--max-streams", "400")).wait_ready()
    started(Streams(proxy, certs, stubs, [("stays", "v1.1")]))
    # At its end it drops its streams all at once, which is not an attack and must not take "stays" with them.
    load = started(Process(["h2load", "-D", "5", "-c", "4", "-m", "250", "-H", "agent-version: v1.1", "-H",
                            "content-type: application/grpc", "-H", "te: trailers",
                            f"https://localhost:{proxy.port}/ping.PingService/Other"]))
    most = 0
    while load.running():
        assert [row["agent_id"] for row in streams(proxy, q="stays")["streams"]] == ["stays"]
        page = streams(proxy)
        most = max(most, len(page["streams"]))
        numbers = [row["number"] for row in page["streams"]]
        assert numbers == sorted(set(numbers))
    assert most > 128, "never more than one batch"
    wait_until(lambda: streams(proxy)["total"] == 1)


def test_paging_and_sorting_with_the_keyboard_alone(proxy, opened, started, certs, stubs):
    started(Streams(proxy, certs, stubs, [(f"agent-{n:02d}", "v1.1") for n in range(60)]))
    dashboard = opened(proxy.admin)
    page = dashboard.page
    expect(page.locator("#rows tr")).to_have_count(50)

    def tab_to(accepts):
        for _ in range(40):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "() => { const e = document.activeElement; const s = getComputedStyle(e);"
                " return [e.id || e.textContent.trim(), s.outlineStyle, parseFloat(s.outlineWidth)]; }")
            assert focused[1] != "none" and focused[2] >= 2, f"no visible focus on {focused}"
            if accepts(focused[0]):
                return
        pytest.fail("cannot be reached by Tab")

    tab_to(lambda name: name == "To the live streams")
    page.keyboard.press("Enter")
    tab_to(lambda name: name == "query")
    tab_to(lambda name: name == "next")
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(10)
    tab_to(lambda name: name.startswith("Agent"))
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Agent")
    names = [dashboard.cells(row)[1] for row in range(10)]
    assert names == sorted(names, reverse=True)


# ---- safety --------------------------------------------------------------------------------------


def test_hostile_names_are_only_text(opened, started, certs, stubs, backends):
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    server = started(Server("v1", "<svg/onload=alert(3)>"))
    proxy = started(Proxy(certs, [server], backends[1])).wait_ready()
    started(Streams(proxy, certs, stubs, [(evil, "v1.<b>1"), ("x" * 4000, "v1.1"), ("good", "v1.1")]))
    dashboard = opened(proxy.admin)
    expect(dashboard.page.locator("#rows tr")).to_have_count(3)
    assert sorted(dashboard.cells(n)[1] for n in range(3))[0] == evil
    expect(dashboard.page.locator("#topology-text")).to_contain_text("<svg/onload=alert(3)>")
    assert dashboard.page.locator("img, main script, #rows script, b").count() == 0
    assert dashboard.complaints == []


def test_hostile_events_are_only_text(opened, started, certs, stubs, backends, tmp_path):
    """What a client calls itself, and what a file that is refused says, come into events."""
    evil = "<img src=x onerror=alert(1)>"
    strayed = started(Server("v2", "strayed"))
    proxy = started(Proxy(certs, [strayed], backends[1])).wait_ready()
    started(Streams(proxy, certs, stubs, [("a", "v1." + evil)]))
    wait_until(lambda: any(evil in text for text in texts(proxy)))
    dashboard = opened(proxy.admin)
    expect(dashboard.page.locator("#feed")).to_contain_text(f"agents v1.{evil} on cluster server-v1")
    expect(dashboard.page.locator("#chart-streams-legend")).to_contain_text(f"v1.{evil} → server-v1")
    dashboard.page.locator("#topology .node").first.click()
    expect(dashboard.page.locator("#filters")).to_contain_text(f"version v1.{evil}")
    expect(dashboard.page.locator("#rows tr")).to_have_count(1)
    assert dashboard.page.locator("img, main script").count() == 0
    assert dashboard.complaints == []


def test_a_flood_of_misroutes_pushes_no_event_out(started, certs, stubs, backends):
    strayed = started(Server("v2", "strayed"))
    proxy = started(Proxy(certs, [strayed], backends[1])).wait_ready()
    for n in range(3):
        streams_before = history(proxy)["events"]
        before = sum(event["count"] for event in streams_before if event["event"] == "misrouted")
        started(Streams(proxy, certs, stubs, [(f"a{n}-{i}", "v1.1") for i in range(5)]))
        wait_until(lambda: sum(event["count"] for event in history(proxy)["events"] if event["event"] == "misrouted")
                   == before + 5)
    events = history(proxy)["events"]
    assert [event["count"] for event in events if event["event"] == "misrouted"] == [15]
    assert any(event["event"] == "ready" for event in events)


def test_nothing_leaves_the_origin_and_nothing_complains(proxy, opened, started, certs, stubs):
    started(Streams(proxy, certs, stubs, [("a", "v1.1")]))
    dashboard = opened(proxy.admin)
    expect(dashboard.page.locator("#rows tr")).to_have_count(1)
    assert {urllib.parse.urlsplit(url).netloc for url in dashboard.requests
            if not url.startswith("data:")} == {urllib.parse.urlsplit(proxy.admin).netloc}
    assert dashboard.complaints == []
    policy = urllib.request.urlopen(proxy.admin + "/dashboard", timeout=20).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    # the policy is in force: what it does not know is not run
    assert dashboard.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        " document.body.append(s); return window.ran; }") is None
    assert any("Content Security Policy" in text for text in dashboard.complaints)


# ---- how it looks, and lasts ---------------------------------------------------------------------


@pytest.mark.parametrize("scheme,width,height", [("light", 1280, 1100), ("dark", 1280, 1100), ("light", 390, 844),
                                                 ("dark", 360, 800)])
def test_it_fits_light_and_dark_wide_and_small(proxy, backends, opened, started, certs, stubs, tmp_path, scheme, width,
                                               height):
    started(Streams(proxy, certs, stubs, [(f"agent-{n:02d}", ("v1.1", "v1.2", "v2.1")[n % 3]) for n in range(12)]))
    started(Agent("v1.1", "busy", proxy.target, cacert=certs / "ca.pem"))
    dashboard = opened(proxy.admin, color_scheme=scheme, reduced_motion="reduce",
                       viewport={"width": width, "height": height})
    expect(dashboard.page.locator("#rows tr")).to_have_count(13)
    expect(dashboard.value("p50")).not_to_have_text("–")
    background, text = dashboard.page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }")
    light = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (background, text)]
    assert abs(light[0] - light[1]) > 400 and (light[0] > light[1]) == (scheme == "light")
    assert dashboard.page.evaluate("document.documentElement.scrollWidth") <= width, "scrolls sideways"
    small = dashboard.page.evaluate("""() => [...document.querySelectorAll("body *")].filter((e) =>
        e.textContent.trim() && e.getClientRects().length > 0 && e.children.length === 0 &&
        parseFloat(getComputedStyle(e).fontSize) < 12).map((e) => e.outerHTML)""")
    assert small == [], "too small to read"
    if width < 500:  # a row is a card that names its cells, and no table has to be scrolled sideways
        assert dashboard.page.evaluate("[...document.querySelectorAll('.scroll')].every((e) => e.scrollWidth <= "
                                       "e.clientWidth)")
        assert dashboard.page.evaluate("getComputedStyle(document.querySelector('#rows td:nth-child(2)'), "
                                       "'::before').content").startswith('"Agent')
    dashboard.page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)


def test_it_says_that_it_lost_the_proxy_and_comes_back(started, opened, certs, stubs, backends):
    ports = [started(ReservedPort()) for _ in range(2)]
    options = {"port": ports[0].port, "admin_port": ports[1].port}
    first = started(Proxy(certs, *backends, **options)).wait_ready()
    dashboard = opened(first.admin)
    first.stop()
    expect(dashboard.page.locator("#link")).to_have_text("disconnected, reconnecting")
    second = started(Proxy(certs, *backends, **options)).wait_ready()
    started(Streams(second, certs, stubs, [("a", "v1.1"), ("b", "v1.1")]))
    expect(dashboard.page.locator("#link")).to_have_text("live")
    expect(dashboard.value("streams")).to_have_text("2")
    expect(dashboard.page.locator("#feed")).to_contain_text("the connection to the proxy was lost")


def test_drain_is_said(started, opened, certs, backends):
    proxy = started(Proxy(certs, *backends, "--drain-timeout", "4s")).wait_ready()
    started(Agent("v1.1", "a", proxy.target, cacert=certs / "ca.pem")).wait_for("Received pong")
    dashboard = opened(proxy.admin)
    expect(dashboard.value("streams")).to_have_text("1")
    proxy.send_signal(15)
    expect(dashboard.page.locator("#feed")).to_contain_text("Draining: no new streams")


def cpu_s(process):
    """What it has worked so far: unlike the time that passes, not what others do on the machine."""
    times = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def page_clock(page):
    """The same of a page's thread: a function that tells it."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return lambda: next(one["value"] for one in session.send("Performance.getMetrics")["metrics"]
                        if one["name"] == "TaskDuration")


def test_ten_thousand_streams_stay_quick(started, opened, certs, backends):
    proxy = started(Proxy(certs, *backends, "--workers", "2", "--max-streams", "1000")).wait_ready()
    load = started(Process([BIN, "bench", "--target", proxy.target, "--cacert", certs / "ca.pem", "--connections", "20",
                            "--streams", "500", "--rate", "500", "--duration", "120s"]))
    wait_until(lambda: streams(proxy, limit=1)["total"] >= 10000 or not load.running(), deadline_s=90)
    assert load.running(), load.output
    dashboard = opened(proxy.admin)
    expect(dashboard.value("streams")).to_have_text("10,000")
    expect(dashboard.page.locator("#rows tr")).to_have_count(50)
    page_cpu_s = page_clock(dashboard.page)
    begin = page_cpu_s()
    dashboard.page.click("#next")
    expect(dashboard.page.locator("#found")).to_have_text("page 2")
    assert page_cpu_s() - begin < 1
    begin = cpu_s(proxy)
    assert len(streams(proxy, q="no-such-agent")["streams"]) == 0
    assert cpu_s(proxy) - begin < 1
    assert dashboard.complaints == []
    with urllib.request.urlopen(proxy.admin + "/events", timeout=20) as events:
        sizes = [len(line) for line, _ in zip(events, range(8)) if line.startswith(b"data: ")]
    assert sizes[0] < 32 * 1024 and max(sizes[1:]) < 8 * 1024, sizes  # the first one, and those that follow
    load.send_signal(15)
