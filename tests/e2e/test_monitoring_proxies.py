"""The board and the alerts with another proxy in the middle: Envoy and Traefik themselves, scraped by a real
Prometheus."""
import itertools
import json
import re

import pytest

from testenv.grpcroute import ROOT
from testenv.monitoring import FOLDER, METRICS_PATHS, OF_LOAD, RULES, Fleet, Prometheus, fetch, firing_by_promtool
from testenv.slow import slow_but
from testenv.wait import wait_until

PATHS = slow_but(["embedded", "envoy"], METRICS_PATHS)
OTHERS = PATHS[1:]
THE_PROXYS_OWN = "the proxy's"  # of a panel that shows all processes

other = pytest.mark.parametrize("through", OTHERS)


@pytest.fixture
def fleet_and_prometheus(certs, tmp_path, started, agent):
    def start(through, **kwargs):
        fleet = Fleet(certs, started, agent, through=through, folder=tmp_path, **kwargs)
        return fleet, started(Prometheus(tmp_path, fleet))
    return start


# ---- what is shown, and what is not ----------------------------------------------------------------


def board_lines():
    """(panel, legend): expression. Without the row that is for the embedded proxy alone."""
    lines = {}
    row = None
    for panel in json.loads((FOLDER / "grafana.json").read_text())["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        if row != "The embedded proxy":
            lines |= {(panel["title"], target["legendFormat"]): target["expr"] for target in panel.get("targets", [])}
    return lines


def documented():
    """(panel, line): {proxy: whether docs/monitoring.md says that it has data}."""
    after = (ROOT / "docs/monitoring.md").read_text().split("\n| Panel |")[1].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("| ").split("|")]
                      for line in itertools.takewhile(lambda line: line.strip(), ["| Panel |" + after[0], *after[1:]])]
    proxies = [name.lower() for name in head[2:]]
    assert proxies == list(METRICS_PATHS) and {cell for row in rows for cell in row[2:]} == {"yes", "no"}
    return {(row[0], row[1].strip("`")): dict(zip(proxies, (cell == "yes" for cell in row[2:]))) for row in rows}


def expression(panel, line):
    lines = board_lines()
    if line != THE_PROXYS_OWN:
        return lines[panel, line].replace("$__rate_interval", "8s")
    (whole,) = [expr for (title, _), expr in lines.items() if title == panel]
    return f"({whole}) and on (job, instance) up{{job=\"grpcroute-proxy\"}}".replace("$__rate_interval", "8s")


def test_the_table_names_every_line_about_the_proxy():
    about = {key for key, expr in board_lines().items() if "proxy" in expr}
    own = {(panel, THE_PROXYS_OWN) for (panel, _), expr in board_lines().items() if expr.count('job=~"grpcroute-.*"')}
    told = set(documented())
    assert about - {key for key in about if (key[0], THE_PROXYS_OWN) in own} | own == told


