"""The measuring tool, measured: known delays and stalls must show, whatever the driver does."""
import json
import re
import statistics
import subprocess
import time

import pytest

from testenv.grpcio_peers import PingServer, PlannedEnds, Relay
from testenv.grpcroute import BIN, Proxy, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import Process, run

MS = 1e6


def bench(target, *args, timeout=60):
    return grpcroute("bench", "--target", target, "--plaintext", "--warmup", "200ms", *args, timeout=timeout)


def fine(done):
    """Nothing was wrong with the target; 4 says that this machine was too busy to measure well."""
    return done.returncode == 0 or (done.returncode == 4 and "Not valid: the driver" in done.stdout)


def report(done):
    return json.loads(done.stdout)


def delayed(server, delay_s):
    """A relay that holds each message for delay_s(index) seconds."""
    def route(index):
        time.sleep(delay_s(index))
        return server.address

    return Relay(lambda number, metadata: route)


def test_a_known_delay_is_measured(started):
    """The relay takes its time, too, and more where this machine stands still: it says how much. A message a second on
    a stream, so that none waits for the one before it."""
    relay = started(delayed(started(Server("v1", "s")), lambda index: 0.3))
    latency = report(bench(relay.target, "--versions", "v1.1", "-c", "4", "-r", "4", "-z", "6s", "-o",
                           "json"))["latency"]
    held_ns = statistics.median(relay.held_s) * 1e9
    assert 300 * MS <= latency["p50_ns"] < held_ns + 100 * MS
    assert latency["count"] == 24


def test_two_known_delays_show_at_their_quantiles(started):
    """Three of ten are slow: the quantiles asked for lie so far from the edges that a machine which stands still for
    most of a second moves none of them over one."""
    relay = started(delayed(started(Server("v1", "s")), lambda index: 0.2 if index % 10 >= 7 else 0.01))
    latency = report(bench(relay.target, "--versions", "v1.1", "-c", "10", "-r", "30", "-z", "10s", "-o",
                           "json"))["latency"]
    assert 10 * MS <= latency["p50_ns"] < 200 * MS
    assert 200 * MS <= latency["p90_ns"] < 400 * MS
    assert latency["p99_ns"] >= 200 * MS


def test_a_stall_is_reported_in_full(started):
    """The server sleeps for a second within three. A closed loop sees one slow answer per stream; with due times a
    third of all messages was late, by half a second on average."""
    relay = started(delayed(started(Server("v1", "s")), lambda index: 1.0 if index == 100 else 0))
    args = ("--versions", "v1.1", "-c", "1", "-z", "3s", "--warmup", "0", "-o", "json")
    open_loop = report(bench(relay.target, "-r", "100", *args))["latency"]
    assert open_loop["p90_ns"] > 500 * MS
    assert open_loop["max_ns"] > 900 * MS
    assert open_loop["count"] == 300


def test_what_was_never_answered_is_not_left_out(started):
    relay = started(delayed(started(Server("v1", "s")), lambda index: 8.0 if index == 50 else 0))
    done = report(bench(relay.target, "--versions", "v1.1", "-c", "1", "-r", "50", "-z", "2s", "--warmup", "0", "-o",
                        "json"))
    assert done["unanswered"] > 40
    assert done["latency"]["count"] == 100
    assert done["latency"]["max_ns"] > 1900 * MS


