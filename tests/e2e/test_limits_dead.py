"""`grpcroute limits` behind a hop that forgets a connection and tells nobody, as firewalls and address translation do:
a stream of which no end comes is no stream that lives."""
import json

import jsonschema
import pytest

from testenv.forgetful import DOWN, UP, Forgetful
from testenv.grpcroute import ROOT, Server, grpcroute
from testenv.own_service import SERVICE, OwnService
from testenv.slow import slow, slow_but

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/limits.json").read_text()))
FORGETS_S = 3
WITHIN_S = 8


def limits(address, shapes, *args, code=0):
    done = grpcroute("limits", "--target", address, "--plaintext", "--within", f"{WITHIN_S}s", "--shapes",
                     ",".join(shapes), "-o", "json", *args, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    result = json.loads(done.stdout)
    SCHEMA.validate(result)
    return {finding["shape"]: finding for finding in result["limits"]}


STREAMS = ["age_stream", "idle", "idle_client", "idle_server", "half_close"]

# what is dropped, which shapes are dead then
HOPS = {
    "old connections": (lambda way, age, silence: age > FORGETS_S, {*STREAMS, "age_connection", "idle_connection"}),
    "silent connections": (lambda way, age, silence: silence > FORGETS_S, {"idle", "idle_connection"}),
    "what the client sends": (lambda way, age, silence: way == UP and age > FORGETS_S,
                              {*STREAMS, "age_connection", "idle_connection"} - {"half_close"}),
}


@pytest.mark.parametrize("name", slow_but(["what the client sends"], HOPS))
def test_what_nothing_comes_through_is_not_alive(started, name):
    drops, dead = HOPS[name]
    relay = started(Forgetful(started(Server()), drops))
    found = limits(relay.address, [*STREAMS, "age_connection", "idle_connection"])
    for shape, finding in found.items():
        if shape not in dead:
            assert finding["state"] == "none_within", finding
            continue
        assert finding["state"] in ("found", "by_other"), finding
        assert {sample["end"] for sample in finding["samples"]} == {"dead"}, finding
        # Half a second for what it takes to open it, and the clock of half_close begins a second later.
        least = finding["value_ns"] - finding["resolution_ns"] - 1.5e9
        most = finding["value_ns"] + finding["resolution_ns"] + 1.5e9
        assert least <= FORGETS_S * 1e9 <= most, finding
        assert "keep" not in finding["advice"], finding


def test_a_promise_that_a_forgotten_stream_lives_is_broken(started, tmp_path):
    contract = tmp_path / "needs.txt"
    contract.write_text(f"idle >= {WITHIN_S}s\n")
    relay = started(Forgetful(started(Server()), HOPS["silent connections"][0]))
    limits(relay.address, ["idle"], "--contract", contract, code=1)


@slow
def test_without_probes_the_answers_tell(started):
    relay = started(Forgetful(started(Server("v1", "server-1", "--no-probe")), HOPS["old connections"][0]))
    found = limits(relay.address, ["age_stream", "idle"])
    for finding in found.values():
        assert {sample["end"] for sample in finding["samples"]} == {"dead"}, finding


def test_a_ping_that_nobody_answers_was_not_taken(started):
    relay = started(Forgetful(started(Server()), lambda way, age, silence: way == DOWN and age > FORGETS_S))
    finding = limits(relay.address, ["ping_interval"], code=4)["ping_interval"]
    assert finding["state"] == "not_measured", finding
    assert "PINGs are not answered any more" in finding["why"], finding


# ---- a service of one's own ------------------------------------------------------------------------------------------


class AnswersOnce(OwnService):
    def talk(self, requests, context):
        self.begin(context)
        for number, request in enumerate(requests):
            self.received.append(request)
            if number == 0:
                yield self.each(number)


class EndsAtTheSecond(AnswersOnce):
    def talk(self, requests, context):
        self.begin(context)
        self.received.append(next(requests))
        yield self.each(0)
        next(requests)


TALK = ["--method", f"{SERVICE}/Talk"]


def test_an_answer_of_one_s_own_service_shows_that_a_stream_is_alive(started):
    found = limits(started(OwnService()).address, ["idle", "age_stream"], *TALK)
    assert {finding["state"] for finding in found.values()} == {"none_within"}, found


@pytest.mark.parametrize("make", slow_but([EndsAtTheSecond], [AnswersOnce, EndsAtTheSecond]))
def test_a_service_that_answers_no_last_message_shows_nothing(started, tmp_path, make):
    contract = tmp_path / "needs.txt"
    contract.write_text(f"idle >= {WITHIN_S - 1}s\n")
    finding = limits(started(make()).address, ["idle"], "--contract", contract, *TALK, code=4)["idle"]
    assert finding["state"] == "not_measured" and "did not answer a last message" in finding["why"], finding


@slow
def test_a_forgotten_stream_of_one_s_own_service_keeps_no_promise(started, tmp_path):
    contract = tmp_path / "needs.txt"
    contract.write_text(f"idle >= {WITHIN_S - 1}s\n")
    relay = started(Forgetful(started(OwnService()), HOPS["silent connections"][0]))
    finding = limits(relay.address, ["idle"], "--contract", contract, *TALK, code=4)["idle"]
    assert finding["state"] == "not_measured", finding
