"""Streams that the proxy ends on purpose: too old, moved to endpoints that came, off endpoints that went."""
import contextlib
import json
import re
import signal
import time

import grpc
import pytest
from testenv.grpcroute import BIN, Proxy, Server, grpcroute
from testenv.process import Process
from testenv.slow import SLOW, sized
from testenv.wait import wait_until
from test_reload import fetch, metric

pytestmark = sized
STREAMS = 1000 if SLOW else 300
INTERVAL = "200ms"
WINDOW_S = 4
# A stopped server is unhealthy long before its connections are given up, which takes 6 s.
QUICK_HEALTH = ["--health-interval", "500ms", "--health-timeout", "500ms", "--unhealthy-threshold", "1"]


class Fleet(Process):
    """Agents of one process; what they counted is read from their metrics."""

    def __init__(self, front, count=STREAMS, interval=INTERVAL):
        super().__init__([BIN, "agent", "--version", "v1.1", "--count", str(count), "--interval", interval, "--target",
                          front.target, "--cacert", front.certs / "ca.pem", "--metrics-listen", "127.0.0.1:0",
                          "--log-timestamps"])
        self.count = count
        self.metrics = self.wait_for_start(r"Metrics on (http://\S+)").group(1)
        try:
            wait_until(lambda: self.counted("grpc_client_started_total") >= count, 60, "each stream was opened",
                       lambda: self.output[-3000:])
        except AssertionError:
            self.kill()
            Process.unclosed.discard(self)
            raise

    def wait_open(self):
        """Each that has ended by now was opened again. How many are open at once is the pace of the machine, where
        they come of age."""
        ended = self.counted("grpcroute_stream_lifetime_seconds_count")
        wait_until(lambda: self.counted("grpc_client_started_total") >= self.count + ended, 20, "the streams are open",
                   lambda: str(self.counted("grpcroute_streams_active")))

    def counted(self, name):
        found = re.search(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", fetch(self.metrics)[1], re.M)
        assert found, f"no {name}"
        return float(found.group(1))

    def moments(self, words, after=0):
        """When each line with these words came, in seconds."""
        lines = [line for line in self.lines[after:] if words in line]
        return sorted(int(line[11:13]) * 3600 + int(line[14:16]) * 60 + float(line[17:23]) for line in lines)

    def planned(self, after=0):
        return self.moments("closed as planned", after)

    def assert_nothing_lost(self):
        self.wait_open()
        for name in "grpcroute_messages_lost_total", "grpcroute_messages_unexpected_total":
            assert self.counted(name) == 0, self.output[-3000:]
        assert not re.search(r"(?<!as planned): .*; reconnecting in", self.output), self.output[-3000:]


@contextlib.contextmanager
def stopped(server):
    """It stands still, and goes on whatever the test finds."""
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


class Endpoints:
    """The servers of a cluster, and the file that names them."""

    def __init__(self, started, folder, count):
        self.servers = [started(Server("v1", f"s{n}")) for n in range(count)]
        self.file = folder / "endpoints.txt"

    def use(self, *chosen):
        text = ",".join(self.servers[n].address for n in chosen)
        new = self.file.with_suffix(".new")
        new.write_text(f"server-v1={text}\nserver-v2={text}\n")
        new.replace(self.file)  # never read in part


@pytest.fixture
def endpoints(started, tmp_path):
    return Endpoints(started, tmp_path, 4)


def start(started, certs, endpoints, *args):
    window = ["--move-window", f"{WINDOW_S}s"] if {"--rebalance", "end"} & {*args} else []
    return started(Proxy(certs, [], [], "--endpoints", f"@{endpoints.file}", "--workers", "2", *window,
                         *args)).wait_ready()


def shares(front):
    """Live streams of each endpoint that has some, by what its server calls itself."""
    streams = json.loads(fetch(front.admin + "/streams?limit=1000")[1])["streams"]
    found = {}
    for row in streams:
        found[row["endpoint"]] = found.get(row["endpoint"], 0) + 1
    return found


def is_even(front, count, total=STREAMS):
    now = shares(front)
    return sum(now.values()) == total and len(now) == count and \
        all(abs(share - total / count) <= 0.1 * total / count for share in now.values())


def is_spread_over_time(moments, pongs, window_s):
    """No herd: in no 100 ms more than three times the mean comes, or what a few streams make by chance. Where the
    machine stood still, no stream was answered, and what was due meanwhile comes at once."""
    still_s = max(later - pong for pong, later in zip(pongs, pongs[1:]))
    mean = len(moments) * (0.1 + still_s) / window_s
    peak = max(sum(moment <= other < moment + 0.1 for other in moments) for moment in moments)
    return moments[-1] - moments[0] >= 0.7 * window_s and peak <= max(3 * mean, 20)


@pytest.mark.timeout(300)
def test_endpoints_that_come_get_the_surplus_and_no_message_is_lost(started, certs, endpoints):
    endpoints.use(0, 1)
    front = start(started, certs, endpoints, "--rebalance", "--on-removed", "end")
    fleet = started(Fleet(front))
    moved = 0
    for _attempt in range(5):
        earlier, ends, lines = moved, len(fleet.lines), len(front.lines)
        endpoints.use(0, 1, 2, 3)
        moved += int(front.wait_for(rf"Cluster server-v1: (\d+) of {STREAMS} streams move within {WINDOW_S * 1000} ms "
                                    rf"to even out 4 "
                                    "endpoints", after=lines).group(1))
        assert moved - earlier <= STREAMS / 2  # the surplus, and none more
        wait_until(lambda: metric(front, "grpcroute_proxy_ended_rebalance_total") == moved, WINDOW_S + 15,
                   "the surplus moved")
        wait_until(lambda: is_even(front, 4), 15, "four endpoints are even", lambda: str(shares(front)))
        fleet.assert_nothing_lost()
        # after the proxy counted it
        wait_until(lambda: len(fleet.planned(ends)) >= moved - earlier, 20, "the agents told it")
        if is_spread_over_time(fleet.planned(ends), fleet.moments("Received pong", ends), WINDOW_S):
            break
        endpoints.use(0, 1)
        wait_until(lambda: is_even(front, 2), WINDOW_S + 15, "two endpoints are even", lambda: str(shares(front)))
    else:
        pytest.fail("a herd, five times: a machine that stands still makes one, but not each time")
    already = metric(front, "grpcroute_proxy_ended_removed_total")
    held = shares(front)[endpoints.servers[3].address]
    endpoints.use(0, 1, 2)
    front.wait_for(rf"Endpoint {endpoints.servers[3].address} of cluster server-v1 is removed: its {held} streams end "
                   rf"within")
    wait_until(lambda: is_even(front, 3), WINDOW_S + 15, "three endpoints are even", lambda: str(shares(front)))
    assert metric(front, "grpcroute_proxy_ended_removed_total") == already + held
    assert metric(front, "grpcroute_proxy_ended_rebalance_total") == moved
    fleet.assert_nothing_lost()


def test_nothing_moves_unless_that_is_asked_for(started, certs, endpoints):
    endpoints.use(0, 1)
    front = start(started, certs, endpoints, *QUICK_HEALTH)
    fleet = started(Fleet(front, 40))
    wait_until(lambda: sum(shares(front).values()) == 40, 20, "the proxy has them, too")
    before = shares(front)
    endpoints.use(1, 2, 3)  # one gone, two came
    front.wait_for(r"Cluster server-v1 has 3 endpoints \(2 new, 1 gone\)")
    with stopped(endpoints.servers[1]):
        front.wait_for(rf"Endpoint {endpoints.servers[1].address} of cluster server-v1 is unhealthy")
        time.sleep(2)  # that nothing happens has no event; the connections are given up 6 s later
        assert shares(front) == before
    assert fleet.planned() == []
    assert metric(front, "grpcroute_proxy_streams_total") == 40


def test_a_clusters_counters_do_not_step_back_when_endpoints_leave(started, certs, endpoints):
    def counters():
        found = re.findall(r"^cluster\.server-v1\.upstream_(\w+_total|messages_\w+|bytes_\w+): (\d+)$",
                           fetch(front.admin + "/stats")[1], re.M)
        return {name: int(value) for name, value in found}
    endpoints.use(0, 1)
    front = start(started, certs, endpoints)
    started(Fleet(front, 20))
    wait_until(lambda: counters()["rq_total"] == 20 and counters()["bytes_up"] > 0, 20, "the proxy has them, too")
    before = counters()
    endpoints.use(1)  # whose streams go on
    front.wait_for("Cluster server-v1 has 1 endpoints")
    endpoints.use(2)
    front.wait_for("Cluster server-v1 has 1 endpoints", 2)
    after = counters()
    assert all(after[name] >= value for name, value in before.items()), (before, after)
    wait_until(lambda: counters()["messages_up"] > after["messages_up"], 20, "live streams count on")


def test_streams_of_an_unhealthy_endpoint_end_when_that_is_asked_for(started, certs, endpoints):
    endpoints.use(0, 1)
    front = start(started, certs, endpoints, "--on-unhealthy", "end", *QUICK_HEALTH, "--move-window", "2s")
    fleet = started(Fleet(front, 40))
    with stopped(endpoints.servers[0]):
        front.wait_for(rf"Endpoint {endpoints.servers[0].address} of cluster server-v1 is unhealthy: its 20 streams "
                       rf"end within")
        wait_until(lambda: shares(front) == {endpoints.servers[1].address: 40}, WINDOW_S + 15,
                   "all are on the other one")
    ended = metric(front, "grpcroute_proxy_ended_unhealthy_total")
    assert 0 < ended <= 20  # an agent that waits for its pong for too long leaves by itself
    wait_until(lambda: len(fleet.planned()) == ended, 20, "all agents told it")


def test_an_endpoint_that_is_well_again_keeps_what_is_left(started, certs, endpoints):
    endpoints.use(0, 1)
    front = start(started, certs, endpoints, "--on-unhealthy", "end", "--move-window", "60s")
    started(Fleet(front, 40))
    with stopped(endpoints.servers[0]):
        front.wait_for("is unhealthy: its 20 streams end within 60000 ms")
    front.wait_for(rf"Endpoint {endpoints.servers[0].address} of cluster server-v1 is healthy", count=2)
    ended = metric(front, "grpcroute_proxy_ended_unhealthy_total")
    assert ended <= 5
    time.sleep(3)  # that nothing happens has no event
    assert metric(front, "grpcroute_proxy_ended_unhealthy_total") <= ended + 1


def test_old_streams_end_spread_over_their_jitter_and_come_back(started, certs, backends):
    front = started(Proxy(certs, *backends, "--max-stream-age", "4s", "--age-jitter", "50")).wait_ready()
    fleet = started(Fleet(front, 200))
    wait_until(lambda: len(fleet.planned()) >= 200, 20, "as many as there are came of age")
    assert metric(front, "grpcroute_proxy_ended_age_total") >= 200
    moments = fleet.planned()[:200]
    assert moments[-1] - moments[0] > 2  # of 2 to 6 s
    fleet.assert_nothing_lost()
    assert "the stream reached --max-stream-age of the proxy: open it again; reconnecting at once" in fleet.output


def test_an_end_by_age_is_no_fault_of_anybody(started, certs, backends):
    """Nor of a client's: hundreds of young ones a second cost no upstream connection."""
    front = started(Proxy(certs, *backends, "--max-stream-age", "200ms", "--age-jitter", "0")).wait_ready()
    fleet = started(Fleet(front, 200))
    # as fast as they are opened
    wait_until(lambda: metric(front, "grpcroute_proxy_ended_age_total") >= 1000, 60, "streams came of age")
    fleet.assert_nothing_lost()
    text = fetch(front.admin + "/stats/prometheus")[1]
    assert sum(float(value) for value in re.findall(r"^grpcroute_proxy_endpoint_errors_total\S* (\S+)$", text,
                                                    re.M)) == 0
    assert metric(front, "grpcroute_proxy_clients_apart_total") == 0
    assert "unhealthy" not in front.output


def test_a_message_is_not_cut_by_age(started, certs, backends, stubs):
    """A stream whose message came only in part ends when that is whole; what nobody answers holds it for a moment
    only."""
    from testenv import flow, raw
    front = started(Proxy(certs, *backends, "--max-stream-age", "1s", "--age-jitter", "0")).wait_ready()
    client = flow.connect(front.port, certs / "ca.pem")
    ping = raw.message()
    stream = client.open(raw.request())
    client.queue(stream, ping[:6])
    assert client.pump(1, 10) == 0
    assert not client.wait_over([stream], 3.5) and not client.gone
    client.queue(stream, ping[6:])
    assert client.pump(1, 10) == 0 and client.wait_over([stream], 5)
    client.close()


def test_the_trailers_say_that_it_may_come_back_and_what_was_taken(started, certs, backends, stubs):
    """To a client of grpcio, which knows nothing of us."""
    front = started(Proxy(certs, *backends, "--max-stream-age", "1s", "--age-jitter", "0")).wait_ready()
    credentials = grpc.ssl_channel_credentials((certs / "ca.pem").read_bytes())
    with grpc.secure_channel(front.target, credentials) as channel:
        def pings():
            for _ in range(3):
                yield stubs["ping_pb2"].PingRequest(message="hi")
            time.sleep(30)
        call = channel.stream_stream("/ping.PingService/PingPong")(
            (ping.SerializeToString() for ping in pings()), metadata=[("agent-version", "v1.1"), ("agent-id", "a")],
            timeout=20)
        answers = []
        with pytest.raises(grpc.RpcError) as error:
            for answer in call:
                answers.append(answer)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "--max-stream-age" in error.value.details()
    trailers = dict(error.value.trailing_metadata())
    # 3, unless sending took longer
    assert trailers["grpc-retry-pushback-ms"] == "0" and trailers["grpcroute-received"] == str(len(answers))


def test_a_hash_alone_says_where_a_stream_goes():
    result = grpcroute("proxy", "--rebalance", "--lb-policy", "hash")
    assert result.returncode == 2 and "--rebalance: with --lb-policy hash" in result.stderr
