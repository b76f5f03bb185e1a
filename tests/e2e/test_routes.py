"""Routes as people have them: several GRPCRoutes, what kubectl prints, filters; through every proxy that they
describe."""
import json
import re
import subprocess

import h2.events
import pytest

from testenv import raw
from testenv.grpcroute import Proxy, Server, grpcroute
from testenv.h2_server import PONG, RESPONSE, H2Server
from testenv.net import ReservedPort
from testenv.proxies import REAL_PROXIES
from testenv.wait import wait_until

NAMES = sorted(REAL_PROXIES)
HEAD = "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n"
ANSWER = RESPONSE + [("x-own", "server"), ("x-more", "server"), ("x-secret", "s"), ("x-kept", "kept")]


class Recorder(H2Server):
    """Answers every request with ANSWER and a pong, or only with it where it has a status, and keeps what it was
    asked."""

    def __init__(self, answer=ANSWER):
        self.requests = []
        self.asked = set()
        self.answer = answer
        super().__init__(self._behaviour_of)

    def _behaviour_of(self, peer, event):
        if isinstance(event, h2.events.RequestReceived):
            pairs = [(name.decode(), value.decode()) for name, value in event.headers]
            if "health" in dict(pairs)[":path"]:
                peer.respond(event.stream_id, RESPONSE + [("grpc-status", "12")], True)
            else:
                self.asked.add((peer, event.stream_id))
                self.requests.append(pairs)
        elif isinstance(event, h2.events.StreamEnded) and (peer, event.stream_id) in self.asked:
            peer.respond(event.stream_id, self.answer, "grpc-status" in dict(self.answer))
            if "grpc-status" in dict(self.answer):
                return
            peer.h2.send_data(event.stream_id, PONG)
            peer.trailers(event.stream_id, 0)


@pytest.fixture
def recorders(started):
    return started(Recorder()), started(Recorder())


@pytest.fixture
def embedded(started, certs, recorders, tmp_path):
    def start(text, *args):
        path = tmp_path / "routes.yaml"
        path.write_text(text)
        return started(Proxy(certs, recorders[:1], recorders[1:], "--routes", path, *args)).wait_ready()
    return start


@pytest.fixture(params=[*NAMES, "embedded"])
def any_proxy(request, started, certs, recorders, tmp_path, embedded):
    """Starts each of them with routes; the second value says whether it is our own."""
    def start(text):
        if request.param == "embedded":
            return embedded(text)
        path = tmp_path / "routes.yaml"
        path.write_text(text)
        return started(REAL_PROXIES[request.param](certs, tmp_path, recorders[:1], recorders[1:], "--routes", path,
                                                   "--no-health-checks"))
    start.name = request.param
    return start


def ask(proxy, authority="localhost", *fields, path=raw.PING_PONG):
    """One call; returns the header blocks of the answer."""
    peer = raw.client(proxy.port, proxy.certs / "ca.pem")
    try:
        block = raw.block((":method", "POST"), (":scheme", "https"), (":path", path), (":authority", authority),
                          ("te", "trailers"), ("content-type", "application/grpc"), *fields)
        peer.exchange(raw.frame(raw.HEADERS, raw.END_HEADERS, 1, block) + raw.frame(raw.DATA, raw.END_STREAM, 1,
                                                                                    raw.message()),
                      until=lambda: any(f.flags & raw.END_STREAM for f in peer.find(raw.HEADERS, 1)
                                        + peer.find(raw.DATA, 1)))
        return peer.find(raw.HEADERS, 1)
    finally:
        peer.close()


def values(pairs, name):
    return [value for key, value in pairs if key == name]


def route(name, hostnames, rules, created=None):
    stamp = f", creationTimestamp: '{created}'" if created else ""
    return f"---\n{HEAD}metadata: {{name: {name}{stamp}}}\nspec:\n  hostnames: [{hostnames}]\n  rules:\n{rules}"


def to(server, match=None, filters=""):
    matches = f"matches: [{{headers: [{{name: agent-version, value: {match}}}]}}], " if match else ""
    return f"  - {{{matches}backendRefs: [{{name: server-v{server}, port: 50051}}]{filters}}}\n"


