"""What health checks do to an endpoint: real servers with and without the health service, and servers that answer
oddly or late."""
import json
import queue
import re
import signal
import threading
import urllib.request

import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from testenv import raw
from testenv.endpoints import GrpcGo, program
from testenv.grpcio_peers import PingServer
from testenv.grpcroute import Agent, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import Process
from testenv.raw import DATA, END_HEADERS, END_STREAM, HEADERS, block, frame, message
from testenv.wait import wait_until

QUICK = ["--health-interval", "200ms", "--health-timeout", "2s"]  # in time is what a server on a busy machine can do
SERVING, NOT_SERVING = (message(bytes([8, status])) for status in (1, 2))


def answered(body):
    """Answers a check with a gRPC message."""
    def answer(peer, stream):
        peer.exchange(frame(HEADERS, END_HEADERS, stream,
                            block((":status", "200"), ("content-type", "application/grpc"))) +
                      frame(DATA, 0, stream, body) +
                      frame(HEADERS, END_HEADERS | END_STREAM, stream, block(("grpc-status", "0"))))
    return answer


def http(status, *fields):
    def answer(peer, stream):
        peer.exchange(frame(HEADERS, END_HEADERS, stream, block((":status", status), *fields)) +
                      frame(DATA, END_STREAM, stream, b"<html>no</html>"))
    return answer


def late(peer, stream):
    """Not at all: the check is reset when its time is over."""


def after(event, answer):
    """Not before the event."""
    return lambda peer, stream: event.wait(10) and answer(peer, stream)


class Checked:
    """A server that answers checks as it is told: first the queue's answers, then always the last one."""

    def __init__(self, started, *answers):
        self.checks = 0
        self._answers = queue.SimpleQueue()
        self._then = answers[-1]
        for answer in answers:
            self._answers.put(answer)
        self._server = started(raw.RawServer(late, health=self._answer))
        self.address = self._server.address

    def _answer(self, peer, stream):
        try:
            self._then = self._answers.get_nowait()
        except queue.Empty:
            pass
        self.checks += 1  # what is said from now on is for the next
        self._then(peer, stream)

    def say(self, *answers):
        for answer in answers:
            self._answers.put(answer)

    def wait_checks(self, count):
        """So many more."""
        target = self.checks + count
        wait_until(lambda: self.checks >= target, 10, f"{count} more checks", lambda: f"{self.checks} of {target}")


def endpoint(proxy, address):
    with urllib.request.urlopen(f"{proxy.admin}/clusters?format=json", timeout=5) as response:
        clusters = json.load(response)["clusters"]
    return next(e for c in clusters for e in c["endpoints"] if e["address"] == address)


def told(proxy, address):
    """What the proxy's log says of the endpoint, in order."""
    return re.findall(rf"Endpoint {address} of cluster server-v1 (.*)", proxy.output)


def metric(proxy, name, address):
    with urllib.request.urlopen(f"{proxy.admin}/stats/prometheus", timeout=5) as response:
        text = response.read().decode()
    return float(re.search(rf'^{name}{{cluster="server-v1",endpoint="{address}"}} (\S+)$', text, re.M).group(1))


# ---- servers without the health service -----------------------------------------------------------

class GrpcGoWithoutHealth(GrpcGo):
    def __init__(self):
        self.process = Process([program("grpc-go-ping"), "-server-version", "v1"])
        self.port = int(self.process.wait_for_start(r"Listening on 127\.0\.0\.1:(\d+)").group(1))


NO_SERVICE = {
    "grpc-go": (lambda started, stubs: started(GrpcGoWithoutHealth()), "UNIMPLEMENTED"),
    "grpcio": (lambda started, stubs: started(PingServer(stubs["ping_pb2"])), "UNIMPLEMENTED"),
    **{status: (lambda started, stubs, status=status: Checked(started, http(status, ("content-type", "text/html"))),
                f"HTTP status {status}") for status in ("404", "405", "415")},
}


