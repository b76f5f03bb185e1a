"""Hostile servers: against proxy, agent, bench and checks."""
import contextlib
import random
import re
import socket
import struct
import time

import pytest

from testenv import raw
from testenv.attack import (CALM_LINE, CONTROL, ENV, GROWTH_KIB, GRPC, INITIAL_WINDOW_SIZE, check_lost_nothing,
                            eventually, opened, rss_kib, still_serves, told)
from testenv.grpcroute import Agent, Proxy, grpcroute
from testenv.raw import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PUSH_PROMISE, block,
                         frame, literal, message, request, setting, window_update)


ESCAPES = b"\x1b]0;owned\x07\x1b[2J\r\n\x7f\x9b31m\xff"
ENCODED_ESCAPES = "".join(f"%{byte:02x}" for byte in ESCAPES)
LOST = "UNAVAILABLE"  # what a client behind the proxy hears of a connection that broke its rules
BROKEN = "INTERNAL"  # ... and of a stream whose answer did


def fields(stream, *pairs, end=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(*pairs))


def response(stream):
    return fields(stream, (":status", "200"), GRPC)


def trailers(stream, end=True):
    return fields(stream, ("grpc-status", "0"), end=end)


def trailers_only(status, text=""):
    return lambda s: fields(s, (":status", "200"), GRPC, ("grpc-status", status), ("grpc-message", text), end=True)


def goaway_frame(last_stream, error=0, text=b""):
    return frame(GOAWAY, payload=struct.pack(">II", last_stream, error) + text)


