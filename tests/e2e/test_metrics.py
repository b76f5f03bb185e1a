"""Metrics that are live and complete: what passes is counted while streams live, by endpoint, rule and socket, and one
number is the sum of the others."""
import re
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from testenv.grpcroute import ROOT, Agent, Proxy, Server
from testenv.monitoring import Fleet
from testenv.wait import wait_until

WORKERS = 4
UP_AND_DOWN = ["messages_up_total", "messages_down_total", "bytes_up_total", "bytes_down_total"]
ROUTES = """apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: fleet, namespace: prod}
spec:
  rules:
  - name: two
    matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]}]
    backendRefs: [{name: server-v2, port: 50051}]
  - backendRefs: [{name: server-v1, port: 50051}]
"""


class Page:
    """One answer of /metrics."""

    def __init__(self, url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            self.text = answer.read().decode()
        self.samples = [sample for family in parse(self.text) for sample in family.samples]

    def all(self, name, **labels):
        return {tuple(s.labels.values()): s.value for s in self.samples if s.name == name and
                labels.items() <= s.labels.items()}

    def sum(self, name, **labels):
        return sum(self.all(name, **labels).values())


def page(process):
    url = f"{process.admin}/metrics" if isinstance(process,
                                                   Proxy) else process.wait_for(r"Metrics on (http://\S+)").group(1)
    return Page(url)


def wait_for(process, condition, what):
    """The first page for which the condition is true."""
    last = []

    def look():
        last[:] = [page(process)]
        return last[0] if condition(last[0]) else None

    return wait_until(look, 20, what, lambda: last[0].text)


@pytest.fixture
def servers(started):
    return {version: [started(Server(version, f"server-{version}-{c}", "--metrics-listen", "127.0.0.1:0"))
                      for c in "ab"]
            for version in ("v1", "v2")}


@pytest.fixture
def proxy_of(started, certs, servers):
    def start(*args):
        return started(Proxy(certs, servers["v1"], servers["v2"], "--workers", str(WORKERS), *args)).wait_ready()
    return start


def whole(page_):
    """The sums over endpoints are the proxy's."""
    return all(page_.sum(f"grpcroute_proxy_endpoint_{name}") == page_.sum(f"grpcroute_proxy_{name}")
               for name in UP_AND_DOWN[:2])


def done(page_, count):
    return page_.sum("grpcroute_proxy_endpoint_messages_down_total") == count and \
        page_.sum("grpcroute_proxy_streams_active") == 0


# ---- endpoints -----------------------------------------------------------------------------------


def test_messages_and_bytes_of_an_endpoint_move_while_its_stream_lives(proxy_of, agent, certs):
    proxy = proxy_of()
    one = agent("v1.1", "a", proxy.target, cacert=certs / "ca.pem")
    one.wait_for("Received pong", count=2)
    for name in UP_AND_DOWN:
        before = page(proxy).sum(f"grpcroute_proxy_endpoint_{name}", cluster="server-v1")
        assert before > 0
        after = wait_for(proxy, lambda p: p.sum(f"grpcroute_proxy_endpoint_{name}", cluster="server-v1") > before,
                         f"{name} grows")
        assert after.sum(f"grpcroute_proxy_endpoint_{name}", cluster="server-v2") == 0
        # the other of its cluster
        assert sorted(after.all(f"grpcroute_proxy_endpoint_{name}", cluster="server-v1").values())[0] == 0
        assert after.sum("grpcroute_proxy_streams_total") == after.sum("grpcroute_proxy_streams_active") == 1
    assert "upstream_bytes_up: 0" not in urllib.request.urlopen(f"{proxy.admin}/stats",
                                                                timeout=10).read().decode().split("server-v2")[0]


def test_endpoints_of_four_workers_add_up_to_the_proxy_also_after_a_reload(proxy_of, started, certs, tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    proxy = proxy_of("--routes", tmp_path / "routes.yaml")
    total = 0
    for count, version in ((3, "v1.1"), (8, "v2.1"), (5, "v1.2")):
        many = started(Agent(version, version, proxy.target, "--count", str(count), "--messages", "6", "--interval",
                             "10ms", cacert=certs / "ca.pem"))
        many.wait(20)
        total += 6 * count
        after = wait_for(proxy, lambda p: done(p, total), "all is counted")
        assert whole(after), after.text
        assert after.sum("grpcroute_proxy_messages_up_total") == total and \
            after.sum("grpcroute_proxy_messages_resent_total") == 0
        (tmp_path / "routes.yaml").write_text(ROUTES + f"# {total}\n")
        request = urllib.request.Request(f"{proxy.admin}/reload", method="POST")
        assert urllib.request.urlopen(request, timeout=20).status in (200, 202)
    routes = wait_for(proxy, lambda p: p.sum("grpcroute_proxy_reloads_total", result="success") >= 3, "all reloads")
    assert whole(routes)
    assert 0 not in routes.all("grpcroute_proxy_worker_streams_total").values()  # every worker had a part in it
    assert routes.all("grpcroute_proxy_route_streams_total") == {("prod/fleet/two",): 8, ("prod/fleet[1]",): 8}
    assert routes.sum("grpcroute_proxy_route_streams_active") == 0


# ---- rules ---------------------------------------------------------------------------------------


def test_rules_tell_their_streams_answers_and_misroutes(started, certs, servers, agent, tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    proxy = started(Proxy(certs, servers["v2"], servers["v2"], "--routes", tmp_path / "routes.yaml")).wait_ready()
    for version in ("v1.1", "v2.1"):
        agent(version, version, proxy.target, cacert=certs / "ca.pem").wait_for("Received pong")
    seen = wait_for(proxy, lambda p: p.sum("grpcroute_proxy_route_answers_checked_total") == 2, "both are checked")
    two, other = ("prod/fleet/two",), ("prod/fleet[1]",)
    assert seen.all("grpcroute_proxy_route_misrouted_total") == {two: 0, other: 1}  # v2 answers where v1 should
    assert seen.all("grpcroute_proxy_route_streams_active") == {two: 1, other: 1}
    timed = wait_for(proxy, lambda p: all(p.sum("grpcroute_proxy_route_answer_seconds_count", route=name) > 2
                                          for (name,) in (two, other)),
                     "answers are timed")
    for (name,) in (two, other):
        count = timed.sum("grpcroute_proxy_route_answer_seconds_count", route=name)
        assert timed.sum("grpcroute_proxy_route_answer_seconds_bucket", route=name, le="+Inf") == count
        assert 0 < timed.sum("grpcroute_proxy_route_answer_seconds_sum", route=name) < count * 10


# ---- ages ----------------------------------------------------------------------------------------


def test_streams_have_an_age_while_they_live_and_when_they_end(proxy_of, started, certs):
    proxy = proxy_of()
    agents = [started(Agent("v1.1", f"a{n}", proxy.target, cacert=certs / "ca.pem")) for n in range(3)]
    for one in agents:
        one.wait_for("Received pong")
    old = wait_for(proxy, lambda p: p.sum("grpcroute_proxy_oldest_stream_seconds") > 1,
                   "the oldest is over a second old")
    assert old.sum("grpcroute_proxy_streams_by_age") == old.sum("grpcroute_proxy_streams_by_age", age="under 1m") == 3
    assert old.sum("grpcroute_proxy_stream_lifetime_seconds_count") == 0
    for one in agents:
        one.close()
    ended = wait_for(proxy, lambda p: p.sum("grpcroute_proxy_stream_lifetime_seconds_count") == 3 and
                     # its end is counted before it is off the list
                     p.sum("grpcroute_proxy_streams_by_age") == 0, "all have ended")
    assert ended.sum("grpcroute_proxy_oldest_stream_seconds") == 0
    assert ended.sum("grpcroute_proxy_stream_lifetime_seconds_bucket", le="1.0") < 3  # the first one was older
    assert ended.sum("grpcroute_proxy_stream_lifetime_seconds_sum") > 1


# ---- network -------------------------------------------------------------------------------------


def test_what_one_end_of_a_socket_sent_the_other_received(proxy_of, agent, certs, servers):
    proxy = proxy_of("--no-health-checks")
    one = agent("v1.1", "a", proxy.target, "--interval", "10ms", "--metrics-listen", "127.0.0.1:0",
                cacert=certs / "ca.pem")
    one.wait_for("Received pong", count=20)
    # with TLS and HTTP/2 around each ping
    assert page(one).sum("grpcroute_agent_network_transmit_bytes_total") > 20 * 30
    behind = servers["v1"] + servers["v2"]
    one.close()

    def quiet(p):
        """All has arrived: both ends of each socket say the same."""
        sums = {what: sum(page(s).sum(f"grpcroute_server_network_{what}_bytes_total") for s in behind)
                for what in ("receive", "transmit")}
        return (p.sum("grpcroute_proxy_network_transmit_bytes_total", side="upstream") == sums["receive"] > 0 and
                p.sum("grpcroute_proxy_network_receive_bytes_total", side="upstream") == sums["transmit"] > 0)

    last = wait_for(proxy, quiet, "proxy and servers agree")
    body = last.sum("grpcroute_proxy_endpoint_bytes_up_total")
    assert last.sum("grpcroute_proxy_network_transmit_bytes_total", side="upstream") > body > 0
    # TLS in front of the proxy costs more than HTTP/2 alone behind it
    assert last.sum("grpcroute_proxy_network_receive_bytes_total", side="downstream") > body + 1000


# ---- agents --------------------------------------------------------------------------------------


def test_an_agent_tells_how_its_calls_ended(started, agent):
    server = started(Server("v1", "s"))
    one = agent("v1.1", "a", server.address, "--metrics-listen", "127.0.0.1:0")
    one.wait_for("Received pong")
    method = {"grpc_type": "bidi_stream", "grpc_service": "ping.PingService", "grpc_method": "PingPong"}
    live = page(one)
    assert live.sum("grpc_client_started_total", **method) == 1 and live.sum("grpc_client_handled_total", **method) == 0
    server.kill()
    wait_for(one, lambda p: p.sum("grpc_client_handled_total", grpc_code="Unavailable", **method) == 1,
             "the end is counted")


def test_calls_of_another_method_carry_its_name(started, agent):
    server = started(Server("v1", "s"))
    one = agent("v1.1", "a", server.address, "--method", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                "--metrics-listen", "127.0.0.1:0")
    last = wait_for(one, lambda p: p.sum("grpc_client_started_total") > 0, "a call is counted")
    assert last.sum("grpc_client_started_total", grpc_service="grpc.reflection.v1.ServerReflection",
                    grpc_method="ServerReflectionInfo") == last.sum("grpc_client_started_total")


# ---- the tables ----------------------------------------------------------------------------------

SECTIONS = {"grpcroute-agents": "`agent", "grpcroute-servers": "`server", "grpcroute-verify": "`verify",
            "grpcroute-proxy": "`proxy"}
LINE = re.compile(r"^\| `(\w+)` \| (.*?) \| (\w+) \| (.*) \|$", re.M)


def told(text):
    """Name: (labels, or None where there is no series to tell them; type; help) of an exposition."""
    labels = {}
    for name, inside in re.findall(r"^(\w+?)(?:\{(.*)\})? \S+$", text, re.M):
        labels[name] = set(re.findall(r'(\w+)="', inside)) - {"le"}
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))
    return {name: (labels.get(name, labels.get(f"{name}_count")), kind, helps[name].rstrip("."))
            for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)}


def documented():
    """The same of docs/metrics.md, by section."""
    sections = re.split(r"^## ", (ROOT / "docs/metrics.md").read_text(), flags=re.M)[1:]
    return {section.splitlines()[0]: {name: (set(re.findall(r"`(\w+)`", labels)), kind, about)
                                      for name, labels, kind, about in LINE.findall(section)} for section in sections}


def test_the_tables_are_what_the_processes_tell(certs, started, agent, tmp_path):
    sections = documented()
    common = sections.pop("All of them")
    assert len(sections) == len(SECTIONS)
    fleet = Fleet(certs, started, agent)
    logging = started(Proxy(certs, [fleet.servers["v1"]], [], "--access-log", tmp_path / "streams.log"))
    for job, urls in fleet.urls().items():
        seen = told(Page(urls[0]).text)
        if job == "grpcroute-proxy":
            seen = {**told(page(logging).text), **seen}
        table = {**common, **next(table for title, table in sections.items() if title.startswith(SECTIONS[job]))}
        assert sorted(seen) == sorted(table), job
        for name, (labels, kind, about) in table.items():
            assert (kind, about.removesuffix("; with `--access-log`")) == seen[name][1:], name
            assert seen[name][0] in (None, labels), name
