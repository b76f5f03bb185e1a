"""bench with a call for each message: unary, client-stream and server-stream, from when a call was due to its end."""
import json
import re
import subprocess
import time

import grpc
import h2.errors
import h2.settings
import jsonschema
import pytest

from testenv.grpcroute import BIN, ROOT, Server, grpcroute
from testenv.h2_server import H2Server, message
from testenv.monitoring import fetch, metrics_url
from testenv.net import ReservedPort
from testenv.own_service import METHODS, SERVICE, OwnService, answer
from testenv.process import Process
from testenv.proxies import REAL_PROXIES
from testenv.wait import wait_until

MS = 1e6
KINDS = ["unary", "client-stream", "server-stream"]
NAMED = ["--server-from", "field:1"]


def words(target, kind, *args, tls=("--plaintext",)):
    return ["bench", "--target", target, *tls, "--method", f"/{SERVICE}/{METHODS[kind]}", "--call", kind, "--versions",
            "v1.1",
            "--warmup", "0", *args]


def bench(target, kind, *args, **kwargs):
    return grpcroute(*words(target, kind, *args, **kwargs), timeout=60)


def report(target, kind, *args, **kwargs):
    return json.loads(bench(target, kind, *args, "-o", "json", **kwargs).stdout)


def fine(done):
    """Nothing was wrong with the target; 4 says that this machine was too busy to measure well."""
    return done.returncode == 0 or (done.returncode == 4 and "Not valid: the driver" in done.stdout)


def slow(seconds):
    def each(number):
        time.sleep(seconds)
        return answer("v1", "p", number)
    return each


# ---- figures ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", ["0", "100"])
def test_each_kind_of_call_is_counted_and_judged(started, kind, rate):
    service = started(OwnService())
    done = bench(service.target, kind, "-c", "2", "-s", "3", "-r", rate, "-z", "1s", *NAMED)
    assert fine(done), done.stdout + done.stderr
    assert f"/{SERVICE}/{METHODS[kind]} ({kind}), 2 connections x 3 calls at a time" in done.stdout
    assert re.search(r"^Calls +[\d.]+/s, (\d+) sent, \1 answered, 0 unanswered, 0 lost$", done.stdout, re.M), \
        done.stdout
    assert "to its end" in done.stdout and "0 misrouted\n" in done.stdout
    if rate == "100":
        assert " 100 sent" in done.stdout
        assert len(service.metadata) == 6 + 100  # the first of each is not counted
    assert bench(service.target, kind, "-r", rate, "-z", "200ms", *NAMED, "--expect", "v1.1=v2").returncode == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_known_delay_is_measured_to_the_end_of_the_call(started, kind):
    service = started(OwnService(each=slow(0.05), count=3))
    latency = report(service.target, kind, "-c", "4", "-s", "4", "-r", "20", "-z", "2s", *NAMED)["latency"]
    expected = 150 if kind == "server-stream" else 50
    # The quickest: the others also tell how long this machine makes them wait.
    assert expected * MS <= latency["min_ns"] < (expected + 150) * MS
    assert latency["count"] == 40


def test_calls_that_are_late_wait_and_their_wait_counts(started):
    """One call at a time of 100 ms each, and 20 a second: half of them cannot be made in time, and all are seen to
    wait."""
    service = started(OwnService(each=slow(0.1)))
    seen = report(service.target, "unary", "-c", "1", "-r", "20", "-z", "2s", *NAMED)
    assert seen["latency"]["count"] == 40 and seen["latency"]["p50_ns"] > 500 * MS
    # more than fit into 2 s: the rest is waited for
    assert seen["sent"] >= seen["answered"] > 20 and seen["answered"] + seen["unanswered"] == 40
    wide = report(service.target, "unary", "-c", "1", "-s", "8", "-r", "20", "-z", "2s", *NAMED)
    assert wide["latency"]["p50_ns"] < 300 * MS and wide["answered"] == 40