@pytest.mark.parametrize("received, lost", [(11, 0), (13, 2), (9, None), (1 << 40, None)])
@pytest.mark.parametrize("loop", ["open", "closed"])
def test_what_a_planned_end_left_unseen_is_sent_again(started, stubs, loop, received, lost):
    """Each of two streams answers 11 messages, the one that opened it among them, and what is due after these is sent
    while nobody reads it. What was received is lost, and so is all of it where the number cannot be true."""
    server = started(PlannedEnds(stubs["ping_pb2"], 2, 11, received))
    done = bench(server.target, "--versions", "v1.1", "-c", "2", "-r", "100" if loop == "open" else "0", "-z", "3s",
                 "--warmup", "0", "-o", "json")
    seen = report(done)
    assert (seen["ended_as_planned"], seen["reopened"], seen["errors"]) == (2, 2, {}), done.stderr
    assert seen["sent"] == seen["answered"] + seen["lost"] and seen["unanswered"] == 0
    if loop == "open":
        assert seen["sent"] == 300  # each of them once, whatever became of it
    if lost == 0:
        assert seen["withdrawn"] >= (20 if loop == "open" else 2) and seen["lost"] == 0 and fine(done), done.stderr
    elif loop == "closed":
        assert seen["lost"] == 2 and seen["withdrawn"] == 0 and done.returncode == 1
    elif lost is None:
        assert seen["lost"] >= 20 and seen["withdrawn"] == 0 and done.returncode == 1
    else:
        assert seen["lost"] == 2 * lost and seen["withdrawn"] > 0 and \
            "4 messages were lost with their stream" in done.stderr


def test_a_proxy_that_ends_old_streams_costs_the_bench_no_message(started, certs):
    """Hundreds of ends in the middle of a load, with the connections. A stream has a message each 50 ms, in step with
    the proxy's looks."""
    server = started(Server("v1", "s"))
    front = started(Proxy(certs, [server], [server], "--max-stream-age", "300ms", "--age-jitter", "50")).wait_ready()
    done = grpcroute("bench", "--target", front.target, "--cacert", certs / "ca.pem", "--versions", "v1.1", "-c", "4",
                     "-s", "5", "-r", "400", "-z", "3s", "-o", "json")
    seen = report(done)
    assert [seen[name] for name in ("lost", "unanswered", "misrouted", "disordered", "streams_unopened")] == [0] * 5, \
        seen
    assert seen["errors"] == {} and seen["sent"] == seen["answered"] == 1200 and fine(done), done.stderr
    assert seen["ended_as_planned"] >= 60 and seen["reopened"] >= 60
    text = grpcroute("bench", "--target", front.target, "--cacert", certs / "ca.pem", "--versions", "v1.1", "-r", "100",
                     "-z", "1s").stdout
    assert re.search(r"^ +\d+ were ended as planned; \d+ messages that nobody had seen were sent again$", text, re.M), \
        text


def test_wrong_servers_fail_the_bench(started):
    server = started(Server("v1", "s"))
    done = bench(server.address, "--versions", "v1.1,v2.1", "-z", "500ms", "-r", "100")
    assert done.returncode == 1 and "wrong server" in done.stderr
    assert fine(bench(server.address, "--versions", "v1.1", "-z", "500ms", "-r", "100"))


def halves(started, dead):
    """A target that is right for every second stream, however often one is opened again."""
    live = started(Server("v1", "s"))
    return started(Relay(lambda number, metadata: lambda index: dead if int(metadata["agent-id"][6:]) % 2
                         else live.address))


@pytest.mark.parametrize("words, unchecked, code", [
    (["--versions", "v1.1,v1.2", "-c", "1"], ["v1.2"], 4),
    (["--versions", "v1.1,v1.2", "-c", "2"], [], 0),
    (["-c", "1"], [], 0),
    (["-c", "1", "-s", "2"], [], 0),
])
def test_a_version_without_a_stream_was_not_checked(started, words, unchecked, code):
    """The versions that are there unless others are named take what streams there are."""
    done = bench(started(Server("v1", "s")).address, *words, "-z", "300ms", "-r", "0", "-o", "json")
    seen = report(done)
    assert [one["agent_version"] for one in seen["not_checked"]] == unchecked, seen
    assert done.returncode == code and seen["versions"] == ["v1.1", "v1.2"][:len(seen["versions"])], done.stderr
    assert len(seen["versions"]) == seen["streams_opened"] + len(unchecked)


