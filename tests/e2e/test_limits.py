"""`grpcroute limits`: what a path does to streams in time is found to half a second, with the hop and the setting, and
nothing is found that is not there."""
import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import grpc
import pytest

from testenv.endpoints import Grpcio
from testenv.frame_relay import CLIENT, SERVER, FrameRelay
from testenv.grpcroute import BIN, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.own_service import SERVICE, OwnService
from testenv.probing import Prober, generate
from testenv.process import DIE_WITH_PARENT
from testenv.proxies import REAL_PROXIES, envoys
from testenv.slow import slow, slow_but
from testenv.wait import wait_until

STREAMS = ["age_stream", "idle", "idle_with_pings", "idle_client", "idle_server", "half_close"]
TIMES = [*STREAMS, "age_connection", "idle_connection", "ping_interval"]
NS = 1e9
ENVOYS = envoys()


def limits(target, *args, shapes=TIMES, within="6s", cacert=None, code=0):
    """{shape: finding} of a run."""
    tls = ["--cacert", cacert] if cacert else ["--plaintext"]
    done = grpcroute("limits", "--target", target, *tls, "--within", within, "--shapes", ",".join(shapes), "-o", "json",
                     *args, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    result = json.loads(done.stdout)
    return {finding["shape"]: finding for finding in result.get("limits", [])}


def assert_found(finding, seconds, side=None, settings=()):
    """Within half a second, and what the run itself says it may be off, as on a machine that stood still."""
    assert finding["state"] == "found", finding
    off = abs(finding["value_ns"] / NS - seconds)
    assert off <= 0.5 + finding["resolution_ns"] / NS, finding
    assert side in (None, finding["ended_by"]), finding
    for setting in settings:
        assert setting in [f"{s['program']}: {s['name']}" for s in finding["settings"]], finding


def assert_nothing_else(found, but):
    """Only `but` are limits; others may have met one of these, and have been ended before enough PINGs were sent."""
    for shape, finding in found.items():
        if shape not in but:
            early = shape == "ping_interval" and finding["state"] == "not_measured"
            assert finding["state"] == "none_within" or finding.get("by") in but or early, (shape, finding)


# ---- the server itself -----------------------------------------------------------------------------------------------


def test_straight_to_the_server_nothing_is_found(started):
    server = started(Server())
    found = limits(server.address, shapes=[s for s in TIMES if s != "ping_interval"])
    assert_nothing_else(found, [])
    assert all(finding["looked_ns"] == 6 * NS for finding in found.values()), found


def test_the_server_s_own_policy_for_pings_is_found(started):
    server = started(Server())
    finding = limits(server.address, shapes=["ping_interval"])["ping_interval"]
    assert finding["state"] == "found", finding
    assert finding["value_ns"] is None and finding["looked_ns"] == 1 * NS, finding
    assert "GOAWAY ENHANCE_YOUR_CALM: too_many_pings, after 4 of them" in finding["look"], finding


def test_a_server_without_probes_is_measured_as_far_as_it_can_be(started, tmp_path):
    server = started(Grpcio(tmp_path))
    found = limits(server.address, within="4s")
    for shape in ("idle_client", "idle_server", "half_close"):
        assert found[shape]["state"] == "not_measured" and "UNIMPLEMENTED" in found[shape]["why"], found[shape]
    for shape in ("age_stream", "idle", "age_connection", "idle_connection"):
        assert found[shape]["state"] == "none_within", found[shape]


def test_a_service_of_one_s_own_is_measured_from_the_client_alone(started):
    relay = started(FrameRelay(started(OwnService()), each_stream(lambda link, s: last(s))))
    found = limits(relay.address, "--method", f"{SERVICE}/Talk", shapes=["idle", "age_stream", "half_close"])
    assert_found(found["idle"], LIMIT_S, "unknown")
    assert found["age_stream"]["state"] == "none_within" and found["half_close"]["state"] == "not_measured", found


def test_a_call_that_cannot_be_held_open_is_refused():
    done = grpcroute("limits", "--plaintext", "--method", f"{SERVICE}/Ask", "--call", "unary")
    assert done.returncode == 2 and "cannot be held open" in done.stderr, done.stderr


@pytest.mark.parametrize("option, shape, value_s, setting", [
    ("grpc.max_connection_age_ms=5000", "age_connection", 5, "a gRPC server: MAX_CONNECTION_AGE"),
    ("grpc.http2.min_recv_ping_interval_without_data_ms=300000", "ping_interval", None,
     "a gRPC server: the shortest interval of PINGs that it permits (MinTime, permitKeepAliveTime, "
     "http2.min_recv_ping_interval_without_data)")])
def test_limits_of_a_grpc_server_are_found_and_named(started, tmp_path, option, shape, value_s, setting):
    server = started(Grpcio(tmp_path, "v1", option))
    finding = limits(server.address, within="9s", shapes=[shape])[shape]
    assert finding["state"] == "found" and setting in [f"{s['program']}: {s['name']}" for s in finding["settings"]]
    if value_s is not None:  # it varies by a tenth either way
        assert abs(finding["value_ns"] / NS - value_s) <= 0.1 * value_s + 0.5 + finding["resolution_ns"] / NS, finding


# ---- real proxies ----------------------------------------------------------------------------------------------------


def swap(old, new):
    def change(text):
        if "route-1:" not in text and "providers:" not in text:  # Traefik has two files, and one of them has it
            assert old in text, old
        return text.replace(old, new)
    return change


def all_of(*changes):
    def change(text):
        for one in changes:
            text = one(text)
        return text
    return change


def envoy(idle, connection, half_close):
    """Limits of a stream's silence, of a connection without streams, and of the route."""
    common = f"          common_http_protocol_options: {{idle_timeout: {connection}s}}\n"
    return all_of(lambda text: re.sub(r"\n *idle_timeout: 0s #[^\n]*", "", text),
                  swap("          stream_idle_timeout: 0s", f"{common}          stream_idle_timeout: {idle}s"),
                  swap(" timeout: 0s      #", f" timeout: {half_close}s      #"))


def envoy_ages(stream, connection, _):
    return swap("          stream_idle_timeout: 0s",
                f"          common_http_protocol_options: {{max_stream_duration: {stream}s, "
                f"max_connection_duration: {connection}s}}\n          stream_idle_timeout: 0s")


def haproxy(idle, connection, _):
    return all_of(swap("timeout server 24d", f"timeout server {idle}s"),
                  swap("timeout http-keep-alive 1h", f"timeout http-keep-alive {connection}s"))


def nginx(idle, idle_server, connection):
    return all_of(swap("client_body_timeout 24d", f"client_body_timeout {idle}s"),
                  swap("grpc_read_timeout 24d", f"grpc_read_timeout {idle_server}s"),
                  swap("keepalive_timeout 1h", f"keepalive_timeout {connection}s"))


def nginx_age(connection, _, __):
    return swap("        keepalive_requests", f"        keepalive_time {connection}s;\n        keepalive_requests")


def traefik(stream, connection, age):
    return all_of(swap("readTimeout: 0s", f"readTimeout: {stream}s"),
                  swap("idleTimeout: 3600s", f"idleTimeout: {connection}s"),
                  swap("      lifeCycle:", f"      keepAliveMaxTime: {age}s\n      lifeCycle:"))


def traefik_write(stream, _, __):
    return swap("writeTimeout: 0s", f"writeTimeout: {stream}s")


# proxy, what sets its limits, and per limit: shape, hop, setting
PROXIES = {
    "envoy": ("envoy", envoy, [
        ("idle", "both_hops", "Envoy: stream_idle_timeout, or idle_timeout of the route"),
        ("idle_connection", "client_hop", "Envoy: common_http_protocol_options.idle_timeout"),
        ("half_close", "both_hops", "Envoy: timeout of the route")]),
    "envoy ages": ("envoy", envoy_ages, [
        ("age_stream", "both_hops", "Envoy: max_stream_duration of the listener, the route or the cluster"),
        ("age_connection", "client_hop", "Envoy: max_connection_duration")]),
    "haproxy": ("haproxy", haproxy, [
        ("idle", "both_hops", "HAProxy: timeout server"),
        ("idle_connection", "client_hop",
         "HAProxy: timeout http-keep-alive, else timeout http-request, else timeout client")]),
    "nginx": ("nginx", nginx, [
        ("idle", "both_hops", "nginx: client_body_timeout"),
        ("idle_server", "both_hops", "nginx: grpc_read_timeout"),
        ("idle_connection", "client_hop", "nginx: keepalive_timeout")]),
    "nginx age": ("nginx", nginx_age, [("age_connection", "client_hop", "nginx: keepalive_time")]),
    "traefik": ("traefik", traefik, [
        ("age_stream", "both_hops", "Traefik: respondingTimeouts.readTimeout"),
        ("idle_connection", "client_hop", "Traefik: respondingTimeouts.idleTimeout"),
        ("age_connection", "client_hop", "Traefik: keepAliveMaxTime of the entry point")]),
    "traefik write": ("traefik", traefik_write, [
        ("age_stream", "both_hops", "Traefik: respondingTimeouts.writeTimeout")]),
}


def check_proxy(started, certs, folder, name, seconds, make=None):
    program, configure, rows = PROXIES[name]
    backend = started(Server("v1", "server-v1-a"))
    make = make or REAL_PROXIES[program]
    proxy = started(make(certs, folder, [backend], [backend], "--no-health-checks", change=configure(*seconds)))
    found = limits(proxy.target, within="11s", cacert=certs / "ca.pem")
    set_to = {shape: limit for (shape, _, _), limit in zip(rows, seconds)}
    for shape, side, setting in rows:
        if shape == "idle" and set_to.get("idle_server", 99) < set_to["idle"]:
            assert found[shape]["by"] == "idle_server", found[shape]  # the longer one is never reached
            continue
        assert_found(found[shape], set_to[shape], side, [setting])
    assert_nothing_else(found, set_to)


@pytest.mark.parametrize("name", slow_but(["envoy", "haproxy"], PROXIES))
def test_limits_of_a_real_proxy_are_found_and_named(started, certs, tmp_path, name):
    check_proxy(started, certs, tmp_path, name, (5, 7, 9))


@slow
@pytest.mark.parametrize("seconds", [(7, 9, 5), (9, 5, 7)])
@pytest.mark.parametrize("name", PROXIES)
def test_limits_of_a_real_proxy_are_found_whatever_they_are(started, certs, tmp_path, name, seconds):
    check_proxy(started, certs, tmp_path, name, seconds)


@slow
@pytest.mark.parametrize("version", ENVOYS)
@pytest.mark.parametrize("name", ["envoy", "envoy ages"])
def test_limits_of_every_envoy_are_found_and_named(started, certs, tmp_path, name, version):
    check_proxy(started, certs, tmp_path, name, (5, 7, 9), ENVOYS[version])


@pytest.mark.parametrize("name", slow_but(["envoy", "nginx"], REAL_PROXIES))
def test_nothing_is_found_behind_a_proxy_as_rendered(started, certs, tmp_path, name):
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES[name](certs, tmp_path, [backend], [backend], "--no-health-checks"))
    assert_nothing_else(limits(proxy.target, within="8s", cacert=certs / "ca.pem"), [])


