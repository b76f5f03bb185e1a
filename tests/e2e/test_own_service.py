"""A service that is not PingPong: --method, --message-file, --server-from, --pod-from, and the header in which a proxy
names what it chose. Each verdict is seen red, too."""
import json
import re
import shutil
import subprocess
import threading

import grpc
import pytest

from testenv.grpcroute import BIN, Proxy, grpcroute
from testenv.net import ReservedPort, wait_port
from testenv.own_service import METHODS, SERVICE, OwnService, answer, field, varint
from testenv.process import Process
from testenv.proxies import REAL_PROXIES

KINDS = sorted(METHODS)
SOURCES = {"header": "header:x-server", "trailer": "trailer:X-Server-T", "field": "field:1"}
NAMED = ["--server-from", "field:1", "--pod-from", "field:2.2"]


def method(kind):
    return ["--method", f"/{SERVICE}/{METHODS[kind]}", "--call", kind]


def at(service):
    return ["--target", service.target, "--plaintext"]


def verify(service, kind, *args):
    return grpcroute("verify", *at(service), *method(kind), "--versions", "v1.1", "-s", "2", "--interval", "1ms", *args)


@pytest.fixture
def service(started):
    return started(OwnService())


# ---- who answered ----------------------------------------------------------------------------------

@pytest.mark.parametrize("source", sorted(SOURCES))
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_call_is_checked_by_each_source(service, kind, source):
    done = verify(service, kind, "--server-from", SOURCES[source])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Agent v1\.1 → Server v1: OK .*; not checked: .*order, loss, duplication", done.stdout)
    done = verify(service, kind, "--server-from", SOURCES[source], "--expect", "v1.1=v2")
    assert done.returncode == 1 and "expected server v2, answered: v1" in done.stdout, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_sent_as_often_as_the_kind_of_call_says(service, kind, tmp_path):
    message = tmp_path / "message"
    message.write_bytes(field(1, "hello") + field(2, 300))
    done = verify(service, kind, "-s", "1", "-n", "3", "--message-file", message, *NAMED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert service.received == [message.read_bytes()] * (1 if kind == "server-stream" else 3)
    assert len(service.metadata) == (3 if kind == "unary" else 1)
    assert {m["agent-version"] for m in service.metadata} == {"v1.1"}


def with_input(data, *args):
    return subprocess.run([BIN, *args], input=data, capture_output=True, timeout=30, check=False)


def test_the_message_may_come_from_standard_input_and_is_empty_by_default(service):
    words = ["verify", *at(service), *method("bidi"), "--versions", "v1.1", "-s", "1", "-n", "1", *NAMED]
    done = with_input(field(4, b"\x00\xff"), *words, "--message-file", "-")
    assert done.returncode == 0, done.stdout
    assert grpcroute(*words).returncode == 0
    assert service.received == [field(4, b"\x00\xff"), b""]
    done = with_input(b"x", *words, "--message-file", "-", "-H", "x-token: @-")
    assert done.returncode == 2 and b"standard input can be read only once" in done.stderr, done.stderr


@pytest.mark.parametrize("spelling", ["/own.Fleet/Talk", "own.Fleet/Talk", "own.Fleet.Talk"])
def test_a_method_is_spelled_as_others_do(service, spelling):
    done = grpcroute("verify", *at(service), "--method", spelling, "--versions", "v1.1", *NAMED)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_source_nothing_is_ok(service, kind):
    for args in ([], ["--expect", "v1.1=*"]):
        done = verify(service, kind, *args)
        assert done.returncode == 4 and "nothing says who answered (--server-from" in done.stdout, done.stdout
        assert "passed" not in done.stdout


@pytest.mark.parametrize("source, told", [
    ("header:x-upstream", "no header x-upstream, but content-type, "),
    ("trailer:x-upstream", "no trailer x-upstream, but "),
    ("trailer:x-server", "x-server-t"),
    ("field:9", "no field 9 in a message of 17 bytes, whose fields are: 1, 2, 3"),
    ("field:2.9", "no field 2.9 in a message"),
    ("field:3.1", "field 3.1 is neither a string, bytes nor a varint"),
    ("field:1.1", "has no field 1.1: it is not a protobuf message"),
])
def test_a_name_that_is_not_there_is_told_with_what_is(service, source, told):
    done = verify(service, "bidi", "--server-from", source)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "10 of 10 answers do not name their server: " in done.stdout and told in done.stdout, done.stdout


def test_answers_that_only_sometimes_have_a_name_prove_nothing_more(started):
    some = started(OwnService(each=lambda number: answer("v1" if number % 2 else "", "p")))
    done = verify(some, "bidi", *NAMED)
    assert done.returncode == 4 and "6 of 10 answers do not name their server: field 1 is empty" in done.stdout, \
        done.stdout
    wrong = started(OwnService(each=lambda number: answer("v2" if number == 3 else "", "p")))
    done = verify(wrong, "bidi", *NAMED)
    assert done.returncode == 1 and "v2 (2 of 10 messages" in done.stdout, done.stdout


def test_a_header_of_the_proxy_beside_one_of_the_server_is_not_guessed_at(started):
    both = started(OwnService(headers=[("x-server", "v1"), ("x-server", "v2")]))
    done = verify(both, "unary", "--server-from", "header:x-server")
    assert done.returncode == 4 and "header x-server is there more than once: v1 and v2" in done.stdout, done.stdout


def test_numbers_and_messages_within_messages_are_names_too(started):
    service = started(OwnService(each=lambda number: field(5, field(1, field(1, 70000)))))
    done = verify(service, "server-stream", "--server-from", "field:5.1.1", "--expect", "v1.1=70000")
    assert done.returncode == 0, done.stdout


def test_routes_say_what_to_expect_of_a_method_of_their_own(service, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: own}\nspec:\n  "
                      "rules:\n"
                      "  - matches: [{method: {service: own.Fleet, method: Talk}}]\n"
                      "    backendRefs: [{name: blue, port: 1}]\n"
                      "  - backendRefs: [{name: green, port: 1}]\n")
    versions = ["--backend-version", "blue=v1", "--backend-version", "green=v2"]
    done = verify(service, "bidi", *NAMED, "--routes", routes, *versions)
    assert done.returncode == 0, done.stdout + done.stderr
    done = verify(service, "unary", *NAMED, "--routes", routes, *versions)
    assert done.returncode == 1 and "expected server v2, answered: v1" in done.stdout