# ---- what is wrong ---------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [False, True], ids=["behind answers", "at once"])
def test_calls_that_fail_are_counted_each_with_its_cause(started, kind, before):
    service = started(OwnService(status=grpc.StatusCode.RESOURCE_EXHAUSTED, before=before,
                                 fails=lambda number: number % 10 == 9))
    args = ["-c", "1", "-r", "100", "-z", "1s", *NAMED]
    done = bench(service.target, kind, *args)
    assert done.returncode == 1 and "10 x RESOURCE_EXHAUSTED: as told" in done.stdout, done.stdout
    assert " 100 sent, 90 answered, 0 unanswered, 10 lost" in done.stdout
    allowed = bench(service.target, kind, *args, "--threshold", "errors<=12", "--threshold", "lost <= 12")
    assert fine(allowed), allowed.stdout + allowed.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_calls_that_never_go_well_are_no_connection(started, kind):
    service = started(OwnService(status=grpc.StatusCode.PERMISSION_DENIED, before=True))
    done = bench(service.target, kind, "-z", "200ms", *NAMED)
    assert done.returncode == 3 and "PERMISSION_DENIED: as told" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("source, code, told", [
    ("header:x-server", 0, ""), ("trailer:x-server-t", 0, ""), ("field:9", 4, "no field 9"),
    ("trailer:x-none", 4, "no trailer x-none"),
    (None, 4, "--server-from")])
@pytest.mark.parametrize("kind", KINDS)
def test_who_took_the_call_is_found_or_missed(started, kind, source, code, told):
    service = started(OwnService())
    done = bench(service.target, kind, "-r", "20", "-z", "500ms", *(["--server-from", source] if source else []))
    assert (fine(done) if code == 0 else done.returncode == code) and told in done.stdout + done.stderr, \
        done.stdout + done.stderr


def ends(*answers, status=0):
    """A server that answers a request with so many messages once it is whole."""
    def behaviour(peer, event):
        if type(event).__name__ == "StreamEnded":
            peer.respond(event.stream_id)
            for one in answers:
                peer.h2.send_data(event.stream_id, message(one))
            peer.trailers(event.stream_id, status)
    return behaviour


def test_ok_without_an_answer_is_none(started):
    silent = started(H2Server(ends()))
    done = bench(silent.address, "unary", "-z", "200ms", *NAMED)
    assert done.returncode == 3 and "OK without an answer" in done.stderr, done
    done = bench(silent.address, "server-stream", "-r", "20", "-z", "500ms", *NAMED)
    assert done.returncode == 4 and "a call without an answer does not say who took it" in done.stderr, done


def test_two_answers_to_one_call_are_too_many(started):
    twice = started(H2Server(ends(answer("v1", "p"), answer("v1", "p"))))
    for kind in "unary", "client-stream":
        done = bench(twice.address, kind, "-z", "200ms", *NAMED)
        assert done.returncode == 3 and "more than one answer to one call" in done.stderr, done
    assert fine(bench(twice.address, "server-stream", "-r", "20", "-z", "500ms", *NAMED))


def test_a_unary_method_called_as_another_kind_is_told_with_its_mend(started):
    service = started(OwnService())
    words = ["bench", "--target", service.target, "--plaintext", "--versions", "v1.1", "-c", "1", "-r", "20", "-z",
             "300ms", "--warmup",
             "0", *NAMED]
    done = grpcroute(*words, "--method", f"{SERVICE}/Ask")
    assert done.returncode == 1 and \
        "OK before the client had ended the stream; if the method takes one message: --call unary" in done.stdout
    done = grpcroute(*words, "--method", f"{SERVICE}/Watch", "--call", "unary")
    assert done.returncode == 3 and "if it streams them: --call server-stream" in done.stderr, done


def test_a_stream_without_end_is_no_call_to_measure(started):
    endless = started(OwnService(count=0))
    done = bench(endless.target, "server-stream", "-c", "1", "-z", "200ms", *NAMED)
    assert done.returncode == 3 and "the first call did not end in time" in done.stderr, done


