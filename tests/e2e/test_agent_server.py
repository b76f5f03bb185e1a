"""Agent and server in detail: causes, signals, metrics, options, and servers that behave oddly."""
import json
import re
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

import grpc
import h2.events
import pytest

from testenv.grpcroute import ROOT, Server, grpcroute
from testenv.h2_server import PONG, H2Server
from testenv.wait import wait_until


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics_url(process):
    return process.wait_for(r"Metrics on (http://\S+)").group(1)


def sample(text, name):
    """The value of the sample with exactly this name and labels."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"{name} is missing in\n{text}"
    return float(found.group(1))


# ---- why there is no connection ----------------------------------------------------------------


class TlsServer:
    """Accepts TLS connections and nothing more."""

    def __init__(self, certs, alpn):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certs / "cert.pem", certs / "key.pem")
        if alpn:
            self._context.set_alpn_protocols(alpn)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
                with self._context.wrap_socket(sock, server_side=True) as tls:
                    tls.recv(1)
            except ssl.SSLError:
                continue
            except OSError:
                if self._listener.fileno() < 0:
                    return

    def close(self):
        self._listener.close()


def cause(agent):
    return agent.wait_for(r"Connection failed: (.*); reconnecting in").group(1)


def test_every_tls_cause_is_named_apart(started, certs, tmp_path, agent):
    server = started(Server("v1", "s", "--cert", certs / "cert.pem", "--key", certs / "key.pem"))
    good = agent("v1.1", "a", f"localhost:{server.port}", "--messages", "1", cacert=certs / "ca.pem")
    assert good.wait() == 0

    stranger = agent("v1.1", "a", f"localhost:{server.port}", "--authority", "other.example",
                     cacert=certs / "ca.pem")
    assert "other.example" in cause(stranger)

    subprocess.run([ROOT / "certs/generate-certs.sh", "--out", tmp_path / "others"], check=True,
                   capture_output=True)
    unknown = agent("v1.1", "a", f"localhost:{server.port}", cacert=tmp_path / "others/ca.pem")
    assert "authority" in cause(unknown)

    no_alpn = started(TlsServer(certs, alpn=None))
    assert "ALPN" in cause(agent("v1.1", "a", f"localhost:{no_alpn.port}", cacert=certs / "ca.pem"))

    unverified = grpcroute("agent", "--version", "v1.1", "--id", "a", "--target",
                           f"localhost:{server.port}", "--authority", "other.example",
                           "--messages", "1", "--interval", "10ms", "--tls-skip-verify")
    assert unverified.returncode == 0, unverified.stderr


def test_http1_behind_the_port_is_named(started, agent):
    server = started(Server("v1", "s", "--metrics-listen", "127.0.0.1:0"))
    port = metrics_url(server).split(":")[2].split("/")[0]
    assert "does not speak HTTP/2" in cause(agent("v1.1", "a", f"127.0.0.1:{port}"))


def test_an_answer_that_is_not_grpc_is_told_with_its_status(started, agent):
    def not_found(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id, [(":status", "404"), ("content-type", "text/html")], True)

    server = started(H2Server(not_found))
    agent("v1.1", "a", server.address).wait_for(
        r"Stream closed: HTTP status 404 from something that is not gRPC.*reconnecting in")


def test_failed_connections_back_off(agent):
    client = agent("v1.1", "a", "127.0.0.1:1")
    client.wait_for("reconnecting in", count=3)
    delays = [float(value) / (1000 if unit == "ms" else 1) for value, unit in
              re.findall(r"reconnecting in ([0-9.]+)(ms|s)", client.output)]
    for delay, base in zip(delays, (1, 1.6, 2.56)):
        assert 0.79 * base <= delay <= 1.21 * base


# ---- streams that end, and answers that are wrong ----------------------------------------------


def test_a_stream_that_worked_is_opened_again_on_its_connection(started, agent):
    def ends_after_fifteen(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            peer.h2.send_data(event.stream_id, PONG)
            if peer.messages[event.stream_id] == 15:
                peer.trailers(event.stream_id, 14, "pod is gone")

    server = started(H2Server(ends_after_fifteen))
    client = agent("v1.1", "a", server.address)
    client.wait_for(r"Stream closed: UNAVAILABLE: pod is gone; reconnecting in \d+(\.\d+)?(ms|us)$",
                    count=2)
    client.wait_for("Stream opened", count=3)
    assert server.connections == 1


def test_a_stream_that_never_worked_gets_another_connection_and_a_pause(started, agent):
    def refuses(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id, [(":status", "200"), ("content-type", "application/grpc"),
                                           ("grpc-status", "7"), ("grpc-message", "go%20away%0a")],
                         True)

    server = started(H2Server(refuses))
    client = agent("v1.1", "a", server.address)
    client.wait_for(r"Stream closed: PERMISSION_DENIED: go away\\\S*x0a; reconnecting in", count=2)
    wait_until(lambda: server.connections >= 2)


def test_garbled_and_unasked_answers_are_given_up(started, agent):
    def garbled(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            peer.h2.send_data(event.stream_id, b"\0\0\0\0\x03\xff\xff\xff")

    def flood(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)
            peer.h2.send_data(event.stream_id, PONG * 200)

    agent("v1.1", "a", started(H2Server(garbled)).address).wait_for(
        "Stream closed: the answer is not a ping.PingResponse; reconnecting")
    flooded = agent("v1.1", "a", started(H2Server(flood)).address)
    flooded.wait_for("Stream closed: the server sends answers that nobody asked for; reconnecting")
    first = flooded.output.split("reconnecting")[0]  # the next connection is flooded, too
    assert len(re.findall("Repeated or never asked for", first)) == 1


def test_messages_lost_are_a_failure(started, agent):
    def deaf(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)
        elif isinstance(event, h2.events.DataReceived) and peer.messages[event.stream_id] == 1:
            peer.h2.send_data(event.stream_id, PONG)
        elif isinstance(event, h2.events.StreamEnded):
            peer.trailers(event.stream_id, 0)

    client = agent("v1.1", "a", started(H2Server(deaf)).address, "--messages", "3")
    assert client.wait() == 1


def test_missing_pongs_end_the_stream(started, agent):
    def silent(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)

    client = agent("v1.1", "a", started(H2Server(silent)).address)
    client.wait_for(r"Stream closed: no pong for 10\.\ds.*reconnecting in", deadline_s=20)


def test_too_many_pings_halves_the_pinging(started, agent):
    def strict(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.h2.close_connection(0xb, b"too_many_pings")

    client = agent("v1.1", "a", started(H2Server(strict)).address, "--keepalive", "20s")
    client.wait_for("fewer keepalive pings: now one every 40s")
    client.wait_for("fewer keepalive pings: now one every 80s")


# ---- signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_agent_ends_its_stream_in_good_order(started, agent, number):
    server = started(Server("v1", "s", "--log-format", "json"))
    client = agent("v1.1", "a", server.address, "--count", "3")
    client.wait_each(3)
    assert client.stop(number) == 0
    server.wait_for('"event":"stream_closed"', count=3)
    closed = [json.loads(line) for line in server.lines if "stream_closed" in line]
    assert [line["status"] for line in closed] == ["OK"] * 3
    assert sorted(line["agent_id"] for line in closed) == ["a-1", "a-2", "a-3"]


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("connects", [True, False], ids=["connected", "not connected"])
def test_an_agent_that_did_not_send_all_was_interrupted(started, agent, connects, number, code):
    target = started(Server("v1", "s")).address if connects else "127.0.0.1:1"
    client = agent("v1.1", "a", target, "--messages", "1000")
    client.wait_for("Received pong" if connects else "Connection failed")
    assert client.stop(number) == code


def test_a_hanging_server_does_not_keep_an_agent(started, agent):
    server = started(Server("v1", "s"))
    patient, hurried = (agent("v1.1", name, server.address) for name in "ab")
    for client in (patient, hurried):
        client.wait_for("Received pong")
    server.send_signal(signal.SIGSTOP)
    try:
        patient.send_signal(signal.SIGTERM)
        hurried.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            hurried.wait(1)
        hurried.send_signal(signal.SIGINT)
        assert hurried.wait() == 130  # not 0, as when its own time is over
        assert patient.wait() == 0 and "half-closed, but the server does not end the stream" in patient.output
    finally:
        server.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("target", ["127.0.0.1:1", "192.0.2.1:1"])
def test_an_agent_without_a_connection_stops_at_once(agent, target):
    client = agent("v1.1", "a", target, "--metrics-listen", "127.0.0.1:0")
    fetch(metrics_url(client))  # it hears signals when it answers
    assert client.stop(deadline_s=10) == 0  # a connection may take 20


def test_a_second_signal_ends_a_long_drain(started, agent):
    server = started(Server("v1", "s", "--drain-timeout", "60s"))
    client = agent("v1.1", "a", server.address, "--count", "5")
    client.wait_for("Received pong", count=5)
    server.send_signal(signal.SIGTERM)
    server.wait_for("Draining")
    server.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    client.wait_for("reconnecting in", count=5)


# ---- metrics -----------------------------------------------------------------------------------


def test_metrics_of_both_ends_agree_and_are_valid(started, agent):
    server = started(Server("v1", "s", "--metrics-listen", "127.0.0.1:0"))
    client = agent("v1.2", "a", server.address, "--count", "2", "--metrics-listen", "127.0.0.1:0")
    stray = agent("v2.1", "b", server.address)
    client.wait_each(2)
    client.wait_for("Received pong", count=10)
    stray.wait_for("Received pong")
    server_url, client_url = metrics_url(server), metrics_url(client)
    _, of_client = fetch(client_url)
    _, of_server = fetch(server_url)
    assert sample(of_client, "grpcroute_streams_active") == 2
    assert sample(of_client, 'grpcroute_route_decisions_total{agent_version="v1.2",'
                             'server_version="v1",result="match"}') >= 10
    assert "mismatch\"" not in of_client
    assert sample(of_client, "grpcroute_message_rtt_seconds_count") >= 10
    assert sample(of_client, "process_resident_memory_bytes") > 1e6
    assert sample(of_server, 'grpcroute_streams_active{agent_version="v1.2",server_version="v1"}') == 2
    assert sample(of_server, 'grpcroute_streams_active{agent_version="v2.1",server_version="v1"}') == 1
    assert sample(of_server, 'grpcroute_messages_received_total{server_version="v1"}') >= 11
    for text in (of_client, of_server):
        assert "agent_id" not in text and "agent-id" not in text


def test_agent_metrics_count_wrong_answers_and_reconnections(started, agent):
    server = started(Server("v1", "s"))
    client = agent("v2.1", "a", server.address, "--metrics-listen", "127.0.0.1:0")
    client.wait_for("Received pong", count=12)
    url = metrics_url(client)
    assert fetch(url.replace("/metrics", "/ready"))[0] == 200
    server.stop()
    client.wait_for("Connection failed")
    assert fetch(url.replace("/metrics", "/ready"))[0] == 503
    text = fetch(url)[1]
    assert sample(text, 'grpcroute_route_decisions_total{agent_version="v2.1",server_version="v1",'
                        'result="mismatch"}') >= 12
    assert sample(text, 'grpcroute_stream_reconnects_total{reason="UNAVAILABLE"}') == 1
    assert sample(text, 'grpcroute_stream_reconnects_total{reason="refused"}') >= 1
    assert sample(text, "grpcroute_streams_active") == 0


# ---- what a client may write into the log ------------------------------------------------------


def ping_with(address, metadata):
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream("/ping.PingService/PingPong")
        return list(call(iter([b"\n\x04ping"]), metadata=metadata))


def test_a_client_cannot_write_pairs_of_its_own(started):
    server = started(Server("v1", "s"))
    ping_with(server.address, [("agent-id", "x agent-version=v9.9"), ("agent-version", "v1.1")])
    ping_with(server.address, [])
    server.wait_for("Stream closed", count=2)
    opened = [line for line in server.lines if "Stream opened" in line]
    assert opened == [
        "[SERVER_v1/s] Stream opened from agent-id=x%20agent-version=v9.9 agent-version=v1.1",
        "[SERVER_v1/s] Stream opened from agent-id=unknown agent-version=unknown",
    ]


def test_only_what_was_seen_whole_is_echoed(started, stubs):
    server = started(Server("v1", "s"))
    response = stubs["ping_pb2"].PingResponse
    for sent, echoed in (("a" * 254, "a" * 254), ("a" * 300, "")):
        answer = response.FromString(ping_with(server.address, [("agent-id", sent)])[0])
        assert answer.agent_id == echoed


# ---- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("argv, named", [
    (["server", "--version", "v1.1"], "vMAJOR"),
    (["server", "--version", "v1", "--cert", "cert.pem"], "--key is missing"),
    (["server", "--version", "v1", "--id", "x" * 300], "--id"),
    (["server", "--version", "v1", "--listen", "127.0.0.1:0", "--metrics-listen", "192.0.2.1:80"],
     "192.0.2.1:80"),
    (["agent", "--version", "v 1"], "visible"),
    (["agent", "--version", "v" * 65], "64"),
    (["agent", "--version", "v1.1", "--id", "a\nb"], "--id"),
    (["agent", "--version", "v1.1", "--id", " a"], "--id"),
    (["agent", "--version", "v1.1", "--plaintext", "--metrics-listen", "192.0.2.1:80"],
     "192.0.2.1:80"),
])
def test_wrong_options_start_nothing(argv, named):
    done = grpcroute(*argv, timeout=10)
    assert done.returncode == 2
    assert named in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_ids_fall_back_to_hostname_and_uuid(started):
    server = started(Server("v1", "s"))
    argv = ["agent", "--version", "v1.1", "--plaintext", "--messages", "1", "--target", server.address]
    named = grpcroute(*argv, env={"HOSTNAME": "pod-7"})
    assert named.returncode == 0 and named.stdout.startswith("[AGENT_v1.1/pod-7] ")
    unnamed = grpcroute(*argv, env={"HOSTNAME": ""})
    assert re.match(r"\[AGENT_v1\.1/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", unnamed.stdout)
