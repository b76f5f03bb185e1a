"""What Prometheus sees: expositions that every parser takes, alerts that fire when they must and only then, a board
whose every expression gives an answer."""
import json
import re
import signal

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

from testenv.grpcio_peers import PingServer
from testenv.grpcroute import ROOT, Proxy, Server
from testenv.monitoring import (ALERTS, FOLDER, OF_LOAD, RULES, Fleet, Prometheus, board_expressions, fetch,
                                firing_by_promtool, metrics_url, prometheus_config)
from testenv.process import run
from testenv.wait import wait_until

OPEN = "application/openmetrics-text;version=1.0.0"


# ---- expositions ---------------------------------------------------------------------------------


def test_every_exposition_is_valid_in_both_formats(certs, started, agent):
    fleet = Fleet(certs, started, agent)
    for url in sum(fleet.urls().values(), [f"{fleet.proxy.admin}/stats/prometheus"]):
        kind, text = fetch(url)
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        checked = run(["promtool", "check", "metrics"], stdin=text.encode())
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, ""), url
        kind, open_text = fetch(url, OPEN)
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        families = {family.name: family for family in parse_open(open_text)}
        assert open_text.endswith("# EOF\n") and "grpcroute_build" in str(families)
        assert families["process_cpu_seconds"].unit == "seconds"
        names = {s.name for family in parse_text(text) for s in family.samples}
        assert names == {s.name for family in families.values() for s in family.samples}


def test_a_thousand_agents_with_strange_versions_make_few_series(certs, started, agent):
    server = started(Server("v1", "s", "--metrics-listen", "127.0.0.1:0", "--max-streams", "2000"))
    proxy = started(Proxy(certs, [server], [server])).wait_ready()
    for version in ("v1.1", "v2.77"):
        many = agent(version, "many", proxy.target, "--count", "500", cacert=certs / "ca.pem")
        many.wait_for("Received pong", count=500)
    for n in range(40):
        run(["grpcurl", "-plaintext", "-proto", ROOT / "proto/ping.proto", "-import-path", ROOT / "proto", "-H",
             f"agent-version: v{n}.{n * 7}", "-H", f'agent-id: "}}{n}<b>', "-d", '{"message": "ping"}',
             server.address, "ping.PingService/PingPong"])
    for url in (metrics_url(server), f"{proxy.admin}/metrics"):
        text = fetch(url)[1]
        assert sum(1 for line in text.splitlines() if not line.startswith("#")) < 150
        assert "agent_id" not in text and "<b>" not in text
        assert run(["promtool", "check", "metrics"], stdin=text.encode()).returncode == 0


def test_a_server_with_a_hostile_version_stays_harmless(started, agent, stubs):
    hostile = '<b>"\\\n\x1b[2J\x9bé'
    server = started(PingServer(stubs["ping_pb2"], version=hostile))
    client = agent("v1.1", "a", server.address, "--metrics-listen", "127.0.0.1:0")
    client.wait_for("Received pong", count=2)
    for accept, parse in ((None, parse_text), (OPEN, parse_open)):
        text = fetch(metrics_url(client), accept)[1]
        labels = [s.labels["server_version"] for family in parse(text) for s in family.samples
                  if s.name == "grpcroute_route_decisions_total"]
        assert len(labels) == 1 and labels[0].startswith("<b>")  # a longer one would be "other", and prove nothing
        assert "\x1b" not in text and "\x9b" not in text
    assert run(["promtool", "check", "metrics"], stdin=fetch(metrics_url(client))[1].encode()).returncode == 0


def test_a_version_called_other_makes_no_series_twice(started):
    server = started(Server("v1", "s", "--metrics-listen", "127.0.0.1:0"))
    for version in ("other", "<x>"):
        run(["grpcurl", "-plaintext", "-proto", ROOT / "proto/ping.proto", "-import-path", ROOT / "proto", "-H",
             f"agent-version: {version}", "-H", "agent-id: a", "-d", '{"message": "ping"}', server.address,
             "ping.PingService/PingPong"])
    series = [line.rsplit(" ", 1)[0] for line in fetch(metrics_url(server))[1].splitlines() if line[0] != "#"]
    assert len([one for one in series if 'agent_version="other"' in one]) == 1
    assert len(series) == len(set(series))