UNUSED = to(2, "unused")  # every proxy here has both servers


def request_filter(changes):
    return f", filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{{changes}}}}}]"


def response_filter(changes):
    return f", filters: [{{type: ResponseHeaderModifier, responseHeaderModifier: {{{changes}}}}}]"


# ---- filters -----------------------------------------------------------------------------------


def test_headers_of_requests_are_set_and_removed(any_proxy, recorders):
    changes = ("""set: [{name: X-Own, value: 'a "b" \\\\ 100% {c}'}, {name: x-new, value: new}], """
               "remove: [X-Gone, x-absent]")
    proxy = any_proxy(route("a", "", to(1, "v1.1", request_filter(changes)) + to(2)))
    sent = [("x-own", "client"), ("x-gone", "1"), ("x-gone", "2"), ("x-kept", "kept")]
    assert ask(proxy, "localhost", ("agent-version", "v1.1"), *sent)[-1].fields["grpc-status"] == "0"
    assert ask(proxy, "localhost", ("agent-version", "v2.1"), *sent)[-1].fields["grpc-status"] == "0"
    changed, plain = recorders[0].requests[0], recorders[1].requests[0]
    assert values(changed, "x-own") == ['a "b" \\\\ 100% {c}'] and values(changed, "x-new") == ["new"]
    assert values(changed, "x-gone") == [] and values(changed, "x-kept") == ["kept"]
    assert values(changed, "te") == ["trailers"] and values(changed, "agent-version") == ["v1.1"]
    assert values(plain, "x-own") == ["client"] and values(plain, "x-gone") and values(plain, "x-new") == []


def test_headers_of_answers_are_set_and_removed(any_proxy):
    changes = "set: [{name: X-Own, value: 'proxy 100%'}, {name: x-new, value: new}], remove: [X-Secret]"
    proxy = any_proxy(route("a", "", to(1, "v1.1", response_filter(changes)) + to(2)))
    changed = ask(proxy, "localhost", ("agent-version", "v1.1"))
    assert values(changed[0].fields.pairs, "x-own") == ["proxy 100%"] and changed[0].fields["x-new"] == "new"
    assert "x-secret" not in changed[0].fields and changed[0].fields["x-kept"] == "kept"
    assert changed[-1].fields["grpc-status"] == "0" and "x-new" not in changed[-1].fields
    plain = ask(proxy, "localhost")[0].fields
    assert plain["x-own"] == "server" and plain["x-secret"] == "s" and "x-new" not in plain


def test_a_value_more_is_added_where_a_proxy_can(any_proxy, recorders, tmp_path):
    text = route("a", "", UNUSED + to(1, None, ", filters: [{type: RequestHeaderModifier, requestHeaderModifier: "
                                               "{add: [{name: x-more, "
                                      "value: m}]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {add: "
                                      "[{name: "
                                      "x-more, value: m}]}}]"))
    if any_proxy.name in ("traefik", "nginx"):
        (tmp_path / "routes.yaml").write_text(text)
        done = grpcroute("render", any_proxy.name, "--routes", tmp_path / "routes.yaml")
        assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
        for word in (any_proxy.name, "requestheadermodifier", "x-more", "spec.rules[1]"):
            assert word in done.stderr.lower()
        return
    answer = ask(any_proxy(text), "localhost", ("x-more", "client"))[0]
    assert ",".join(values(answer.fields.pairs, "x-more")).replace(" ", "") == "server,m"
    assert ",".join(values(recorders[0].requests[0], "x-more")).replace(" ", "") == "client,m"


def test_an_answer_without_messages_is_changed_too(embedded, recorders):
    recorders[0].answer = RESPONSE + [("grpc-status", "5"), ("x-own", "server")]
    proxy = embedded(route("a", "", UNUSED + to(1, None, response_filter("set: [{name: x-own, value: proxy}]"))))
    answer = ask(proxy)
    assert len(answer) == 1 and answer[0].fields["grpc-status"] == "5"
    assert values(answer[0].fields.pairs, "x-own") == ["proxy"]