def test_json_says_what_was_called_and_what_was_not_checked(service):
    done = verify(service, "server-stream", "--server-from", "header:x-server", "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["service"] == {
        "method": "/own.Fleet/Watch", "call": "server-stream", "message_bytes": 0, "server_from": "header x-server",
        "pod_from": None}
    (check,) = report["checks"]
    assert set(check["not_checked"]) >= {"isolation", "order", "loss", "duplication", "stickiness"}
    report = json.loads(verify(service, "bidi", "--server-from", "header:none", "-o", "json").stdout)
    assert report["exit_code"] == 4 and "version" in report["checks"][0]["not_checked"]


# ---- how calls end ---------------------------------------------------------------------------------

def test_an_unknown_method_is_told_in_one_line(service):
    done = grpcroute("verify", *at(service), "--method", "own.Fleet/Nope", "--versions", "v1.1", *NAMED)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "UNIMPLEMENTED" in line]
    assert "no route takes it, or its server does not know /own.Fleet/Nope" in line


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_ends_with_a_status_is_told(started, kind):
    early = started(OwnService(status=grpc.StatusCode.FAILED_PRECONDITION, before=True))
    done = verify(early, kind, *NAMED)
    assert done.returncode == 4 and "ended after 0 answers" in done.stdout, done.stdout
    assert "FAILED_PRECONDITION: as told" in done.stdout
    late = started(OwnService(status=grpc.StatusCode.DATA_LOSS))
    done = verify(late, kind, *NAMED)
    assert done.returncode == (1 if kind in ("bidi", "server-stream") else 4) and "DATA_LOSS: as told" in done.stdout, \
        done.stdout


def test_a_stream_without_an_end_is_left_and_that_is_said(started):
    endless = started(OwnService(count=0))
    done = verify(endless, "server-stream", *NAMED)
    assert done.returncode == 0 and "end of stream: the server did not end the call after 5 answers" in done.stdout, \
        done.stdout
    done = verify(endless, "server-stream", *NAMED, "--expect", "v1.1=v3")
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize("name", ["Ask", "Watch"])
def test_a_call_that_ends_before_its_messages_are_out_is_no_proof(service, name):
    """As one does that takes a single message. The interval leaves the server the time to end it."""
    done = grpcroute("verify", *at(service), "--method", f"own.Fleet/{name}", "--versions", "v1.1", "-s", "1", "-n",
                     "3", "--interval", "4s", "--timeout", "30s", *NAMED)
    assert done.returncode == 4 and "passed" not in done.stdout, done.stdout
    assert "if the method takes one message: --call unary or server-stream" in done.stdout, done.stdout