@pytest.mark.parametrize("threshold", ["disordered==0", "moved<1"])
def test_a_threshold_about_what_nobody_sees_is_not_kept(started, threshold, tmp_path):
    service = started(OwnService())
    for kind in "unary", "bidi":
        junit = tmp_path / "junit.xml"
        done = bench(service.target, kind, "-r", "20", "-z", "500ms", *NAMED, "--threshold", threshold, "--junit-file",
                     junit)
        assert done.returncode == 4 and f"⚠️ {threshold}: not checked" in done.stderr, done.stdout + done.stderr
        assert '<error type="' + threshold[:5] in junit.read_text()
        seen = report(service.target, kind, "-r", "20", "-z", "500ms", *NAMED, "--threshold", threshold)
        assert [one["verdict"] for one in seen["thresholds"]] == ["no_evidence"] and seen["result"] == "no_evidence"


# ---- connections -----------------------------------------------------------------------------------

def test_calls_wait_for_room_where_the_server_allows_fewer(started):
    service = started(OwnService(options=[("grpc.max_concurrent_streams", 2)]))
    for rate in "0", "100":
        done = bench(service.target, "unary", "-c", "1", "-s", "8", "-r", rate, "-z", "1s", *NAMED)
        assert fine(done) and "8 of 8 opened" in done.stdout and "Errors" not in done.stdout, done.stdout + done.stderr


def refuses(is_refused, places=100):
    """A server that refuses calls before it looks at them: `is_refused(number)`, of all that came."""
    calls = []

    def greeting(peer):
        peer.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: places})
        peer.send()

    def behaviour(peer, event):
        if type(event).__name__ == "StreamEnded":
            calls.append(event.stream_id)
            if is_refused(len(calls) - 1):
                peer.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            else:
                peer.respond(event.stream_id)
                peer.h2.send_data(event.stream_id, message(answer("v1", "p")))
                peer.trailers(event.stream_id, 0)
    return H2Server(behaviour, greeting)


@pytest.mark.parametrize("rate", ["0", "20"])
def test_a_call_that_was_not_processed_is_sent_again_and_counted(started, tmp_path, rate):
    """Each one is refused three times. Its time runs from its first sending, with the pauses between."""
    server = started(refuses(lambda number: number % 4 != 3))
    file = tmp_path / "report.json"
    done = bench(server.address, "unary", "-c", "1", "-r", rate, "-z", "1s", *NAMED, "--json-file", file)
    seen = json.loads(file.read_text())
    calls = seen["answered"] + 1  # that of before the load
    assert fine(done) and seen["errors"] == {} and seen["lost"] == 0, done.stdout + done.stderr
    assert seen["sent"] == seen["answered"] > 1 and server.streams == 4 * calls and seen["sent_again"] == 3 * calls
    assert f" {3 * calls} calls that the server had not processed were sent again\n" in done.stdout
    assert seen["latency"]["min_ns"] >= (2 + 4 + 8) * MS
    other = tmp_path / "other.json"  # of a load that began at another time
    other.write_text(json.dumps({**seen, "started_at": "then"}))
    merged = json.loads(grpcroute("bench", "merge", file, other, "-o", "json").stdout)
    assert merged["sent_again"] == 6 * calls
    jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/bench.json").read_text())).validate(merged)


@pytest.mark.parametrize("rate", ["0", "30"])
def test_a_place_that_is_taken_for_longer_than_its_call_is_waited_for(started, rate):
    """It answers at once, and counts a call for 100 ms more: clients that keep to its two places are refused."""
    taken = []

    def is_refused(_):
        now = time.monotonic()
        taken[:] = [until for until in taken if until > now]
        if len(taken) < 2:
            taken.append(now + 0.1)
            return False
        return True

    server = started(refuses(is_refused, places=2))
    done = bench(server.address, "unary", "-c", "1", "-s", "8", "-r", rate, "-z", "2s", *NAMED)
    assert "8 of 8 opened" in done.stdout and "Errors" not in done.stdout and " 0 lost\n" in done.stdout, done.stdout
    assert " calls that the server had not processed were sent again" in done.stdout
    if rate == "0":
        assert fine(done), done.stdout + done.stderr


