"""verify --logs judges what a proxy in the middle logged of its streams: real proxies with `render --access-log`, real agents."""
import json
import re
import subprocess

import pytest

from testenv import raw
from testenv.grpcroute import BIN, Agent, grpcroute
from testenv.proxies import REAL_PROXIES

NAMES = sorted(REAL_PROXIES)
STREAMS = 4  # of each agent
LINE = re.compile(r'^\{.*("grpcroute\.stream"|"DownstreamStatus").*\}$')


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def start(started, certs, backends, tmp_path):
    """Starts the proxy of that name, with its log."""
    def begin(name, *render, servers=backends, **kwargs):
        return started(REAL_PROXIES[name](certs, tmp_path, *servers, "--access-log", *render, **kwargs))
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
    return subprocess.run([BIN, "verify", "--logs", "-", "--versions", versions, *options], input=text, capture_output=True,
                          timeout=60, check=False)


def report(text, *options, **kwargs):
    done = verify(text, "-o", "json", *options, **kwargs)
    return done, json.loads(done.stdout)


def test_the_log_of_each_proxy_is_evidence(start, name):
    proxy = start(name)
    for version in ("v1.1", "v2.1"):
        call(proxy, version)
    log = lines(proxy, 2 * STREAMS)
    done = verify(log)
    assert done.returncode == 0, (done, log[:2])
    for version in "12":
        assert f"Agent v{version}.1 → Server v{version}: OK (4 streams by the proxy's log)" in done.stdout.decode(), done
    _, told = report(log)
    for check, servers in zip(told["checks"], ("server-v1", "server-v2")):
        seen = check["proxy_log"]
        assert seen["right"] == seen["answered"] == STREAMS and seen["wrong"] == seen["refused"] == 0, seen
        assert {e["cluster"] for e in seen["endpoints"]} == {servers} and sum(e["streams"] for e in seen["endpoints"]) == STREAMS
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+", e["address"]) for e in seen["endpoints"]), seen


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
    assert re.search(r"v1\.1 → expected server v1, sent by the proxy to server-v2 at 127\.0\.0\.1:\d+ \(\d of \d streams\)", said), said
    assert re.search(r"v2\.1 → expected server v2, sent by the proxy to server-v1 at", said) and "4 lines of its log show it" in said
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
FORGED = ('{"log":"grpcroute.stream","event":"end","agent_version":"v1.1","path":"/ping.PingService/PingPong","cluster":"server-v2",'
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
    return raw.block((":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"), ("te", "trailers"),
                     ("content-type", "application/grpc"), ("agent-id", ident), ("agent-version", version))


def send(proxy, *requests):
    """One ping on a stream for each; they end by themselves. Returns how many were answered with the HTTP status 200."""
    peer = raw.client(proxy.port, proxy.certs / "ca.pem")
    try:
        for number, block in enumerate(requests):
            stream = 2 * number + 1
            peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS, stream, block))
            peer.exchange(raw.frame(raw.DATA, raw.END_STREAM, stream, raw.message()),
                          until=lambda stream=stream: any(f.flags & raw.END_STREAM and f.type in (raw.DATA, raw.HEADERS)
                                                          for f in peer.frames if f.stream == stream) or peer.reset_of(stream))
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
    "stern": lambda line: "\x1b[36mproxy-ingress-x\x1b[0m \x1b[36;1mproxy\x1b[0m " + line,
    "compose": lambda line: "proxy-1  | " + line,
    "syslog": lambda line: "Nov 25 15:14:10 host envoy[7]: " + line,
    "loki": lambda line: '2026-11-25T15:14:10Z {app="proxy"} ' + line,
    "cri": lambda line: "2026-01-02T03:04:05.123456789Z stdout F " + line,
    "cri, cut": lambda line: "\n".join(f"2026-01-02T03:04:05.1Z stdout {tag} {part}" for tag, part in (("P", line[:70]), ("F", line[70:]))),
    "docker": lambda line: json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-01-02T03:04:05Z"}),
    "docker, cut": lambda line: "\n".join(
        json.dumps({"log": part, "stream": "stdout", "time": "t"}) for part in (line[:70], line[70:] + "\n")),
    "docker, without ends": lambda line: json.dumps({"log": line, "stream": "stdout", "time": "t"}),
    "journald": lambda line: json.dumps({"MESSAGE": line, "_PID": "7"}),
    "journald, bytes": lambda line: json.dumps({"MESSAGE": list(line.encode())}),
    "fluent-bit": lambda line: json.dumps({"log": line, "stream": "stdout", "logtag": "F", "kubernetes": {"pod_name": "x"}}),
    "a cloud": lambda line: json.dumps({"insertId": "x", "jsonPayload": json.loads(line), "resource": {"type": "k8s_container"}}),
    "elasticsearch": lambda line: json.dumps({"_source": {"message": line, "kubernetes": {"pod": "x"}}}),
    "a query": lambda line: json.dumps({"data": {"result": [{"values": [["1", line], ["2", "x"]]}]}}),
    "logfmt": lambda line: f"level=info msg={json.dumps(line)} pod=x",
    "pretty": lambda line: json.dumps({"textPayload": line + "\n", "insertId": "x"}, indent=2),
}


@pytest.fixture(scope="module")
def logged(certs, tmp_path_factory):
    """The log of each proxy, once for all carriers: four streams of each version and one of a hostile id."""
    from testenv.grpcroute import Server

    servers = [[Server("v1", "server-v1-a")], [Server("v2", "server-v2-a")]]
    logs = {}
    try:
        for name in NAMES:
            proxy = REAL_PROXIES[name](certs, tmp_path_factory.mktemp(name), *servers, "--access-log")
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
    from testenv.net import ReservedPort

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