def envoy_listener(line):
    return swap("          stream_idle_timeout: 0s", f"          {line}\n          stream_idle_timeout: 0s")


def envoy_cluster(options):
    return swap("        explicit_http_config:",
                f"        common_http_protocol_options: {{{options}}}\n        explicit_http_config:")


def haproxy_global(line):
    return swap("    tune.h2.max-concurrent-streams 1000", f"    tune.h2.max-concurrent-streams 1000\n    {line}")


# ---- requests of a connection ----------------------------------------------------------------------------------------

# What sets the number, and to how much; GOAWAY comes with the last of them.
REQUESTS = {
    "nginx": (lambda count: lambda text: re.sub(r"keepalive_requests \d+", f"keepalive_requests {count}", text),
              "nginx: keepalive_requests"),
    "traefik": (lambda count: swap("      lifeCycle:", f"      keepAliveMaxRequests: {count}\n      lifeCycle:"),
                "Traefik: keepAliveMaxRequests of the entry point"),
    "envoy": (lambda count: swap("          stream_idle_timeout: 0s",
                                 f"          common_http_protocol_options: {{max_requests_per_connection: {count}}}\n"
                                 "          stream_idle_timeout: 0s"),
              "Envoy: max_requests_per_connection of the listener"),
}


@pytest.mark.parametrize("program", slow_but(["nginx"], REQUESTS))
def test_a_number_of_requests_is_no_age(started, certs, tmp_path, program):
    configure, setting = REQUESTS[program]
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES[program](certs, tmp_path, [backend], [backend], "--no-health-checks",
                                          change=configure(12)))
    found = limits(proxy.target, cacert=certs / "ca.pem", within="9s",
                   shapes=["age_connection", "requests_per_connection", "streams_per_connection"])
    requests = found["requests_per_connection"]
    assert requests["state"] == "found" and abs(requests["value"] - 12) <= 1, requests
    assert requests["ended_by"] == "client_hop" and "requests is usual here" in requests["advice"], requests
    assert setting in [f"{s['program']}: {s['name']}" for s in requests["settings"]], requests
    for shape in ("age_connection", "streams_per_connection"):
        assert found[shape].get("by") == "requests_per_connection", json.dumps(found[shape])
        assert not found[shape]["settings"], found[shape]