def test_a_server_that_goes_between_two_unary_calls_is_told(started):
    def third_goes(_):
        if len(service.metadata) == 3:
            threading.Thread(target=service.close).start()
        return answer("v1", "p")
    service = OwnService(each=third_goes)
    done = verify(service, "unary", "-s", "1", "-n", "50", "--interval", "100ms", "--timeout", "30s", *NAMED)
    service.close()
    assert done.returncode == 4 and "not enough evidence from 1 of 1 streams: " in done.stdout, done.stdout
    assert "--timeout" not in done.stdout


# ---- hostile answers -------------------------------------------------------------------------------

def nested(depth):
    inner = b""
    for _ in range(depth):
        inner = field(1, inner)
    return inner


HOSTILE = {
    "controls": field(1, b"\x1b[2J\x1b]0;x\x07\r\n\x9b31m"),
    "long": field(1, b"A" * 65536),
    "just too long": field(1, b"A" * 256),
    "no UTF-8": field(1, b"\xff\xfe\xc3\x28"),
    "NUL": field(1, b"v1\x00x"),
    "deep": nested(2000),
    "groups": b"\x0b" * 5000,
    "truncated varint": b"\x08" + b"\xff" * 5,
    "endless varint": b"\x08" + b"\xff" * 20,
    "length beyond the end": b"\x0a" + varint(2 ** 63) + b"v1",
    "field 0": b"\x00\x01",
    "one and another": field(1, "v1") + field(1, "v2"),
    "empty": b"",
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("source", ["field:1", "field:1.1.1.1.1.1.1.1"])
def test_hostile_answers_prove_nothing_and_reach_no_terminal(started, message, source):
    service = started(OwnService(each=lambda number: message, count=3))
    for kind in ("unary", "server-stream"):
        for output in ("text", "json"):
            done = verify(service, kind, "-n", "3", "--server-from", source, "--pod-from", source, "-o", output)
            assert done.returncode in (1, 4), (done.returncode, done.stdout + done.stderr)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout.replace("\t", "") + done.stderr)
            assert len(done.stdout) < 20000


def test_an_answer_larger_than_a_ping_may_be_is_read_and_one_beyond_the_limit_told(started):
    large = started(OwnService(each=lambda number: answer("v1", "p") + field(9, b"x" * 3_000_000), count=2))
    assert verify(large, "server-stream", "-n", "2", *NAMED).returncode == 0
    larger = started(OwnService(each=lambda number: field(9, b"x" * 4_194_304)))
    done = verify(larger, "unary", *NAMED)
    assert done.returncode == 4 and "limit of 4194304 bytes" in done.stdout, done.stdout


# ---- stickiness ------------------------------------------------------------------------------------

def sticky(service, kind, *args):
    return grpcroute("sticky-test", *at(service), *method(kind), "-n", "5", "--interval", "1ms", *args)


@pytest.mark.parametrize("kind", ["bidi", "server-stream"])
def test_sticky_test_compares_the_pods_that_messages_name(started, service, kind):
    done = sticky(service, kind, *NAMED)
    assert done.returncode == 0 and "All 5 messages routed to same pod: pod-1; not checked: " in done.stdout, \
        done.stdout
    moving = started(OwnService(each=lambda number: answer("v1", f"pod-{number // 3}")))
    done = sticky(moving, kind, *NAMED)
    assert done.returncode == 1 and "v1/pod-0 (3 messages), v1/pod-1 (2 messages)" in done.stdout, done.stdout


def test_sticky_test_needs_a_name_in_each_message(started, service):
    for pod_from, told in (([], "nothing names the pod"),
                           (["--pod-from", "header:x-pod"], "header x-pod names the pod once for a call"),
                           (["--pod-from", "field:9"], "no field 9")):
        done = sticky(service, "bidi", "--server-from", "field:1", *pod_from)
        assert done.returncode == 4 and told in done.stdout, done.stdout
    one = started(OwnService(count=1))
    done = sticky(one, "server-stream", *NAMED)
    assert done.returncode == 4, done.stdout
    done = sticky(service, "bidi", "--pod-from", "field:2.2", "--expect", "v1.1=*")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["unary", "client-stream"])
