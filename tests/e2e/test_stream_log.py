"""The proxy's stream log: one line of JSON for each stream, which says what became of it, whatever its clients call
themselves and whatever the file does."""
import contextlib
import json
import os
import re
import signal
import subprocess
import threading

import jsonschema
import pytest
from testenv import raw
from testenv.grpcroute import BIN, ROOT, Agent, Proxy, Server, grpcroute
from testenv.identity import Identities
from testenv.net import ReservedPort
from testenv.process import DIE_WITH_PARENT
from testenv.wait import wait_until
from test_reload import fetch, metric

SCHEMA = json.loads((ROOT / "docs/schema/stream-log.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
QUICK_HEALTH = ["--health-interval", "200ms", "--health-timeout", "500ms", "--unhealthy-threshold", "1"]
LINES, DROPPED = "grpcroute_proxy_access_log_lines_total", "grpcroute_proxy_access_log_dropped_total"


def parse(text, whole=True):
    """The lines of a log, with their keys in the order of the schema, which judges the first of many. Torn ones are
    none."""
    found = []
    for line in text.splitlines(keepends=True):
        if not whole and not line.endswith("\n"):
            continue
        assert line.endswith("}\n") and line.isascii(), line
        row = json.loads(line)
        if len(found) < 500:
            VALIDATOR.validate(row)
        order = [list(SCHEMA["properties"]).index(key) for key in row]
        assert order == sorted(order), line
        found.append(row)
    return found


class Log:
    def __init__(self, path):
        self.path = path

    def rows(self, event="end", whole=True):
        text = self.path.read_text() if self.path.exists() else ""
        return [row for row in parse(text, whole) if row["event"] == event]

    def wait(self, count=1, event="end", **wanted):
        """The rows that have all these values, when there are so many."""
        def found():
            rows = [row for row in self.rows(event, whole=False)
                    if all(row.get(key) == value for key, value in wanted.items())]
            return rows if len(rows) >= count else None
        return wait_until(found, 20, f"{count} lines with {wanted}",
                          lambda: json.dumps(self.rows(event, whole=False)[-3:], indent=1))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "streams.log")


def start(started, certs, log, v1, v2=(), *args):
    return started(Proxy(certs, v1, v2, "--access-log", log.path, *args)).wait_ready()


def open_stream(front, extra=(), settings=(), version="v1.1", data=None):
    """A raw client with a ping stream, number 1, that has sent `data`, by default one message."""
    peer = raw.client(front.port, front.certs / "ca.pem", settings)
    head = raw.request(version, extra=extra)
    peer.exchange(raw.frame(raw.HEADERS, 0, 1, head[:16000]) + raw.frame(raw.CONTINUATION, raw.END_HEADERS, 1,
                                                                         head[16000:]))
    peer.exchange(raw.frame(raw.DATA, 0, 1, raw.message() if data is None else data))
    return peer


def begin(peer, stream, *more):
    """An answer that has begun, with a message in it."""
    head = raw.block((":status", "200"), ("content-type", "application/grpc"), *more)
    peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS, stream, head) + raw.frame(raw.DATA, 0, stream, raw.message()))


def trailers(peer, stream, *fields):
    peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, stream, raw.block(*fields)))


# ---- every reason that a real peer can bring about; the rest is in tests/unit/relay/test_stream_log.c ----


def once_asked(behave):
    """So it behaves when it has a message of the stream, not as soon as the stream is opened."""
    def behaviour(peer, stream):
        peer.exchange(until=lambda: peer.find(raw.DATA, stream))
        behave(peer, stream)
    return behaviour


def answered(peer):
    return lambda: peer.find(raw.DATA, 1)


def cancel(front, peer, _):
    peer.exchange(raw.reset(1))


def vanish(front, peer, _):
    peer.close()


def go_away(front, peer, _):
    peer.exchange(raw.frame(raw.GOAWAY, payload=bytes(8) + b"so\nlong"))
    peer.close()


def break_http2(front, peer, _):
    peer.exchange(raw.frame(raw.WINDOW_UPDATE, 0, 0, bytes(4)), until=lambda: peer.closed)


def stand_by(front, peer, _):
    pass


def end_proxy(front, peer, _):
    front.send_signal(signal.SIGTERM)


def kill_server(front, peer, server):
    server.close()