@pytest.mark.parametrize("streams", [8, 200])
def test_a_server_that_refuses_every_call_is_named_and_not_run_down(started, streams):
    """Two at a time: when the first of them is given up, the others are not tried as long."""
    server = started(refuses(lambda number: True, places=2))
    done = bench(server.address, "unary", "-c", "1", "-s", str(streams), "-z", "200ms", *NAMED)
    assert done.returncode == 3 and "stream reset with REFUSED_STREAM" in done.stderr, done.stdout + done.stderr
    assert server.connections == 1 and 10 <= server.streams <= 2 * 10, server.streams


@pytest.mark.parametrize("rate", ["0", "20"])
def test_a_server_that_refuses_calls_from_then_on_fails_the_load(started, rate):
    server = started(refuses(lambda number: number >= 10))
    done = bench(server.address, "unary", "-c", "1", "-s", "2", "-r", rate, "-z", "1s", *NAMED)
    assert done.returncode == 1 and "stream reset with REFUSED_STREAM" in done.stdout, done.stdout + done.stderr
    assert server.streams <= 10 + 2 * 4 * 10, server.streams  # a second for each, in three that may last a bit longer


def test_a_call_under_way_is_none_that_was_refused(started):
    """Of two the server takes one, which lasts until the other was refused for the last time."""
    came = []

    def finish(peer, stream_id):
        peer.h2.send_data(stream_id, message(answer("v1", "p")))
        peer.trailers(stream_id, 0)

    def behaviour(peer, event):
        if type(event).__name__ != "StreamEnded":
            return
        came.append(event.stream_id)
        if len(came) == 1:
            peer.respond(event.stream_id)
        elif len(came) <= 11:
            peer.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            if len(came) == 11:
                finish(peer, came[0])
        else:
            peer.respond(event.stream_id)
            finish(peer, event.stream_id)

    server = started(H2Server(behaviour))
    done = bench(server.address, "server-stream", "-c", "1", "-s", "2", "-z", "500ms", *NAMED)
    assert "1 of 2 opened" in done.stdout and " 0 answered" not in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1 and done.stdout.count("stream reset with REFUSED_STREAM") >= 1


def test_each_call_is_tried_as_long_on_a_connection_that_refuses_all(started):
    """The first one serves, and goes; on the next each message is lost a second after it was sent, none at once."""
    first = []

    def behaviour(peer, event):
        if type(event).__name__ != "StreamEnded":
            return
        first.append(peer)
        if peer is not first[0]:
            peer.h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        peer.respond(event.stream_id)
        peer.h2.send_data(event.stream_id, message(answer("v1", "p")))
        peer.trailers(event.stream_id, 0)
        if len(first) == 5:
            peer.h2.close_connection()

    server = started(H2Server(behaviour))
    done = bench(server.address, "unary", "-c", "1", "-s", "1", "-r", "0", "-z", "3s", *NAMED)
    assert done.returncode == 1 and "stream reset with REFUSED_STREAM" in done.stdout, done.stdout + done.stderr
    assert server.connections == 2 and 20 <= server.streams <= 5 + 4 * 10, server.streams