@pytest.mark.parametrize("room, status", [(6000, "0"), (1000, "8")])
def test_a_request_is_measured_after_the_change(embedded, recorders, room, status):
    added = "x" * 4000
    proxy = embedded(route("a", "", UNUSED + to(1, None, request_filter(f"set: [{{name: x-new, value: {added}}}]"))))
    sent = [("x-long", "y" * 4000)] * 2 + [("x-rest", "z" * (16384 - 8000 - room))]
    answer = ask(proxy, "localhost", *sent)
    assert answer[-1].fields["grpc-status"] == status, answer
    assert len(recorders[0].requests) == (status == "0")
    if status != "0":
        assert "16384" in answer[0].fields["grpc-message"] or "limit of" in answer[0].fields["grpc-message"]


def test_a_field_that_is_taken_out_makes_room(embedded, recorders):
    proxy = embedded(route("a", "", UNUSED + to(1, None, request_filter("remove: [x-long]"))))
    answer = ask(proxy, "localhost", *[("x-long", "y" * 1900)] * 8)
    assert answer[-1].fields["grpc-status"] == "0" and values(recorders[0].requests[0], "x-long") == []


def test_an_answer_is_measured_after_the_change(started, embedded, recorders):
    recorders[0].answer = RESPONSE + [("x-long", "y" * 3500)] * 4
    proxy = embedded(route("a", "", UNUSED + to(1, None,
                                                response_filter(f"set: [{{name: x-new, value: {'x' * 3000}}}]"))))
    answer = ask(proxy)
    assert answer[0].fields["grpc-status"] == "8" and "16384" in answer[0].fields["grpc-message"], answer[0].fields


# ---- several routes ----------------------------------------------------------------------------

SEVERAL = (route("any", "", to(1)) + route("wide", "'*.example.com'", to(2, "v2.1") + to(1, "v3.1"))
           + route("exact", "a.example.com", to(2, "v1.1"))
           + route("young", "tie.org", to(2), "2026-02-01T00:00:00Z") + route("zold", "tie.org", to(1),
                                                                              "2026-01-01T00:00:00Z"))
WAYS = [("a.example.com", "v1.1", 2), ("A.Example.Com", "v1.1", 2), ("a.example.com:8443", "v1.1", 2),
        ("a.example.com", "v2.1", 2),  # of the next less specific hostname
        ("b.example.com", "v1.1", 1),  # of the route for any host
        ("b.a.example.com", "v2.1", 2), ("example.com", "v2.1", 1), ("tie.org", "v2.1", 1)]


def test_several_routes_mean_the_same_everywhere(any_proxy, recorders):
    proxy = any_proxy(SEVERAL)
    for authority, version, server in WAYS:
        before = [len(recorder.requests) for recorder in recorders]
        assert ask(proxy, authority, ("agent-version", version))[-1].fields["grpc-status"] == "0"
        took = [len(recorder.requests) - count for recorder, count in zip(recorders, before)]
        assert took == [server == 1, server == 2], (authority, version)


def test_a_foreign_host_reaches_nobody(any_proxy, recorders):
    proxy = any_proxy(route("a", "a.example.com, '*.org'", to(1)) + route("b", "b.example.com", to(2)))
    assert ask(proxy, "x.org")[-1].fields["grpc-status"] == "0"
    for authority in ("example.com", "xa.example.com", "org", "localhost"):
        answer = ask(proxy, authority)[-1].fields
        assert answer.get("grpc-status") == "12" or answer[":status"] == "404", answer
    assert [len(recorder.requests) for recorder in recorders] == [1, 0]