# name: (the answer to a ping stream, what a client behind the proxy is told, why the agent says the stream closed)
SERVERS = {
    # one stream
    "informational-flood": (lambda s: fields(s, (":status", "103")) * 20000, BROKEN,
                            "more than 8 informational responses"),
    "reset": (lambda s: raw.reset(s, 2), "INTERNAL_ERROR", "stream reset with INTERNAL_ERROR"),
    "reset-with-unknown-error": (lambda s: raw.reset(s, 0xdead), "57005", "stream reset with unknown"),
    "reset-without-error": (lambda s: raw.reset(s, 0), "NO_ERROR", "stream reset with NO_ERROR"),
    "trailers-before-headers": (trailers, BROKEN, "pseudo-header field is missing"),
    "trailers-that-end-nothing": (lambda s: response(s) + trailers(s, end=False), BROKEN, "malformed trailers"),
    "no-status": (lambda s: fields(s, GRPC), BROKEN, "pseudo-header field is missing"),
    "http-status-text": (lambda s: fields(s, (":status", "abc"), GRPC), BROKEN, "malformed field :status"),
    "http-status-long": (lambda s: fields(s, (":status", "2" * 20), GRPC), BROKEN, "malformed field :status"),
    "control-byte-in-field": (lambda s: fields(s, (":status", "200"), GRPC, ("x", "a\x1b")),
                              BROKEN, "malformed field x: a character"),
    "header-bomb": (lambda s: frame(HEADERS, END_HEADERS, s, block((":status", "200")) + literal(
        "big", "x" * 3000, 0x40) + b"\xbe" * 4000), BROKEN,
                    r"RESOURCE_EXHAUSTED: header block of \d{8} bytes is over the limit of 16384"),
    "trailer-bomb": (lambda s: response(s) + fields(s, *[("x", "y")] * 101, end=True), BROKEN,
                     "RESOURCE_EXHAUSTED: trailer block of 101 fields is over the limit of 100"),
    "end-without-trailers": (lambda s: response(s) + frame(DATA, END_STREAM, s), "NO_ERROR",
                             "response ended without trailers"),
    # the connection
    "reset-flood": (lambda s: response(s) + raw.reset(s) * 20000, "CANCEL", "stream reset with CANCEL"),
    "push-promise": (lambda s: frame(PUSH_PROMISE, END_HEADERS, s, b"\0\0\0\2" + request()), LOST, "PROTOCOL_ERROR"),
    "stream-of-the-server": (lambda s: fields(2, (":status", "200"), GRPC), LOST, "PROTOCOL_ERROR"),
    "data-before-headers": (lambda s: frame(DATA, 0, s, message()), LOST, "PROTOCOL_ERROR"),
    "data-on-idle-stream": (lambda s: frame(DATA, 0, s + 20, message()), LOST, "PROTOCOL_ERROR"),
    "noise": (lambda s: response(s) + b"\xff" * 4096, LOST, "FRAME_SIZE_ERROR"),
    "frame-too-large": (lambda s: frame(DATA, 0, s, bytes(16385)), LOST, "FRAME_SIZE_ERROR"),
    "broken-hpack": (lambda s: frame(HEADERS, END_HEADERS, s, b"\xff\xff\x7f"), LOST, "COMPRESSION_ERROR"),
    "window-update-0": (lambda s: window_update(0), LOST, "PROTOCOL_ERROR"),
    "window-overflow": (lambda s: window_update(2**31 - 1), LOST, "FLOW_CONTROL_ERROR"),
    "settings-flood": (lambda s: setting((INITIAL_WINDOW_SIZE, 1000)) * 20000, LOST, "too many SETTINGS"),
    "ping-flood": (lambda s: frame(PING, payload=b"x" * 8) * 20000, LOST, "too_many_pings|Flooding"),
    "ping-ack-flood": (lambda s: frame(PING, ACK, payload=b"x" * 8) * 20000, LOST, "PINGs that were never sent"),
    "goaway-flood": (lambda s: goaway_frame(s) * 20000, LOST, "too many GOAWAY"),
    "empty-data-flood": (lambda s: response(s) + frame(DATA, 0, s) * 20000, BROKEN, "more than 100 empty DATA frames"),
    "continuation-flood": (lambda s: frame(HEADERS, 0, s, block((":status", "200"))) + frame(
        CONTINUATION, 0, s) * 20000, LOST, "more than 64 CONTINUATION frames"),
    "goaway-refusing": (lambda s: goaway_frame(0), "UNAVAILABLE", "connection is going away: GOAWAY NO_ERROR"),
    "goaway-with-escapes": (lambda s: goaway_frame(0, 11, ESCAPES), "UNAVAILABLE",
                            r"connection is going away: GOAWAY ENHANCE_YOUR_CALM: .*\\x1b"),
    "cut-frame": (lambda s: response(s)[:-3], LOST, "closed by the peer"),
    # the status
    "grpc-status-text": (trailers_only("banana"), "banana", "UNKNOWN"),
    "grpc-status-negative": (trailers_only("-1"), "-1", "UNKNOWN"),
    "grpc-status-huge": (trailers_only("9" * 40), "9" * 40, "UNKNOWN"),
    "grpc-status-empty": (trailers_only(""), "", "UNKNOWN"),
    "escapes-in-message": (trailers_only("7", ENCODED_ESCAPES), "7", r"PERMISSION_DENIED: \\x1b\]0;owned"),
    "bytes-in-message": (trailers_only("7", b"\x9b31m\xff"), "7", r"PERMISSION_DENIED: \\x9b31m\\xff"),
    "long-message": (trailers_only("7", "x" * 9000), "7", "PERMISSION_DENIED: x{100,300}"),
}
# What the proxy passes on as it is, for the client to judge.
ANSWERS = {
    "http-500": (lambda s: fields(s, (":status", "500"), ("content-type", "text/html\x9b"), end=True),
                 "HTTP status 500 from something that is not gRPC"),
    "not-grpc": (lambda s: fields(s, (":status", "200"), ("content-type", "text/html")),
                 "HTTP status 200 from something that is not gRPC"),
    "data-after-end": (lambda s: response(s) + trailers(s) + frame(DATA, 0, s, message()), "OK"),
    "message-of-4-GiB": (lambda s: response(s) + frame(DATA, 0, s, b"\0\xff\xff\xff\xffx"), "RESOURCE_EXHAUSTED"),
    "window-exceeded": (lambda s: response(s) + frame(DATA, 0, s, b"\0\x7f\xff\xff\xff" + bytes(16379)) * 100,
                        "RESOURCE_EXHAUSTED"),
    "compressed-message": (lambda s: response(s) + frame(DATA, 0, s, b"\1\0\0\0\1x"), "INTERNAL: .*compressed"),
    "not-protobuf": (lambda s: response(s) + frame(DATA, 0, s, message(b"\xff" * 20)), "not a ping.PingResponse"),
}
GREETINGS = {
    "http-1": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "tls-alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "escapes": ESCAPES * 20,
    "noise": random.Random(5).randbytes(4096),
}


def hostile_server(answer, started):
    def behave(peer, stream):
        peer.exchange(answer(stream))
        if answer is SERVERS["cut-frame"][0]:
            with contextlib.suppress(OSError):  # the other side may be gone already
                peer.sock.shutdown(socket.SHUT_RDWR)
    return started(raw.RawServer(behave))


def heard_by_client(peer):
    """The status or the error that ended stream 1."""
    status = peer.status_of(1)
    return peer.reset_of(1) if status is None else {"13": BROKEN, "14": LOST}.get(status, status)