@pytest.mark.parametrize("through", PATHS)
def test_a_healthy_fleet_shows_what_the_table_says(fleet_and_prometheus, through):
    _, server = fleet_and_prometheus(through)
    server.wait_scraped(6)
    shown = {key: told[through] for key, told in documented().items()}
    for key in [key for key, told in shown.items() if told]:
        server.wait_shown(expression(*key))
    assert [key for key, told in shown.items() if not told and server.query(expression(*key))] == []
    for (panel, line), expr in board_lines().items():  # what agents and servers tell
        if (panel, line) in {("Accuracy", "accuracy"), ("Messages", "pongs"), ("Round trip of a message", "p99")}:
            server.wait_shown(expr)
    assert server.firing() - OF_LOAD == set()
    rules = [rule for group in server.api("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 60 and [rule for rule in rules if rule["health"] != "ok"] == []


def number(server, expr):
    (one,) = server.wait_shown(expr)
    return float(one["value"][1])


@pytest.mark.parametrize("through", PATHS)
def test_the_numbers_are_those_of_the_fleet(fleet_and_prometheus, through):
    """Two agents and one probe, which opens some more streams each second."""
    fleet, server = fleet_and_prometheus(through)
    server.wait_scraped(6)
    told = documented()
    assert number(server, "sum(grpcroute:proxy_endpoint_healthy)") == 2
    healthy = {(one["metric"]["cluster"], one["metric"]["endpoint"])
               for one in server.wait_shown("grpcroute:proxy_endpoint_healthy")}
    assert healthy == {(f"server-{version}", one.address) for version, one in fleet.servers.items()}
    assert {one["metric"]["proxy"] for one in server.wait_shown('{__name__=~"grpcroute:proxy_.*"}')} == {through}
    wait_until(lambda: number(server, "sum(grpcroute:proxy_downstream_connections_active)") >= 2, 30,
               "connections of agents")
    assert number(server, "min(grpcroute:proxy_certificate_expiry_timestamp_seconds)") == \
        number(server, 'min(grpcroute_verify_certificate_expiry_timestamp_seconds{certificate="leaf"})')
    if told["Live streams in the proxy", "{{proxy}} {{instance}}"][through]:
        fleet.probe.stop()  # what it told is gone from here on
        wait_until(lambda: number(server, "sum(grpcroute:proxy_streams_active)") == 2, 30, "two live streams")
        wait_until(lambda: number(server, "sum(grpcroute:proxy_endpoint_streams_active)") == 2, 30,
                   "one on each server")
    # but for a scrape that falls into the beginning of a stream
    for name in ("no_route", "rejected", "unavailable", "resets"):
        # of 2 s: one of four values
        most = f"quantile_over_time(0.8, sum(grpcroute:proxy_{name}:increase5m)[1m:500ms])"
        wait_until(lambda: {one["value"][1] for one in server.query(most)} <= {"0"}, 30, name,
                   lambda: str(server.query(most)))
    clusters = {one["metric"]["cluster"] for one in server.wait_shown("grpcroute:proxy_cluster_streams_total > 0")}
    assert clusters == {"server-v1", "server-v2"}


# ---- alerts ----------------------------------------------------------------------------------------


def wait_firing(server, wanted):
    wait_until(lambda: wanted <= server.firing(), 30, f"{wanted} fire", lambda: str(server.firing()))


@other
def test_swapped_routes_fire_the_alert(fleet_and_prometheus, through):
    _, server = fleet_and_prometheus(through, swapped=True)

    def between(alert):
        return {(a["labels"]["agent_version"], a["labels"]["server_version"]) for a in server.api("alerts")["alerts"]
                if a["labels"]["alertname"] == alert and a["state"] == "firing"}

    wrong = {("v1.1", "v2"), ("v2.1", "v1")}
    wait_until(lambda: between("GrpcrouteMisrouted") == wrong, 30, "agents' alert fires for both versions")
    wait_until(lambda: wrong <= between("GrpcrouteServerSawMisroutes"), 30, "servers' alert fires for both versions")


@other
def test_a_killed_server_fires_its_alerts(fleet_and_prometheus, through):
    fleet, server = fleet_and_prometheus(through)
    server.wait_scraped(6)
    fleet.servers["v1"].kill()
    wait_firing(server, {"GrpcrouteNoHealthyEndpoint", "GrpcrouteEndpointUnhealthy", "GrpcrouteTargetDown",
                         "GrpcrouteAgentWithoutStream", "GrpcrouteUpstreamErrors"})
    unhealthy = {(a["labels"]["cluster"], a["labels"]["endpoint"]) for a in server.api("alerts")["alerts"]
                 if a["labels"]["alertname"] == "GrpcrouteEndpointUnhealthy" and a["state"] == "firing"}
    assert unhealthy == {("server-v1", fleet.servers["v1"].address)}


@other
def test_a_proxy_that_is_gone_fires_its_alerts(fleet_and_prometheus, through):
    fleet, server = fleet_and_prometheus(through)
    server.wait_scraped(6)
    fleet.proxy.stop()
    wait_firing(server, {"GrpcrouteTargetDown", "GrpcrouteAgentWithoutStream", "GrpcrouteNoStreams"})
    down = {a["labels"]["job"] for a in server.api("alerts")["alerts"]
            # one late scrape makes it pending
            if a["labels"]["alertname"] == "GrpcrouteTargetDown" and a["state"] == "firing"}
    assert down == {"grpcroute-proxy"}
    fleet.proxy.start()  # for close()


NO_DEFAULT = r"""
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: versions}
spec:
  rules:
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v1\..*'}]}]
    backendRefs: [{name: server-v1, port: 50051}]
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\..*'}]}]
    backendRefs: [{name: server-v2, port: 50051}]
"""


@other
def test_streams_that_no_route_is_for_fire_the_alert(certs, fleet_and_prometheus, tmp_path, agent, through):
    (tmp_path / "routes.yaml").write_text(NO_DEFAULT)
    fleet, server = fleet_and_prometheus(through, routes=tmp_path / "routes.yaml")
    server.wait_scraped(6)
    wait_until(lambda: number(server, "sum(grpcroute:proxy_no_route:increase5m)") == 0, 30,
               "no stream without a route, but for one whose beginning was scraped")
    agent("v3.1", "nobody's", fleet.proxy.target, cacert=certs / "ca.pem")
    wait_firing(server, {"GrpcrouteNoRoute"})
    assert "GrpcrouteUpstreamErrors" not in server.firing()


# ---- each rule by itself ---------------------------------------------------------------------------

JOB = 'job="grpcroute-proxy",instance="p"'
ENVOY = f'{JOB},envoy_http_conn_manager_prefix="grpc"'
ENVOY_CLUSTER = f'{JOB},envoy_cluster_name="server-v1"'
ENVOY_ENDPOINT = f'envoy_cluster_endpoint_healthy{{{ENVOY_CLUSTER},envoy_endpoint_address="10.0.0.%d:50051"}}'
ENVOY_503 = f'envoy_cluster_upstream_rq{{{ENVOY_CLUSTER},envoy_response_code="503"}}'
ENVOY_STARTED = f"envoy_http_downstream_rq_total{{{ENVOY}}}"
ENVOY_SENT = f"envoy_cluster_upstream_rq_total{{{ENVOY_CLUSTER}}}"
ENVOY_RESET = f"envoy_http_rq_reset_after_downstream_response_started{{{ENVOY}}}"
TRAEFIK_TLS = 'tls_cipher="A",tls_version="1.3"'
TRAEFIK_SERVER = f'traefik_service_server_up{{{JOB},service="server-v1@file",url="h2c://10.0.0.%d:50051"}}'
ENTERED = f'traefik_entrypoint_requests_tls_total{{{JOB},entrypoint="grpc",{TRAEFIK_TLS}}}'
ROUTED = f'traefik_router_requests_tls_total{{{JOB},router="route-%d@file",service="server-v%d@file",{TRAEFIK_TLS}}}'
SERVED = f'traefik_service_requests_tls_total{{{JOB},service="server-v%d@file",{TRAEFIK_TLS}}}'

# (alert, series, whether it fires)
PROXY_CASES = [
    ("GrpcrouteNoStreams", {f"envoy_http_downstream_rq_active{{{ENVOY}}}": "0x40"}, True),
    ("GrpcrouteNoStreams", {f"envoy_http_downstream_rq_active{{{ENVOY}}}": "1x40"}, False),
    ("GrpcrouteNoStreams", {f'envoy_http_downstream_rq_active{{{JOB},envoy_http_conn_manager_prefix="admin"}}': "0x40"},
     False),
    ("GrpcrouteNoStreams",
     {'envoy_http_downstream_rq_active{job="mesh",envoy_http_conn_manager_prefix="grpc"}': "0x40"}, False),
    ("GrpcrouteNoStreams", {ENTERED: "4x40"}, False),  # it does not tell
    ("GrpcrouteNoHealthyEndpoint", {ENVOY_ENDPOINT % 1: "0x40", ENVOY_ENDPOINT % 2: "0x40"}, True),
    ("GrpcrouteNoHealthyEndpoint", {ENVOY_ENDPOINT % 1: "0x40", ENVOY_ENDPOINT % 2: "1x40"}, False),
    ("GrpcrouteNoHealthyEndpoint", {TRAEFIK_SERVER % 1: "0x40", TRAEFIK_SERVER % 2: "0x40"}, True),
    ("GrpcrouteNoHealthyEndpoint", {TRAEFIK_SERVER % 1: "0x40", TRAEFIK_SERVER % 2: "1x40"}, False),
    ("GrpcrouteEndpointUnhealthy", {ENVOY_ENDPOINT % 1: "0x40"}, True),
    ("GrpcrouteEndpointUnhealthy", {ENVOY_ENDPOINT % 1: "1x37 0x3"}, False),
    ("GrpcrouteEndpointUnhealthy", {TRAEFIK_SERVER % 1: "0x40"}, True),
    ("GrpcrouteEndpointUnhealthy", {TRAEFIK_SERVER % 1: "1x37 0x3"}, False),
    ("GrpcrouteEndpointFlapping", {ENVOY_ENDPOINT % 1: "1 0 1 0 1 0 1x34"}, True),
    ("GrpcrouteEndpointFlapping", {ENVOY_ENDPOINT % 1: "1x10 0x4 1x26"}, False),
    ("GrpcrouteEndpointFlapping", {TRAEFIK_SERVER % 1: "1 0 1 0 1 0 1x34"}, True),
    ("GrpcrouteEndpointFlapping", {TRAEFIK_SERVER % 1: "1x10 0x4 1x26"}, False),
    ("GrpcrouteNoRoute", {f"envoy_http_no_route{{{ENVOY}}}": "0+1x40"}, True),
    ("GrpcrouteNoRoute", {f"envoy_http_no_route{{{ENVOY}}}": "7x40"}, False),
    ("GrpcrouteNoRoute", {ENTERED: "0+3x40", ROUTED % (1, 1): "0+2x40"}, True),
    ("GrpcrouteNoRoute", {ENTERED: "0+2x40"}, True),  # not one had a route
    ("GrpcrouteNoRoute", {ENTERED: "0+3x40", SERVED % 1: "0+3x40"}, False),  # without addRoutersLabels
    ("GrpcrouteNoRoute", {ENTERED: "9+3x40", ROUTED % (1, 1): "7+2x40", ROUTED % (2, 2): "2+1x40"}, False),
    ("GrpcrouteNoRoute", {ENTERED: "9+3x40", ROUTED % (1, 1): "2+3x40"}, False),  # seven of them, long ago
    # a router's first
    ("GrpcrouteNoRoute", {ENTERED: "1x34 2x6", ROUTED % (1, 1): "1x40", ROUTED % (2, 2): "_x35 1x5"}, False),
    # one that is no more
    ("GrpcrouteNoRoute", {ENTERED: "40+1x40", ROUTED % (1, 1): "20x25 stale", ROUTED % (2, 2): "20+1x40"}, False),
    ("GrpcrouteNoRoute", {ENTERED: "40+2x40", ROUTED % (1, 1): "20x25 stale", ROUTED % (2, 2): "20+1x40"}, True),
    ("GrpcrouteNoRoute", {ENTERED: "40+1x40", ROUTED % (1, 1): "20+1x25 stale", ROUTED % (2, 2): "20x25 21+1x14"},
     False),
    ("GrpcrouteNoRoute", {ENTERED: "500x30 0+1x9", ROUTED % (1, 1): "500x30 0+1x9"}, False),  # restarted
    ("GrpcrouteUpstreamErrors", {ENVOY_503: "0+1x40", ENVOY_SENT: "0+9x40", ENVOY_STARTED: "0+10x40"}, True),
    # its first
    ("GrpcrouteUpstreamErrors", {ENVOY_503: "_x25 4x15", ENVOY_SENT: "9x40", ENVOY_STARTED: "9x24 9x2 13x14"}, True),
    ("GrpcrouteUpstreamErrors", {ENVOY_503: "0+1x40", ENVOY_SENT: "0+99x40", ENVOY_STARTED: "0+100x40"}, False),
    ("GrpcrouteUpstreamErrors", {ENVOY_503: "8x40", ENVOY_SENT: "0+10x40", ENVOY_STARTED: "0+10x40"}, False),
    ("GrpcrouteUpstreamErrors", {ENVOY_RESET: "0+1x40", ENVOY_STARTED: "0+10x40"}, True),
    ("GrpcrouteUpstreamErrors", {ENVOY_RESET: "0+1x40", ENVOY_STARTED: "0+100x40"}, False),
    ("GrpcrouteUpstreamErrors", {ENTERED: "0+10x40", ROUTED % (1, 1): "0+10x40", SERVED % 1: "0+9x40"}, True),
    ("GrpcrouteUpstreamErrors", {ENTERED: "0+100x40", ROUTED % (1, 1): "0+100x40", SERVED % 1: "0+99x40"}, False),
    # never one served
    ("GrpcrouteUpstreamErrors", {ENTERED: "0+9x40", ROUTED % (1, 1): "0+9x40", TRAEFIK_SERVER % 1: "0x40"}, True),
    ("GrpcrouteUpstreamErrors", {ENTERED: "0+9x40", ROUTED % (1, 1): "0+9x40"}, False),  # without addServicesLabels
    ("GrpcrouteUpstreamErrors", {ENTERED: "1x30 2x10", ROUTED % (1, 1): "1x30 2x10", SERVED % 1: "1x40",
                                 SERVED % 2: "_x31 1x9"}, False),
    ("GrpcrouteNearFileLimit", {f"process_open_fds{{{JOB}}}": "900x40", f"process_max_fds{{{JOB}}}": "1000x40",
                                f"up{{{JOB}}}": "1x40"}, True),
    ("GrpcrouteNearFileLimit", {f"process_open_fds{{{JOB}}}": "700x40", f"process_max_fds{{{JOB}}}": "1000x40",
                                f"up{{{JOB}}}": "1x40"}, False),
]


@pytest.mark.parametrize("alert, series, fires", PROXY_CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(PROXY_CASES)])
def test_the_words_of_each_proxy_fire_the_alert_and_only_then(tmp_path, alert, series, fires):
    assert (alert in firing_by_promtool(tmp_path, series, "9m45s")) == fires


# What the rules take from others: a name with a typo is as silent as a proxy without faults.
TAKEN = re.compile(r"(?<![\w:])(?:envoy|traefik)_\w+")
LABELS = {"envoy_cluster_name", "envoy_endpoint_address", "envoy_http_conn_manager_prefix", "envoy_response_code"}


@other
def test_the_proxy_tells_what_the_rules_take_from_it(certs, tmp_path, started, agent, through):
    fleet = Fleet(certs, started, agent, through=through, folder=tmp_path)
    taken = {name for name in TAKEN.findall(RULES.read_text()) if name.startswith(through)}
    assert len(taken) > 5
    (url,) = fleet.urls()["grpcroute-proxy"]

    def missing():
        text = fetch(url)[1]
        return {name for name in taken - LABELS if f"# TYPE {name} " not in text} | {name for name in taken & LABELS
                                                                                     if f"{name}=" not in text}

    wait_until(lambda: not missing(), 20, "every metric that rules name", lambda: str(missing()))