def test_a_target_that_is_half_dead_fails_the_bench(started):
    target = halves(started, f"127.0.0.1:{started(ReservedPort()).port}").target
    args = (target, "--versions", "v1.1", "-c", "4", "-r", "100", "-z", "500ms")
    done = bench(*args)
    assert done.returncode == 1 and "streams were not opened" in done.stderr and "2 of 4 opened" in done.stdout, done
    assert bench(*args, "--threshold", "errors<=1000").returncode == 1  # the streams are not allowed to be missing
    allowed = bench(*args, "--threshold", "errors<=1000", "--threshold", "unopened<=2", "--threshold",
                    "unanswered<=100", "--threshold", "lost<=100")
    assert fine(allowed), allowed
    assert report(bench(*args, "-o", "json"))["streams_unopened"] == 2


def test_messages_that_are_not_answered_fail_the_bench(started):
    relay = started(delayed(started(Server("v1", "s")), lambda index: 8.0 if index == 20 else 0))
    args = (relay.target, "--versions", "v1.1", "-c", "1", "-r", "50", "-z", "1s")
    done = bench(*args)
    failed = done.returncode == 1 and "messages were not answered" in done.stderr
    assert failed or (done.returncode == 4 and "Not valid: the driver" in done.stdout), done


def test_thresholds_set_the_exit_code(started):
    server = started(Server("v1", "s"))
    args = (server.address, "--versions", "v1.1", "-z", "500ms", "-r", "100")
    kept = bench(*args, "--threshold", "p50<10s", "--threshold", "lost==0")
    assert fine(kept) and "✅ p50<10s" in kept.stderr and "❌" not in kept.stderr
    broken = bench(*args, "--threshold", "p50<1ns")
    assert broken.returncode == 1 and "❌ p50<1ns" in broken.stderr
    assert bench(*args, "--threshold", "p50<fast").returncode == 2


def test_a_killed_server_is_lost_messages_and_a_cause(started):
    port = started(ReservedPort()).port
    server = started(Server("v1", "s", port=port))
    load = started(Process([BIN, "bench", "--target", server.address, "--plaintext", "--versions", "v1.1", "-c", "5",
                            "-r", "250", "--warmup", "0", "-z", "8s", "-o", "json"]))
    server.wait_for("Received ping", count=300)  # there is time for the next one to start
    server.kill()
    started(Server("v1", "s2", port=port))
    assert load.wait() == 1
    done = json.JSONDecoder().raw_decode(load.output)[0]  # what does not hold is told behind it
    assert done["reopened"] == 5 and done["errors"]
    assert done["latency"]["max_ns"] > 50 * MS  # the outage is in the latencies
    assert done["answered"] + done["unanswered"] + done["lost"] == 2000


def test_nothing_listening_is_3(started):
    done = bench(f"127.0.0.1:{started(ReservedPort()).port}", "-z", "1s")
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and "refused" in done.stderr


def test_cost_of_a_process_and_idle_streams(started):
    server = started(Server("v1", "s", "--max-streams", "1000"))
    done = report(bench(server.address, "--versions", "v1.1", "-c", "200", "-r", "5000", "-z", "2s", "--pid",
                        str(server.pid), "-o", "json"))
    cost = done["processes"][0]
    assert cost["cpu_seconds"] > 0 and cost["memory_kib"] > 1000 and cost["idle_streams_kib"] > 200


def test_servers_without_extensions_can_be_measured(started, stubs):
    server = started(PingServer(stubs["plain_pb2"]))
    done = bench(server.address, "--versions", "v1.1", "-z", "1s", "-r", "50", "-c", "2")
    assert fine(done), done.stdout + done.stderr


