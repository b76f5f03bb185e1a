"""`grpcroute limits` where a proxy shares its connections to servers, and a hop behind it ends those without traffic: a
stream that is silent beside others lives, and the path of a service that is quiet as a whole does not."""
import json

import jsonschema
import pytest

from testenv.forgetful import Forgetful
from testenv.grpcroute import ROOT, Server, grpcroute
from testenv.proxies import REAL_PROXIES
from testenv.slow import slow

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/limits.json").read_text()))
LIMIT_S = 3
WITHIN_S = 6
NS = 1e9
HOPS = {
    "cuts": {"cuts_s": LIMIT_S},
    "forgets": {"drops": lambda way, age, silence: silence > LIMIT_S},
    "does nothing": {},
}


@pytest.fixture
def path(started, certs, tmp_path):
    """client > Envoy > a hop of that kind > server."""
    def make(kind):
        hop = started(Forgetful(started(Server("v1", "server-v1-a")), **HOPS[kind]))
        return started(REAL_PROXIES["envoy"](certs, tmp_path, [hop], [hop], "--no-health-checks"))
    return make


def run(proxy, *args, within=WITHIN_S, code=0):
    done = grpcroute("limits", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--within", f"{within}s",
                     "-o", "json", *args, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    result = json.loads(done.stdout)
    SCHEMA.validate(result)
    return result, {finding["shape"]: finding for finding in result["limits"]}, done.stderr


def assert_met(kind, finding):
    assert finding["state"] == "found", finding
    off = 0.5 * NS + finding["resolution_ns"]
    assert abs(finding["value_ns"] - LIMIT_S * NS) <= off, finding
    assert finding["kind"] == "duration" and "message either way" in finding["advice"] or kind == "forgets", finding
    ends = {sample["end"] for sample in finding["samples"]}
    assert (ends == {"dead"}) == (kind == "forgets"), finding
    began = [sample["opened_ns"] for sample in finding["samples"]]
    values = [sample["value_ns"] for sample in finding["samples"]]
    assert abs(values[0] - values[1]) <= 0.5 * NS + finding["resolution_ns"], finding
    assert len(began) == 2, finding


@pytest.mark.parametrize("kind", ["cuts", pytest.param("forgets", marks=slow)])
def test_what_ends_a_path_that_is_quiet_as_a_whole_is_found_alone(path, kind):
    proxy = path(kind)
    _, found, told = run(proxy, "--shapes", "idle,idle_with_pings,idle_path")
    assert found["idle"]["state"] == found["idle_with_pings"]["state"] == "none_within", found
    assert_met(kind, found["idle_path"])
    assert "takes about 13.0s in all" in told, told
    quiet = min(sample["opened_ns"] for sample in found["idle_path"]["samples"])
    others = max(sample["opened_ns"] + sample["lived_ns"] for sample in found["idle"]["samples"])
    assert quiet >= others, "it came behind them"


@pytest.mark.parametrize("shapes", ["idle", "idle_with_pings"])
def test_a_silent_stream_alone_has_others_beside_it(path, shapes):
    """Else one try would be the other's traffic, and both would end in one moment, at two ages."""
    _, found, _ = run(path("cuts"), "--shapes", shapes)
    assert list(found) == [shapes] and found[shapes]["state"] == "none_within", found


def test_nothing_is_found_behind_a_proxy_where_no_hop_ends_anything(path):
    _, found, _ = run(path("does nothing"), "--shapes", "idle_path")
    assert found["idle_path"]["state"] == "none_within" and found["idle_path"]["looked_ns"] == WITHIN_S * NS, found


@slow
def test_a_contract_has_the_quiet_path_measured(path, tmp_path):
    needs = tmp_path / "needs.txt"
    proxy = path("cuts")
    needs.write_text("idle >= 5s\nidle_path >= 2s\n")
    result, found, _ = run(proxy, "--gentle", "--contract", needs, within=5)
    assert [one["verdict"] for one in result["contract"]["promises"]] == ["kept", "kept"], result["contract"]
    assert found["idle_path"]["state"] == "found", found
    needs.write_text("idle_path >= 5s\n")
    result, _, _ = run(proxy, "--shapes", "idle_path", "--contract", needs, within=5, code=1)
    assert result["contract"]["promises"][0]["verdict"] == "broken", result["contract"]
    needs.write_text("idle >= 5s\n")
    result, found, _ = run(proxy, "--shapes", "idle", "--contract", needs, within=5)
    assert result["contract"]["promises"][0]["why"] == \
        "none within 5.00s, beside others in use; idle_path for a service that is quiet as a whole"


def test_without_its_name_it_is_told_as_not_measured(started, tmp_path):
    server = started(Server())
    file = tmp_path / "result.json"
    done = grpcroute("limits", "--target", server.address, "--plaintext", "--gentle", "--within", "2s", "--json-file",
                     file, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Not measured: --shapes idle_path (2.00s more, alone)\n  idle_path\n" in done.stdout
    finding, = [one for one in json.loads(file.read_text())["limits"] if one["shape"] == "idle_path"]
    assert (finding["state"], finding["why"]) == ("not_measured", "--shapes idle_path (2.00s more, alone)")