def test_an_age_is_no_number_of_requests(started, certs, tmp_path):
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES["nginx"](certs, tmp_path, [backend], [backend], "--no-health-checks",
                                          change=nginx_age(5, None, None)))
    found = limits(proxy.target, cacert=certs / "ca.pem", within="9s",
                   shapes=["age_connection", "requests_per_connection"])
    assert_found(found["age_connection"], 5, "client_hop", ["nginx: keepalive_time"])
    assert found["requests_per_connection"]["state"] == "none_within", found


def test_a_connection_of_the_server_takes_all_requests(started):
    server = started(Server())
    finding = limits(server.address, shapes=["requests_per_connection"], within="30s")["requests_per_connection"]
    assert finding["state"] == "none_within" and finding["looked"] == 1100, finding


KIB = 1024
# proxy, what is set, shape, to about how much, setting
SIZES = {
    "envoy streams": ("envoy", swap("            max_concurrent_streams: 1024\n            initial_stream",
                                    "            max_concurrent_streams: 50\n            initial_stream"),
                      "streams_per_connection", 50,
                      "Envoy: http2_protocol_options.max_concurrent_streams of the listener"),
    "envoy headers up": ("envoy", envoy_listener("max_request_headers_kb: 30"), "metadata_up", 30 * KIB,
                         "Envoy: max_request_headers_kb"),
    "envoy headers down": ("envoy", envoy_cluster("max_response_headers_kb: 30"), "metadata_down", 30 * KIB,
                           "Envoy: common_http_protocol_options.max_response_headers_kb of the cluster"),
    "envoy fields up": ("envoy", envoy_listener("common_http_protocol_options: {max_headers_count: 60}"),
                        "metadata_fields_up", 60,
                        "Envoy: common_http_protocol_options.max_headers_count of the listener"),
    "envoy fields down": ("envoy", envoy_cluster("max_headers_count: 60"), "metadata_fields_down", 60,
                          "Envoy: common_http_protocol_options.max_headers_count of the cluster"),
    "haproxy streams": ("haproxy", swap("streams 1000", "streams 50"), "streams_per_connection", 50,
                        "HAProxy: tune.h2.max-concurrent-streams"),
    "haproxy headers up": ("haproxy", haproxy_global("tune.bufsize 32768"), "metadata_up", 31 * KIB,
                           "HAProxy: tune.bufsize, less tune.maxrewrite"),
    "haproxy headers down": ("haproxy", haproxy_global("tune.bufsize 32768"), "metadata_down", 31 * KIB,
                             "HAProxy: tune.bufsize, less tune.maxrewrite"),
    "haproxy fields up": ("haproxy", haproxy_global("tune.http.maxhdr 60"), "metadata_fields_up", 60,
                          "HAProxy: tune.http.maxhdr"),
    "haproxy fields down": ("haproxy", haproxy_global("tune.http.maxhdr 60"), "metadata_fields_down", 60,
                            "HAProxy: tune.http.maxhdr"),
    "nginx streams": ("nginx", swap("http2_max_concurrent_streams 1000", "http2_max_concurrent_streams 50"),
                      "streams_per_connection", 50, "nginx: http2_max_concurrent_streams"),
    "nginx body": ("nginx", swap("client_max_body_size 0;", "client_max_body_size 2m;"), "message_up", 2 * KIB * KIB,
                   "nginx: client_max_body_size"),
    "nginx headers up": ("nginx", swap("header_buffers 4 16k", "header_buffers 4 12k"), "metadata_up", 13.5 * KIB,
                         "nginx: large_client_header_buffers"),
    "nginx headers down": ("nginx", swap("grpc_buffer_size 16k", "grpc_buffer_size 12k"), "metadata_down", 12.8 * KIB,
                           "nginx: grpc_buffer_size"),
    "traefik streams": ("traefik", swap("maxConcurrentStreams: 1000", "maxConcurrentStreams: 50"),
                        "streams_per_connection", 50, "Traefik: http2.maxConcurrentStreams of the entry point"),
}
QUICK = ["envoy headers up", "haproxy fields down", "nginx headers down", "traefik streams"]