def test_reports_merge_and_compare(started, tmp_path):
    server = started(Server("v1", "s"))
    files = []
    for name, rate in (("a", "100"), ("b", "300")):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(bench(server.address, "--versions", "v1.1", "-z", "1s", "-r", rate, "-o", "json").stdout)
    merged = report(grpcroute("bench", "merge", *files, "-o", "json"))
    assert merged["latency"]["count"] == 400 and merged["rate"] == 400
    logs = "\n".join(["a line of a pod", *(file.read_text() + "❌ p99<5ms: 7ms" for file in files)])
    piped = subprocess.run([BIN, "bench", "merge", "-", "-o", "json"], input=logs, capture_output=True, text=True,
                           check=False)
    again = json.loads(piped.stdout)
    assert again | {key: merged[key] for key in ("started_at", "seconds")} == merged, piped.stderr
    broken = subprocess.run([BIN, "bench", "merge", "-"], input=logs[:logs.rindex('"latency"')], capture_output=True,
                            text=True, check=False)
    assert broken.returncode == 2 and "not a report" in broken.stderr
    compared = grpcroute("bench", "compare", *files, "--tolerance", "1000")
    slow, fast = (json.loads(file.read_text()) for file in files)
    # 3, but for a load that ended late
    ratio = fast["answered"] / fast["seconds_ns"] / (slow["answered"] / slow["seconds_ns"])
    told = re.search(r"messages/s .* (\d\.\d\d) ", compared.stdout)
    assert told and float(told.group(1)) == pytest.approx(ratio, abs=0.01) and 2 < ratio < 4.5, compared.stdout
    slower = grpcroute("bench", "compare", files[1], files[0])
    assert slower.returncode == 1 and "worse" in slower.stdout
    assert "tolerance" in slower.stdout and re.search("❌ Worse by more than 10 %: .*rate", slower.stdout)
    assert "not loaded alike" in slower.stdout
    rows = json.loads(grpcroute("bench", "compare", files[1], files[0], "-o", "json", "--metric", "rate").stdout)
    assert (rows["result"], rows["exit_code"], rows["same_load"]) == ("failed", 1, False)
    assert [row["metric"] for row in rows["metrics"] if row["judged"]] == ["rate"]
    assert [row for row in rows["metrics"] if row["metric"] == "p99.99"][0]["uncertain"]
    alike = grpcroute("bench", "compare", files[0], files[0])
    assert alike.returncode in (0, 4) and "✅ Within 10 %: p50, p99, rate" in alike.stdout
    assert "rests on 1 message" in alike.stdout and "not judged" in alike.stdout


CARRIED = {
    "mark": lambda text: b"\xef\xbb\xbf" + text,
    "utf-16": lambda text: text.decode().encode("utf-16"),
    "utf-16-be": lambda text: text.decode().encode("utf-16-be"),
    "kubectl": lambda text: b"".join(b"[pod/bench-a/bench] " + line + b"\n" for line in text.splitlines()),
    "times": lambda text: b"".join(b"[pod/bench-a/bench] 2026-01-02T03:04:%02d.%d1Z " % (i % 60, i) + line + b"\r\n"
                                   for i, line in enumerate(text.splitlines())),
    "stern": lambda text: b"".join(b"\x1b[36mbench-a\x1b[0m bench " + line + b"\n" for line in text.splitlines()),
    "compose": lambda text: b"".join(b"bench-1  | " + line + b"\n" for line in text.splitlines()),
    "one line": lambda text: b"bench-1  | " + json.dumps(json.loads(text)).encode() + b"\n",
    "blanks": lambda text: b"\n  \n" + text,
    "others": lambda text: b'{"level": "info"}\n' + text + b'panic: no\n{"level": "info"}\n',
}


def another(one):
    """A report of a load that did the same, and is none of those that were read."""
    another.count += 1
    return {**one, "started_at": f"another-{another.count}"}


another.count = 0


