"""`grpcroute limits`: what arrives of what was sent. Straight to the server all of it does; before each fake proxy that
does one bad thing, that one is told, and the rest still holds."""
import contextlib
import threading

import h2.events
import pytest

from testenv import faulty
from testenv.grpcroute import Server
from testenv.h2_server import H2Server
from testenv.limits import limits
from testenv.probing import Prober, drained, generate
from testenv.proxies import REAL_PROXIES
from testenv.slow import slow

FACTS = ["headers_first", "status", "trailers_only", "status_message", "binary_metadata", "reset_from_server",
         "reset_from_client", "cancel", "deadline", "goaway", "grace"]


def test_straight_to_the_server_every_fact_holds(started):
    server = started(Server())
    for shape, finding in limits(server.address, shapes=FACTS).items():
        assert finding["state"] == "found" and finding["holds"], (shape, finding)
        assert len(finding["samples"]) == 2, finding


# fault, the shapes that show it, what is said of the first, shapes that still hold
FAULTS = [
    (faulty.SwallowsTrailers, ["status", "status_message", "grace"],
     "0 of 17 arrive as sent; OK, CANCELLED, UNKNOWN and 14 more as INTERNAL: response ended without trailers",
     ["headers_first", "reset_from_server", "cancel", "goaway"]),
    (faulty.DropsStatusMessages, ["status_message"], "0 of 5 arrive as sent; ASCII, UTF-8, percent signs and 2 more "
                                                     "as nothing", ["status", "trailers_only", "reset_from_server"]),
    (faulty.SpoilsBinaryMetadata, ["binary_metadata"],
     "0 of 3 arrive as sent; request metadata, response metadata, trailers as 0 of 4 fields", ["status", "deadline"]),
    (faulty.TurnsResetsIntoStatuses, ["reset_from_server"],
     "1 of 14 arrive as sent; PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR and 10 more as UNAVAILABLE",
     ["status", "reset_from_client"]),
    pytest.param(faulty.DelaysCancels, ["cancel"], "the same, ", ["status", "deadline", "goaway"], marks=slow),
    pytest.param(faulty.DropsCancels, ["cancel", "reset_from_client"], "nothing: the server's stream is still open",
                 ["status", "deadline"], marks=slow),
    (faulty.DropsDeadlines, ["deadline"], "the server does not know of it", ["status", "cancel"]),
    (faulty.HidesGoaways, ["goaway"], "the client hears nothing of the server's GOAWAY", ["grace", "status"]),
    (faulty.EndsAllAtGoaway, ["grace"], "after the GOAWAY, with a grace of 2.00s: stream reset with INTERNAL_ERROR",
     ["status", "cancel"]),
]


@pytest.mark.parametrize("fault, broken, said, whole", FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_what_a_proxy_does_not_hand_on_is_told(started, fault, broken, said, whole):
    server = started(Server())
    proxy = started(faulty.faulty(server, fault))
    found = limits(proxy.address, shapes=[*broken, *whole])
    for shape in broken:
        assert found[shape]["state"] == "found" and not found[shape]["holds"], found[shape]
    assert said in found[broken[0]]["look"], found[broken[0]]
    for shape in whole:
        assert found[shape]["state"] == "found" and found[shape]["holds"], (shape, found[shape])


# ---- servers that cannot be asked ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("probe"))


@contextlib.contextmanager
def without_goaways(server, modules):
    """Others use up all GOAWAYs that the server sends for its clients."""
    spent, stop = threading.Event(), threading.Event()

    def spend():
        while not stop.is_set():
            with contextlib.closing(Prober(*modules, server.address)) as prober:
                call = prober.run(end_after_ms=1, goaway=True, grace_ms=1)
                drained(call)
                if "probe service is busy" in (call.details() or ""):
                    spent.set()

    thread = threading.Thread(target=spend)
    thread.start()
    try:
        assert spent.wait(60)
        yield
    finally:
        stop.set()
        thread.join(30)


@pytest.mark.parametrize("fault", [faulty.FaultyLink, faulty.DropsStatusMessages, faulty.DropsAllButCodes],
                         ids=lambda fault: fault.__name__)
def test_a_probe_service_that_others_keep_busy_is_not_told_as_the_path(started, modules, fault):
    server = started(Server())
    proxy = started(faulty.faulty(server, fault))
    with without_goaways(server, modules):
        found = limits(proxy.address, shapes=["goaway", "grace"], code=None)
    busy = [one for one in found.values() if one["state"] == "not_measured"]
    assert busy and all(one["state"] == "not_measured" or one["holds"] for one in found.values()), found
    for one in busy:
        assert "refused by the server itself: probe service is busy: " in one["why"], one
        assert "all who measure through it share what it does" in one["why"], one


def test_a_backend_that_is_gone_is_told_by_what_was_seen(started):
    def gone(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.h2.send_headers(event.stream_id, [(":status", "502"), ("content-type", "text/html")], end_stream=True)

    server = started(H2Server(gone))
    found = limits(server.address, shapes=["idle", "status"], code=4)
    for one in found.values():
        assert one["state"] == "not_measured" and "502" in one["why"], one
        assert "needs grpcroute server" not in one["why"], one


# ---- headers that wait -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side, said, ended_by", [
    ("server", "they come with a message, and the server had seen the stream before", "client_hop"),
    ("client", "they come with a message, and until then the server does not see the stream", "server_hop")])
def test_headers_that_wait_for_a_message_are_told(started, side, said, ended_by):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.HoldsHeaders, side=side))
    found = limits(proxy.address, shapes=["headers_first"])["headers_first"]
    assert found["state"] == "found" and not found["holds"], found
    assert said in found["look"] and found["ended_by"] == ended_by, found


def test_a_path_that_changes_between_the_samples_is_unsteady(started):
    server = started(Server())

    class Changes(faulty.DropsStatusMessages):
        """On one of its connections alone, behind those that ask who is there, and from where a stream comes."""

        def headers(self, source, flags, number, fields):
            return super().headers(source, flags, number, fields) if self.number == 4 else True

    proxy = started(faulty.faulty(server, Changes))
    found = limits(proxy.address, shapes=["status_message"])["status_message"]
    assert found["state"] == "unsteady" and "5 of 5" in found["why"] and "0 of 5" in found["why"], found


# What today's proxies do; more in docs.
REAL = [
    ("nginx", "headers_first", False, "the server had seen the stream before"),
    ("envoy", "headers_first", True, "before any message"),
    ("haproxy", "headers_first", True, "before any message"),
    ("traefik", "headers_first", True, "before any message"),
    ("envoy", "goaway", False, "hears nothing"),
    ("haproxy", "grace", True, "lives on"),
    ("nginx", "cancel", True, "the end of the server's connection"),
    ("traefik", "cancel", True, "the server sees CANCEL"),
]


@pytest.mark.parametrize("name", sorted({row[0] for row in REAL}))
def test_real_proxies_are_told_as_they_are(started, certs, tmp_path, name):
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES[name](certs, tmp_path, [backend], [backend], "--no-health-checks"))
    rows = [row for row in REAL if row[0] == name]
    found = limits(proxy.target, cacert=certs / "ca.pem",
                   shapes=["status", "status_message", "binary_metadata", *(row[1] for row in rows)])
    for _, shape, holds, said in rows:
        assert found[shape]["state"] == "found" and found[shape]["holds"] == holds, found[shape]
        assert said in found[shape]["look"], found[shape]
    for shape in ("status", "status_message", "binary_metadata"):
        assert found[shape]["holds"], found[shape]