def test_calls_with_one_answer_have_nothing_to_stick_to(service, kind):
    done = sticky(service, kind, *NAMED)
    assert done.returncode == 2 and "nothing to stick to" in done.stderr and done.stderr.count("\n") == 1


# ---- the other commands ----------------------------------------------------------------------------

COMMANDS = {
    "failover-test": ["--fault", "true", "--settle", "100ms", "--agents", "3", "--versions", "v1.1"],
    "bench": ["-r", "0", "-z", "300ms", "--warmup", "0", "-c", "2", "--versions", "v1.1"],
    "agent": ["--version", "v1.1", "-n", "3", "--interval", "10ms"],
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_that_holds_streams_judges_who_answers(service, command):
    words = [command, *at(service), *method("bidi"), *COMMANDS[command]]
    for args, code, told in ((NAMED, 0, ""), ([*NAMED, "--expect", "v1.1=v2"], 1, ""), ([], 4, "--server-from"),
                             (["--server-from", "header:x-none"], 4, "no header x-none, but content-type, "),
                             (["--server-from", "header:x-server", "--pod-from", "header:x-pod"], 0, "")):
        done = grpcroute(*words, *args)
        assert done.returncode == code, (args, done.stdout + done.stderr)
        assert told in done.stdout + done.stderr, (args, done.stdout + done.stderr)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_pod_is_enough_where_any_server_will_do(service, command):
    words = [command, *at(service), *method("bidi"), *COMMANDS[command], "--expect", "v1.1=*"]
    for args, code in ((["--pod-from", "field:2.2"], 0), (["--pod-from", "field:9"], 4), ([], 4)):
        done = grpcroute(*words, *args)
        assert done.returncode == code, (args, done.stdout + done.stderr)


def test_an_agent_says_who_answered_and_how_much(service):
    done = grpcroute("agent", *at(service), *method("bidi"), *COMMANDS["agent"], *NAMED)
    assert f"Received pong from server=v1/pod-1 message=({len(answer('v1', 'pod-1'))} bytes)" \
        in done.stdout + done.stderr


def test_failover_test_watches_a_stream_that_has_its_own_pace(started):
    endless = started(OwnService(count=0))
    words = ["failover-test", *at(endless), *method("server-stream"), *COMMANDS["failover-test"]]
    done = grpcroute(*words, *NAMED)
    assert done.returncode == 0, done.stdout + done.stderr
    done = grpcroute(*words, *NAMED, "--max-gap", "1ms")
    assert done.returncode == 1, done.stdout


def test_failover_test_names_the_service_in_its_results(service, tmp_path):
    page = tmp_path / "page.html"
    for kind, args in (("bidi", NAMED), ("server-stream", ["--pod-from", "header:x-pod", "--expect", "v1.1=*"])):
        done = grpcroute("failover-test", *at(service), *method(kind), *COMMANDS["failover-test"], *args, "-o", "json",
                         "--report-file", page)
        seen = json.loads(done.stdout)["service"]
        assert (seen["method"], seen["call"]) == (f"/{SERVICE}/{METHODS[kind]}", kind) and seen["pod_from"]
        assert f"/{SERVICE}/{METHODS[kind]}" in page.read_text()
    text = grpcroute("failover-test", *at(service), *method(kind), *COMMANDS["failover-test"], *args).stdout
    assert "Streams of /" in text and f"({kind})" in text
    done = grpcroute("failover-test", *at(service), *COMMANDS["failover-test"], "-o", "json")
    assert "service" not in json.loads(done.stdout)


@pytest.mark.parametrize("command, args, told", [
    ("verify", ["--method", "nothing"], "expected /package.Service/Method"),
    ("verify", ["--method", "/a/b/c"], "expected /package.Service/Method"),
    ("verify", ["--method", "/a.B/C?x"], "expected /package.Service/Method"),
    ("verify", ["--method", "/a..B/C"], "expected /package.Service/Method"),
    ("verify", ["--method", "/" + "a" * 300 + "/C"], "expected /package.Service/Method"),
    ("verify", ["--method", "a.B/C", "--server-from", "x-server"], "header:NAME, trailer:NAME or field:N"),
    ("verify", ["--method", "a.B/C", "--server-from", "header:"], "1 to 256 characters"),
    ("verify", ["--method", "a.B/C", "--server-from", "header:a b"], "a header's name"),
    ("verify", ["--method", "a.B/C", "--server-from", "field:0"], "number of a field"),
    ("verify", ["--method", "a.B/C", "--server-from", "field:1."], "number of a field"),
    ("verify", ["--method", "a.B/C", "--server-from", "field:536870912"], "number of a field"),
    ("verify", ["--method", "a.B/C", "--server-from", "field:1.1.1.1.1.1.1.1.1"], "number of a field"),
    ("verify", ["--method", "a.B/C", "--pod-from", "cookie:x"], "--pod-from"),
    ("verify", ["--method", "a.B/C", "--call", "duplex"], "bidi"),
    ("verify", ["--method", "a.B/C", "--message-file", "/none"], "No such file"),
    ("verify", ["--method", "a.B/C", "--message-file", "/"], "directory"),
    ("verify", ["--method", "a.B/C", "--message-file", "/dev/zero"], "longer than 65536 bytes"),
    ("verify", ["--method", "a.B/C", "--message-file", __file__], "not an encoded protobuf message"),
    ("verify", ["--server-from", "field:1"], "--server-from: needs --method"),
    ("sticky-test", ["--pod-from", "field:1"], "--pod-from: needs --method"),
    ("verify", ["--message-file", "/none"], "--message-file: needs --method"),
    ("verify", ["--call", "unary"], "--call: needs --method"),
    ("agent", ["--version", "v1.1", "--method", "a.B/C", "--call", "server-stream"], "expected bidi"),
    ("failover-test", ["--fault", "true", "--method", "a.B/C", "--call", "unary"], "expected bidi or server-stream"),
    ("bench", ["--method", "a.B/C", "--server-from", "trailer:x"], "a trailer comes when a call is over"),
    ("agent", ["--version", "v1.1", "--method", "a.B/C", "--pod-from", "trailer:x"],
     "a trailer comes when a call is over"),
])
def test_what_is_not_meant_so_is_told_in_one_line(command, args, told):
    done = grpcroute(command, "--target", "localhost:1", "--plaintext", *args)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr


# ---- proxies that name what they chose --------------------------------------------------------------

IDENTITY = ["--identity-header", "x-chosen", "--no-health-checks"]
NAMES_POD = ["envoy", "haproxy", "nginx"]


@pytest.fixture
def fleets(started):
    """Two servers for each backend, which lie in the headers that are the proxy's to set."""
    return [[started(OwnService(server=f"v{v}", pod=f"p{v}{i}",
                                headers=[("x-chosen", "liar"), ("x-chosen-pod", "liar")]))
             for i in range(2)] for v in (1, 2)]


def through(proxy, certs, kind, *args):
    return grpcroute("verify", "--target", proxy.target, "--cacert", certs / "ca.pem", *method(kind), "--server-from",
                     "header:x-chosen", *args)


EXPECTED = [argument for version in ("v1.1", "v1.2", "v2.1", "v2.2")
            for argument in ("--expect", f"{version}=server-{version[:2]}")]


@pytest.mark.parametrize("name", sorted(REAL_PROXIES))
def test_a_proxy_names_the_backend_that_it_chose(started, certs, fleets, tmp_path, name):
    proxy = started(REAL_PROXIES[name](certs, tmp_path, *fleets, *IDENTITY))
    done = through(proxy, certs, "server-stream", *EXPECTED, "--pod-from", "header:x-chosen-pod")
    assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output
    assert "liar" not in done.stdout
    if name in NAMES_POD:
        for fleet, version in zip(fleets, ("v1", "v2")):
            (line,) = re.findall(rf"Agent {version}\.1 → .*", done.stdout)
            assert all(server.address in line for server in fleet), done.stdout
    else:
        assert "pod without name" in done.stdout
    for kind in ("unary", "client-stream", "bidi"):
        done = through(proxy, certs, kind, *EXPECTED, "--pod-from", "field:2.2")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(REAL_PROXIES))