def check_size(started, certs, folder, name, make=None):
    program, change, shape, value, setting = SIZES[name]
    backend = started(Server("v1", "server-v1-a"))
    make = make or REAL_PROXIES[program]
    proxy = started(make(certs, folder, [backend], [backend], "--no-health-checks", change=change))
    finding = limits(proxy.target, cacert=certs / "ca.pem", shapes=[shape])[shape]
    assert finding["state"] == "found", finding
    found = finding.get("value_bytes", finding.get("value"))
    assert found == value if shape == "streams_per_connection" else abs(found - value) <= value / 8, finding
    assert setting in [f"{s['program']}: {s['name']}" for s in finding["settings"]], finding


@pytest.mark.parametrize("name", slow_but(QUICK, SIZES))
def test_what_is_named_for_a_size_is_what_moves_it(started, certs, tmp_path, name):
    check_size(started, certs, tmp_path, name)


@slow
@pytest.mark.parametrize("version", ENVOYS)
@pytest.mark.parametrize("name", [name for name in SIZES if name.startswith("envoy")])
def test_sizes_of_every_envoy_are_named(started, certs, tmp_path, name, version):
    check_size(started, certs, tmp_path, name, ENVOYS[version])


def test_the_age_limit_of_the_embedded_proxy_is_found_and_named(started, certs):
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(Proxy(certs, [backend], [backend], "--max-stream-age", "5s", "--age-jitter", "0")).wait_ready()
    found = limits(proxy.target, within="8s", cacert=certs / "ca.pem", shapes=["age_stream", "idle_connection"])
    assert_found(found["age_stream"], 5, settings=["grpcroute proxy: --max-stream-age"])
    assert_nothing_else(found, ["age_stream"])