@pytest.mark.parametrize("name", SERVERS)
def test_hostile_upstream(world, started, certs, name):
    answer, expected, _ = SERVERS[name]
    hostile = hostile_server(answer, started)
    proxy = started(Proxy(certs, [world.server], [hostile], "--workers", "1", env=ENV)).wait_ready()
    bystander = started(Agent("v1.1", "b", proxy.target, "--interval", "50ms", cacert=world.cacert, env=ENV))
    bystander.wait_for("Received pong", count=2)
    proxy.wait_for(f"Endpoint {hostile.address} of cluster server-v2 is healthy")
    before = rss_kib(proxy)
    with contextlib.closing(raw.client(proxy.port, world.cacert)) as peer:
        peer.exchange(opened(version="v2.1") + frame(DATA, 0, 1, message()),
                      until=lambda: heard_by_client(peer) is not None)
        assert heard_by_client(peer) == expected, told(peer)
        assert still_serves(peer)
    check_lost_nothing(bystander, 0)
    assert rss_kib(proxy) - before < GROWTH_KIB
    assert not CONTROL.search("".join(proxy.lines))


def test_agents_leave_a_hostile_endpoint_for_the_good_one(world, started, certs):
    hostile = hostile_server(SERVERS["window-update-0"][0], started)
    proxy = started(Proxy(certs, [hostile, world.server], [world.other], "--workers", "1", env=ENV)).wait_ready()
    client = started(Agent("v1.1", "a", proxy.target, "--count", "6", cacert=world.cacert, env=ENV))
    for which in range(1, 7):
        client.wait_for(rf"a-{which}\] Received pong from server=v1/good", count=3)
    assert eventually(lambda: hostile.connections > 1, 10)  # the proxy comes back to look at its health


def test_requests_that_a_server_refuses_go_to_another(world, started, certs):
    hostile = hostile_server(SERVERS["goaway-refusing"][0], started)
    proxy = started(Proxy(certs, [hostile, world.server], [world.other], "--workers", "1", env=ENV)).wait_ready()
    client = started(Agent("v1.1", "a", proxy.target, "--count", "6", cacert=world.cacert, env=ENV))
    for which in range(1, 7):
        client.wait_for(rf"a-{which}\] Received pong from server=v1/good", count=3)
    assert "Stream closed" not in client.output


@pytest.mark.parametrize("refusals, verdict", [(1, "healthy"),
                                               (2, "unhealthy: health check ended with REFUSED_STREAM")])
def test_a_health_check_that_was_not_looked_at_is_asked_again(world, started, certs, refusals, verdict):
    checks = []

    def health(peer, stream):
        checks.append(time.monotonic())
        if len(checks) <= refusals:
            peer.exchange(goaway_frame(0))
        else:
            raw.has_no_health_service(peer, stream)

    hostile = started(raw.RawServer(lambda peer, stream: None, health=health))
    proxy = started(Proxy(certs, [world.server], [hostile], env=ENV))
    told = rf"Endpoint {hostile.address} of cluster server-v2 is (\w+.*)"
    assert proxy.wait_for(told).group(1) == verdict
    seen = list(checks)
    assert len(seen) >= 2 and all(after - seen[1] > 0.7 for after in seen[2:]), seen  # the next one is a second later


def health_answer(body, status="0"):
    return lambda peer, s: peer.exchange(response(s) + frame(DATA, 0, s, message(body))
                                         + fields(s, ("grpc-status", status), end=True))


UNHEALTHY = {
    "not-serving": (health_answer(b"\x08\x02"), "health check answered NOT_SERVING"),
    "unknown": (health_answer(b"\x08\x00"), "health check answered UNKNOWN"),
    "another-number": (health_answer(b"\x08\x63"), "health check answered 99, which is no serving status"),
    "noise": (health_answer(b"\xff\xff\xff"), "health check was answered with what is no HealthCheckResponse"),
    "unavailable": (health_answer(b"\x08\x01", "14"), "health check failed with UNAVAILABLE"),
    "http-500": (lambda peer, s: peer.exchange(fields(s, (":status", "500"), end=True)),
                 "health check was answered with HTTP status 500"),
    "not-grpc": (lambda peer, s: peer.exchange(fields(s, (":status", "200"), end=True)),
                 "health check was not answered in gRPC"),
    "reset": (lambda peer, s: peer.exchange(raw.reset(s, 8)), "health check ended with CANCEL"),
}