# Who, why, with which status and which detail; what the endpoint does when it is asked, what comes then, options.
CASES = {
    "completed": ("server", "completed", 7, None, lambda peer,
                  stream: (begin(peer, stream), trailers(peer, stream, ("grpc-status", "7"))),
                  stand_by, []),
    "trailers-only": ("server", "completed", 5, None, lambda peer, stream: trailers(
        peer, stream, (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5")), stand_by, []),
    "no-status": ("server", "no status", None, None, lambda peer, stream: (
        begin(peer, stream), peer.exchange(raw.frame(raw.DATA, raw.END_STREAM, stream))), stand_by, []),
    "reset": ("server", "reset", None, "INTERNAL_ERROR", lambda peer, stream: peer.exchange(raw.reset(stream, 2)),
              stand_by, []),
    "refused": ("server", "refused", 14, "REFUSED_STREAM", lambda peer, stream: peer.exchange(raw.reset(stream, 7)),
                stand_by, []),
    "server-lost": ("server", "connection lost", 14, "connection to endpoint", begin, kill_server, []),
    "server-broken": ("server", "protocol error", 13, "broke HTTP/2", lambda peer,
                      stream: begin(peer, stream, ("connection", "x")),
                      stand_by, []),
    "data-first": ("server", "protocol error", 14, "peer broke HTTP/2", lambda peer, stream: peer.exchange(
        raw.frame(raw.DATA, 0, stream, raw.message())), stand_by, []),
    "frame-too-large": ("server", "protocol error", 14, "FRAME_SIZE_ERROR", lambda peer, stream: peer.exchange(
        raw.frame(raw.DATA, 0, stream, bytes(20000))), stand_by, []),
    "not-its-stream": ("server", "protocol error", 14, "peer broke HTTP/2", lambda peer,
                       stream: begin(peer, stream + 2), stand_by, []),
    "bad-settings": ("server", "protocol error", 14, "FLOW_CONTROL_ERROR", lambda peer,
                     stream: peer.exchange(raw.setting((4, 2**31))),
                     stand_by, []),
    "no-http2": ("server", "protocol error", 14, "FRAME_SIZE_ERROR", lambda peer,
                 stream: peer.exchange(b"HTTP/1.1 400 Bad\r\n\r\n"),
                 stand_by, []),
    "cancelled": ("client", "cancelled", None, "CANCEL", begin, cancel, []),
    "client-lost": ("client", "connection lost", None, None, begin, vanish, []),
    "goaway": ("client", "goaway", None, r"so\\x0along", begin, go_away, []),
    "client-broken": ("client", "protocol error", None, "", begin, break_http2, []),
    "draining": ("proxy", "draining", 14, "proxy is shutting down", begin, end_proxy, []),
    "max-age": ("proxy", "max age", 14, "--max-stream-age", lambda peer, stream: begin(peer, stream), stand_by,
                ["--max-stream-age", "1s"]),
}


@pytest.mark.parametrize("case", CASES)
def test_an_end_is_told_with_who_and_why(started, certs, log, case):
    who, why, status, detail, behave, then, args = CASES[case]
    server = raw.RawServer(once_asked(behave))
    with contextlib.closing(server):
        front = start(started, certs, log, [server], [], *args)
        peer = open_stream(front)
        address = "%s:%d" % peer.sock.getsockname()
        with contextlib.closing(peer):
            if behave is begin:
                assert peer.exchange(until=answered(peer))
            then(front, peer, server)
            row, = log.wait(ended_by=who, reason=why)
    assert row.get("grpc_status") == status, row
    assert ("detail" in row) == (detail is not None), row
    assert detail is None or re.search(detail, row["detail"]), row
    assert row["endpoint"] == server.address and row["cluster"] == "server-v1" and row["tls_version"] == "TLSv1.3"
    assert row["messages_up"] == 1 and row["bytes_up"] == len(raw.message())
    assert row["client"] == address
    assert len(log.rows(whole=False)) == 1  # of one stream


def test_a_connection_that_an_endpoint_breaks_is_one_fault_of_its(started, certs, log):
    streams = []

    def break_with_the_second(peer, stream):
        streams.append(stream)
        if len(streams) == 2:
            peer.exchange(raw.frame(raw.DATA, 0, stream, b"1"))
    with contextlib.closing(raw.RawServer(break_with_the_second)) as server:
        front = start(started, certs, log, [server], [], "--workers", "1")
        with contextlib.closing(open_stream(front)), contextlib.closing(open_stream(front)):
            log.wait(2, ended_by="server", reason="protocol error")
        text = fetch(front.admin + "/stats/prometheus")[1]
    assert re.findall(r"^grpcroute_proxy_endpoint_faults_total\{.*\} ([1-9].*)$", text, re.M) == ["1"]


ROUTES = """apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: only-v1}
spec:
  rules:
  - matches: [{headers: [{name: agent-version, type: Exact, value: v1.1}]}]
    backendRefs: [{name: server-v1, port: 50051}]
  - matches: [{headers: [{name: agent-version, type: Exact, value: v1.2}]}]
    backendRefs: []
"""
REFUSALS = {
    "no-route": ("no route", 12, "v3.1", (), None),
    "no-backend": ("no backend", 14, "v1.2", (), "only-v1[1]"),
    "repeated": ("rejected", 3, "v1.1", (("agent-version", "v1.1"),), None),
    "too-large": ("rejected", 8, "v1.1", (("long", "x" * 17000),), None),
    "no-endpoint": ("no healthy endpoint", 14, "v1.1", (), "only-v1[0]"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_request_that_goes_nowhere_is_told_too(started, certs, log, tmp_path, case):
    reason, status, version, extra, route = REFUSALS[case]
    (tmp_path / "routes.yaml").write_text(ROUTES)
    port = started(ReservedPort()).port
    front = start(started, certs, log, [], [], "--endpoints", f"server-v1=127.0.0.1:{port}", "--routes",
                  tmp_path / "routes.yaml")
    with contextlib.closing(open_stream(front, extra, version=version)):
        row, = log.wait(ended_by="proxy", reason=reason)
    assert row["grpc_status"] == status and row["http_status"] == 200 and row["detail"]
    assert row.get("route") == route
    assert "cluster" not in row and "endpoint" not in row
    assert row["agent_version"] == version


@pytest.mark.parametrize("why", ["endpoint removed", "endpoint unhealthy", "rebalance"])
def test_ends_on_purpose_are_told_with_the_option_that_asked_for_them(started, certs, log, tmp_path, why):
    servers = [started(Server("v1", f"s{n}")) for n in range(2)]
    file = tmp_path / "endpoints.txt"

    def use(*chosen):
        file.write_text("".join(f"server-v{v}={','.join(s.address for s in chosen)}\n" for v in (1, 2)))
    use(servers[0])
    front = start(started, certs, log, [], [], "--endpoints", f"@{file}", "--move-window", "1s", "--rebalance",
                  "--on-removed", "end", "--on-unhealthy", "end", *(QUICK_HEALTH if why == "endpoint unhealthy"
                                                                    else []))
    agent = started(Agent("v1.1", "a", front.target, "--count", "4", cacert=certs / "ca.pem"))
    for n in range(1, 5):
        agent.wait_for(rf"a-{n}\] Received pong")
    if why == "rebalance":
        use(*servers)
    elif why == "endpoint removed":
        use(servers[1])
    else:
        servers[0].send_signal(signal.SIGSTOP)
    try:
        row = log.wait(2 if why == "rebalance" else 4, ended_by="proxy", reason=why)[0]
    finally:
        servers[0].send_signal(signal.SIGCONT)
    assert row["endpoint"] == servers[0].address and row["grpc_status"] == 14 and "open it again" in row["detail"]
    assert row["pod"] == "s0" and row["server_version"] == "v1" and "misrouted" not in row


def test_who_does_not_read_is_told_as_shed(started, certs, log):
    def pour(peer, stream):
        begin(peer, stream)
        peer.exchange(raw.frame(raw.DATA, 0, stream, bytes(16000)) * 4)
    server = started(raw.RawServer(pour))
    front = start(started, certs, log, [server], [], "--max-buffered", "100000", "--workers", "1")
    peer = open_stream(front, settings=((4, 0),))
    with contextlib.closing(peer):
        for stream in 3, 5:
            peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS, stream, raw.request()))
        row = log.wait(ended_by="proxy", reason="shed")[0]
    assert row["grpc_status"] == 8 and "--max-buffered" in row["detail"]


def test_the_program_its_schema_and_its_manual_know_the_same_reasons():
    table = (ROOT / "src/relay/stream_end.h").read_text()
    known = {(party.lower(), word) for party, word in re.findall(r'X\(\w+, (\w+), "([^"]+)"\)', table)}
    assert len(known) > 20
    assert known == {(part["properties"]["ended_by"]["const"], word) for part in SCHEMA["oneOf"]
                     if "reason" in part["properties"] and part["properties"]["reason"]
                     for word in part["properties"]["reason"]["enum"]}
    rows = re.findall(r"^\| `(client|server|proxy)` \| ([^|]+) \|", (ROOT / "docs/proxy.md").read_text(), re.M)
    assert known == {(party, word) for party, words in rows for word in re.findall("`([^`]+)`", words)}


# ---- what a line says ----------------------------------------------------------------------------


def test_counts_are_what_went_through(started, certs, log, backends):
    front = start(started, certs, log, *backends)
    for version in "v1.1", "v2.3":
        assert grpcroute("agent", "--version", version, "--id", f"agent-{version}", "--messages", "5", "--interval",
                         "100ms", "--target",
                         front.target, "--cacert", certs / "ca.pem").returncode == 0
    rows = log.wait(2, reason="completed")
    for row, major in zip(rows, "12"):
        assert row["messages_up"] == row["messages_down"] == 5
        assert row["bytes_up"] > 5 * 5 and row["bytes_down"] > row["bytes_up"]
        assert row["grpc_status"] == 0 and row["http_status"] == 200 and row["ended_by"] == "server"
        assert row["server_version"] == f"v{major}" and row["pod"].startswith(f"server-v{major}-") and \
            row["cluster"] == f"server-v{major}"
        assert row["path"] == "/ping.PingService/PingPong" and row["authority"] == front.target
        assert 60 <= row["age_ms"] < 60000  # 400 ms at least, were both looked at in time
    assert [row["stream"] for row in rows] == [1, 2]


def test_a_misrouted_stream_is_told_as_such(started, certs, log):
    wrong = started(Server("v2", "wrong"))
    front = start(started, certs, log, [wrong], [wrong])
    grpcroute("agent", "--version", "v1.1", "--messages", "1", "--target", front.target, "--cacert", certs / "ca.pem")
    row, = log.wait()
    assert row["misrouted"] is True and row["server_version"] == "v2" and row["cluster"] == "server-v1"


def test_begins_are_told_if_that_is_asked_for(started, certs, log, backends):
    front = start(started, certs, log, *backends, "--access-log-open")
    peer = open_stream(front)
    with contextlib.closing(peer):
        opened, = log.wait(event="open")
        assert log.rows() == []  # it lives
    ended, = log.wait(event="end")
    assert {key: value for key, value in opened.items() if key not in ("event", "time")} == \
        {key: ended[key] for key in opened if key not in ("event", "time")}
    assert opened["endpoint"] and opened["time"] <= ended["time"]


HOSTILE = {
    "quotes": (b'a"b\\', 'a"b\\'),
    "a line of its own": (b'x","log":"grpcroute.stream","event":"end', 'x","log":"grpcroute.stream","event":"end'),
    "utf-8": ("ä".encode(), "\\xc3\\xa4"),
    "no utf-8": (b"a\xff\xfe", "a\\xff\\xfe"),
    "colour": (b"\x80[31m", "\\x80[31m"),
    "long": (b"\\" * 5000, None),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_whatever_a_client_calls_itself_it_is_one_line(started, certs, log, backends, case):
    value, shown = HOSTILE[case]
    front = start(started, certs, log, *backends)
    peer = raw.client(front.port, certs / "ca.pem")
    with contextlib.closing(peer):
        head = raw.block((":method", "POST"), (":scheme", "http"), (":path", "/ping.PingService/PingPong"),
                         (":authority", "localhost"),
                         ("te", "trailers"), ("content-type", "application/grpc"), ("agent-id", value),
                         ("agent-version", value))
        peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS, 1, head))
        peer.exchange(raw.frame(raw.DATA, 0, 1, raw.message()), until=answered(peer))
        peer.exchange(raw.reset(1))
        row, = log.wait()
    assert row["agent_id"] == row["agent_version"]
    if shown is None:
        assert len(row["agent_id"]) <= 95 and row["agent_id"].endswith("...")
    else:
        assert row["agent_id"] == shown
    assert log.path.read_bytes().count(b"\n") == 1


def test_a_clients_certificate_is_named_and_goes_no_further(started, certs, log, tmp_path, backends):
    clients = Identities(tmp_path)
    front = start(started, certs, log, *backends, "--client-ca", clients / "clients-ca.pem", "--client-cert",
                  "optional")
    for name in "client", None:
        assert grpcroute("agent", "--version", "v1.1", "--messages", "1", "--target", front.target, "--cacert",
                         certs / "ca.pem",
                         *clients.options(name)).returncode == 0
    named, nobody = log.wait(2)
    assert named["identity"] == "CN=client" and "identity" not in nobody


# ---- the file ------------------------------------------------------------------------------------


def test_with_many_workers_no_line_is_torn_and_there_are_as_many_ends_as_streams(started, certs, log, backends):
    front = start(started, certs, log, *backends, "--workers", "4")
    for _ in range(2):
        agents = [started(Agent(f"v{n % 2 + 1}.1", f"a{n}", front.target, "--count", "50", cacert=certs / "ca.pem"))
                  for n in range(4)]
        wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") == 200, 50, "all streams are open")
        for agent in agents:
            agent.stop()
        wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") == 0, 20, "all streams have ended")
    total = int(metric(front, "grpcroute_proxy_streams_total"))
    assert total >= 400
    wait_until(lambda: metric(front, LINES) == total, 20, "all lines are written")
    rows = log.rows()
    assert sorted(row["stream"] for row in rows) == list(range(1, total + 1))
    assert metric(front, DROPPED) == 0


def test_nothing_is_lost_at_the_end(started, certs, log, backends):
    front = start(started, certs, log, *backends, "--workers", "2")
    agent = started(Agent("v1.1", "a", front.target, "--count", "100", cacert=certs / "ca.pem"))
    agent.wait_for("Received pong")
    wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") == 100, 20, "all streams are open")
    assert front.stop() == 0
    rows = log.rows()
    assert len({row["stream"] for row in rows}) == len(rows)
    assert sum(row["reason"] == "draining" for row in rows) >= 100  # agents come back while it drains


def test_a_renamed_file_is_left_at_sighup_and_at_post_reload(started, certs, log, backends):
    front = start(started, certs, log, *backends)
    for turn, reload in enumerate((lambda: front.send_signal(signal.SIGHUP),
                                   lambda: fetch(front.admin + "/reload", "POST"))):
        open_stream(front, [("turn", str(turn))]).close()
        log.wait()
        old = log.path.with_suffix(f".{turn}")
        log.path.rename(old)
        open_stream(front).close()  # not lost: the old file is still written
        wait_until(lambda: len(Log(old).rows(whole=False)) == 2, 20, "the renamed file is written")
        reload()
        wait_until(log.path.exists, 20, "there is a new file")
        open_stream(front).close()
        log.wait()
        assert len(Log(old).rows()) == 2
        assert log.path.stat().st_mode & 0o777 == 0o640
        log.path.unlink()
        front.send_signal(signal.SIGHUP)
        wait_until(log.path.exists, 20, "there is a new file")


def test_standard_output_carries_both_logs(started, certs, backends):
    front = started(Proxy(certs, *backends, "--access-log", "-", "--log-format", "json"))
    front.wait_for('"msg":"Ready"')
    open_stream(front).close()
    line = front.wait_for(r'^\{"log":"grpcroute\.stream",.*\}$').group(0)
    row, = parse(line + "\n")
    assert row["reason"] == "connection lost"
    front.stop()
    assert all(isinstance(json.loads(line), dict) for line in front.output.splitlines())


def test_without_the_option_there_is_no_log_and_no_number(started, certs, backends):
    front = started(Proxy(certs, *backends)).wait_ready()
    open_stream(front).close()
    assert "access_log" not in fetch(front.admin + "/stats")[1] + fetch(front.admin + "/stats/prometheus")[1]


@pytest.mark.parametrize("case", ["folder", "missing folder", "unread fifo", "begins only"])
def test_what_cannot_be_opened_is_one_line_and_exit_code_2(certs, tmp_path, case):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    args, cause = {
        "folder": (["--access-log", tmp_path], "Is a directory"),
        "missing folder": (["--access-log", tmp_path / "no" / "log"], "No such file or directory"),
        "unread fifo": (["--access-log", fifo], "nobody reads this FIFO"),
        "begins only": (["--access-log-open"], "needs --access-log"),
    }[case]
    done = grpcroute("proxy", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cert", certs / "cert.pem",
                     "--key", certs / "key.pem", *args)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(rf"grpcroute proxy: --access-log.*: .*{cause}\n", done.stderr), done.stderr


def test_a_full_disk_costs_lines_and_nothing_else(started, certs, backends):
    front = started(Proxy(certs, *backends, "--access-log", "/dev/full")).wait_ready()
    agent = started(Agent("v1.1", "a", front.target, cacert=certs / "ca.pem"))
    agent.wait_for("Received pong")
    open_stream(front).close()
    front.wait_for(r"The stream log /dev/full cannot be written: No space left on device")
    seen = len(agent.lines)
    agent.wait_for("Received pong", 3, after=seen)
    assert metric(front, LINES) == 0
    assert front.stop() == 0
    assert re.search(r"The stream log /dev/full has lost \d+ lines: No space left on device", front.output)
    assert "too slowly" not in front.output


def test_a_reader_that_goes_away_is_told_and_may_come_back(started, certs, backends, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    front = started(Proxy(certs, *backends, "--access-log", fifo)).wait_ready()
    os.close(reader)
    open_stream(front).close()
    front.wait_for("The stream log .* cannot be written: Broken pipe")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        front.wait_for("The stream log .* is written again")
        assert len(parse(os.read(reader, 65536).decode())) == 1
    finally:
        os.close(reader)
    fill(front)
    front.wait_for("The stream log .* cannot be written: Broken pipe: lines are dropped")
    assert front.stop() == 0
    assert re.search(r"The stream log .* has lost \d+ lines: Broken pipe", front.output)
    assert "too slowly" not in front.output


def fill(front):
    """Short calls until the log has lost lines of some."""
    while metric(front, DROPPED) <= 1000:
        done = grpcroute("bench", "--target", front.target, "--cacert", front.certs / "ca.pem", "--call", "unary",
                         "--method", "/grpc.health.v1.Health/Check", "-c", "2", "-s", "50", "-r", "0", "-z", "1s",
                         "--warmup", "0")
        assert done.returncode == 4, done.stderr  # nobody says who answered


def test_a_reader_that_stalls_costs_lines_which_are_counted_and_messages_go_on(started, certs, backends, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    front = started(Proxy(certs, *backends, "--access-log", fifo, "--workers", "2")).wait_ready()
    agent = started(Agent("v1.1", "a", front.target, "--interval", "50ms", cacert=certs / "ca.pem"))
    agent.wait_for("Received pong")
    fill(front)
    front.wait_for("The stream log .* takes bytes too slowly or not at all: lines are dropped")
    seen = len(agent.lines)
    agent.wait_for("Received pong", 20, after=seen)  # while nobody reads
    assert sum("lines are dropped" in line for line in front.lines) == 1
    for _ in range(20):  # others' lines still find room
        open_stream(front).close()
    text = []

    def read():
        os.set_blocking(reader, True)
        while data := os.read(reader, 65536):
            text.append(data)
    thread = threading.Thread(target=read)
    thread.start()
    told = r"The stream log .* has lost (\d+) lines: it took bytes too slowly or not at all"
    lost = int(front.wait_for(told).group(1))
    assert metric(front, DROPPED) == lost
    agent.stop()
    total = None

    def settled():
        nonlocal total
        total = int(metric(front, "grpcroute_proxy_streams_total"))
        return metric(front, LINES) + metric(front, DROPPED) == total + 1  # the line of the gap
    wait_until(settled, 20, "each stream is a line or a lost one",
               lambda: (metric(front, LINES), metric(front, DROPPED), total, front.output))
    assert front.stop() == 0
    thread.join(20)
    os.close(reader)
    rows = parse(b"".join(text).decode())
    gaps = [row["lines"] for row in rows if row["event"] == "lost"]
    assert gaps == [lost] and len(rows) - 1 == total - lost and rows[-1]["agent_id"] == "a"
    assert sum(row.get("agent_id") == "attacker" for row in rows) == 20
    judged = subprocess.run([BIN, "verify", "--logs", "-", "--versions", "v1.1"], check=False, input=b"".join(text),
                            capture_output=True, timeout=60)
    assert judged.returncode == 4, judged  # what is missing may be evidence


def test_a_stalled_standard_output_does_not_hold_up_the_end(certs):
    reader, writer = os.pipe()
    popen = subprocess.Popen([*DIE_WITH_PARENT, BIN, "proxy", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                              "--cert", certs / "cert.pem", "--key", certs / "key.pem", "--access-log", "-",
                              "--drain-timeout", "100ms"],
                             stdout=writer, stderr=subprocess.PIPE)
    try:
        said = b""
        while b"Listening" not in said:
            said += os.read(reader, 4096)
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"-" * 4096)
        popen.send_signal(signal.SIGTERM)
        assert popen.wait(15) == 0
    finally:
        popen.kill()
        popen.wait()
        popen.stderr.close()
        os.close(reader)
        os.close(writer)