@pytest.mark.parametrize("envoy_s, haproxy_s, named", [
    (5, 8, "Envoy: stream_idle_timeout, or idle_timeout of the route"),
    pytest.param(8, 5, "HAProxy: timeout server", marks=slow)])
def test_of_two_proxies_in_a_row_the_shorter_is_named(started, certs, tmp_path, envoy_s, haproxy_s, named):
    """HAProxy in plaintext behind Envoy."""
    backend = started(Server("v1", "server-v1-a"))
    inner = started(ReservedPort())
    inner.address = f"127.0.0.1:{inner.port}"
    for folder in ("inner", "outer"):
        (tmp_path / folder).mkdir()
    started(REAL_PROXIES["haproxy"](
        certs, tmp_path / "inner", [backend], [backend], "--no-health-checks",
        change=all_of(swap("frontend grpc\n", f"frontend grpc\n    bind 127.0.0.1:{inner.port} proto h2\n"),
                      swap("timeout server 24d", f"timeout server {haproxy_s}s"))))
    outer = started(REAL_PROXIES["envoy"](certs, tmp_path / "outer", [inner], [inner], "--no-health-checks",
                                          change=envoy(envoy_s, 3600, 3600)))
    found = limits(outer.target, within="10s", cacert=certs / "ca.pem", shapes=STREAMS)
    assert_found(found["idle"], 5, settings=[named])
    # Either may look so at its own end, and no other product is in the path.
    assert {one["program"] for one in found["idle"]["settings"]} <= {"Envoy", "HAProxy"}, found["idle"]
    assert_nothing_else(found, ["idle"])


# ---- a fake proxy for each shape -------------------------------------------------------------------------------------

LIMIT_S = 3  # above the interval of PINGs on a silent stream, 2 s


def each_stream(is_over, error=2):
    """Resets the streams of which `is_over(stream, now)` gives since when the limit counts."""
    def fault(link, now):
        for stream in list(link.streams.values()):
            since = is_over(link, stream)
            if since is not None and now >= since + LIMIT_S:
                link.reset(stream, error=error)
    return fault


def close_idle(link, now):
    if not link.streams and not link.deaf and now >= link.idle_since + LIMIT_S and now > link.opened + LIMIT_S:
        link.close()


