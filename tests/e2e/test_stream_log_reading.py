"""verify --logs judges what a proxy in the middle logged of its streams: real proxies with `render --access-log`, real
agents."""
import difflib
import json
import re
import subprocess

import jsonschema
import pytest

from testenv import raw
from testenv.grpcroute import BIN, ROOT, Agent, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.proxies import REAL_PROXIES

NAMES = sorted(REAL_PROXIES)
SCHEMAS = {command: json.loads((ROOT / f"docs/schema/{command}.json").read_text())
           for command in ("verify", "sticky-test")}
STREAMS = 4  # of each agent
LINE = re.compile(r'^\{.*("grpcroute\.stream"|"DownstreamStatus").*\}$')


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def logging_proxy(name, certs, folder, servers, *render, **kwargs):
    """The proxy of that name, with its log."""
    if name == "haproxy":  # two threads that write at once lose a line (docs/logs.md)
        kwargs.setdefault("change", lambda text: text.replace("global\n", "global\n    nbthread 1\n", 1))
    return REAL_PROXIES[name](certs, folder, *servers, "--access-log", *render, **kwargs)


@pytest.fixture
def start(started, certs, backends, tmp_path):
    """Starts the proxy of that name, with its log."""
    def begin(name, *render, servers=backends, **kwargs):
        return started(logging_proxy(name, certs, tmp_path, servers, *render, **kwargs))
    return begin


def call(proxy, version, ident="a", *options, streams=STREAMS, messages=2):
    """Streams of an agent that end by themselves."""
    agent = Agent(version, ident, proxy.target, "--count", streams, "--messages", messages, *options,
                  cacert=proxy.certs / "ca.pem")
    try:
        agent.wait(60)
    finally:
        agent.close()
    return agent


def lines(proxy, count):
    """The lines of `count` streams that ended."""
    proxy.process.wait_for(LINE.pattern, count=count)
    return [line for line in proxy.process.output.splitlines() if LINE.match(line)]


def verify(text, *options, versions="v1.1,v2.1"):
    text = text if isinstance(text, bytes) else ("\n".join(text) + "\n").encode()
    return subprocess.run([BIN, "verify", "--logs", "-", "--versions", versions, *options], input=text,
                          capture_output=True, timeout=60, check=False)


def report(text, *options, **kwargs):
    done = verify(text, "-o", "json", *options, **kwargs)
    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMAS["verify"]).validate(told)
    return done, told


def test_what_a_filter_refused_went_nowhere(start):
    """Envoy names the cluster of the route, and of a repeated header the first value."""
    proxy, routes = start("envoy"), ["--routes", ROOT / "deploy/routes/grpcroute.yaml"]
    live = grpcroute("verify", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--boundary", *routes)
    assert live.returncode == 0, live.stdout + live.stderr
    proxy.process.wait_for("lua_response")
    done = verify(lines(proxy, 25), *routes)  # six of each version, and the refused one
    assert done.returncode == 0 and b"Refused by the proxy, not judged" in done.stdout, done.stdout + done.stderr


def test_the_log_of_each_proxy_is_evidence(start, name):
    proxy = start(name)
    for version in ("v1.1", "v2.1"):
        call(proxy, version)
    log = lines(proxy, 2 * STREAMS)
    done = verify(log)
    assert done.returncode == 0, (done, log[:2])
    for version in "12":
        assert f"Agent v{version}.1 → Server v{version}: OK (4 streams by the proxy's log)" in done.stdout.decode(), \
            done
    _, told = report(log)
    for check, servers in zip(told["checks"], ("server-v1", "server-v2")):
        seen = check["proxy_log"]
        assert seen["right"] == seen["answered"] == STREAMS and seen["wrong"] == seen["refused"] == 0, seen
        assert {e["cluster"] for e in seen["endpoints"]} == {servers} and \
            sum(e["streams"] for e in seen["endpoints"]) == STREAMS
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+", e["address"]) for e in seen["endpoints"]), seen
    # where a stream was sent is not who answered, and not that it stayed there
    assert all({"version", "stickiness"} <= set(check["not_checked"]) for check in told["checks"]), told


def test_agents_and_the_proxy_are_two_pieces_of_evidence(start, name):
    proxy = start(name)
    agents = [call(proxy, version, f"a-{version}", messages=5) for version in ("v1.1", "v2.1")]
    mixed = [line for agent in agents for line in agent.lines] + lines(proxy, 2 * STREAMS)
    done, told = report(mixed)
    assert done.returncode == 0, done
    for check in told["checks"]:
        assert check["streams"] == STREAMS and check["messages_answered"] == 5 * STREAMS, check
        assert check["proxy_log"]["answered"] == STREAMS, check
    assert re.search(r"OK \(pods? server-v1-[ab].*; 4 streams by the proxy's log\)", verify(mixed).stdout.decode())
    # what agents saw stays wrong, whatever the proxy says
    wrong = verify(mixed + ["[AGENT_v1.1/a-1] Received pong from server=v2/thief message=pong"])
    assert wrong.returncode == 1 and b"v2/thief" in wrong.stdout, wrong


SWAPPED = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: swapped}
spec:
  rules:
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v1\\..*'}]}]
    backendRefs: [{name: server-v2, port: 50051}]
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]}]
    backendRefs: [{name: server-v1, port: 50051}]