@pytest.mark.parametrize("carrier", CARRIED)
def test_no_report_is_dropped_whatever_carried_it(good_report, tmp_path, carrier):
    text = json.dumps(good_report, indent="\t").encode()
    more = json.dumps(another(good_report), indent="\t").encode()
    file = tmp_path / "reports"
    bodies = [CARRIED[carrier](text) + b"\n" + more + b"\n", more + b"\n" + CARRIED[carrier](text) + b"\n"]
    for body in bodies[:1] if carrier.startswith("utf-16") else bodies:
        file.write_bytes(body if not carrier.startswith("utf-16") else CARRIED[carrier](text + b"\n" + more))
        merged = report(grpcroute("bench", "merge", file, "-o", "json"))
        assert merged["sent"] == 2 * good_report["sent"] and merged["connections"] == 2 * good_report["connections"]


def test_a_cause_may_say_anything(good_report, tmp_path):
    file = tmp_path / "report"
    file.write_text(json.dumps({**good_report, "errors": {'a "format": "grpcroute-bench-1"': 2, "format": 1}},
                               indent="\t"))
    assert report(grpcroute("bench", "merge", file, "-o", "json"))["errors"] == {'a "format": "grpcroute-bench-1"': 2,
                                                                                 "format": 1}


def test_reports_of_pods_may_be_interleaved(good_report, tmp_path):
    texts = {pod: json.dumps(another(good_report), indent="\t").splitlines() for pod in "abc"}
    file = tmp_path / "reports"
    file.write_text("".join(f"[pod/bench-{pod}/bench] {line}\n" for lines in zip(*texts.values())
                            for pod, line in zip(texts, lines)))
    assert report(grpcroute("bench", "merge", file, "-o", "json"))["sent"] == 3 * good_report["sent"]


def test_a_report_counts_once(good_report, tmp_path):
    file, copy, both = tmp_path / "one", tmp_path / "copy", tmp_path / "both"
    file.write_text(json.dumps(good_report, indent="\t"))
    copy.write_text(json.dumps(good_report))
    for text in (file.read_text() + "\n" + copy.read_text(), "a line\n" + 2 * (file.read_text() + "\n")):
        both.write_text(text)
        for args in (["merge", both], ["compare", file, both]):
            done = grpcroute("bench", *args)
            assert done.returncode == 2 and "holds a report twice" in done.stderr, done
    both.unlink()
    both.symlink_to(file)
    for files, said in (([file, file], "are one source"), ([file, both], f"{file} and {both} are one source"),
                        ([file, copy], f"{copy}: holds a report that a file before it holds")):
        done = grpcroute("bench", "merge", *files)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done
        assert not done.stdout, done
    copy.write_text(json.dumps(another(good_report)))
    assert report(grpcroute("bench", "merge", file, copy, "-o", "json"))["sent"] == 2 * good_report["sent"]


@pytest.mark.parametrize("spoil", [lambda text: '{"log": ' + json.dumps(text.replace("\n", " ")) + "}",
                                   lambda text: "x{" + text.replace("\n", " "), lambda text: text[:-300],
                                   lambda text: "x " + text[1:],
                                   lambda text: text.replace('"latency"', '"latenty"')])
def test_a_report_that_cannot_be_read_is_an_error(good_report, tmp_path, spoil):
    text = json.dumps(good_report, indent="\t")
    file = tmp_path / "reports"
    for body in (text + "\n" + spoil(text), spoil(text) + "\n" + text):
        file.write_text(body + "\n")
        done = grpcroute("bench", "merge", file)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "report" in done.stderr, done


@pytest.mark.parametrize("args, named", [
    (["--pid", "x"], "--pid"), (["--versions", ","], "--versions"), (["--versions", "v1.1,no sense"], "--versions"),
    (["-c", "0"], "connections"), (["nonsense"], "nonsense"), (["--pid", "4294967297"], "--pid"),
    (["--pid", "2147483647"], "no such process"),
    (["--report-file", "/nowhere/x.html"], "/nowhere/x.html"), (["merge", "-", "-"], "only once"),
    (["compare", "-", "-"], "only once"),
    (["-c", "100000", "-s", "10000"], "--streams"), (["merge"], "merge"), (["compare", "one"], "compare"),
    (["--threshold", "p99<5ms", "--threshold", "p99 > 1s"], "contradicts p99<5ms"),
    (["--threshold", "errors<inf"], "expected METRIC"),
    (["compare", "a", "b", "--metric", "p98"], "p98"), (["compare", *"abcdefghi"], "two to 8"),
    (["merge", "/nowhere.json"], "/nowhere.json"), (["merge", "/dev/null"], "report"),
])
def test_bad_input_is_one_line(args, named):
    done = grpcroute("bench", *args)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr, done.stderr