def goaway_old(link, now):
    if now >= link.opened + LIMIT_S and not getattr(link, "told", False):
        link.told = True
        link.goaway()


def refuse_pings(link, _):
    if len(link.pings) >= 3 and not getattr(link, "told", False):
        link.told = True
        link.goaway(0xb, b"too_many_pings")
        link.close()


def last(stream):
    return max(stream.heard.values())


# what the fake does, which shapes are limits then, which of the others may have met it
FAKES = {
    "age": (each_stream(lambda link, s: s.opened), {"age_stream"}),
    "silence both ways": (each_stream(lambda link, s: last(s)), {"idle"}),
    "silence that PINGs break": (each_stream(lambda link, s: max([last(s), *link.pings[-1:]])), {"idle"}),
    "silence of the client": (each_stream(lambda link, s: s.heard[CLIENT]), {"idle_client"}),
    "silence of the server": (each_stream(lambda link, s: s.heard[SERVER]), {"idle_server"}),
    "half-close": (each_stream(lambda link, s: s.half_closed), {"half_close"}),
    "a connection without streams": (close_idle, {"idle_connection"}),
    "an old connection": (goaway_old, {"age_connection"}),
}


@pytest.mark.parametrize("name", FAKES)
def test_a_proxy_with_one_limit_has_that_one(started, name):
    fault, shapes = FAKES[name]
    relay = started(FrameRelay(started(Server()), fault))
    found = limits(relay.address, within="6s", shapes=[s for s in TIMES if s != "ping_interval"])
    for shape in shapes:
        assert_found(found[shape], LIMIT_S)
    assert_nothing_else(found, shapes)
    if name == "silence both ways":
        assert found["idle_with_pings"]["by"] == "idle", found
        assert "PINGs do not count" in found["idle"]["advice"], found["idle"]
    if name == "silence that PINGs break":
        assert found["idle_with_pings"]["state"] == "none_within", found["idle_with_pings"]
        assert "HTTP/2 PINGs keep it open" in found["idle"]["advice"], found["idle"]


def test_refused_pings_are_told_with_how_many_were_taken(started):
    relay = started(FrameRelay(started(Server()), refuse_pings))
    finding = limits(relay.address, within="6s", shapes=["ping_interval"])["ping_interval"]
    assert finding["state"] == "found" and finding["look"] == \
        "PINGs every 1.00s: GOAWAY ENHANCE_YOUR_CALM: too_many_pings, after 3 of them", finding


def cut_one(side):
    def fault(link, now):
        for stream in list(link.streams.values()):
            if now >= stream.opened + LIMIT_S:
                link.reset(stream, [side])
    return fault


def test_a_client_s_hop_that_is_cut_alone_is_told(started):
    relay = started(FrameRelay(started(Server()), cut_one(CLIENT)))
    finding = limits(relay.address, within="6s", shapes=["age_stream"])["age_stream"]
    assert_found(finding, LIMIT_S, "client_hop")
    assert all("still open" in sample["server_saw"] for sample in finding["samples"]), finding


def test_a_stream_that_is_dead_on_a_live_connection_is_found(started):
    """The server's hop was cut, and nobody told the client."""
    relay = started(FrameRelay(started(Server()), cut_one(SERVER)))
    finding = limits(relay.address, within="6s", shapes=["age_stream"])["age_stream"]
    assert_found(finding, LIMIT_S, "server_hop")
    assert "for the client the stream is still open" in finding["look"], finding


def test_a_stream_that_one_hop_ended_first_has_the_limit_of_that_hop(started):
    # The server's side is reset at the limit, and the client's by another hop, three seconds later.
    first = cut_one(SERVER)

    def fault(link, now):
        first(link, now)
        if now >= link.opened + LIMIT_S + 3 and not link.deaf:
            link.close()
    relay = started(FrameRelay(started(Server()), fault))
    finding = limits(relay.address, within="9s", shapes=["age_stream"])["age_stream"]
    assert_found(finding, LIMIT_S, "server_hop")
    assert "though its server has ended it; then" in finding["look"], finding


def test_what_the_server_saw_is_asked_until_the_right_pod_answers(started, certs):
    """The balancer leads to three pods in turn; only one of them knows of a stream."""
    pods = [started(Server("v1", f"pod-{c}")) for c in "abc"]
    proxy = started(Proxy(certs, pods, pods, "--max-stream-age", "2s", "--age-jitter", "0")).wait_ready()
    finding = limits(proxy.target, within="6s", cacert=certs / "ca.pem", shapes=["age_stream"])["age_stream"]
    assert_found(finding, 2)
    assert all(sample["server_saw"] for sample in finding["samples"]), finding