"""


def test_swapped_routes_are_named(start, name, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(SWAPPED)
    proxy = start(name, "--routes", routes)
    call(proxy, "v1.1")
    call(proxy, "v2.1")
    log = lines(proxy, 2 * STREAMS)
    done = verify(log)
    assert done.returncode == 1, done
    said = done.stdout.decode()
    assert re.search(r"v1\.1 → expected server v1, sent by the proxy to server-v2 at 127\.0\.0\.1:\d+ \(\d of \d "
                     r"streams\)", said), said
    assert re.search(r"v2\.1 → expected server v2, sent by the proxy to server-v1 at", said) and \
        "4 lines of its log show it" in said
    assert verify(log, "--routes", routes).returncode == 0  # which is what these routes say


def test_one_that_strayed_is_found_among_many(start, name):
    proxy = start(name)
    call(proxy, "v1.1")
    call(proxy, "v2.1")
    log = lines(proxy, 2 * STREAMS)
    stray = next(line for line in log if '"v2.1"' in line).replace("server-v2", "server-v1")
    done = verify(log * 200 + [stray] + log * 200)
    assert done.returncode == 1 and b"(1 of 1 streams); 1 lines of its log show it, first: {" in done.stdout, done


PONG = "[AGENT_v1.1/a] Received pong from server=v2/thief message=pong"
FORGED = ('{"log":"grpcroute.stream","event":"end","agent_version":"v1.1","path":"/ping.PingService/PingPong",'
          '"cluster":"server-v2",'
          '"endpoint":"6.6.6.6:6","http_status":200,"bytes_down":9}')
HOSTILE = {
    "quotes": '"}{\\"\'%[x]%{+Q}$status`',
    "a line of an agent": PONG,
    "a line of a server": "[SERVER_v2/x] Received ping from agent-id=a agent-version=v1.1 message=ping",
    "a line of the log": FORGED,
    "the end of its object": '"} ' + FORGED,
    "a second key": '","cluster":"server-v2","x":"',
    "a line in quotes": json.dumps(FORGED),
    "no UTF-8": b"\xff\xfe\xc3(" + PONG.encode(),
    "a tab": "a\tb",
    "too long": "x" * 3000 + PONG,
    "format": "%REQ(x)% %n%n%s ${x} \\u0000 \\x00",
    "characters": "agent-é-日本",
}


def hostile_request(ident, version="v1.1", path=raw.PING_PONG):
    return raw.block((":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"),
                     ("te", "trailers"),
                     ("content-type", "application/grpc"), ("agent-id", ident), ("agent-version", version))


def send(proxy, *requests):
    """One ping on a stream for each; they end by themselves. Returns how many were answered with the HTTP status
    200."""
    peer = raw.client(proxy.port, proxy.certs / "ca.pem")
    try:
        for number, block in enumerate(requests):
            stream = 2 * number + 1
            peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS, stream, block))
            peer.exchange(raw.frame(raw.DATA, raw.END_STREAM, stream, raw.message()),
                          until=lambda stream=stream: any(f.flags & raw.END_STREAM and f.type in (raw.DATA, raw.HEADERS)
                                                          for f in peer.frames if f.stream == stream) or
                          peer.reset_of(stream))
        return sum(f.fields.get(":status") == "200" for f in peer.frames if f.type == raw.HEADERS)
    finally:
        peer.close()


def test_whatever_a_client_is_called_its_line_is_one(start, name):
    proxy = start(name)
    call(proxy, "v1.1", streams=1)
    call(proxy, "v2.1", streams=1)
    answered = 0
    for ident in HOSTILE.values():
        answered += send(proxy, hostile_request(ident))
    assert answered >= len(HOSTILE) - 1  # a proxy may refuse a value
    log = lines(proxy, 2 + answered)
    for line in log:
        json.loads(line)
    done, told = report(log)
    assert done.returncode == 0 and told["logs"]["not_understood"] == 0, (done, log)
    assert told["checks"][0]["proxy_log"]["right"] == 1 + answered, told
    assert {e["cluster"] for e in told["checks"][0]["proxy_log"]["endpoints"]} == {"server-v1"}, told
    assert told["checks"][0]["messages_answered"] == 0  # nobody's pong
    # nor is a line read out of one that was torn
    torn = [line[:at] for line in log for at in range(20, len(line), 7)]
    done, told = report(log + torn + log)
    assert done.returncode == 4 and told["checks"][0]["proxy_log"]["right"] == 2 * (1 + answered), done
    assert told["checks"][0]["messages_answered"] == 0, told


def test_a_last_line_that_was_cut_takes_nothing_away(start, name):
    proxy = start(name)
    call(proxy, "v1.1")
    call(proxy, "v2.1")
    log = lines(proxy, 2 * STREAMS)
    text = "\n".join(log).encode()
    done, told = report(text[:-20])
    assert done.returncode == 0 and told["logs"]["not_understood"] == 1 and told["logs"]["may_be_evidence"] == 0, done
    done, told = report(text[:-20] + b"\n" + log[0].encode() + b"\n")  # in the middle it may have been anything
    assert done.returncode == 4 and told["logs"]["may_be_evidence"] == 1, done
    assert log[-1][:40] in told["logs"]["first_not_understood"], told


CARRIERS = {
    "kubectl": lambda line: "[pod/proxy-ingress-x/proxy] 2026-01-02T03:04:05.123456789Z " + line,
    "stern": lambda line: "\x1b[36mproxy-ingress-0\x1b[0m \x1b[36;1mproxy\x1b[0m " + line,
    "compose": lambda line: "proxy-1  | " + line,
    "syslog": lambda line: "Nov 25 15:14:10 host envoy[7]: " + line,
    "loki": lambda line: '2026-11-25T15:14:10Z {app="proxy"} ' + line,
    "cri": lambda line: "2026-01-02T03:04:05.123456789Z stdout F " + line,
    "cri, cut": lambda line: "\n".join(f"2026-01-02T03:04:05.1Z stdout {tag} {part}" for tag,
                                       part in (("P", line[:70]), ("F", line[70:]))),
    "docker": lambda line: json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-01-02T03:04:05Z"}),
    "docker, cut": lambda line: "\n".join(
        json.dumps({"log": part, "stream": "stdout", "time": "t"}) for part in (line[:70], line[70:] + "\n")),
    "docker, without ends": lambda line: json.dumps({"log": line, "stream": "stdout", "time": "t"}),
    "journald": lambda line: json.dumps({"MESSAGE": line, "_PID": "7"}),
    "journald, bytes": lambda line: json.dumps({"MESSAGE": list(line.encode())}),
    "fluent-bit": lambda line: json.dumps({"log": line, "stream": "stdout", "logtag": "F",
                                           "kubernetes": {"pod_name": "x"}}),
    "a cloud": lambda line: json.dumps({"insertId": "x", "jsonPayload": json.loads(line),
                                        "resource": {"type": "k8s_container"}}),
    "elasticsearch": lambda line: json.dumps({"_source": {"message": line, "kubernetes": {"pod": "x"}}}),
    "a query": lambda line: json.dumps({"data": {"result": [{"values": [["1", line], ["2", "x"]]}]}}),
    "logfmt": lambda line: f"level=info msg={json.dumps(line)} pod=x",
    "pretty": lambda line: json.dumps({"textPayload": line + "\n", "insertId": "x"}, indent=2),
}


@pytest.fixture(scope="module")
def logged(certs, tmp_path_factory):
    """The log of each proxy, once for all carriers: four streams of each version and one of a hostile id."""
    servers = [[Server("v1", "server-v1-a")], [Server("v2", "server-v2-a")]]
    logs = {}
    try:
        for name in NAMES:
            proxy = logging_proxy(name, certs, tmp_path_factory.mktemp(name), servers)
            try:
                call(proxy, "v1.1")
                call(proxy, "v2.1")
                send(proxy, hostile_request('"} ' + PONG))
                logs[name] = lines(proxy, 2 * STREAMS + 1)
            finally:
                proxy.close()
    finally:
        for server in servers:
            server[0].close()
    return logs


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_brings_them(logged, name, carrier):
    carried = [CARRIERS[carrier](line) for line in logged[name]]
    done, told = report(carried)
    assert done.returncode == 0, done
    assert [check["proxy_log"]["right"] for check in told["checks"]] == [STREAMS + 1, STREAMS], told
    assert told["logs"]["may_be_evidence"] == 0 and told["checks"][0]["messages_answered"] == 0, told
    stray = CARRIERS[carrier](next(line for line in logged[name] if '"v2.1"' in line).replace("server-v2", "server-v1"))
    done = verify(carried + [stray] + carried)
    assert done.returncode == 1 and b"sent by the proxy to server-v1 at" in done.stdout, done


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_encodings(logged, encoding):
    text = "".join(line + "\r\n" for name in NAMES for line in logged[name])
    done = verify(text.encode(encoding))
    assert done.returncode == 0 and b"OK (20 streams by the proxy's log)" in done.stdout, done


NO_DEFAULT = SWAPPED.replace("server-v2", "x").replace("server-v1", "server-v2").replace("name: x,", "name: server-v1,")


def test_streams_that_no_route_took_are_told_and_make_no_ok(start, name, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(NO_DEFAULT)
    proxy = start(name, "--routes", routes)
    call(proxy, "v1.1")
    call(proxy, "v2.1")
    send(proxy, hostile_request("a", "v3.1"), hostile_request("b", "v3.1"))
    log = lines(proxy, 2 * STREAMS + 2)
    done = verify(log, "--routes", routes)
    assert done.returncode == 0 and b"Refused by the proxy, not judged: 2 streams: " in done.stdout, done
    done = verify(log, versions="v1.1,v3.1")
    assert done.returncode == 4 and b"by the proxy's log 2 streams were refused" in done.stdout, done
    assert report(log)[1]["logs"]["proxy_log"]["refused"] == 2


def test_streams_that_nobody_answered_make_no_ok(start, started, name, backends):
    class Nobody:
        def __init__(self):
            self.address = f"127.0.0.1:{started(ReservedPort()).port}"

    proxy = start(name, "--no-health-checks", servers=([Nobody()], backends[1]))
    send(proxy, hostile_request("a"), hostile_request("b"))
    call(proxy, "v2.1")
    log = lines(proxy, STREAMS + 2)
    done, told = report(log)
    assert done.returncode == 4, done
    seen = told["checks"][0]["proxy_log"]
    assert seen["answered"] == 0 and seen["refused"] + seen["not_answered"] == 2, (seen, log)
    assert told["checks"][1]["result"] == "passed", told


def test_a_cluster_that_says_no_version_is_not_checked(logged, name):
    log = [line.replace("server-v1", "blue") for line in logged[name][:-1]]
    done = verify(log)
    assert done.returncode == 4 and b"not checked: 4 of 4 streams by the proxy's log" in done.stdout, done
    assert b"--backend-version 'blue=SERVER'" in done.stdout and b"Agent v2.1" in done.stdout
    assert verify(log, "--backend-version", "blue=v1").returncode == 0
    assert verify(log, "--backend-version", "blue=v7").returncode == 1
    assert verify(log, "--backend-version", "blue=v1|v7").returncode == 4  # either may have answered
    assert verify(log, "--expect", "v1.1=*").returncode == 0  # any will do


def stream(**fields):
    """A line as `grpcroute proxy --access-log` has it."""
    line = {"log": "grpcroute.stream", "event": "end", "time": "2026-11-26T03:35:11.123Z", "stream": 17,
            "client": "127.0.0.1:51234",
            "agent_id": "a", "agent_version": "v1.1", "authority": "localhost:8443",
            "path": "/ping.PingService/PingPong",
            "route": "grpc-routing-poc/grpcroute[1]", "cluster": "server-v1", "endpoint": "10.0.0.1:50051",
            "tls_version": "TLSv1.3",
            "pod": "server-v1-a", "server_version": "v1", "grpc_status": 0, "http_status": 200, "ended_by": "server",
            "reason": "completed", "age_ms": 12345, "messages_up": 5, "messages_down": 5, "bytes_up": 55,
            "bytes_down": 99}
    line.update(fields)
    return json.dumps({key: value for key, value in line.items() if value is not None}, separators=(",", ":"))


V2 = stream(agent_version="v2.1", cluster="server-v2", server_version="v2", pod="server-v2-a")


def test_the_server_that_answered_goes_before_the_name_of_its_cluster():
    done, told = report([stream(), V2])
    assert done.returncode == 0 and "version" not in told["checks"][0]["not_checked"], done
    done = verify([stream(server_version="v2"), V2])
    assert done.returncode == 1 and b'"server_version":"v2"' in done.stdout, done
    assert verify([stream(cluster="blue"), V2]).returncode == 0
    assert verify([stream(cluster="server-v2"), V2]).returncode == 0  # as live: v1 answered
    assert verify([stream(cluster="server-v2", server_version=None), V2]).returncode == 1


NOWHERE = {"cluster": None, "endpoint": None, "pod": None, "server_version": None, "messages_down": 0, "bytes_down": 0,
           "ended_by": "proxy"}


def test_reasons_of_refusals_are_told():
    refused = [stream(**NOWHERE, grpc_status=12, reason="no route")] * 3 + [
        stream(**{**NOWHERE, "cluster": "server-v1"}, grpc_status=14, reason="no healthy endpoint"),
        stream(**NOWHERE, agent_version="v7.7", grpc_status=None, http_status=None, reason="shed")]
    done, told = report([stream(), V2, *refused])
    assert done.returncode == 0 and len(told["checks"]) == 2, done
    assert told["logs"]["proxy_log"]["refusals"] == [{"reason": "no route", "streams": 3},
                                                     {"reason": "no healthy endpoint", "streams": 1},
                                                     {"reason": "shed", "streams": 1}]
    said = verify([stream(), V2, *refused]).stdout.decode()
    assert "OK (1 stream by the proxy's log; 4 refused)" in said, said
    assert "Refused by the proxy, not judged: 5 streams: no route (3), no healthy endpoint (1), shed (1)" in said, said
    done = verify([V2, *refused])
    assert done.returncode == 4 and "by the proxy's log 4 streams were refused and 0 not answered" \
        in done.stdout.decode(), done


def test_streams_of_other_paths_are_judged_with_their_method():
    other = [stream(path="/own.Service/Call"), stream(path="/own.Service/Call", cluster="server-v2",
                                                      server_version=None)]
    done, told = report([stream(), V2, *other])
    assert done.returncode == 0 and told["logs"]["proxy_log"]["other_paths"] == 2, done
    assert b"Of other paths than --method's, not judged: 2 streams, first /own.Service/Call" \
        in verify([stream(), V2, *other]).stdout
    for method in ("/own.Service/Call", "own.Service.Call"):
        done, told = report([stream(), V2, *other], "--method", method, versions="v1.1")
        assert done.returncode == 1 and told["checks"][0]["proxy_log"] == {
            "answered": 2, "right": 1, "wrong": 1, "not_checked": 0, "disputed": 0, "not_answered": 0, "refused": 0,
            "to_other_endpoints": 0, "endpoints": [
                {"cluster": "server-v1", "address": "10.0.0.1:50051", "streams": 1, "wrong": 0},
                {"cluster": "server-v2", "address": "10.0.0.1:50051", "streams": 1, "wrong": 1}]}, told
    done = verify(other, "--method", "nothing")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"--method" in done.stderr, done


def test_streams_without_a_version_are_judged_by_routes_alone(tmp_path):
    bare = stream(agent_version=None, server_version=None)
    done = verify([stream(), V2, bare])
    assert done.returncode == 4 and b"Agent (header missing)" in done.stdout and b"--routes" in done.stdout, done
    routes = tmp_path / "routes.yaml"
    routes.write_text((ROOT / "deploy/routes/grpcroute.yaml").read_text())
    assert verify([stream(), V2, bare], "--routes", routes).returncode == 0
    done = verify([stream(), V2, bare.replace("server-v1", "server-v2")], "--routes", routes)
    assert done.returncode == 1 and b"(header missing)" in done.stdout, done


def test_versions_that_occur_are_judged():
    odd = stream(agent_version="blue-7", cluster="server-v1", server_version=None)
    done = verify([stream(), V2, odd])
    assert done.returncode == 4 and b"blue-7" in done.stdout and \
        b"nothing says which server it belongs to" in done.stdout, done
    assert verify([stream(), V2, odd], "--expect", "blue-7=v1").returncode == 0
    assert verify([stream(), V2, odd], "--expect", "blue-7=v2").returncode == 1
    done = verify([stream(), V2, stream(agent_version="v3.4")])  # nobody asked for it
    assert done.returncode == 1 and b"v3.4" in done.stdout, done


def test_a_wrong_cluster_is_wrong_also_for_a_version_that_nobody_asked_for(tmp_path):
    lost = {"pod": None, "server_version": None, "messages_down": 0, "bytes_down": 0, "http_status": 503,
            "reason": "reset"}
    done, told = report([stream(), V2, stream(agent_version="v2.7", **lost)])
    assert done.returncode == 1 and told["checks"][2]["proxy_log"]["wrong"] == 1 and len(told["checks"]) == 3, done
    assert verify([stream(), V2, stream(agent_version="v1.7", **lost)]).returncode == 0  # where it belongs
    routes = tmp_path / "routes.yaml"
    routes.write_text(NO_DEFAULT)  # no rule takes v3.1, but the proxy's did
    for taken in (lost, {**lost, "endpoint": None, "reason": "no healthy endpoint"}):
        done = verify([stream(), V2, stream(agent_version="v3.1", **taken)], "--routes", routes)
        assert done.returncode == 1 and b"v3.1" in done.stdout and b"expected a rejection" in done.stdout, done
    assert verify([stream(), V2, stream(agent_version="v3.1", **NOWHERE, reason="no route")], "--routes",
                  routes).returncode == 0


def test_what_the_proxy_calls_misrouted_is_no_pass():
    called = stream(cluster="server-v2", misrouted=True)
    done, told = report([stream(), V2, called])
    assert done.returncode == 4 and told["checks"][0]["proxy_log"]["disputed"] == 1, done
    assert "1 streams were misrouted by the proxy's own log" in told["checks"][0]["findings"][0]["text"], told
    done = verify([stream(), V2, called], "--expect", "v1.1=*", "--expect", "v2.1=v2")
    assert done.returncode == 0 and b"1 misrouted by its own account" in done.stdout, done


def test_endpoints_that_are_too_many_to_list_are_counted():
    many = [stream(endpoint=f"10.0.0.{i}:1") for i in range(100)]
    done, told = report([V2, *many])
    assert done.returncode == 0 and told["checks"][0]["proxy_log"]["to_other_endpoints"] == 36, done
    assert b"100 streams by the proxy's log; 36 of them to more endpoints than the 64 that are listed" \
        in verify([V2, *many]).stdout
    wrong = [stream(endpoint=f"10.0.0.{i}:1", cluster="server-v2", server_version=None) for i in range(100)]
    done = verify([V2, *wrong])
    assert done.returncode == 1 and b"(1 of 1 streams), others (96 streams); 100 lines of its log show it" \
        in done.stdout, done


def test_lines_of_streams_that_opened_have_no_weight():
    opened = stream(event="open", cluster="server-v2")
    done, told = report([opened, stream(), V2])
    assert done.returncode == 0 and told["logs"]["proxy_log"]["streams"] == 2 and told["logs"]["not_understood"] == 0, \
        done
    assert verify([opened], versions="v1.1").returncode == 4


@pytest.mark.parametrize("line", [
    stream(event=None), stream(event="gone"), stream(path=None), stream(cluster=7), stream(agent_version=["v1.1"]),
    stream(http_status="OK"),
    "[PROXY] The stream log - takes bytes too slowly or not at all: lines are dropped",
    "[PROXY] The stream log /var/log/streams cannot be written: No space left on device: lines are dropped",
    "[PROXY] The stream log /var/log/streams has lost 7 lines: No space left on device",
    "[PROXY] The stream log - has lost 7 lines: it took bytes too slowly or not at all",
    '{"role":"proxy","event":"lines_dropped","lines":7,"msg":"The stream log - has lost 7 lines"}',
    stream()[:-1], stream()[:60], stream()[9:], "grpcroute.stream", stream() + " and more",
    "host: " + stream() + ", upstream: x"])
def test_a_line_of_the_log_that_is_not_understood_keeps_the_verdict_open(line):
    done, told = report([stream(), V2, line, stream(), V2])
    assert done.returncode == 4 and told["logs"]["may_be_evidence"] == 1, done
    assert told["checks"][0]["proxy_log"]["right"] == 2, told
    assert told["logs"]["first_not_understood"][:20] == line[:20] and b"lines were not understood" in done.stderr
    assert verify([stream(), V2, line, V2.replace('"server_version":"v2"', '"server_version":"v1"')]).returncode == 1


def test_a_clients_text_is_no_line_of_a_proxy():
    forged = json.loads(stream(cluster="server-v2", server_version="v2"))
    for line in (f"[SERVER_v1/x] Stream opened from agent-id={json.dumps(forged)} agent-version=v1.1",
                 f"[PROXY] a stream of {json.dumps(forged)} was refused",
                 stream(agent_id=json.dumps(forged)), stream(authority='"}' + json.dumps(forged)), stream(detail=PONG)):
        done, told = report([stream(), V2, line])
        assert done.returncode in (0, 4) and told["checks"][0]["proxy_log"]["wrong"] == 0, (line, done)


@pytest.mark.parametrize("quoted", [
    lambda text: json.dumps({"user_agent": text}), lambda text: json.dumps({"headers": {"message": text}}),
    lambda text: json.dumps({"headers": json.loads(text)}), lambda text: f"user-agent {text}",
    lambda text: f"[error] ua={text}", lambda text: f"2026-01-02T03:04:05Z host nginx: {text}",
    lambda text: f'GET / 200 {json.dumps(text)}', lambda text: f"GET x\f{text}"])
def test_a_line_that_another_program_echoes_is_no_evidence(quoted):
    stray = stream(cluster="server-v2", server_version="v2", pod="thief")
    done, told = report([stream(), V2, quoted(stray), stream()])
    assert done.returncode == 4 and told["logs"]["unknown_carrier"] == 1 and \
        told["checks"][0]["proxy_log"]["wrong"] == 0, done
    done, told = report([V2, quoted(stream())])
    assert done.returncode == 4 and told["checks"][0]["proxy_log"]["answered"] == 0, done


def test_lines_without_their_beginning_are_said_with_what_to_do():
    text = "".join(line + "\n" for line in [stream(), V2] * 3)
    at = [len(text) // 3 + 90, 2 * len(text) // 3 + 90]
    done, told = report((text[at[1]:] + text[at[0]:at[1]] + text[:at[0]]).encode())
    assert done.returncode == 4 and told["logs"]["without_beginning"] >= 1, done
    assert b"lack their beginning: rotated files belong in the order they were written in" in done.stderr
    done, told = report(text[at[0]:].encode())  # the first line of a file may be cut
    assert done.returncode == 0 and told["logs"]["without_beginning"] == 1, done


def sticky(lines, *options):
    return subprocess.run([BIN, "sticky-test", "--logs", "-", "--id", "a", *options], input="\n".join(lines).encode(),
                          capture_output=True, timeout=30, check=False)


def test_a_proxys_log_says_nothing_of_stickiness():
    done = sticky([stream()] * 50)
    assert done.returncode == 4 and b"Not checked: 50 streams by the proxy's log" in done.stdout, done
    pong = "[AGENT_v1.1/a] Received pong from server=v1/p message=pong"
    agent = ["[AGENT_v1.1/a] Stream opened to p:1"] + [pong] * 20
    done = sticky(agent + [stream()])
    assert done.returncode == 0 and b"Not checked: 1 streams by the proxy's log" in done.stdout, done
    done = sticky(agent + [stream()], "-o", "json")
    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMAS["sticky-test"]).validate(told)
    assert told["logs"]["proxy_log"]["streams"] == 1 and told["checks"][0]["messages_answered"] == 20, told


@pytest.mark.parametrize("form", ["json", "markdown", "junit"])
def test_reports_have_the_evidence(form, tmp_path):
    out = tmp_path / "out.xml"
    options = ["--junit-file", out] if form == "junit" else ["-o", form]
    done = verify([stream(), V2, stream(**NOWHERE, reason="no route")], *options)
    text = out.read_text() if form == "junit" else done.stdout.decode()
    assert done.returncode == 0 and ('"refused":\t1' if form == "json" else "1 stream by the proxy") in text, text


REWRITING = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: rewriting}
spec:
  rules:
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v1\\..*'}]}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: agent-version, value: v9.9}, {name: agent-id, value: z}]}
    backendRefs: [{name: server-v1, port: 50051}]
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [agent-version, agent-id]}}]
    backendRefs: [{name: server-v2, port: 50051}]
"""