def test_a_process_that_ends_meanwhile_is_told(started):
    server, short = started(Server("v1", "s")), started(Process(["sleep", "300"]))
    load = started(Process([BIN, "bench", "--target", server.address, "--plaintext", "--versions", "v1.1", "--warmup",
                            "0", "-c", "1", "-z", "3s", "-r", "50", "--pid", short.pid]))
    server.wait_for("Received ping", count=20)  # the load goes on for more than two seconds
    short.kill()
    code = load.wait()
    assert code == 0 or (code == 4 and "Not valid: the driver" in load.output), load.output
    assert f"Process   {short.pid}: ended before the load did" in load.output, load.output


def test_without_descriptors_nothing_is_good(started):
    """Whichever of them is missing: a name, a timer, a connection."""
    server = started(Server("v1", "s"))
    for limit in (10, 12, 14, 16, 20):
        done = run(["prlimit", f"--nofile={limit}", "--", BIN, "bench", "--target", f"localhost:{server.port}",
                    "--plaintext", "--versions", "v1.1", "-c", "50", "-z", "200ms", "--warmup", "0", "-r", "100"])
        assert done.returncode in (1, 2, 3, 4), (limit, done.stdout + done.stderr)
        assert "does not resolve" not in done.stderr and "open files" in done.stderr + done.stdout, \
            (limit, done.stdout + done.stderr)


HOSTILE_REPORTS = {
    "errors-list": {"errors": [1, 2]}, "errors-text": {"errors": "x"}, "versions-object": {"versions": {"a": "v1"}},
    "processes-number": {"processes": 7}, "processes-list": {"processes": [1, None, "x"]},
    "timeline-text": {"timeline": "x"},
    "timeline-list": {"timeline": [1, [2], None]}, "latency-text": {"latency": "x"}, "latency-null": {"latency": None},
    "buckets-text": {"latency": {"count": 1, "buckets": "x"}},
    "negative": {"sent": -5, "rate": -1e300, "driver_cpu_seconds": -1},
    "huge": {"sent": 1e308, "rate": 1e19, "connections": 1e18, "streams_opened": 1.8e19},
    "target": {"target": "\x1b[31m\x07"},
    "target-long": {"target": "x" * 5000}, "version": {"versions": ["\x1b[31m\x9b"]},
    "error": {"errors": {"\x1b]0;x\x07": 3}},
}


# A driver that kept up.
PUNCTUAL = {"driver_cpu_seconds": 0.01, "busiest_driver_cpu_seconds": 0.01,
            "lateness": {"count": 0, "sum_ns": 0, "min_ns": 0, "max_ns": 0, "buckets": []}}


@pytest.fixture(scope="module")
def good_report():
    server = Server("v1", "s")
    try:
        yield report(bench(server.address, "--versions", "v1.1", "-z", "300ms", "-r", "100", "-o", "json"))
    finally:
        server.stop()


@pytest.mark.parametrize("name", HOSTILE_REPORTS)
def test_a_hostile_report_is_refused_or_shown_harmlessly(good_report, tmp_path, name):
    good, hostile = tmp_path / "good", tmp_path / "hostile"
    good.write_text(json.dumps(good_report))
    hostile.write_text(json.dumps(good_report | HOSTILE_REPORTS[name]))
    for args in (["merge", hostile], ["merge", good, hostile, "-o", "json"], ["compare", good, hostile],
                 ["merge", hostile, "--report-file", tmp_path / "page"]):
        done = grpcroute("bench", *args)
        assert done.returncode in (0, 1, 2, 4) and not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]",
                                                                 done.stdout + done.stderr), done.stdout
        assert done.returncode != 2 or "is not a report" in done.stderr, done.stderr