# ---- the run ---------------------------------------------------------------------------------------------------------


def start_limits(*args):
    return subprocess.Popen([*DIE_WITH_PARENT, BIN, "limits", *map(str, args), "-o", "json"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _answered(proxy):
    """How many live streams had an answer."""
    with urllib.request.urlopen(proxy.admin + "/streams", timeout=20) as answer:
        streams = json.load(answer)["streams"]
    return sum(row["messages_down"] > 0 for row in streams)


def test_a_proxy_that_restarts_in_the_middle_is_no_limit(started, certs):
    backend = started(Server("v1", "server-v1-a"))
    port = started(ReservedPort()).port
    start = [certs, [backend], [backend]]
    proxy = Proxy(*start, port=port).wait_ready()
    shapes = ["age_stream", "idle", "idle_with_pings", "idle_server"]
    run = start_limits("--target", f"localhost:{port}", "--cacert", certs / "ca.pem", "--within", "8s", "--shapes",
                       ",".join(shapes))
    try:
        wait_until(lambda: _answered(proxy) >= 2 * len(shapes))  # all have begun
        proxy.kill()
        proxy.close()
        proxy = started(Proxy(*start, port=port))
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 0, err
    for finding in json.loads(out)["limits"]:
        assert finding["state"] == "unsteady" and "in one moment" in finding["why"], finding


def test_what_is_known_is_told_when_it_is_interrupted(started):
    relay = started(FrameRelay(started(Server()), each_stream(lambda link, s: s.half_closed)))
    run = start_limits("--target", relay.address, "--plaintext", "--within", "60s", "--shapes", "half_close,idle")
    try:
        # One asks whether there are probes, two whether a hop is between, two of each shape, two keep the path in use,
        # two ask what the server saw of the ends.
        wait_until(lambda: relay.connections >= 11, 30, "both streams have ended")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 130, err
    found = {finding["shape"]: finding for finding in json.loads(out)["limits"]}
    assert_found(found["half_close"], LIMIT_S)
    assert found["idle"]["state"] == "none_within" and found["idle"]["looked_ns"] < 60 * NS, found["idle"]


@pytest.mark.parametrize("all_stand_still", [False, True])
def test_what_a_standstill_may_have_cost_is_told_as_resolution(started, all_stand_still):
    """Of the command alone, or of the machine, whose proxy then acts late: the first of two ends is seen late, and is
    known to be."""
    stopped = threading.Event()

    def stand_still(seconds):
        stopped.set()
        run.send_signal(signal.SIGSTOP)
        if all_stand_still:
            time.sleep(seconds)  # and with it the relay
            run.send_signal(signal.SIGCONT)
        else:
            threading.Timer(seconds, lambda: run.send_signal(signal.SIGCONT)).start()

    def fault(link, now):
        for stream in list(link.streams.values()):
            if now >= last(stream) + LIMIT_S - 0.1 and not stopped.is_set():
                stand_still(0.8)
            elif now >= last(stream) + LIMIT_S:
                link.reset(stream)

    relay = started(FrameRelay(started(Server()), fault))
    run = start_limits("--target", relay.address, "--plaintext", "--within", "6s", "--shapes", "idle")
    try:
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 0 and stopped.is_set(), err
    finding, = json.loads(out)["limits"]
    assert_found(finding, LIMIT_S)
    assert finding["resolution_ns"] >= 0.7 * NS, finding


GENTLE = "left out by --gentle, as others on the path might feel it"
HARSH = {"goaway", "grace", "streams_per_connection", "requests_per_connection", "message_up", "message_down",
         "metadata_up", "metadata_down", "metadata_fields_up", "metadata_fields_down", "slow_reader", "buffered"}


def test_a_gentle_run_leaves_out_what_may_hurt(started):
    server = started(Server())
    done = grpcroute("limits", "--target", server.address, "--plaintext", "--gentle", "--within", "1s", "-o", "json",
                     timeout=120)
    result = json.loads(done.stdout)
    spared = {finding["shape"] for finding in result["limits"] if finding["why"] == GENTLE}
    measured = {finding["shape"] for finding in result["limits"] if finding["state"] != "not_measured"}
    assert done.returncode == 0 and result["gentle"], done.stderr
    assert spared == HARSH and not measured & HARSH and measured >= set(TIMES) - {"ping_interval"}, (spared, measured)


def test_how_long_it_takes_is_told_at_the_start(started):
    """Standard error is a pipe here; what is over at once needs no word."""
    server = started(Server())
    run = start_limits("--target", server.address, "--plaintext", "--within", "90s")
    try:
        first = run.stderr.readline().decode()
    finally:
        run.kill()
        run.communicate()
    assert re.fullmatch(r"limits: looks for limits of time of up to 1m30s, which takes about 2m1\ds in all; "
                        r"Ctrl-C tells what is known by then\n", first), first
    done = grpcroute("limits", "--target", server.address, "--plaintext", "--within", "1s", "--shapes", "idle",
                     timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr


@slow
def test_a_run_holds_no_more_connections_than_it_may(started):
    relay = started(FrameRelay(started(Server()), lambda link, now: None))
    done = grpcroute("limits", "--target", relay.address, "--plaintext", "--within", "5s", "-o", "json", timeout=400)
    assert done.returncode == 0 and len(json.loads(done.stdout)["limits"]) > len(TIMES), done.stderr
    assert 16 <= relay.most_open <= 64, relay.most_open


def refuses_goaways(prober):
    call = prober.run(goaway=True, end_after_ms=1, grace_ms=1)
    return call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def use_up_goaways(prober, stopped):
    while not stopped.is_set():
        try:
            list(prober.run(goaway=True, end_after_ms=1, grace_ms=1))
        except grpc.RpcError:
            pass  # refused, or on a connection that is going away


def test_what_the_server_refuses_for_others_is_no_limit_of_the_path(started, tmp_path):
    """Others use up the GOAWAYs that the probe service sends: a promise is not broken by that, but not checked."""
    server = started(Server())
    stubs = generate(tmp_path)
    stopped = threading.Event()
    busy = [threading.Thread(target=use_up_goaways, args=(started(Prober(*stubs, server.address)), stopped))
            for _ in range(6)]
    try:
        for thread in busy:
            thread.start()
        prober = started(Prober(*stubs, server.address))
        wait_until(lambda: refuses_goaways(prober), 20, "the GOAWAYs are used up")
        finding = limits(server.address, within="2s", shapes=["goaway"], code=4)["goaway"]
    finally:
        stopped.set()
        for thread in busy:
            thread.join()
    assert finding["state"] == "not_measured" and "probe service is busy: over the GOAWAYs" in finding["why"], finding


def test_nobody_there_is_no_connection():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{closed.getsockname()[1]}"
        done = grpcroute("limits", "--target", target, "--plaintext", "-o", "json")
    assert done.returncode == 3, done.stdout
    assert "refused" in json.loads(done.stdout)["message"], done.stdout


@pytest.mark.parametrize("within", ["1ns", "999ms"])
def test_too_short_a_look_is_refused(within):
    done = grpcroute("limits", "--plaintext", "--within", within)
    assert done.returncode == 2 and "--within is below 1s" in done.stderr, done.stderr


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
def test_a_result_that_cannot_be_written_is_told_with_its_cause(started, output):
    server = started(Server())
    with open("/dev/full", "w") as full:
        done = subprocess.run([BIN, "limits", "--target", server.address, "--plaintext", "--within", "1s", "--shapes",
                               "idle,headers_first", "-o", output], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    assert done.returncode == 2 and "cannot write to standard output: No space left" in done.stderr, done.stderr


def test_a_run_that_is_stopped_says_how_long_it_looked(started):
    server = started(Server())
    run = start_limits("--target", server.address, "--plaintext", "--shapes", "idle")
    try:
        time.sleep(7)  # for the second try, which begins behind the first, to have looked for a while
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    result = json.loads(out)
    finding, = result["limits"]
    assert finding["state"] == "none_within" and finding["looked_ns"] < 60 * NS, finding
    assert f"looked for {finding['text'].removeprefix('none within ')}" in result["message"], result


def test_a_shape_that_does_not_exist_is_refused():
    done = grpcroute("limits", "--shapes", "idle,idel", "--plaintext")
    assert done.returncode == 2 and '"idel"' in done.stderr, done.stderr