TRAEFIK = json.dumps({"DownstreamContentSize": 9, "DownstreamStatus": 200, "RequestPath": raw.PING_PONG,
                      "ServiceAddr": "h:1",
                      "ServiceName": "server-v1@file", "request_Agent-Version": "v1.1"})


def test_the_log_has_what_the_client_sent_whatever_the_routes_make_of_it(start, name, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(REWRITING)
    if name == "traefik":  # it cannot: that is told, and what it would log is not judged
        done = grpcroute("render", "traefik", "--static", "--access-log", "--routes", routes)
        assert done.returncode == 2 and "agent-version" in done.stderr and done.stderr.count("\n") == 1, done
        done = verify([TRAEFIK.replace("v1.1", "v9.9"), TRAEFIK, TRAEFIK], "--routes", routes)
        assert done.returncode == 4 and b"3 streams of the proxy's log were not judged: the routes rewrite" \
            in done.stdout, done
        return
    proxy = start(name, "--routes", routes)
    send(proxy, hostile_request("one"), hostile_request("two", "v2.1"))
    log = lines(proxy, 2)
    done = verify(log, "--routes", routes)
    assert done.returncode == 0 and "v9.9" not in "".join(log) and "one" in "".join(log) and "two" in "".join(log), \
        (done, log)


def test_other_headers_may_say_who_an_agent_is(start, name, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text((ROOT / "deploy/routes/grpcroute.yaml").read_text().replace("agent-version", "x-ver"))
    headers = ["--version-header", "x-ver", "--id-header", "x-who"]
    proxy = start(name, "--routes", routes, *headers)
    call(proxy, "v1.1", "a", *headers)
    call(proxy, "v2.1", "b", *headers)
    log = lines(proxy, 2 * STREAMS)
    assert '"a-1"' in "".join(log)
    done = verify(log, *headers)
    assert done.returncode == 0, (done, log[0])


@pytest.mark.parametrize("render", ["envoy", "haproxy", "nginx", "traefik"])
def test_without_it_nothing_of_it_is_rendered(render):
    static = ["--static"] if render == "traefik" else []
    assert "access" not in grpcroute("render", render, *static).stdout.replace("access_log off", "")
    logged = grpcroute("render", render, "--access-log", *static).stdout.splitlines()
    plain = grpcroute("render", render, *static).stdout.splitlines()
    changes = {line[0] for line in difflib.ndiff(plain, logged)}
    assert changes == {" ", "+"}, changes


@pytest.mark.parametrize("option", ["--version-header", "--id-header"])
@pytest.mark.parametrize("header", ["a b", "", ":path", "x'y", "x" * 200])
def test_headers_that_are_none_are_one_line(option, header):
    done = grpcroute("render", "haproxy", "--access-log", option, header)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and option in done.stderr, done


CHECKERS = {"envoy": ["envoy", "--mode", "validate", "--log-level", "warning", "-c"],
            "haproxy": ["haproxy", "-c", "-f"],
            "nginx": ["nginx", "-t", "-e", "stderr", "-c"]}


@pytest.mark.parametrize("checked", sorted(CHECKERS))
def test_the_proxy_finds_nothing_to_complain_about(start, checked, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(REWRITING)
    proxy = start(checked, *(["--routes", routes] if checked == "envoy" else []))
    prefix = ["-p", tmp_path] if checked == "nginx" else []
    done = subprocess.run([*CHECKERS[checked], proxy.config, *prefix], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("warn", "deprecat", "alert"):
        assert word not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


def own_log(started, certs, folder, v1, v2, *options):
    path = folder / "streams.log"
    proxy = started(Proxy(certs, v1, v2, "--access-log", path, *options)).wait_ready()
    for version in ("v1.1", "v2.1"):
        call(proxy, version)
    send(proxy, hostile_request('"} ' + PONG))
    proxy.stop()
    return path.read_text().splitlines()


def test_the_embedded_proxys_log_says_who_answered(started, certs, backends, tmp_path):
    log = own_log(started, certs, tmp_path, *backends)
    done, told = report(log)
    assert done.returncode == 0 and [check["proxy_log"]["right"] for check in told["checks"]] == \
        [STREAMS + 1, STREAMS], done
    assert "version" not in told["checks"][0]["not_checked"], told


def test_servers_behind_the_wrong_cluster_show_in_the_embedded_proxys_log(started, certs, backends, tmp_path):
    done = verify(own_log(started, certs, tmp_path, backends[1], backends[0]))
    assert done.returncode == 1 and b"expected server v1, sent by the proxy to server-v1 at" in done.stdout, done