# ---- rules, each by itself -----------------------------------------------------------------------

AGENTS = 'job="grpcroute-agents",instance="a"'
PROBE = 'job="grpcroute-verify",instance="v"'
EXPIRY = f'grpcroute_verify_certificate_expiry_timestamp_seconds{{{PROBE},certificate="%s"}}'
PROXY = 'job="grpcroute-proxy",instance="p"'
PROBE_MISROUTED = f'grpcroute_verify_misrouted_messages_total{{{PROBE},agent_version="v1.1"}}'
PROBE_UNANSWERED = f'grpcroute_verify_unanswered_messages_total{{{PROBE},agent_version="v1.1"}}'
ENVOY_EXPIRES = f"envoy_listener_ssl_certificate_expiration_unix_time_seconds{{{PROXY}}}"
SHOWN = f'grpcroute_proxy_certificate_expiry_timestamp_seconds{{{PROXY},subject="CN=a",serial="1"}}'
ENDPOINT = f'grpcroute_proxy_endpoint_healthy{{{PROXY},cluster="server-v1",endpoint="e%s"}}'
AT_SERVER = 'grpcroute_streams_active{job="grpcroute-servers",instance="s",agent_version="%s",server_version="v%d"}'
DECISIONS = f'grpcroute_route_decisions_total{{{AGENTS},agent_version="v1.1",server_version="v%d",result="%s"}}'