def test_verify_expects_what_the_host_says(started, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(route("a", "a.example.com", to(2)) + route("b", "localhost", to(1)))
    server = started(Server("v1", "server-v1-a"))

    def verify(*args):
        return grpcroute("verify", "--target", f"localhost:{server.port}", "--plaintext", "--versions", "v1.1", "-s",
                         "1", "--routes", routes, *args)

    assert verify().returncode == 0
    done = verify("--authority", "a.example.com")
    assert done.returncode == 1 and "v2" in done.stdout
    logs = tmp_path / "agent.log"
    logs.write_text("[AGENT_v1.1/a] Sent ping\n[AGENT_v1.1/a] Received pong from server=v1/s message=pong\n")
    done = grpcroute("verify", "--logs", logs, "--routes", routes)
    assert done.returncode == 4 and "differ by host" in done.stdout + done.stderr, done


# ---- what kubectl prints -----------------------------------------------------------------------


def kubectl_object(name, spec):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"kind": "GRPCRoute",
                                                                                        "spec": {}}) + "\n"},
        "creationTimestamp": "2026-11-25T10:00:00Z", "generation": 2, "name": name, "namespace": "default",
        "managedFields": [{"manager": "kubectl", "operation": "Update", "time": "2026-11-25T10:00:00Z",
                           "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {".": {}, "f:rules": {}}}}],
        "resourceVersion": "4711", "uid": "6f1b2c3d-0000-4000-8000-000000000000"}, "spec": spec, "status": {
            "parents": [{"conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted",
                                         "message": "<ok>"}],
                         "controllerName": "example.com/x", "parentRef": {"name": "g"}}]}}


@pytest.mark.parametrize("kind", ["List", "GRPCRouteList"])
def test_what_kubectl_prints_as_json_is_read(started, tmp_path, kind):
    backend = {"group": "", "kind": "Service", "port": 50051, "weight": 1}
    matches = [{"headers": [{"name": "agent-version", "type": "Exact", "value": "v2.1"}]}]
    items = [kubectl_object("one", {"rules": [{"matches": matches,
                                               "backendRefs": [{**backend, "name": "server-v2"}]}]}),
             kubectl_object("two", {"rules": [{"backendRefs": [{**backend, "name": "server-v1"}]}]})]
    routes = tmp_path / "routes.json"
    routes.write_text(json.dumps({"apiVersion": "v1", "kind": kind, "items": items,
                                  "metadata": {"resourceVersion": ""}}, indent=4))
    server = started(Server("v1", "server-v1-a"))
    for versions, code in (("v1.1", 0), ("v2.1", 1)):
        done = grpcroute("verify", "--target", f"localhost:{server.port}", "--plaintext", "--versions", versions, "-s",
                         "1", "--routes", routes)
        assert done.returncode == code, done
    assert grpcroute("render", "envoy", "--routes", routes).returncode == 0