@pytest.mark.parametrize("name", UNHEALTHY)
def test_a_bad_health_check_says_why(world, started, certs, name):
    health, cause = UNHEALTHY[name]
    hostile = started(raw.RawServer(lambda peer, stream: None, health=health))
    proxy = started(Proxy(certs, [world.server], [hostile], env=ENV))
    assert proxy.wait_for(rf"Endpoint {hostile.address} of cluster server-v2 is (\w+.*)").group(1) == \
        f"unhealthy: {cause}"


def silent(peer, stream):
    pass


def test_bench_gives_up_on_streams_that_are_never_answered(started):
    server = started(raw.RawServer(silent))
    done = grpcroute("bench", "--target", server.address, "--plaintext", "-c", "3", "-z", "1s", env=ENV)
    assert done.returncode == 3 and "not answered in time" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("name, cause", [
    ("escapes-in-message", r"PERMISSION_DENIED: \\x1b"), ("reset", "INTERNAL_ERROR"),
    ("goaway-refusing", "GOAWAY NO_ERROR"),
    ("http-status-text", "malformed field :status"), ("end-without-trailers", "without trailers")])
@pytest.mark.parametrize("command", [["bench", "-z", "100ms"], ["failover-test", "--fault", "true"]])
def test_a_stream_refused_at_the_start_is_told_with_its_cause(started, command, name, cause):
    done = grpcroute(*command, "--target", hostile_server(SERVERS[name][0], started).address, "--plaintext", env=ENV)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and re.search(cause, done.stderr), done.stderr


@pytest.mark.parametrize("name", [*SERVERS, *ANSWERS])
@pytest.mark.parametrize("kind", ["unary", "server-stream", "bidi"])
def test_a_load_of_calls_survives_a_hostile_server(started, name, kind):
    """Whatever it says instead of an answer, the end is told, and soon."""
    server = hostile_server({**SERVERS, **ANSWERS}[name][0], started)
    begun = time.monotonic()
    done = grpcroute("bench", "--target", server.address, "--plaintext", "--method", "own.Fleet/Ask", "--call", kind,
                     "-c", "2", "-s", "2", "-r", "0", "-z", "200ms", "--warmup", "0", "--server-from", "header:x",
                     env=ENV)
    assert done.returncode in (1, 3, 4), (done.stdout, done.stderr)
    assert not CONTROL.search((done.stdout + done.stderr).replace("\n", "")), done.stdout + done.stderr
    assert time.monotonic() - begun < 25  # 15 s where it says nothing that ends a call


def check_agent(started, server, cause):
    """One clean line for each lost stream, with the cause; then the agent is back."""
    agent = started(Agent("v1.1", "a", server.address, "--max-backoff", "1s", env=ENV))
    agent.wait_for(rf"\] (Stream closed|[^:]*): .*({cause}).*; reconnecting in \d", count=2, deadline_s=10)
    assert server.connections >= 2
    odd = [line for line in agent.lines if not CALM_LINE.search(line) and "; reconnecting in" not in line]
    assert not odd, odd
    assert not CONTROL.search("".join(agent.lines))


@pytest.mark.parametrize("name", [*SERVERS, *ANSWERS])
def test_agent_survives_a_hostile_server(started, name):
    answer, *_, cause = {**SERVERS, **ANSWERS}[name]
    check_agent(started, hostile_server(answer, started), cause)


@pytest.mark.parametrize("name", GREETINGS)
def test_agent_survives_what_is_not_http2(started, name):
    check_agent(started, started(raw.RawServer(lambda peer, stream: None, GREETINGS[name])), "HTTP|speaks TLS")


def test_verify_gives_no_verdict_on_hostile_servers(started):
    """Exit code 4: streams ended before there was any evidence; every line clean."""
    for name in ("header-bomb", "escapes-in-message", "bytes-in-message", "settings-flood", "noise", "goaway-flood"):
        server = hostile_server(SERVERS[name][0], started)
        done = grpcroute("verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-s", "2", env=ENV)
        assert done.returncode == 4, (name, done.stdout, done.stderr)
        assert not CONTROL.search((done.stdout + done.stderr).replace("\n", "")), name


@pytest.mark.parametrize("name", GREETINGS)
def test_verify_names_what_is_not_http2(started, name):
    server = started(raw.RawServer(lambda peer, stream: None, GREETINGS[name]))
    done = grpcroute("verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-s", "2", env=ENV)
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert re.search("HTTP|speaks TLS", done.stdout + done.stderr), done.stderr
    assert not CONTROL.search((done.stdout + done.stderr).replace("\n", ""))
