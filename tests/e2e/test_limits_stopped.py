"""`grpcroute limits` that a signal ends before its time: what it then says of a stream, the stream has shown."""
import json
import signal
import subprocess
import time

import pytest

from testenv.forgetful import Forgetful
from testenv.grpcroute import BIN, Server
from testenv.process import DIE_WITH_PARENT
from testenv.slow import slow

SHAPES = ["age_stream", "idle", "idle_client", "idle_server", "half_close", "age_connection", "idle_connection"]
SILENT = {"idle", "idle_connection"}
WATCHED_S = 10  # the second try of a shape begins some seconds behind the first
FORGETS_S = 2
ANSWER_S = 20  # a call that shows whether a connection is alive may take 10


def stopped(address, signals, between_s=0):
    run = subprocess.Popen([*DIE_WITH_PARENT, BIN, "limits", "--target", address, "--plaintext", "--within", "60s",
                            "--shapes", ",".join(SHAPES), "-o", "json"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(WATCHED_S)
        run.send_signal(signals[0])
        began = time.monotonic()
        for number in signals[1:]:
            time.sleep(between_s)
            run.send_signal(number)
        said, _ = run.communicate(timeout=ANSWER_S)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 128 + signals[0], said
    result = json.loads(said)
    assert result["result"] == "interrupted", said
    return {finding["shape"]: finding for finding in result["limits"]}, time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=slow)])
def test_streams_that_live_are_told_as_such(started, number):
    found, took_s = stopped(started(Server()).address, [number])
    for finding in found.values():
        assert finding["state"] == "none_within", finding
        assert 1 < finding["looked_ns"] / 1e9 < WATCHED_S + 1, finding
    assert took_s < 3, "a path that answers is left at once"


def test_streams_that_nothing_comes_through_are_not(started):
    relay = started(Forgetful(started(Server()), lambda way, age, silence: silence > FORGETS_S))
    found, _ = stopped(relay.address, [signal.SIGINT])
    for shape, finding in found.items():
        assert (finding["state"] == "found") == (shape in SILENT), finding
        assert finding["state"] == "found" or finding["state"] == "none_within", finding


def test_who_does_not_wait_hears_that_it_is_not_known(started):
    relay = started(Forgetful(started(Server()), lambda way, age, silence: silence > FORGETS_S))
    found, took_s = stopped(relay.address, [signal.SIGINT, signal.SIGINT], 0.5)
    assert took_s < 3, took_s
    for shape in SILENT:
        assert found[shape]["state"] == "not_measured", found[shape]
        assert "stopped before a last message showed more" in found[shape]["why"], found[shape]