@pytest.mark.parametrize("name", NO_SERVICE)
def test_a_server_without_the_health_service_is_healthy_which_is_said_once(started, certs, stubs, name):
    make, how = NO_SERVICE[name]
    server = make(started, stubs)
    proxy = started(Proxy(certs, [server], [], *QUICK)).wait_ready()
    assert endpoint(proxy, server.address)["no_health_service"] is True
    wait_until(lambda: proxy.stat("server.uptime") >= 2, 10, "time for some more checks")
    assert told(proxy, server.address) == [
        "is healthy", f"has no health service ({how}): it counts as healthy while it answers"]
    assert "health_service::none" in urllib.request.urlopen(f"{proxy.admin}/clusters", timeout=5).read().decode()


@pytest.mark.parametrize("answer, cause", [
    (http("200", ("content-type", "text/html")), "health check was not answered in gRPC, but with content-type "
                                                 "text/html"),
    (http("503", ("content-type", "text/html")), "health check was answered with HTTP status 503"),
    (answered(message(bytes([8, 0]))), "health check answered UNKNOWN"),
    (answered(message(bytes([8, 3]))), "health check answered SERVICE_UNKNOWN"),
    (answered(NOT_SERVING), "health check answered NOT_SERVING"),
    (late, "health check was not answered in time"),
], ids=["html", "503", "unknown", "service-unknown", "not-serving", "late"])
def test_a_first_check_that_fails_is_decisive_and_named(started, certs, answer, cause):
    server = Checked(started, answer)
    proxy = started(Proxy(certs, [server], [], *QUICK))
    proxy.wait_for(re.escape(f"Endpoint {server.address} of cluster server-v1 is unhealthy: {cause}") + "$")
    shown = endpoint(proxy, server.address)
    assert shown["health"] == "unhealthy" and shown["cause"] == cause and shown["check_failures"] >= 1
    assert metric(proxy, "grpcroute_proxy_endpoint_check_failures", server.address) >= 1
    server.say(answered(SERVING))
    proxy.wait_for(f"Endpoint {server.address} of cluster server-v1 is healthy")
    assert len(told(proxy, server.address)) == 2  # each change once


# ---- late ------------------------------------------------------------------------------------------

def test_a_check_that_is_late_once_takes_no_endpoint_out(started, certs):
    server = Checked(started, answered(SERVING))
    proxy = started(Proxy(certs, [server], [], *QUICK)).wait_ready()
    for _ in range(3):
        looked = threading.Event()
        server.say(late, after(looked, answered(SERVING)), answered(SERVING))
        shown = wait_until(lambda: (e := endpoint(proxy, server.address))["check_failures"] == 1 and
                           e, 10, "a failed check")
        looked.set()
        assert shown["health"] == "healthy" and shown["cause"] == "health check was not answered in time"
        wait_until(lambda: (e := endpoint(proxy, server.address))["check_failures"] == 0 and "cause" not in e, 10,
                   "a good one")
    assert told(proxy, server.address) == ["is healthy"]


def test_checks_that_are_late_twice_in_a_row_take_it_out(started, certs):
    server = Checked(started, answered(SERVING))
    proxy = started(Proxy(certs, [server], [], *QUICK)).wait_ready()
    server.say(late, late, answered(SERVING))
    proxy.wait_for(f"Endpoint {server.address} of cluster server-v1 is healthy", count=2)
    assert told(proxy, server.address) == ["is healthy", "is unhealthy: health check was not answered in time",
                                           "is healthy"]


def test_thresholds_are_settings(started, certs):
    server = Checked(started, answered(SERVING))
    proxy = started(Proxy(certs, [server], [], *QUICK, "--unhealthy-threshold", "4", "--healthy-threshold",
                          "3")).wait_ready()
    config = json.load(urllib.request.urlopen(f"{proxy.admin}/config_dump", timeout=5))["health_checks"]
    assert config == {"enabled": True, "interval_ms": 200, "timeout_ms": 2000, "unhealthy_threshold": 4,
                      "healthy_threshold": 3}
    bad = http("500")
    server.say(bad, bad, bad, answered(SERVING))
    server.wait_checks(6)
    assert told(proxy, server.address) == ["is healthy"]
    before = server.checks
    server.say(bad, bad, bad, bad, answered(SERVING))
    proxy.wait_for("is unhealthy: health check was answered with HTTP status 500")
    proxy.wait_for(f"Endpoint {server.address} of cluster server-v1 is healthy", count=2)
    assert server.checks - before >= 7


