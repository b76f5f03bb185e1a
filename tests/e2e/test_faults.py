"""Two hundred live streams, and something dies."""
import re
import signal
import time

import pytest

from testenv.grpcroute import Agent, Proxy, Server
from testenv.net import ReservedPort
from testenv.wait import wait_until

STREAMS = 50  # of each version
BACKOFF_S = 1


@pytest.fixture
def proxy(started, certs, backends):
    """On a port that it can be started on again."""
    return started(Proxy(certs, *backends, port=started(ReservedPort()).port)).wait_ready()


@pytest.fixture
def fleet(started, certs, proxy):
    """Two hundred agents in four processes, all answered."""
    agents = [started(Agent(f"v{v}", f"agent-{v}", proxy.target, "--count", str(STREAMS), "--max-backoff",
                            f"{BACKOFF_S}s",
                            cacert=certs / "ca.pem")) for v in ("1.1", "1.2", "2.1", "2.2")]
    for agent in agents:
        for number in (1, STREAMS):
            agent.wait_for(rf"agent-[\d.]+-{number}\] Received pong", count=3)
    return agents


def names(agent):
    version = agent.argv[agent.argv.index("--id") + 1]
    return {f"{version}-{n}" for n in range(1, STREAMS + 1)}


def missing(agents, marks):
    """The agents of every process that were not answered after its mark."""
    found = set()
    for agent, mark in zip(agents, marks):
        found |= names(agent) - set(re.findall(r"/(agent-[\d.]+-\d+)\] Received pong", "\n".join(agent.lines[mark:])))
    return found


def check_all_come_back(agents, marks):
    """None pauses for longer than it was told to, with the fifth that goes to chance; the rest of the time is the
    machine's."""
    wait_until(lambda: not missing(agents, marks), 20, "all are answered again",
               lambda: sorted(missing(agents, marks))[:5])
    pauses = [float(number) / (1000 if unit == "ms" else 1) for agent in agents
              for number, unit in re.findall(r"; reconnecting in ([\d.]+) ?(ms|s)$", agent.output, re.M)]
    assert len(pauses) == sum(agent.output.count("; reconnecting in") for agent in agents)
    assert all(pause <= 1.2 * BACKOFF_S for pause in pauses), sorted(pauses)[-5:]


def check_nothing_was_misrouted(agents):
    for agent in agents:
        assert "Misrouted" not in agent.output
        assert "Not sticky" not in agent.output
        assert "Not isolated" not in agent.output
        assert "no ping of this stream" not in agent.output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_agents_are_back_after_a_server_dies(fleet, backends, number):
    backends[0][0].stop(number)
    marks = [len(agent.lines) for agent in fleet]
    check_all_come_back(fleet, marks)
    check_nothing_was_misrouted(fleet)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_agents_are_back_after_the_proxy_is_restarted(started, certs, fleet, backends, proxy, number):
    proxy.stop(number)
    again = started(Proxy(certs, *backends, port=proxy.port))
    marks = [len(agent.lines) for agent in fleet]
    check_all_come_back(fleet, marks)
    check_nothing_was_misrouted(fleet)
    assert again.running()


def test_half_open_server_is_found_and_left(started, certs, backends):
    front = started(Proxy(certs, *backends, "--health-interval", "500ms")).wait_ready()
    client = started(Agent("v1.1", "a", front.target, "--count", "4", cacert=certs / "ca.pem"))
    client.wait_for("Received pong", count=8)
    frozen = backends[0][0]
    frozen.send_signal(signal.SIGSTOP)
    try:
        front.wait_for(rf"Endpoint {frozen.address} of cluster server-v1 is unhealthy", deadline_s=10)
        client.wait_for(r"connection to endpoint \S+ was lost", deadline_s=20)
        mark = len(client.lines)
        for number in range(1, 5):
            client.wait_for(rf"a-{number}\] Received pong from server=v1/server-v1-b", after=mark,
                            deadline_s=15)
    finally:
        frozen.send_signal(signal.SIGCONT)


def test_fd_limit_is_told_and_does_not_spin(started):
    import socket

    server = started(Server("v1", "s", through=["prlimit", "--nofile=40:40", "--"]))
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    try:
        server.wait_for(r"(?i)too many open files")
        before = sum(map(int, open(f"/proc/{server.pid}/stat").read().split()[13:15]))
        time.sleep(2)  # the length of the measurement
        after = sum(map(int, open(f"/proc/{server.pid}/stat").read().split()[13:15]))
        assert after - before < 40, "busy loop at the descriptor limit"  # ticks of 10 ms in 2 s
        told = [line for line in server.lines if "open files" in line]
        assert len(told) <= 6
    finally:
        for sock in sockets:
            sock.close()
    client = started(Agent("v1.1", "a", server.address, "--messages", "1"))
    assert client.wait() == 0


def rss_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def test_a_reader_that_stops_reading_bounds_memory_and_disturbs_nobody(started, certs, proxy, backends):
    import socket
    import ssl

    import h2.config
    import h2.connection

    bystander = started(Agent("v1.2", "bystander", proxy.target, cacert=certs / "ca.pem"))
    bystander.wait_for("Received pong", count=3)
    processes = [proxy, *backends[0]]
    before = [rss_kib(process.pid) for process in processes]
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.set_alpn_protocols(["h2"])
    raw = socket.create_connection(("127.0.0.1", proxy.port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with context.wrap_socket(raw, server_hostname="localhost") as sock:
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        sock.sendall(client.data_to_send())
        client.receive_data(sock.recv(65536))
        sock.sendall(client.data_to_send())
        streams = list(range(1, 41, 2))
        for stream in streams:
            client.send_headers(stream, [
                (":method", "POST"), (":scheme", "https"), (":path", "/ping.PingService/PingPong"),
                (":authority", "localhost"), ("content-type", "application/grpc"),
                ("te", "trailers"), ("agent-version", "v1.1")])
        message = b"\0\0\0\x03\xe8" + b"\x0a\xe5\x07" + b"x" * 997
        sock.settimeout(1)
        sent = 0
        # pings as long as there is credit; the answers are never read
        for _ in range(60):
            for stream in streams:
                if client.local_flow_control_window(stream) > len(message):
                    client.send_data(stream, message)
                    sent += 1
        try:
            sock.sendall(client.data_to_send())
        except TimeoutError:
            pass  # the proxy stopped taking bytes: that is backpressure
        assert sent > 900
        mark = len(bystander.lines)
        bystander.wait_for("Received pong", count=20, after=mark)
        after = [rss_kib(process.pid) for process in processes]
    grown = [b - a for a, b in zip(before, after)]
    assert max(grown) < 16 * 1024, grown
    assert "reconnecting" not in bystander.output
