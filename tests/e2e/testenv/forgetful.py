"""A relay of bytes that forgets, or cuts, connections, as firewalls and address translation do."""
import asyncio
import time

from testenv.relay import Relay

TICK_S = 0.02
UP, DOWN = "up", "down"


class Forgetful(Relay):
    """Hands bytes on, and drops those for which `drops(way, age, silence)` is true: a connection once, for ever. After
    `cuts_s` seconds without any it closes a connection."""

    def __init__(self, server, drops=lambda way, age, silence: False, cuts_s=None):
        self._drops = drops
        self._cuts_s = cuts_s
        super().__init__(server.address)

    async def _serve(self, reader, writer):
        upstream, up_writer = await self._dial()
        opened = heard = time.monotonic()
        dropped = set()

        async def pump(way, source, sink):
            nonlocal heard
            while data := await source.read(65536):
                now = time.monotonic()
                if way in dropped or self._drops(way, now - opened, now - heard):
                    dropped.add(way)
                    continue
                heard = now
                sink.write(data)

        async def watch():
            while self._cuts_s is None or time.monotonic() < heard + self._cuts_s:
                await asyncio.sleep(TICK_S)
            up_writer.close()
            writer.close()
        watcher = asyncio.ensure_future(watch())
        try:
            await asyncio.gather(pump(UP, reader, up_writer), pump(DOWN, upstream, writer))
        except OSError:
            pass
        finally:
            watcher.cancel()
            writer.close()
            up_writer.close()