def test_reports_that_are_not_valid_prove_nothing(good_report, tmp_path):
    good, busy = tmp_path / "good", tmp_path / "busy"
    good.write_text(json.dumps(good_report | PUNCTUAL))
    busy.write_text(json.dumps(good_report | {"driver_cpu_seconds": 100, "busiest_driver_cpu_seconds": 100}))
    assert grpcroute("bench", "compare", good, good).returncode == 0
    for before, now in ((good, busy), (busy, good)):
        done = grpcroute("bench", "compare", before, now)
        assert done.returncode == 4 and f"{busy} is not valid: the driver used its whole core" in done.stderr, \
            done.stderr
    assert grpcroute("bench", "merge", busy).returncode == 4


def test_drivers_cost_together_what_each_of_them_cost(good_report, tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file, seconds in zip(files, (0.2, 0.3)):
        file.write_text(json.dumps(good_report | PUNCTUAL | {
            "answered": 100, "sent": 100, "unanswered": 0, "seconds_ns": 10**9, "driver_cpu_seconds": seconds,
            "busiest_driver_cpu_seconds": seconds}))
    merged = grpcroute("bench", "merge", *files, "--json-file", tmp_path / "merged")
    again = grpcroute("bench", "merge", tmp_path / "merged")
    for told in merged.stdout, again.stdout:
        assert re.search("^Driver    at most 30 ?% of a core, 2500.00 us per message", told, re.M), told
    written = json.loads((tmp_path / "merged").read_text())
    assert (written["driver_cpu_seconds"], written["busiest_driver_cpu_seconds"]) == (0.5, 0.3)
    assert written["valid"] and "Driver    20 " in grpcroute("bench", "merge", files[0]).stdout


def test_what_one_of_two_reports_does_not_have_is_not_compared(good_report, tmp_path):
    good, mute, measured = tmp_path / "good", tmp_path / "mute", tmp_path / "measured"
    punctual = {"count": 0, "sum_ns": 0, "min_ns": 0, "max_ns": 0, "buckets": []}
    fit = good_report | PUNCTUAL
    good.write_text(json.dumps(fit))
    mute.write_text(json.dumps(fit | {"answered": 0, "latency": punctual}))
    measured.write_text(json.dumps(fit | {"processes": [{"pid": 1, "cpu_seconds": 1, "memory_kib": 1}]}))
    for before, now, metric, code in ((good, good, "cpu", 4), (good, mute, "p50", 4), (mute, good, "p50,rate", 4),
                                      (mute, mute, "rate", 4),
                                      (measured, good, "p50,cpu", 4), (measured, measured, "cpu", 0),
                                      (good, mute, "p50,rate", 1)):
        done = grpcroute("bench", "compare", before, now, "--metric", metric)
        assert done.returncode == code, (before, now, metric, done)
        assert ("Not compared" in done.stdout) == ("✅" not in done.stdout) == (code != 0), done.stdout
        written = [tmp_path / name for name in ("junit.xml", "page.html")]
        marked = grpcroute("bench", "compare", before, now, "--metric", metric, "-o", "markdown", "--junit-file",
                           written[0],
                           "--report-file", written[1]).stdout
        assert ("| missing |" in marked) == ("no figures of it" in written[0].read_text()) == (code != 0), marked
        rows = json.loads(grpcroute("bench", "compare", before, now, "--metric", metric, "-o", "json").stdout)
        assert rows["exit_code"] == code and any(row["missing"] for row in rows["metrics"]) == (code != 0)


def test_what_one_of_two_reports_did_not_measure_has_no_figure(good_report, tmp_path):
    plain, measured, dead, mute = (tmp_path / name for name in ("plain", "measured", "dead", "mute"))
    cost = {"pid": 1, "cpu_seconds": 1, "memory_kib": 1}
    plain.write_text(json.dumps(good_report | PUNCTUAL))
    measured.write_text(json.dumps(good_report | PUNCTUAL | {"processes": [cost]}))
    dead.write_text(json.dumps(good_report | PUNCTUAL | {"processes": [cost | {"ended": True}]}))
    mute.write_text(json.dumps(good_report | PUNCTUAL | {"answered": 0, "latency": PUNCTUAL["lateness"]}))
    for before, now, metric, label in ((plain, measured, "cpu", "process us per message"),
                                       (dead, measured, "cpu", "process us per message"),
                                       (mute, plain, "p50", "latency p50 us")):
        done = grpcroute("bench", "compare", before, now)
        assert done.returncode == 4 and re.search(rf"^{label} +- +[0-9.]+ +- +10 ?% +missing", done.stdout, re.M), \
            done.stdout
        assert metric in done.stdout.partition("has no figures of it: ")[2], done.stdout
        rows = json.loads(grpcroute("bench", "compare", now, before, "-o", "json").stdout)["metrics"]
        row = [row for row in rows if row["metric"] == metric][0]
        assert row["before"] > 0 and row["now"] is None and row["ratio"] is None
        assert row["missing"] and not row["worse"]


def test_a_report_that_cannot_be_written_whole_is_told(good_report, tmp_path):
    (tmp_path / "good").write_text(json.dumps(good_report))
    done = grpcroute("bench", "merge", tmp_path / "good", "--report-file", "/dev/full")
    assert done.returncode == 2 and \
        done.stderr == "grpcroute bench: --report-file: /dev/full: No space left on device\n"


def test_no_second_of_the_load_is_missing(started):
    """Neither the last one, nor the shorter one behind it; and a message that is due at the end of the load counts as
    sent."""
    server = started(Server("v1", "s"))
    for duration, lengths in (("3s", [1, 1, 1]), ("1500ms", [1, 0.5]), ("300ms", [0.3])):
        result = report(bench(server.address, "--versions", "v1.1", "--warmup", "0", "-z", duration, "-r", "200",
                              "-o", "json"))
        seconds = result["timeline"]
        assert len(seconds) == len(lengths) and min(second["length_ns"] for second in seconds) > 0
        assert result["seconds_ns"] / 1e9 >= sum(lengths)  # a busy machine ends one late
        assert sum(second["length_ns"] for second in seconds) == result["seconds_ns"]
        # The rest behind the end: at most those that were due so long before it as an answer took.
        in_time = sum(lengths) - result["latency"]["max_ns"] / 1e9
        assert 200 * in_time - 1 <= sum(second["answered"] for second in seconds) <= 200 * sum(lengths)
        assert (result["sent"], result["unanswered"]) == (200 * sum(lengths), 0) and result["latency"]["max_ns"] < 60e9


def test_several_are_each_compared_with_the_first(good_report, tmp_path):
    good, slow = tmp_path / "good", tmp_path / "slow"
    good.write_text(json.dumps(good_report | PUNCTUAL))
    slow.write_text(json.dumps(good_report | PUNCTUAL | {"answered": good_report["answered"] // 2}))
    done = grpcroute("bench", "compare", good, good, slow, "-o", "json")
    assert done.returncode == 1, done.stderr
    comparisons = report(done)["comparisons"]
    assert [[row["metric"] for row in one["metrics"] if row["worse"]] for one in comparisons] == [[], ["rate"]]
    done = grpcroute("bench", "compare", good, slow, good)
    assert done.returncode == 1 and done.stdout.splitlines()[0] == str(slow) and str(good) in done.stdout
    assert done.stdout.count("Worse by more") == 1 and done.stdout.count("Within 10 %") == 1
    assert grpcroute("bench", "compare", good, good, good).returncode == 0