def test_a_server_that_ends_connections_now_and_then_loses_no_call(started, certs, fleets, tmp_path):
    """nginx says GOAWAY after so many requests."""
    proxy = started(REAL_PROXIES["nginx"](certs, tmp_path, *fleets, "--identity-header", "x-chosen",
                                          change=lambda text: re.sub(r"keepalive_requests \d+", "keepalive_requests 20",
                                                                     text)))
    args = ["-c", "2", "-s", "4", "-z", "1s", "--server-from", "header:x-chosen", "--expect", "v1.1=server-v1"]
    for rate in "0", "200":
        done = bench(proxy.target, "unary", *args, "-r", rate, tls=("--cacert", certs / "ca.pem"))
        assert fine(done) and "Errors" not in done.stdout, done.stdout + done.stderr + proxy.process.output


@pytest.mark.parametrize("kind", ["unary", "bidi"])
def test_a_server_that_takes_nobody_is_not_run_down(started, kind):
    """It serves one connection, and tells all others to go away as soon as they call."""
    first = []

    def behaviour(peer, event):
        name = type(event).__name__
        first.append(peer)
        if peer is not first[0]:
            peer.h2.close_connection(last_stream_id=0)
        elif name == "RequestReceived":
            peer.respond(event.stream_id)
        elif kind == "bidi" and name == "DataReceived":
            peer.h2.send_data(event.stream_id, message(answer("v1", "p")))
            if peer.messages[event.stream_id] == 3:
                peer.h2.close_connection()
        elif kind == "unary" and name == "StreamEnded":
            peer.h2.send_data(event.stream_id, message(answer("v1", "p")))
            peer.trailers(event.stream_id, 0)
            if event.stream_id == 5:
                peer.h2.close_connection()

    server = started(H2Server(behaviour))
    done = bench(server.address, kind, "-c", "1", "-r", "100", "-z", "1s", *NAMED)
    assert done.returncode == 1, done.stdout + done.stderr
    assert 2 <= server.connections <= 45, server.connections  # one each 100 ms, also while the last are waited for


def received_bytes(url):
    return float(re.search(r"^grpcroute_server_network_receive_bytes_total (\S+)$", fetch(url)[1], re.M).group(1))


def test_a_killed_server_is_lost_calls_or_late_ones(started, certs, tmp_path):
    port = started(ReservedPort()).port
    server = started(Server("v1", "s", "--metrics-listen", "127.0.0.1:0", port=port))
    url = metrics_url(server)
    load = started(Process([BIN, "bench", "--target", server.address, "--plaintext", "--versions", "v1.1", "--method",
                            "grpc.health.v1.Health/Check", "--call", "unary", "-c", "5", "-s", "2", "-r", "250",
                            "--warmup", "0", "-z", "8s", "-o", "json", "--json-file", tmp_path / "out.json"]))
    # Into the load, which writes nothing while it runs: to open its connections takes less.
    wait_until(lambda: received_bytes(url) > 8000, 20, "the load runs", lambda: load.output)
    server.kill()
    started(Server("v1", "s2", port=port))
    code = load.wait()
    seen = json.loads((tmp_path / "out.json").read_text())
    assert seen["answered"] + seen["unanswered"] + seen["lost"] == 2000 and seen["answered"] > 1500
    assert seen["latency"]["max_ns"] > 50 * MS  # the outage is in the latencies
    # 4: no --server-from
    assert code == (1 if seen["errors"] or seen["lost"] or seen["unanswered"] else 4), load.output


# ---- reports ---------------------------------------------------------------------------------------

def test_reports_name_the_method_and_unlike_loads_are_told(started, tmp_path):
    service = started(OwnService())
    files = {}
    for kind in "unary", "bidi":
        files[kind] = tmp_path / f"{kind}.json"
        page = tmp_path / f"{kind}.html"
        bench(service.target, kind, "-r", "50", "-z", "500ms", *NAMED, "--json-file", files[kind], "--report-file",
              page)
        seen = json.loads(files[kind].read_text())
        assert (seen["method"], seen["call"]) == (f"/{SERVICE}/{METHODS[kind]}", kind)
        assert seen["unsequenced"] == (0 if kind == "unary" else seen["answered"] + seen["streams_opened"])
        assert f"/{SERVICE}/{METHODS[kind]}" in page.read_text()
    compared = json.loads(grpcroute("bench", "compare", *files.values(), "--tolerance", "1000", "-o", "json").stdout)
    assert compared["same_load"] is False
    merged = grpcroute("bench", "merge", *files.values())
    assert "Merged from loads that were not alike" in merged.stdout
    merged = json.loads(grpcroute("bench", "merge", *files.values(), "-o", "json").stdout)
    assert merged["merged_unlike"] and merged["latency"]["count"] == 50
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**json.loads(files["unary"].read_text()), "started_at": "then"}))
    again = json.loads(grpcroute("bench", "merge", files["unary"], other, "-o", "json").stdout)
    assert not again["merged_unlike"] and again["call"] == "unary"


