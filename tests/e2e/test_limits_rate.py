"""`grpcroute limits` takes no more than 10 MB/s, whatever the path held back for it."""
import asyncio
import re
import time

from testenv.grpcroute import Server
from testenv.limits import limits
from testenv.proxies import REAL_PROXIES
from testenv.relay import Relay
from testenv.slow import slow

WINDOW_S = 0.5
MOST = 10_000_000 * WINDOW_S


class Meter(Relay):
    """Hands bytes on, and counts those to the client in each window of time."""

    def __init__(self, server):
        self.windows = {}
        super().__init__(server)

    async def _serve(self, reader, writer):
        upstream, up_writer = await self._dial()

        async def pump(source, sink, counts):
            while data := await source.read(65536):
                if counts:
                    window = int(time.monotonic() / WINDOW_S)
                    self.windows[window] = self.windows.get(window, 0) + len(data)
                sink.write(data)
                await sink.drain()
        try:
            await asyncio.gather(pump(reader, up_writer, False), pump(upstream, writer, True))
        except OSError:
            pass
        finally:
            writer.close()
            up_writer.close()


def holds_much(text):
    changed = re.sub(r"initial_stream_window_size: \d+", "initial_stream_window_size: 67108864", text)
    assert changed != text
    return changed


@slow
def test_what_a_path_held_for_a_slow_reader_is_not_read_at_once(started, certs, tmp_path):
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES["envoy"](certs, tmp_path, [backend], [backend], "--no-health-checks",
                                          change=holds_much))
    meter = started(Meter(proxy.target))
    found = limits(f"localhost:{meter.port}", shapes=["buffered", "slow_reader"], cacert=certs / "ca.pem", within="3s")
    held = found["buffered"]
    assert held["state"] == "none_within" or held["value_bytes"] > MOST, held  # else this shows nothing
    assert meter.windows and max(meter.windows.values()) < MOST, meter.windows