def test_a_wrong_choice_is_found_by_what_the_proxy_says(started, certs, fleets, tmp_path, name):
    def swap(text):
        return text.replace("v2\\\\..*", "v7\\\\..*").replace("v2\\..*", "v7\\..*")
    proxy = started(REAL_PROXIES[name](certs, tmp_path, *fleets, *IDENTITY, change=swap))
    done = through(proxy, certs, "server-stream", *EXPECTED)
    assert done.returncode == 1 and "expected server server-v2, answered: server-v1" in done.stdout, done.stdout
    assert "Agent v1.1 → Server server-v1: OK" in done.stdout


@pytest.mark.parametrize("name", sorted(REAL_PROXIES))
def test_a_proxy_that_names_nothing_proves_nothing(started, certs, tmp_path, name):
    silent = [[started(OwnService(server=f"v{v}", headers=[("x-other", "1")]))] for v in (1, 2)]
    proxy = started(REAL_PROXIES[name](certs, tmp_path, *silent, "--no-health-checks"))
    done = through(proxy, certs, "server-stream", *EXPECTED)
    assert done.returncode == 4 and "no header x-chosen, but " in done.stdout and "x-other" in done.stdout, done.stdout


def test_routes_and_backend_versions_say_what_a_proxy_must_choose(started, certs, fleets, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: own}\nspec:\n  "
                      "rules:\n"
                      "  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]}]\n"
                      "    backendRefs: [{name: server-v2, port: 50051}]\n"
                      "  - backendRefs: [{name: server-v1, port: 50051}]\n")
    proxy = started(REAL_PROXIES["envoy"](certs, tmp_path, *fleets, *IDENTITY, "--routes", routes))
    named = ["--backend-version", "server-v1=server-v1", "--backend-version", "server-v2=server-v2"]
    done = through(proxy, certs, "server-stream", "--routes", routes, *named)
    assert done.returncode == 0, done.stdout + done.stderr
    done = through(proxy, certs, "server-stream", "--routes", routes, named[0], "server-v1=server-v2", *named[2:])
    assert done.returncode == 1, done.stdout