@pytest.mark.parametrize("change", [{"call": "duplex"}, {"call": 1}, {"method": "/"}, {"method": ["x"]},
                                    {"unsequenced": -1},
                                    {"unplaced": None}])
def test_a_report_of_no_method_is_none(started, tmp_path, change):
    service = started(OwnService())
    file = tmp_path / "report.json"
    file.write_text(json.dumps({**report(service.target, "unary", "-r", "20", "-z", "200ms", *NAMED), **change}))
    done = grpcroute("bench", "merge", file)
    assert done.returncode == 2 and "not a report" in done.stderr, done


def test_a_report_of_before_methods_is_of_pingpong(started, tmp_path):
    service = started(OwnService())
    seen = report(service.target, "bidi", "-r", "20", "-z", "200ms", *NAMED)
    for name in ("method", "call", "unsequenced", "unplaced", "streams_left_open", "ended_as_planned", "withdrawn",
                 "sent_again", "merged_unlike"):
        del seen[name]
    file = tmp_path / "report.json"
    file.write_text(json.dumps(seen))
    merged = json.loads(grpcroute("bench", "merge", file, "-o", "json").stdout)
    assert (merged["method"], merged["call"]) == ("/ping.PingService/PingPong", "bidi")


# ---- real peers ------------------------------------------------------------------------------------

@pytest.fixture
def fleets(started):
    return [[started(OwnService(server=f"v{v}", pod=f"p{v}{i}")) for i in range(2)] for v in (1, 2)]


@pytest.mark.parametrize("name", sorted(REAL_PROXIES))
@pytest.mark.parametrize("kind", KINDS)
def test_calls_go_through_each_proxy(started, certs, fleets, tmp_path, name, kind):
    proxy = started(REAL_PROXIES[name](certs, tmp_path, *fleets, "--no-health-checks"))
    tls = ("--cacert", certs / "ca.pem")
    for args, code in ([], 0), (["--expect", "v1.1=v2"], 1):
        done = bench(proxy.target, kind, "-c", "2", "-s", "2", "-r", "100", "-z", "500ms", *NAMED, *args, tls=tls)
        assert fine(done) if code == 0 else done.returncode == code, done.stdout + done.stderr + proxy.process.output


def test_the_rate_is_that_of_another_generator(started):
    """ghz, asked for as many calls of the same service, sees the server as fast as bench does."""
    server = started(Server("v1", "s"))
    common = ["-r", "200", "-c", "4"]
    other = subprocess.run(["ghz", "--insecure", "--call", "grpc.health.v1.Health.Check", *common, "-z", "2s", "-O",
                            "json", server.address], capture_output=True, text=True, check=True)
    done = grpcroute("bench", "--target", server.address, "--plaintext", "--method", "grpc.health.v1.Health/Check",
                     "--call", "unary", *common, "-z", "2s", "--warmup", "0", "--versions", "v1.1", "-o", "json")
    seen = json.loads(done.stdout)
    rate = json.loads(other.stdout)["rps"]  # on a busy machine it does not catch up
    # of 2 s, which a busy machine ends late
    assert 0.9 * min(rate, 200) * 2 <= seen["answered"] <= 220 * 2 and not seen["errors"]