@pytest.mark.parametrize("option", ["--unhealthy-threshold", "--healthy-threshold"])
def test_a_threshold_of_none_is_refused(option):
    done = grpcroute("proxy", option, "0", "--plaintext")
    assert done.returncode == 2 and option in done.stderr


def test_a_server_that_stands_still_for_one_check_keeps_its_place(started, certs):
    """SIGSTOP for longer than the timeout, less than two checks."""
    server = started(Server("v1", "frozen"))
    proxy = started(Proxy(certs, [server], [], "--health-interval", "500ms", "--health-timeout", "2s")).wait_ready()
    agent = started(Agent("v1.1", "a", proxy.target, cacert=certs / "ca.pem"))
    agent.wait_for("Received pong", count=3)
    server.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: endpoint(proxy, server.address)["check_failures"] == 1, 10, "a late check")
    finally:
        server.send_signal(signal.SIGCONT)
    wait_until(lambda: endpoint(proxy, server.address)["check_failures"] == 0, 10, "a good check")
    agent.wait_for("Received pong", count=3, after=len(agent.lines))
    assert told(proxy, server.address) == ["is healthy"] and "reconnecting" not in agent.output


# ---- answers ---------------------------------------------------------------------------------------

def test_not_serving_counts_at_once_and_keeps_live_streams(started, certs, stubs):
    servicer = health.HealthServicer()
    add = health_pb2_grpc.add_HealthServicer_to_server
    server = started(PingServer(stubs["ping_pb2"], add=lambda to: add(servicer, to)))
    other = started(Server("v1", "other"))
    proxy = started(Proxy(certs, [server, other], [], "--health-interval", "200ms", "--unhealthy-threshold",
                          "1000")).wait_ready()
    agents = started(Agent("v1.1", "a", proxy.target, "--count", "4", cacert=certs / "ca.pem"))
    agents.wait_for(r"Received pong from server=v1/grpcio-1", count=4)
    agents.wait_for(r"Received pong from server=v1/other", count=4)
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    proxy.wait_for(f"Endpoint {server.address} of cluster server-v1 is unhealthy: health check answered NOT_SERVING$")
    mark = len(agents.lines)
    agents.wait_for(r"Received pong from server=v1/grpcio-1", count=10, after=mark)  # those it has go on
    later = started(Agent("v1.1", "b", proxy.target, "--count", "4", cacert=certs / "ca.pem"))
    for number in range(1, 5):
        later.wait_for(rf"b-{number}\] Received pong")
    assert {ident for _, ident in later.pongs()} == {"other"}
    assert "reconnecting" not in agents.output
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    proxy.wait_for(f"Endpoint {server.address} of cluster server-v1 is healthy", count=2)


# ---- without ---------------------------------------------------------------------------------------

def test_without_health_checks_a_connection_is_all_that_is_asked(started, certs):
    silent = Checked(started, answered(NOT_SERVING))
    proxy = started(Proxy(certs, [silent], [], *QUICK, "--no-health-checks")).wait_ready()
    kept = started(ReservedPort())
    server = started(Server("v2", "s", port=kept.port))
    assert endpoint(proxy, silent.address)["health"] == "healthy"
    assert json.load(urllib.request.urlopen(f"{proxy.admin}/config_dump",
                                            timeout=5))["health_checks"]["enabled"] is False
    proxy.stop()
    assert silent.checks == 0
    proxy = started(Proxy(certs, [server], [], *QUICK, "--no-health-checks")).wait_ready()
    server.stop(signal.SIGKILL)
    proxy.wait_for(rf"Endpoint 127\.0\.0\.1:{kept.port} of cluster server-v1 is unhealthy: ")
    started(Server("v2", "again", port=kept.port))
    proxy.wait_for(rf"Endpoint 127\.0\.0\.1:{kept.port} of cluster server-v1 is healthy", count=2)
