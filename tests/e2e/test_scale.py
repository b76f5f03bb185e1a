"""Many connections through one proxy: memory per stream does not grow with their number, a whole fleet that comes back
at once is served, and a ping beside quiet streams costs what it costs alone. `make bench-scale` is the full size."""
import contextlib
import sys

import pytest

from testenv.grpcroute import ROOT, Server
from testenv.h2_server import PONG, H2Server
from testenv.sanitizers import is_sanitized
from testenv.slow import SLOW, slow

sys.path.insert(0, str(ROOT / "tests/bench"))

import scale  # noqa: E402

CONNECTIONS = 15000 if SLOW else 1000
SHARED = (200, 100) if SLOW else (50, 100)
CONNECTION_CPU_S = 10 / 15000  # of the proxy, with a call
MOST_GROWTH = scale.MOST_GROWTH if SLOW else 3 * scale.MOST_GROWTH  # little memory has few pages
MOST_GROWTH_SHARED = scale.MOST_GROWTH_SHARED


@pytest.fixture
def site(certs):
    scale.allow_files(CONNECTIONS)
    with scale.Site(certs) as site:
        yield site


@pytest.fixture
def plain_figures(started):
    """Sanitizers cost memory and CPU of their own."""
    if is_sanitized(started(Server("v1", "asked"))):
        pytest.skip("a sanitizer's figures")


@pytest.mark.timeout(200)
@pytest.mark.parametrize("sizes, streams, growth", [
    ((CONNECTIONS // 5, CONNECTIONS), 1, MOST_GROWTH),
    ((SHARED[0] // 4, SHARED[0]), SHARED[1], MOST_GROWTH_SHARED),
])
def test_memory_per_stream_does_not_grow_with_their_number(plain_figures, site, sizes, streams, growth):
    few, many = scale.memory_per_stream(site, sizes, streams).values()
    assert many <= few * (1 + growth), f"{few:.2f} kB per stream, and {many:.2f} with more of them"


@pytest.mark.timeout(200)
def test_a_fleet_that_comes_back_at_once_is_served(site):
    """All dial in the same moment, and none tries twice."""
    told = scale.comeback(site, CONNECTIONS)
    if not is_sanitized(site.proxy):
        assert told["proxy_cpu_s"] < CONNECTION_CPU_S * CONNECTIONS, told


@slow
@pytest.mark.timeout(400)
def test_a_ping_costs_the_same_beside_quiet_streams(plain_figures, certs):
    """Whatever looked at all of them for each ping would cost more than a ping itself."""
    scale.allow_files(CONNECTIONS)
    pings = scale.PINGS
    alone = scale.ping_instructions(certs, 1, 1, pings)
    for connections, streams in [(CONNECTIONS, 1), SHARED]:
        beside = scale.ping_instructions(certs, connections, streams, pings)
        assert beside < alone * (1 + scale.MOST_DEARER), f"{alone:.0f}, {beside:.0f} beside {connections}x{streams}"


@pytest.mark.timeout(200)
def test_a_quiet_connection_costs_next_to_nothing(plain_figures, site):
    with site.fleet(CONNECTIONS) as quiet:
        quiet.open()
        assert scale.idle_us(site, CONNECTIONS) < 10 * scale.MOST_IDLE_US


@pytest.mark.parametrize("cut", [1, 4, 5])
@pytest.mark.parametrize("streams", [1, 3])
def test_the_fleet_counts_pongs_that_come_in_pieces(started, streams, cut):
    """The first one of a connection does, as a proxy cuts where its buffer ends."""
    def behaviour(peer, event):
        if type(event).__name__ != "DataReceived":
            return
        peer.respond(event.stream_id)
        pieces = [PONG[:cut], PONG[cut:]] if event.stream_id == 1 else [PONG]
        for piece in pieces:
            peer.h2.send_data(event.stream_id, piece)

    server = started(H2Server(behaviour))
    with contextlib.closing(scale.Fleet(server.port, "-", 2, streams)) as fleet:
        assert fleet.open()["pongs"] == 2 * streams
