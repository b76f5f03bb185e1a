"""How a stream ends when all its pings were answered: what each agent would see as a failure fails each check, too."""
import json
import socket

import h2.errors
import h2.events
import pytest

from testenv.grpcroute import grpcroute
from testenv.h2_server import PONG, RESPONSE, H2Server, pings


def ending(end, headers=()):
    """Answers every ping, and ends with `end(peer, stream)` once the client has half-closed; `headers` go with the
    response's."""
    def behaviour(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id, [*RESPONSE, *headers])
        elif isinstance(event, h2.events.DataReceived):
            peer.h2.send_data(event.stream_id, PONG * pings(event.data))
        elif isinstance(event, h2.events.StreamEnded):
            end(peer, event.stream_id)

    return behaviour


ENDINGS = {
    "no-trailers": (lambda peer, stream: peer.h2.send_data(stream, b"", end_stream=True), "ended without trailers"),
    "no-grpc-status": (lambda peer, stream: peer.h2.send_headers(stream, [("x", "y")], end_stream=True),
                       "carry no grpc-status"),
    "reset": (lambda peer, stream: peer.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR), "INTERNAL_ERROR"),
    "connection-lost": (lambda peer, stream: peer.sock.shutdown(socket.SHUT_RDWR), "connection"),
    "reset-without-error": (lambda peer, stream: peer.h2.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR),
                            "NO_ERROR"),
    "inside-a-message": (lambda peer, stream: (peer.h2.send_data(stream, PONG[:-2]), peer.trailers(stream, 0)),
                         "ended inside a message"),
    "no-number": (lambda peer, stream: peer.h2.send_headers(stream, [("grpc-status", "zero")], end_stream=True),
                  "UNKNOWN"),
    "twice": (lambda peer, stream: peer.h2.send_headers(stream, [("grpc-status", "0"), ("grpc-status", "13")],
                                                        end_stream=True),
              "grpc-status is given 2 times"),
    "not-ok": (lambda peer, stream: peer.trailers(stream, 2, "EOF"), "UNKNOWN: EOF"),
}
COMMANDS = {"verify": ["--versions", "v1.1", "-s", "2", "--timeout", "8s"], "sticky-test": ["--messages", "3"],
            "bench": ["--versions", "v1.1", "-c", "2", "-r", "0", "-z", "300ms", "--warmup", "0"],
            "failover-test": ["--fault", "true", "--versions", "v1.1", "--agents", "2", "--settle", "100ms"],
            "agent": ["--version", "v1.1", "-n", "1", "--id", "a", "--interval", "50ms"]}


def run(command, server):
    return grpcroute(command, "--target", server.address, "--plaintext", *COMMANDS[command])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ENDINGS)
def test_a_stream_that_ends_without_an_ok_fails(started, command, name):
    end, cause = ENDINGS[name]
    done = run(command, started(H2Server(ending(end))))
    assert done.returncode == 1 and cause in done.stdout + done.stderr, done
    assert "passed" not in done.stdout and "works correctly" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_an_ok_at_the_end_passes(started, command):
    done = run(command, started(H2Server(ending(lambda peer, stream: peer.trailers(stream, 0)))))
    assert done.returncode == 0, done


CONFLICTS = {("0", 13): "grpc-status is OK in the response headers and INTERNAL in the trailers",
             ("13", 0): "grpc-status is INTERNAL in the response headers and OK in the trailers",
             ("none", 0): "grpc-status is UNKNOWN in the response headers and OK in the trailers"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("first, last", CONFLICTS)
def test_a_status_in_the_headers_that_the_trailers_contradict_fails(started, command, first, last):
    server = started(H2Server(ending(lambda peer, stream: peer.trailers(stream, last), [("grpc-status", first)])))
    done = run(command, server)
    assert done.returncode == 1 and CONFLICTS[first, last] in done.stdout + done.stderr, done
    assert "passed" not in done.stdout and "works correctly" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_status_in_the_headers_that_the_trailers_repeat_passes(started, command):
    done = run(command, started(H2Server(ending(lambda peer, stream: peer.trailers(stream, 0),
                                                [("grpc-status", "0")]))))
    assert done.returncode == 0, done


@pytest.mark.parametrize("command", ["verify", "sticky-test"])
def test_a_conflict_before_the_first_answer_is_a_fault_not_a_rejection(started, command):
    def refuses(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id, [*RESPONSE, ("grpc-status", "0")])
            peer.trailers(event.stream_id, 12)

    done = run(command, started(H2Server(refuses)))
    assert done.returncode == 1 and "ended with a status that contradicts itself" in done.stdout, done
    assert "no route" not in done.stdout and "rejected" not in done.stdout, done


def test_failover_test_tells_what_it_could_not_see(started):
    done = run("failover-test", started(H2Server(ending(lambda peer, stream: None))))
    assert done.returncode == 0 and "2 streams were not ended by their server" in done.stdout, done


def test_failover_test_names_the_end_in_every_report(started, tmp_path):
    server = started(H2Server(ending(ENDINGS["no-trailers"][0])))
    done = grpcroute("failover-test", "--target", server.address, "--plaintext", *COMMANDS["failover-test"], "-o",
                     "json", "--junit-file", tmp_path / "junit")
    streams = json.loads(done.stdout)["streams"]
    assert [s["end"] for s in streams] == ["bad"] * 2 and "ended without trailers" in streams[0]["end_cause"]
    assert 'type="end"' in (tmp_path / "junit").read_text() and \
        "ended without trailers" in (tmp_path / "junit").read_text()


def test_a_stream_that_the_server_does_not_end_is_told_as_not_checked(started):
    done = run("verify", started(H2Server(ending(lambda peer, stream: None))))
    assert done.returncode == 0 and "end of stream: server did not end it after the last message" in done.stdout, done