# alert: (series with which it fires, series with which it does not)
CASES = {
    "GrpcrouteMisrouted": ({DECISIONS % (2, "mismatch"): "_x25 1x15"}, {DECISIONS % (1, "match"): "0+9x40"}),
    "GrpcrouteProxySawMisroutes": ({f"grpcroute_proxy_misrouted_total{{{PROXY}}}": "0x20 1x20"},
                                   {f"grpcroute_proxy_misrouted_total{{{PROXY}}}": "3x40"}),
    "GrpcrouteServerSawMisroutes": ({AT_SERVER % ("v1.1", 2): "1x40"},
                                    {AT_SERVER % ("v1.1", 1): "1x40", AT_SERVER % ("v12.1", 12): "1x40",
                                                                       AT_SERVER % ("other", 1): "1x40",
                                     AT_SERVER % ("v3.1", 1): "0x40"}),
    "GrpcrouteNoStreams": ({f"grpcroute_proxy_streams_active{{{PROXY}}}": "0x40"},
                           {f"grpcroute_proxy_streams_active{{{PROXY}}}": "1x40",
                            f"grpcroute_streams_active{{{AGENTS}}}": "0x40",
                            'grpcroute_streams_active{job="grpcroute-agents",instance="b"}': "1x40"}),
    "GrpcrouteNoTargets": ({'up{job="grpcroute-agents",instance="a"}': "1x40"},
                           {'up{job="grpcroute-agents",instance="a"}': "0x40",
                            'up{job="grpcroute-servers",instance="s"}': "1x40"}),
    "GrpcrouteNotSticky": ({f"grpcroute_sticky_violations_total{{{AGENTS}}}": "0x20 1x20"},
                           {f"grpcroute_sticky_violations_total{{{AGENTS}}}": "3x40"}),
    "GrpcrouteNotIsolated": ({f"grpcroute_metadata_mismatches_total{{{AGENTS}}}": "0x20 2x20"},
                             {f"grpcroute_metadata_mismatches_total{{{AGENTS}}}": "2x40"}),
    "GrpcrouteNoRoute": ({f"grpcroute_proxy_no_route_total{{{PROXY}}}": "0+1x40",
                          f"grpcroute_proxy_rejected_total{{{PROXY}}}": "0x40"},
                         {f"grpcroute_proxy_no_route_total{{{PROXY}}}": "7x40",
                          f"grpcroute_proxy_rejected_total{{{PROXY}}}": "2x40"}),
    "GrpcrouteReconnectStorm": ({f'grpcroute_stream_reconnects_total{{{AGENTS},reason="UNAVAILABLE"}}': "0+5x40",
                                 f"grpcroute_streams_active{{{AGENTS}}}": "4x40"},
                                {f'grpcroute_stream_reconnects_total{{{AGENTS},reason="UNAVAILABLE"}}': "0x20 4x20",
                                 f"grpcroute_streams_active{{{AGENTS}}}": "4x40"}),
    "GrpcrouteAgentWithoutStream": ({f"grpcroute_streams_active{{{AGENTS}}}": "0x40"},
                                    {f"grpcroute_streams_active{{{AGENTS}}}": "1x37 0x3"}),
    "GrpcrouteMessagesLost": ({f"grpcroute_messages_lost_total{{{AGENTS}}}": "0+1x40"},
                              {f"grpcroute_messages_lost_total{{{AGENTS}}}": "9x40"}),
    "GrpcrouteNoHealthyEndpoint": ({ENDPOINT % 1: "0x40", ENDPOINT % 2: "0x40"},
                                   {ENDPOINT % 1: "0x40", ENDPOINT % 2: "1x40"}),
    "GrpcrouteEndpointUnhealthy": ({ENDPOINT % 1: "0x40"}, {ENDPOINT % 1: "1x37 0x3"}),
    "GrpcrouteEndpointFlapping": ({ENDPOINT % 1: "1 0 1 0 1 0 1x34"}, {ENDPOINT % 1: "1x10 0x4 1x26"}),
    "GrpcrouteUpstreamErrors": ({f"grpcroute_proxy_upstream_resets_total{{{PROXY}}}": "0+1x40",
                                 f"grpcroute_proxy_unavailable_total{{{PROXY}}}": "0x40",
                                 f"grpcroute_proxy_streams_total{{{PROXY}}}": "0+10x40"},
                                {f"grpcroute_proxy_upstream_resets_total{{{PROXY}}}": "0+1x40",
                                 f"grpcroute_proxy_unavailable_total{{{PROXY}}}": "0x40",
                                 f"grpcroute_proxy_streams_total{{{PROXY}}}": "0+100x40"}),
    "GrpcrouteSlowAnswers": ({f'grpcroute_message_rtt_seconds_bucket{{{AGENTS},le="0.25"}}': "0x80",
                              f'grpcroute_message_rtt_seconds_bucket{{{AGENTS},le="0.5"}}': "0+9x80",
                              f'grpcroute_message_rtt_seconds_bucket{{{AGENTS},le="+Inf"}}': "0+9x80"},
                             {f'grpcroute_message_rtt_seconds_bucket{{{AGENTS},le="0.1"}}': "0+9x80",
                              f'grpcroute_message_rtt_seconds_bucket{{{AGENTS},le="+Inf"}}': "0+9x80"}),
    "GrpcrouteNearFileLimit": ({f"process_open_fds{{{PROXY}}}": "900x40", f"process_max_fds{{{PROXY}}}": "1000x40",
                                f"grpcroute_build_info{{{PROXY}}}": "1x40"},
                               {f"process_open_fds{{{PROXY}}}": "700x40", f"process_max_fds{{{PROXY}}}": "1000x40",
                                f"grpcroute_build_info{{{PROXY}}}": "1x40"}),
    "GrpcrouteVerifyMisrouted": ({PROBE_MISROUTED: "0x30 1x10"},
                                 {PROBE_MISROUTED: "7x40"}),
    "GrpcrouteVerifyUnanswered": ({PROBE_UNANSWERED: "0x30 1x10"},
                                  {PROBE_UNANSWERED: "7x40"}),
    "GrpcrouteVerifyNotPassing": ({f"grpcroute_verify_passed{{{PROBE}}}": "1x30 0x10"},
                                  {f"grpcroute_verify_passed{{{PROBE}}}": "0x30 1x10"}),
    "GrpcrouteVerifyStale": ({f"grpcroute_verify_last_run_timestamp_seconds{{{PROBE}}}": "0+15x20 300x20",
                              f"grpcroute_verify_interval_seconds{{{PROBE}}}": "60x40"},
                             {f"grpcroute_verify_last_run_timestamp_seconds{{{PROBE}}}": "0+15x40",
                              f"grpcroute_verify_interval_seconds{{{PROBE}}}": "60x40"}),
    "GrpcrouteCertificateExpires": ({EXPIRY % "leaf": "9000000x40", EXPIRY % "chain": "1000000x40"},
                                    {EXPIRY % "leaf": "9000000x40", EXPIRY % "chain": "1300000x40"}),
    "GrpcrouteProxyCertificateExpires": ({SHOWN: "600000x40"}, {SHOWN: "610000x40"}),
    "GrpcrouteProxyCertificateExpired": ({SHOWN: "580x40"}, {SHOWN: "590x40"}),  # it is then second 585
    "GrpcrouteReloadFailed": ({f"grpcroute_proxy_config_last_reload_successful{{{PROXY}}}": "1x30 0x10"},
                              {f"grpcroute_proxy_config_last_reload_successful{{{PROXY}}}": "0x30 1x10"}),
    "GrpcrouteTargetDown": ({f"up{{{PROXY}}}": "0x40"}, {f"up{{{PROXY}}}": "1x40", 'up{job="other"}': "0x40"}),
}


