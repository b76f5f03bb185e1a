"""Who must answer whom: what the user says, the routes, the version; and nothing is right of which that is not
known."""
import json
import re
import xml.etree.ElementTree as xml

import pytest

from testenv.grpcio_peers import Relay
from testenv.grpcroute import Proxy, Server, grpcroute

ROUTES = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: own}
spec:
  hostnames: [HOSTS]
  rules:
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]}]
    backendRefs: [{name: BACKEND, port: 50051}]
"""


@pytest.fixture
def routes(tmp_path):
    def write(backend="server-v2", hosts=""):
        file = tmp_path / "routes.yaml"
        text = ROUTES.replace("BACKEND", backend)
        file.write_text(text.replace("HOSTS", hosts) if hosts else text.replace("  hostnames: [HOSTS]\n", ""))
        return file
    return write


@pytest.fixture
def odd(started):
    """A server of v7."""
    return started(Server("v7", "odd"))


def verify(target, *args):
    return grpcroute("verify", "--target", target, "--plaintext", "--timeout", "8s", *args)


# ---- nothing says who must answer ------------------------------------------------------------------

@pytest.mark.parametrize("backend", ["blue", "server-v2-canary", "v2", "server-2"])
def test_a_backend_without_a_version_is_not_checked(odd, routes, tmp_path, backend):
    file = routes(backend)
    junit = tmp_path / "junit.xml"
    done = verify(odd.address, "--routes", file, "--versions", "v2.9", "--junit-file", junit)
    assert done.returncode == 4, done.stdout
    assert f"not checked: no version in the name of its backend {backend}" in done.stdout and "v7" in done.stdout
    assert "passed" not in done.stdout and "OK" not in done.stdout and "✅" not in done.stdout
    assert xml.parse(junit).findall(".//testcase/*")[0].tag != "system-out"
    report = json.loads(verify(odd.address, "--routes", file, "--versions", "v2.9", "-o", "json").stdout)
    assert (report["result"], report["exit_code"]) == ("no_evidence", 4)
    assert report["checks"][0]["expected"] == "unknown" and "version" in report["checks"][0]["not_checked"]
    said = ["--backend-version", f"{backend}=v7"]
    done = verify(odd.address, "--routes", file, "--versions", "v2.9", *said)
    assert done.returncode == 0 and "✅ Agent v2.9 → Server v7: OK (pod odd)" in done.stdout, done.stdout
    done = verify(odd.address, "--routes", file, "--versions", "v2.9", "--backend-version", f"{backend}=v2")
    assert done.returncode == 1 and "expected server v2" in done.stdout, done.stdout


def test_a_version_that_no_rule_takes_is_not_passed(started, odd, routes):
    refusing = started(Relay(lambda number, metadata: None))
    for target, code, told in (refusing.target, 4, "Agent v5.1"), (odd.address, 1, "expected a rejection (no rule"):
        done = verify(target, "--routes", routes(), "--versions", "v5.1")
        assert done.returncode == code and told in done.stdout and "✅" not in done.stdout, done.stdout


@pytest.mark.parametrize("command", [
    ["verify", "--versions"],
    ["sticky-test", "--interval", "1ms", "--version"],
    ["failover-test", "--fault", "true", "--settle", "10ms", "--agents", "4", "--versions"],
    ["bench", "-r", "0", "-z", "200ms", "--warmup", "0", "-c", "2", "--versions"],
    ["agent", "-n", "2", "--interval", "1ms", "--version"],
], ids=lambda command: command[0])
@pytest.mark.parametrize("version", ["canary", "2026.11-rc1+b/7=x", "v7", "v" * 64])
def test_every_command_says_what_it_cannot_judge_and_learns_it(odd, command, version):
    common = [*command, version, "--target", odd.address, "--plaintext"]
    for args, code in ([], 4), (["--expect", f"{version}=v8|v7"], 0), (["--expect", f"{version}=v8"],
                                                                       1), (["--expect", f"{version}=*"], 0):
        done = grpcroute(*common, *args)
        assert done.returncode == code, (args, done.stdout + done.stderr)
        assert ("not checked" in done.stdout + done.stderr) == (code == 4)


@pytest.mark.parametrize("command", ["sticky-test", "failover-test", "bench", "agent"])
def test_a_wrong_server_is_wrong_for_every_command(odd, command):
    more = {"failover-test": ["--fault", "true", "--settle", "10ms"],
            "bench": ["-r", "0", "-z", "200ms", "--warmup", "0"],
            "agent": ["--version", "v1.1", "-n", "2", "--interval", "1ms"],
            "sticky-test": ["--interval", "1ms"]}[command]
    done = grpcroute(command, "--target", odd.address, "--plaintext", *more)
    assert done.returncode == 1, done.stdout + done.stderr


# ---- hosts of the routes ---------------------------------------------------------------------------

def test_routes_for_other_hosts_are_no_routing_failure(started, certs, backends, routes):
    file = routes(hosts="grpc.example.com, '*.apps.example.com'")
    proxy = started(Proxy(certs, [], backends[1], "--routes", file)).wait_ready()
    common = ["verify", "--target", proxy.target, "-k", "--routes", file, "--versions", "v2.1"]
    done = grpcroute(*common)
    assert done.returncode == 4, done.stdout
    assert "grpc.example.com" in done.stdout and \
        f"not for localhost:{proxy.port} as --target says (--authority NAME)" in done.stdout
    for authority in "grpc.example.com", "GRPC.example.com:8443", "a.apps.example.com":
        done = grpcroute(*common, "--authority", authority)
        assert done.returncode == 0, done.stdout + done.stderr
    done = grpcroute(*common, "--authority", "example.com")
    assert done.returncode == 4 and "not for --authority example.com" in done.stdout and "✅" not in done.stdout, \
        done.stdout


# ---- order -----------------------------------------------------------------------------------------

class InTurn:
    """Chooses among the endpoints of each major version in turn, as proxies do."""

    def __init__(self, **endpoints):
        self.endpoints = endpoints
        self.counts = dict.fromkeys(endpoints, 0)

    def __call__(self, number, metadata):
        major = metadata["agent-version"].split(".")[0]
        self.counts[major] += 1
        return self.endpoints[major][self.counts[major] % len(self.endpoints[major])]


@pytest.fixture
def half_wrong(started, odd):
    v1 = [started(Server("v1", f"server-v1-{c}")).address for c in "ab"]
    return started(Relay(InTurn(v1=v1, v2=[started(Server("v2", "good")).address, odd.address])))


def test_each_version_meets_a_wrong_endpoint(half_wrong):
    """In a regular order one version would meet it every time and the other never; with so many streams in a shuffled
    one that has a probability of 1 to 600 million."""
    seeds = set()
    for _ in range(3):
        done = verify(half_wrong.target, "-s", "16", "-o", "json", "-n", "1")
        report = json.loads(done.stdout)
        seeds.add(report["seed"])
        assert [check["result"] for check in report["checks"]] == ["passed", "passed", "failed", "failed"], done.stdout
    assert len(seeds) == 3


def test_the_passing_line_names_the_pods_and_the_probability(started, backends):
    relay = started(Relay(InTurn(v1=[s.address for s in backends[0]], v2=[s.address for s in backends[1]])))
    done = verify(relay.target, "-s", "16", "--seed", "7")
    assert done.returncode == 0, done.stdout
    for version in "v1.1", "v1.2":
        assert re.search(rf"✅ Agent {version} → Server v1: OK \(pods server-v1-[ab], server-v1-[ab]\)", done.stdout), \
            done.stdout
    assert "--seed 7" in done.stdout and "16 streams of a version meet all 2 pods" in done.stdout and \
        "99.997 %" in done.stdout
    report = json.loads(verify(relay.target, "-s", "2", "-o", "json").stdout)
    assert report["checks"][0]["pods_coverage"] == pytest.approx(0.5)


def test_a_pod_that_a_version_did_not_meet_is_named(started, backends):
    def choose(number, metadata):
        own = backends[int(metadata["agent-version"][1]) - 1]
        return own[metadata["agent-version"] == "v1.2"].address

    done = verify(started(Relay(choose)).target)
    assert done.returncode == 0
    assert "✅ Agent v1.1 → Server v1: OK (pod server-v1-a; not met: server-v1-b)" in done.stdout, done.stdout


def test_a_seed_gives_the_same_order_and_another_a_different_one(odd):
    orders = []
    for seed in "5", "5", "6":
        done = grpcroute("failover-test", "--target", odd.address, "--plaintext", "--fault", "true", "--settle", "10ms",
                         "--seed", seed, "-o", "json")
        report = json.loads(done.stdout)
        assert report["seed"] == int(seed)
        orders.append([stream["agent_version"] for stream in report["streams"]])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) and orders[0] != ["v1.1", "v1.2", "v2.1", "v2.2"] * 5


# ---- warnings --------------------------------------------------------------------------------------

def test_one_server_as_the_target_is_no_hidden_service(backends):
    for args in [], ["--versions", "v1.1,v2.1"]:
        done = verify(backends[0][0].address, *args)
        assert done.returncode == 1 and "headless" not in done.stdout, done.stdout


def test_a_proxy_that_sees_one_address_of_a_service_is_told(started, backends):
    one_each = started(Relay(lambda number, metadata: backends[int(metadata["agent-version"][1]) - 1][0].address))
    done = verify(one_each.target)
    assert done.returncode == 0 and done.stdout.count("headless") == 2, done.stdout


# ---- --expect ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("expect,versions,code", [
    (["*=v7"], "x,y", 0), (["*=v8"], "x", 1), (["x=v7", "*=v8"], "x", 0), (["*=v8", "x=v7"], "x", 0),
    (["x=v7", "*=v8"], "x,y", 1), (["*=*"], "x", 0), (["*=v7"], "y" * 64, 0), (["x=v7"], "X", 4)])
def test_a_star_is_every_version_that_is_not_named(odd, expect, versions, code):
    done = verify(odd.address, "--versions", versions, *[word for one in expect for word in ("--expect", one)])
    assert done.returncode == code, done
    assert ("passed" in done.stdout) == (code == 0)


@pytest.mark.parametrize("expect,why", [("x", 'no "="'), ("=v7", 'nothing before the "="'), ("x=*|v7", "stands alone"),
                                        ("x=v7|*", "stands alone"), ("x=|v7", "visible"), ("x=v7|", "visible")])
def test_an_expectation_that_says_nothing_is_refused(expect, why):
    done = grpcroute("verify", "--target", "127.0.0.1:1", "--plaintext", "--expect", expect)
    assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1, done


def test_an_expectation_of_a_version_that_is_not_tried_is_told(odd):
    done = verify(odd.address, "--versions", "v7.1", "--expect", "V7.1=v8", "--expect", "*=v7")
    assert done.returncode == 0 and done.stderr.count("note: --expect 'V7.1=v8': no agent of that version") == 1, done
