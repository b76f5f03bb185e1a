"""What the other end's connection says before, beside and instead of a stream: each command names it."""
import json
import re
import threading
from xml.etree import ElementTree

import h2.events
import pytest

from testenv import raw
from testenv.grpcroute import Agent, grpcroute
from testenv.h2_server import PONG, RESPONSE, H2Server, field, message, pings
from testenv.slow import slow

MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, UNKNOWN_SETTING = 3, 6, 0xF000
COMMANDS = {"verify": ["--versions", "v1.1", "-s", "1", "--timeout", "3s"],
            "sticky-test": ["--messages", "2", "--timeout", "3s"],
            "bench": ["--versions", "v1.1", "-c", "1", "-r", "0", "-z", "300ms", "--warmup", "0"],
            "failover-test": ["--fault", "true", "--versions", "v1.1", "--agents", "1", "--settle", "100ms"],
            "agent": ["--version", "v1.1", "-n", "1", "--id", "a", "--interval", "50ms"]}
CHECKS = [command for command in COMMANDS if command != "agent"]


def answering(peer, event):
    """A server as it should be."""
    if isinstance(event, h2.events.RequestReceived):
        peer.respond(event.stream_id)
    elif isinstance(event, h2.events.DataReceived):
        peer.h2.send_data(event.stream_id, PONG * pings(event.data))
    elif isinstance(event, h2.events.StreamEnded):
        peer.trailers(event.stream_id, 0)


def run(command, server, *args):
    return grpcroute(command, "--target", server.address, "--plaintext", *COMMANDS.get(command, ()), *args)


def said_by(started, command, server, pattern, *args):
    """What the command says; an agent goes on for ever, so until it has said it."""
    if command != "agent":
        done = run(command, server, *args)
        return done.stdout + done.stderr
    agent = started(Agent("v1.1", "a", server.address, *args))
    agent.wait_for(pattern, deadline_s=40)
    return agent.output


# ---- SETTINGS ----------------------------------------------------------------------------------


def entries(count):
    return lambda peer: peer.sock.sendall(raw.setting(*[(UNKNOWN_SETTING + n, n) for n in range(count)]))


@pytest.mark.parametrize("count", [0, 21, 100])
@pytest.mark.parametrize("command", COMMANDS)
def test_any_number_of_settings_up_to_the_limit_will_do(started, command, count):
    done = run(command, started(H2Server(answering, entries(count))))
    assert done.returncode == 0, done


@pytest.mark.parametrize("command", COMMANDS)
def test_more_settings_than_the_limit_are_told_with_it(started, command):
    said = said_by(started, command, started(H2Server(answering, entries(101))), "SETTINGS")
    assert "more than 100 entries in a SETTINGS frame" in said, said


# ---- MAX_CONCURRENT_STREAMS --------------------------------------------------------------------


def allowing(first, later=None, after_s=1.0):
    """SETTINGS that allow `first` streams, and `later` of them after a while."""
    def greet(peer):
        peer.sock.sendall(raw.setting((MAX_CONCURRENT_STREAMS, first)))
        if later is not None:
            timer = threading.Timer(after_s, send, [peer])
            timer.daemon = True
            timer.start()

    def send(peer):
        try:
            peer.sock.sendall(raw.setting((MAX_CONCURRENT_STREAMS, later)))
        except OSError:
            pass  # the client did not wait

    return greet


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_allows_streams_only_later_is_waited_for(started, command):
    server = started(H2Server(answering, allowing(0, 100)))
    done = run(command, server)
    assert done.returncode == 0 and server.connections == 1, done


@pytest.mark.parametrize("command", [*CHECKS, pytest.param("agent", marks=slow)])
def test_a_server_that_never_allows_a_stream_is_told_as_that(started, command):
    said = said_by(started, command, started(H2Server(answering, allowing(0))), "MAX_CONCURRENT_STREAMS")
    assert re.search(r"accepts no streams: MAX_CONCURRENT_STREAMS is 0 \(waited \S+ for more\)", said), said