def test_the_embedded_proxy_carries_all_kinds_of_call(started, certs, fleets):
    proxy = started(Proxy(certs, *fleets)).wait_ready()
    for kind in KINDS:
        done = grpcroute("verify", "--target", proxy.target, "--cacert", certs / "ca.pem", *method(kind), *NAMED)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- grpc-go's own example -------------------------------------------------------------------------

POINT = field(1, 409146138) + field(2, -746188906 & 2 ** 64 - 1)
RECTANGLE = field(1, POINT) + field(2, POINT)
ROUTE_GUIDE = {  # method: kind, message, where the answers have a value that is known
    "GetFeature": ("unary", POINT, "field:2.1", "409146138"),
    "ListFeatures": ("server-stream", RECTANGLE, "field:2.1", "409146138"),
    "RecordRoute": ("client-stream", POINT, "field:1", "5"),
    "RouteChat": ("bidi", field(1, POINT) + field(2, "v1"), "field:2", "v1"),
}


@pytest.fixture
def route_guide(started):
    program = shutil.which("route-guide-server")
    assert program is not None, "route-guide-server is not installed; tests/tool/setup.sh test installs it"
    port = started(ReservedPort()).port
    process = started(Process([program, "-port", str(port)]))
    wait_port(port, process.running)
    return port


@pytest.mark.parametrize("name", sorted(ROUTE_GUIDE))
def test_route_guide_is_checked_with_its_own_messages(route_guide, name, tmp_path):
    kind, message, source, value = ROUTE_GUIDE[name]
    (tmp_path / "message").write_bytes(message)
    words = ["--target", f"localhost:{route_guide}", "--plaintext", "--method", f"routeguide.RouteGuide/{name}",
             "--call", kind,
             "--message-file", tmp_path / "message", "--versions", "v1.1", "-s", "3", "--server-from", source]
    done = grpcroute("verify", *words, "--expect", f"v1.1={value}")
    assert done.returncode == 0, done.stdout + done.stderr
    done = grpcroute("verify", *words, "--expect", "v1.1=other")
    assert done.returncode == 1, done.stdout
    done = grpcroute("verify", *words[:-1], "field:77", "--expect", f"v1.1={value}")
    assert done.returncode == 4 and "no field 77" in done.stdout, done.stdout