@pytest.mark.parametrize("text, named", [
    ("", "it is empty"), ("# a comment\n", "it is empty"), ("kind: HTTPRoute\n", "but HTTPRoute at line 1"),
    ("\nkind: GrpcRoute\n", ":2: \"GrpcRoute\""), ("kind: List\nitems: []\n", "its List has no items"),
    ('{"kind": "Service"}', "but Service at line 1"),
    ("No resources found in default namespace.\n", "which kubectl says, not"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\n", "1: a certificate or key (PEM), not a"),
    ("secret", "1: a text, not a"),
])
@pytest.mark.parametrize("command", [["proxy", "--plaintext"], ["render", "nginx"],
                                     ["verify", "--target", "localhost:1"]])
def test_a_file_without_a_route_says_what_it_has(tmp_path, command, text, named):
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    done = grpcroute(*command, "--routes", path)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and named in done.stderr, done
    assert "secret" not in done.stderr and "MII" not in done.stderr, done


def test_a_check_passes_over_what_the_proxy_refuses(started, tmp_path):
    path = tmp_path / "routes.yaml"
    path.write_text(f"{HEAD}spec:\n  rules:\n  - backendRefs: [{{name: server-v1, port: 1}}]\n    sessionPersistence: "
                    f"{{}}\n")
    for command in (["proxy", "--plaintext"], ["render", "envoy"]):
        done = grpcroute(*command, "--routes", path)
        assert done.returncode == 2 and ":6: spec.rules[0].sessionPersistence" in done.stderr, done
    server = started(Server("v1", "server-v1-a"))
    done = grpcroute("verify", "--target", f"localhost:{server.port}", "--plaintext", "--versions", "v1.1", "-s", "1",
                     "--routes", path)
    assert done.returncode == 0 and "note: " in done.stderr and ":6: spec.rules[0].sessionPersistence" in done.stderr, \
        done


# ---- expressions that others read otherwise ----------------------------------------------------

EXPRESSIONS = [r"v1\.([0-9])\1", r"(v1)(?<x>\.1)\1?", r"v1\.1(?# x)|(a)(?(1)b|c)", r"(?x)v1\.1 # one", r"(v1)\.1(?1)?",
               r"v1\.(?<digit>[0-9])\k<digit>", r"v(?:1)\.(1)+", "(?i)V1\\.1", "-i", "-f", r"v1\.1|x y",
               r"[[:alpha:]]1\.1"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("kind", ["Exact", "RegularExpression"])
def test_what_render_writes_is_taken(started, certs, tmp_path, expression, kind):
    ports = [started(ReservedPort()).port for _ in range(2)]
    both = tmp_path / "both.pem"
    both.write_text((certs / "cert.pem").read_text() + (certs / "key.pem").read_text())
    path = tmp_path / "routes.json"
    path.write_text(json.dumps({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "spec": {"rules": [{
        "matches": [{"headers": [{"name": "agent-version", "type": kind, "value": expression}]}],
        "backendRefs": [{"name": "server-v1", "port": 1}]}]}}))
    for name, check in (("haproxy", ["haproxy", "-c", "-f"]),
                        ("nginx", ["nginx", "-t", "-p", tmp_path, "-e", "stderr", "-c"])):
        done = grpcroute("render", name, "--routes", path, "--cert", both, "--key", certs / "key.pem", "--endpoints",
                         "server-v1=127.0.0.1:1", "--listen", f"127.0.0.1:{ports[0]}", "--admin",
                         f"127.0.0.1:{ports[1]}")
        if done.returncode == 2:
            assert kind == "RegularExpression" and name in done.stderr.lower() and done.stderr.count("\n") == 1, \
                done.stderr
            continue
        config = tmp_path / name
        config.write_text(done.stdout)
        checked = subprocess.run([*check, config], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_a_match_with_many_headers_fits_in_haproxys_lines(started, certs, recorders, tmp_path):
    path = tmp_path / "routes.yaml"
    headers = ", ".join(f"{{name: h{i}, value: '{i}'}}" for i in range(16))
    path.write_text(f"{HEAD}spec:\n  rules:\n  - matches: [{{headers: [{headers}]}}]\n"
                    "    backendRefs: [{name: server-v2, port: 1}]\n  - backendRefs: [{name: server-v1, port: 1}]\n")
    proxy = started(REAL_PROXIES["haproxy"](certs, tmp_path, recorders[:1], recorders[1:], "--routes", path,
                                            "--no-health-checks"))
    every = [(f"h{i}", str(i)) for i in range(16)]
    ask(proxy, "localhost", *every)
    ask(proxy, "localhost", *every[1:])
    assert [len(recorder.requests) for recorder in recorders] == [1, 1]


# ---- filters of what servers see of an agent ---------------------------------------------------

REWRITES = {"set": ("set: [{name: agent-version, value: v9.9}]", "its rule sets agent-version=v9.9",
                    "agent-version=v1.1"),
            "remove": ("remove: [agent-version]", "its rule removes agent-version", "agent-version=v1.1"),
            "add": ("add: [{name: agent-version, value: v9.9}]", "its rule adds agent-version=v9.9", None),
            "id": ("set: [{name: agent-id, value: someone}]", "its rule sets agent-id=someone", "agent-id="),
            "both": ("set: [{name: agent-version, value: v9.9}], remove: [agent-id]",
                     "its rule sets agent-version=v9.9 and removes agent-id", "agent-version=v1.1")}


def rewriting(folder, changes, name="rewriting.yaml"):
    path = folder / name
    path.write_text(route("a", "", to(1, "v1.1", request_filter(changes) if changes else "") + to(2)))
    return path


def verify_routes(proxy, routes, *args):
    return grpcroute("verify", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--versions", "v1.1,v2.1",
                     "-s", "2", "--routes", routes, *args)


@pytest.mark.parametrize("name", REWRITES)
def test_what_the_rule_makes_of_the_metadata_is_expected(started, certs, backends, tmp_path, name):
    changes, told, _ = REWRITES[name]
    routes = rewriting(tmp_path, changes)
    proxy = started(Proxy(certs, *backends, "--routes", routes)).wait_ready()
    for args in [], ["--expect", "v1.1=v1"]:
        done = verify_routes(proxy, routes, *args)
        assert done.returncode == 0, done
        lines = {line.split()[2]: line for line in done.stdout.splitlines() if " Server v" in line}
        assert told in lines["v1.1"] and "its rule" not in lines["v2.1"], done.stdout
    checks = json.loads(verify_routes(proxy, routes, "-o", "json").stdout)["checks"]
    assert checks[0]["metadata_rewritten"][0]["header"] in told and "metadata_rewritten" not in checks[1]
    sticky = grpcroute("sticky-test", "--target", proxy.target, "--cacert", certs / "ca.pem", "--routes", routes, "-n",
                       "3", "--interval", "10ms")
    assert sticky.returncode == 0 and told in sticky.stdout, sticky
    agent = grpcroute("agent", "--version", "v1.1", "--target", proxy.target, "--cacert", certs / "ca.pem", "--routes",
                      routes, "-n", "2", "--interval", "10ms")
    assert agent.returncode == 0 and "Not isolated" not in agent.stdout + agent.stderr, agent


@pytest.mark.parametrize("name", NAMES)
def test_real_proxies_make_of_the_metadata_what_is_expected(started, certs, backends, tmp_path, name):
    routes = rewriting(tmp_path, REWRITES["both"][0])
    proxy = started(REAL_PROXIES[name](certs, tmp_path, *backends, "--routes", routes, "--no-health-checks"))
    done = verify_routes(proxy, routes, "--boundary")
    assert done.returncode == 0 and REWRITES["both"][1] in done.stdout, done.stdout
    unknown = re.search(r"Not checked for Boundary \(header twice.*some rule rewrites what servers see", done.stdout)
    # which rule takes two values is nowhere said
    assert (unknown is not None) == ("(not rejected)" in done.stdout), done.stdout


@pytest.mark.parametrize("name", [name for name in REWRITES if REWRITES[name][2]])
def test_a_proxy_that_leaves_the_metadata_as_they_are_fails(started, certs, backends, tmp_path, name):
    changes, told, seen = REWRITES[name]
    proxy = started(Proxy(certs, *backends, "--routes", rewriting(tmp_path, None, "plain.yaml"))).wait_ready()
    routes = rewriting(tmp_path, changes)
    agent = grpcroute("agent", "--version", "v1.1", "--target", proxy.target, "--cacert", certs / "ca.pem", "--routes",
                      routes, "-n", "2", "--interval", "10ms")
    assert agent.returncode == 1 and "Not isolated" in agent.stdout + agent.stderr, agent
    done = verify_routes(proxy, routes)
    assert done.returncode == 1 and told in done.stdout and seen in done.stdout, done
    assert "carried other metadata than the routes say" in done.stdout and \
        "Agent v2.1 → Server v2: OK" in done.stdout, done


def test_a_proxy_that_rewrites_what_no_rule_says_fails(started, certs, backends, tmp_path):
    proxy = started(Proxy(certs, *backends, "--routes", rewriting(tmp_path, REWRITES["set"][0]))).wait_ready()
    done = verify_routes(proxy, rewriting(tmp_path, None, "plain.yaml"))
    assert done.returncode == 1 and "agent-version=v9.9" in done.stdout, done


def test_logs_of_servers_that_see_others_are_not_compared(started, certs, backends, tmp_path):
    routes = rewriting(tmp_path, "set: [{name: agent-version, value: v2.9}]")
    proxy = started(Proxy(certs, *backends, "--routes", routes)).wait_ready()
    agent = grpcroute("agent", "--version", "v1.1", "--id", "a", "--target", proxy.target, "--cacert", certs / "ca.pem",
                      "-n", "6", "--interval", "10ms", "--routes", routes)
    wait_until(lambda: any("Stream closed by" in server.output for server in backends[0]), 20, "the server told of it")
    log = tmp_path / "log"
    log.write_text(agent.stdout + "".join(server.output + "\n" for server in backends[0]))
    done = grpcroute("verify", "--logs", log, "--routes", routes, "--versions", "v1.1")
    assert "agent-version=v2.9" in log.read_text() and done.returncode == 0, done
    assert "isolation: the routes rewrite what servers log of agents" in done.stdout, done
