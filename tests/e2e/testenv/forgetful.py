"""A relay of bytes that forgets, or cuts, connections, as firewalls and address translation do."""
import asyncio
import threading
import time

TICK_S = 0.02
UP, DOWN = "up", "down"


class Forgetful:
    """Hands bytes on, and drops those for which `drops(way, age, silence)` is true: a connection once, for ever. After
    `cuts_s` seconds without any it closes a connection."""

    def __init__(self, server, drops=lambda way, age, silence: False, cuts_s=None):
        self._server = server
        self._drops = drops
        self._cuts_s = cuts_s
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the relay did not start"

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self):
        self._stop = asyncio.Event()
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        listener.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        host, port = self._server.address.rsplit(":", 1)
        upstream, up_writer = await asyncio.open_connection(host, int(port))
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