# The other halves of expressions that have two: (alert, series, whether it fires)
MORE_CASES = [
    ("GrpcrouteMisrouted", {DECISIONS % (2, "mismatch"): "0+3x40"}, True),  # goes on for longer than the window
    ("GrpcrouteMisrouted", {DECISIONS % (2, "mismatch"): "4x40"}, False),  # over for longer than that
    ("GrpcrouteServerSawMisroutes", {AT_SERVER % ("v1.1", 2): "1x40", DECISIONS % (2, "mismatch"): "4x40"}, True),
    # it was told --expect
    ("GrpcrouteServerSawMisroutes", {AT_SERVER % ("v1.1", 2): "1x40", DECISIONS % (2, "match"): "4x40"}, False),
    ("GrpcrouteVerifyMisrouted", {PROBE_MISROUTED: "_x30 5x10"}, True),
    ("GrpcrouteVerifyMisrouted", {PROBE_MISROUTED: "_x30 0x10"}, False),
    ("GrpcrouteVerifyUnanswered", {PROBE_UNANSWERED: "_x30 5x10"}, True),
    ("GrpcrouteNoRoute", {f"grpcroute_proxy_no_route_total{{{PROXY}}}": "0x40",
                          f"grpcroute_proxy_rejected_total{{{PROXY}}}": "0+1x40"}, True),
    ("GrpcrouteUpstreamErrors", {f"grpcroute_proxy_upstream_resets_total{{{PROXY}}}": "0x40",
                                 f"grpcroute_proxy_unavailable_total{{{PROXY}}}": "0+1x40",
                                 f"grpcroute_proxy_streams_total{{{PROXY}}}": "0+10x40"}, True),
    ("GrpcrouteNoStreams", {f"grpcroute_streams_active{{{AGENTS}}}": "0x40"}, True),
    ("GrpcrouteProxyCertificateExpires", {SHOWN: "580x40"}, False),  # it has another one
    # whichever proxy stands in the middle
    ("GrpcrouteProxyCertificateExpires", {ENVOY_EXPIRES: "600000x40"}, True),
    ("GrpcrouteProxyCertificateExpires", {ENVOY_EXPIRES: "610000x40"}, False),
    ("GrpcrouteProxyCertificateExpires", {f'traefik_tls_certs_not_after{{{PROXY},cn="a"}}': "610000x40",
                                          f'traefik_tls_certs_not_after{{{PROXY},cn="b"}}': "600000x40"}, True),
    ("GrpcrouteProxyCertificateExpired", {ENVOY_EXPIRES: "580x40"}, True),
    ("GrpcrouteProxyCertificateExpired", {f'traefik_tls_certs_not_after{{{PROXY},cn="a"}}': "610000x40",
                                          f'traefik_tls_certs_not_after{{{PROXY},cn="b"}}': "580x40"}, True),
    # not ours
    ("GrpcrouteProxyCertificateExpired", {'traefik_tls_certs_not_after{job="other",instance="p",cn="b"}': "580x40"},
     False),
    # not for long
    ("GrpcrouteReloadFailed", {f"grpcroute_proxy_config_last_reload_successful{{{PROXY}}}": "1x37 0x3"}, False),
    ("GrpcrouteNoTargets", {'up{job="grpcroute-servers",instance="s"}': "1x40"}, True),
    ("GrpcrouteNearFileLimit", {'process_open_fds{job="other"}': "900x40", 'process_max_fds{job="other"}': "1000x40"},
     False),  # not ours
]