@pytest.mark.parametrize("allowed, connections", [(1, 8), (2, 6), (3, 4)])
def test_streams_for_which_a_connection_has_no_room_get_another(started, allowed, connections):
    """Of 8 streams two have a connection of their own, and the others come to three on each of two."""
    open_at_once = []

    def counting(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            open_at_once.append(peer.h2.open_inbound_streams)
        answering(peer, event)

    server = started(H2Server(counting, allowing(allowed)))
    done = run("verify", server, "-s", "8", "--timeout", "20s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (len(open_at_once), server.connections, max(open_at_once)) == (8, connections, allowed)


def answering_but(agent, behaviour):
    """A good server, but to the connection of that agent."""
    odd = set()

    def behave(peer, event):
        if isinstance(event, h2.events.RequestReceived) and (b"agent-id", agent.encode()) in event.headers:
            odd.add(peer)
        (behaviour if peer in odd else answering)(peer, event)

    return behave


def moving(peer, event):
    if isinstance(event, h2.events.DataReceived) and peer.messages[event.stream_id] > 1:
        other = field(1, "pong") + field(2, "v1") + field(3, "other-server")
        peer.h2.send_data(event.stream_id, message(other) * pings(event.data))
    else:
        answering(peer, event)


def refusing(peer, event):
    if isinstance(event, h2.events.RequestReceived):
        peer.h2.reset_stream(event.stream_id, 7)  # REFUSED_STREAM


@pytest.mark.parametrize("behaviour, code, said", [(answering, 0, "works correctly"), (moving, 1, "other-server"),
                                                   (refusing, 4, "REFUSED_STREAM")])
def test_a_stream_on_a_further_connection_is_judged_like_the_others(started, behaviour, code, said):
    """Of three streams the third has no room beside the others."""
    server = started(H2Server(answering_but("agent-v1-1-3", behaviour), allowing(2)))
    done = run("sticky-test", server, "--agents", "3", "--timeout", "20s")
    assert (done.returncode, server.connections) == (code, 2), done.stdout + done.stderr
    good = [f"✅ agent-v1-1-{n}" in done.stdout for n in (1, 2, 3)]
    assert good == [True, True, code == 0] and said in done.stdout, done.stdout


@pytest.mark.parametrize("command", [*COMMANDS, "limits"])
def test_a_server_that_takes_no_header_block_as_large_is_told_as_that(started, command):
    server = started(H2Server(answering, lambda peer: peer.sock.sendall(raw.setting((MAX_HEADER_LIST_SIZE, 64)))))
    pattern = "takes no header block as large as ours"
    if command == "agent":
        said = said_by(started, command, server, pattern)
    else:
        done = run(command, server, *["--within", "1s", "--shapes", "idle"] * (command == "limits"))
        assert done.returncode not in (0, 1), done
        said = done.stdout + done.stderr
    assert pattern in said and server.streams == 0, said
    assert "closed by the peer" not in said, said


# ---- GOAWAY ------------------------------------------------------------------------------------

GOAWAY_TEXT = b"max age\x1b[31m reached"
GOAWAY_SHOWN = r"GOAWAY ENHANCE_YOUR_CALM: max age\x1b[31m reached"


def going_away(answers, refuse=False):
    """Answers that many pings of a stream, and then says GOAWAY and closes; with `refuse` its id says that no stream
    was seen."""
    def behaviour(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id)
        elif isinstance(event, h2.events.DataReceived) and peer.messages[event.stream_id] <= answers:
            peer.h2.send_data(event.stream_id, PONG * pings(event.data))
        elif isinstance(event, h2.events.DataReceived):
            last = 0 if refuse else event.stream_id
            peer.send()
            peer.sock.sendall(raw.frame(raw.GOAWAY, payload=last.to_bytes(4, "big") + (11).to_bytes(4, "big")
                                        + GOAWAY_TEXT))
            raw.close_behind(peer.sock)

    return behaviour


@pytest.mark.parametrize("refuse", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_goaway_is_told_with_code_and_text(started, command, refuse):
    said = said_by(started, command, started(H2Server(going_away(0, refuse))), "GOAWAY")
    assert GOAWAY_SHOWN in said and "\x1b" not in said, said


def test_bench_names_a_goaway_in_every_report(started, tmp_path):
    server = started(H2Server(going_away(1)))
    done = run("bench", server, "-o", "json", "--junit-file", tmp_path / "junit")
    report = json.loads(done.stdout)
    assert any(GOAWAY_SHOWN in cause for cause in report["errors"]), report["errors"]
    assert GOAWAY_SHOWN in "".join(ElementTree.parse(tmp_path / "junit").getroot().itertext())


def test_failover_test_names_a_goaway_in_every_report(started, tmp_path):
    server = started(H2Server(going_away(5)))
    args = ["--interval", "50ms", "--max-gap", "300ms", "--settle", "1s"]
    text = run("failover-test", server, *args, "--junit-file", tmp_path / "junit").stdout
    report = json.loads(run("failover-test", server, *args, "-o", "json").stdout)
    assert GOAWAY_SHOWN in text and GOAWAY_SHOWN in report["streams"][0]["cause"], report
    assert GOAWAY_SHOWN in (tmp_path / "junit").read_text()


# ---- header blocks -----------------------------------------------------------------------------


def overlong(fields, size, when):
    """A header block or trailers with that many fields of that size beside what must be there."""
    extra = [(f"x-{n}", "y" * size) for n in range(fields)]

    def behaviour(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id, RESPONSE + extra * (when == "header"))
        elif isinstance(event, h2.events.DataReceived):
            peer.h2.send_data(event.stream_id, PONG * pings(event.data))
        elif isinstance(event, h2.events.StreamEnded):
            peer.h2.send_headers(event.stream_id, [("grpc-status", "0")] + extra * (when == "trailer"), end_stream=True)

    return behaviour


@pytest.mark.parametrize("when", ["header", "trailer"])
@pytest.mark.parametrize("fields, size, limit", [(5, 4000, "bytes is over the limit of 16384"),
                                                 (120, 1, "fields is over the limit of 100")])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_overlong_block_is_told_with_its_limit(started, command, fields, size, limit, when):
    server = started(H2Server(overlong(fields, size, when)))
    if when == "header":
        said = said_by(started, command, server, "block of")
    else:
        done = run(command, server)
        said = done.stdout + done.stderr
    assert f"{when} block of" in said and limit in said, said
