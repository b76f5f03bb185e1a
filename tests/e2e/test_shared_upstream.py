"""What the upstream connection that all clients share has room for, and what it must not remember."""
import contextlib
import re
import urllib.request

import pytest

from testenv import flow, raw
from testenv.endpoints import GrpcGo
from testenv.grpcroute import Agent, Proxy, Server
from testenv.raw import DATA, END_HEADERS, END_STREAM, HEADERS, frame, literal, message, request
from testenv.wait import wait_until

MAX_CONCURRENT_STREAMS = 3
CALM_LINE = re.compile(r"Stream opened|Sent ping|Received pong")


def connections(proxy):
    clusters = urllib.request.urlopen(f"{proxy.admin}/clusters", timeout=5).read().decode()
    return int(re.search(r"^server-v1::.*cx_active::(\d+)", clusters, re.M).group(1))


@pytest.mark.parametrize("limit", [1, 20])
def test_a_burst_is_served_by_an_endpoint_with_few_streams_per_connection(started, certs, tmp_path, limit):
    """As after a restart: 300 streams at once, before the SETTINGS of most connections are known."""
    endpoint = started(GrpcGo(tmp_path, "v1", "-max-streams", str(limit)))
    proxy = started(Proxy(certs, [endpoint], [endpoint], "--workers", "1")).wait_ready()
    old = started(Agent("v1.1", "old", proxy.target, cacert=certs / "ca.pem"))
    old.wait_for("Received pong", count=2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(flow.connect(proxy.port, certs / "ca.pem")))
                   for _ in range(3)]
        opened = [(client, client.take(100)) for client in clients]
        for client, streams in opened:
            client.send(b"".join(frame(HEADERS, END_HEADERS, stream, request()) + frame(DATA, 0, stream, message())
                                 for stream in streams))
        for client, streams in opened:
            client.wait_answered(streams, 15)
        refused = sorted({(client.peer.status_of(stream), client.peer.reset_of(stream))
                          for client, streams in opened for stream in streams if stream not in client.answered},
                         key=str)
        assert not refused, refused
        for client, streams in opened:
            client.send(b"".join(frame(DATA, END_STREAM, stream, b"") for stream in streams))
            client.wait_over(streams, 10)
    old.wait_for("Received pong", count=2, after=len(old.lines))
    assert not [line for line in old.lines if not CALM_LINE.search(line)]
    wait_until(lambda: connections(proxy) <= 3, 60, "connections of the burst are closed",
               lambda: str(connections(proxy)))


def test_an_endpoint_that_allows_no_stream_is_not_dialled_again_and_again(started, certs):
    endpoint = started(raw.RawServer(lambda peer, stream: peer.exchange(raw.reset(stream, 7)),
                                     greeting=raw.setting((MAX_CONCURRENT_STREAMS, 0))))
    other = started(Server("v2", "other"))
    proxy = started(Proxy(certs, [endpoint], [other], "--workers", "1"))
    bystander = started(Agent("v2.1", "bystander", proxy.target, cacert=certs / "ca.pem"))
    bystander.wait_for("Received pong")
    with contextlib.closing(flow.connect(proxy.port, certs / "ca.pem")) as client:
        streams = client.take(20)
        client.send(b"".join(frame(HEADERS, END_HEADERS, stream, request()) for stream in streams))
        assert client.wait_over(streams, 30), "streams hang"
        assert {client.peer.status_of(stream) for stream in streams} == {"14"}
        told = {f.fields["grpc-message"] for f in client.peer.find(HEADERS) if "grpc-message" in f.fields}
        assert all("server-v1" in text for text in told), told
    assert endpoint.connections < 10
    bystander.wait_for("Received pong", count=3, after=len(bystander.lines))
    assert not [line for line in bystander.lines if not CALM_LINE.search(line)]


@pytest.mark.parametrize("first, indexed", [(0x10, False), (0x40, True)], ids=["never indexed", "indexed"])
def test_a_secret_is_never_indexed_where_the_client_said_so(started, certs, first, indexed):
    """RFC 7541 section 6.2.3: an intermediary keeps the representation. The table of the shared connection would tell
    others."""
    seen = []

    def answer(peer, stream):
        seen.append(peer.find(HEADERS, stream)[0].payload)
        raw.has_no_health_service(peer, stream)

    endpoint = started(raw.RawServer(answer))
    proxy = started(Proxy(certs, [endpoint], [endpoint], "--workers", "1"))
    with contextlib.closing(flow.connect(proxy.port, certs / "ca.pem")) as client:
        for _ in range(2):
            stream, = client.take()
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream,
                              request() + literal("x-secret", "k3y-" + "v" * 60, first)))
            assert client.wait_over([stream], 10)
    assert len(seen) == 2
    assert (len(seen[1]) < 40) == indexed, "by its place in the table, or as it is"


def test_windows_are_heeded_whatever_the_flags_of_settings(started, certs):
    """RFC 9113 section 4.1: flags without a meaning are ignored."""
    server = started(Server("v1", "s"))
    proxy = started(Proxy(certs, [server], [server], "--workers", "1")).wait_ready()
    for port, cacert in ((proxy.port, certs / "ca.pem"), (server.port, None)):
        for flags in (0, 2, 0x80):
            for before, now, expected in ((65535, 0, False), (0, 65535, True)):
                with contextlib.closing(flow.connect(port, cacert, [(flow.INITIAL_WINDOW_SIZE, before)])) as client:
                    update = raw.setting((flow.INITIAL_WINDOW_SIZE, now))
                    client.send(update[:4] + bytes([flags]) + update[5:])
                    stream, = client.take()
                    client.send(frame(HEADERS, END_HEADERS, stream, request()) + frame(DATA, 0, stream, message()))
                    assert client.wait_answered([stream], 5 if expected else 0.3) == expected, (flags, before, now)