@pytest.mark.parametrize("alert, series, fires", MORE_CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(MORE_CASES)])
def test_both_halves_of_an_expression_count(tmp_path, alert, series, fires):
    assert (alert in firing_by_promtool(tmp_path, series, "9m45s")) == fires


def test_every_alert_has_a_case():
    assert sorted(CASES) == sorted(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_the_alert_fires_when_it_must_and_only_then(tmp_path, alert):
    bad, good = CASES[alert]
    at = "18m" if alert == "GrpcrouteSlowAnswers" else "9m45s"
    assert alert in firing_by_promtool(tmp_path, bad, at)
    assert alert not in firing_by_promtool(tmp_path, good, at)


def test_alerts_say_what_to_do():
    text = RULES.read_text()
    for name in ALERTS:
        block = text.split(f"alert: {name}\n")[1].split("- alert:")[0]
        for key in ("severity:", "summary:", "description:", "runbook:"):
            assert block.count(key) == 1, (name, key)
        assert re.search(r'runbook: .*grpcroute (verify|sticky-test|failover-test|bench)\b', block), name


# ---- a real Prometheus ---------------------------------------------------------------------------


@pytest.fixture
def prometheus(tmp_path, started):
    return lambda fleet: started(Prometheus(tmp_path, fleet))


# What a fleet without faults has no series for.
EMPTY_WHEN_HEALTHY = ['result="mismatch"', "grpcroute_stream_reconnects_total",
                      "histogram_quantile(0.5, sum by (le) (rate(grpcroute_stream_l"]


def test_a_healthy_fleet_is_quiet_and_fills_the_board(certs, started, agent, prometheus):
    server = prometheus(Fleet(certs, started, agent))
    server.wait_scraped(6)
    assert server.firing() - OF_LOAD == set()
    assert float(server.wait_shown("grpcroute:accuracy:ratio_rate5m")[0]["value"][1]) == 1
    for expression in board_expressions():
        if any(part in expression for part in EMPTY_WHEN_HEALTHY):
            server.query(expression.replace("$__rate_interval", "8s"))
        else:
            server.wait_shown(expression)


METRIC = re.compile(r"\b(?:grpcroute|grpc_server|grpc_client|process)_\w+")


def test_board_and_rules_name_metrics_that_are_there(certs, started, agent):
    """An expression with a typo is as empty as one that has nothing to tell."""
    there = {sample for url in sum(Fleet(certs, started, agent).urls().values(), [])
             for family in re.findall(r"^# TYPE (\w+)", fetch(url)[1], re.M)
             for sample in (family, family + "_bucket", family + "_count", family + "_sum")}
    named = {name for expression in board_expressions() for name in METRIC.findall(expression)}
    named |= set(METRIC.findall("\n".join(re.findall(r"expr: (?:\|\n)?((?:.|\n)*?)\n +(?:for|labels|- |$)",
                                                     RULES.read_text()))))
    assert len(named) > 25 and named <= there, named - there


def test_the_scrape_configuration_is_one_that_prometheus_takes(certs, started, agent, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES.read_text())
    (tmp_path / "prometheus.json").write_text(json.dumps(prometheus_config(Fleet(certs, started, agent))))
    done = run(["promtool", "check", "config", tmp_path / "prometheus.json"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_swapped_routes_fire_the_alert(certs, started, agent, prometheus):
    server = prometheus(Fleet(certs, started, agent, swapped=True))

    def misrouted():
        return {(a["labels"]["agent_version"], a["labels"]["server_version"]) for a in server.api("alerts")["alerts"]
                if a["labels"]["alertname"] == "GrpcrouteMisrouted" and a["state"] == "firing"}

    wait_until(lambda: misrouted() == {("v1.1", "v2"), ("v2.1", "v1")}, 30,
               "GrpcrouteMisrouted fires for both versions")
    accuracy = wait_until(lambda: server.query("grpcroute:accuracy:ratio_rate5m"), 30, "accuracy is known")
    assert float(accuracy[0]["value"][1]) == 0
    for expression in board_expressions():
        if "mismatch" in expression or "misrouted" in expression:
            server.wait_shown(expression)


def test_a_killed_server_fires_its_alerts(certs, started, agent, prometheus):
    fleet = Fleet(certs, started, agent)
    server = prometheus(fleet)
    server.wait_scraped(6)
    fleet.servers["v1"].kill()
    wanted = {"GrpcrouteNoHealthyEndpoint", "GrpcrouteEndpointUnhealthy", "GrpcrouteTargetDown",
              "GrpcrouteAgentWithoutStream"}
    wait_until(lambda: wanted <= server.firing(), 30, f"{wanted} fire", lambda: str(server.firing()))


# ---- continuous verification ---------------------------------------------------------------------

VERIFY_ALERTS = {name for name in ALERTS if name.startswith("GrpcrouteVerify") or name == "GrpcrouteCertificateExpires"}


def verify_alerts(server):
    return server.firing() & VERIFY_ALERTS


def test_one_misroute_in_a_run_fires(certs, started, agent, prometheus):
    """A server of the wrong version for a moment, between two good ones."""
    fleet = Fleet(certs, started, agent)
    server = prometheus(fleet)
    server.wait_scraped(6)
    assert verify_alerts(server) == set()
    port = fleet.servers["v2"].port
    fleet.servers["v2"].kill()
    fleet.servers["v2"].wait()
    wrong = started(Server("v1", "server-wrong", "--metrics-listen", "127.0.0.1:0", port=port))
    wait_until(lambda: "GrpcrouteVerifyMisrouted" in server.firing(), 30, "GrpcrouteVerifyMisrouted fires",
               lambda: fleet.probe.output)
    assert wrong.ident in fleet.probe.output


def test_silence_fires(certs, started, agent, prometheus):
    fleet = Fleet(certs, started, agent)
    server = prometheus(fleet)
    server.wait_scraped(6)
    fleet.servers["v2"].send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: {"GrpcrouteVerifyNotPassing", "GrpcrouteVerifyUnanswered"} <= server.firing(), 30,
                   "silence shows", lambda: fleet.probe.output)
    finally:
        fleet.servers["v2"].send_signal(signal.SIGCONT)
    assert "GrpcrouteVerifyMisrouted" not in server.firing()


def test_a_certificate_that_ends_soon_fires(started, backends, tmp_path, agent, prometheus):
    short = tmp_path / "short"
    run([ROOT / "certs/generate-certs.sh", "--out", short, "--days", "5"])
    server = prometheus(Fleet(short, started, agent))
    wait_until(lambda: verify_alerts(server) == {"GrpcrouteCertificateExpires"}, 30,
               "only the certificate's alert fires")


# ---- the board -----------------------------------------------------------------------------------


def test_the_board_is_whole():
    board = json.loads((FOLDER / "grafana.json").read_text())
    panels = board["panels"]
    assert [p["title"] for p in panels if p["type"] == "row"] == \
        ["Routing accuracy", "Stream stability", "Proxy", "Performance", "Resources", "The embedded proxy"]
    assert len({p["id"] for p in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert all(t["datasource"]["uid"] == "${datasource}" for t in panel["targets"])
