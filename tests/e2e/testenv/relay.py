"""What hands on the bytes of connections, on a thread of its own."""
import asyncio
import threading


class Relay:
    """Listens on 127.0.0.1 and has `_serve(reader, writer)` for each connection, until it is closed. `server` is the
    HOST:PORT to which it hands on."""

    def __init__(self, server):
        self._server = server.rsplit(":", 1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the relay did not start"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _dial(self):
        return await asyncio.open_connection(*self._server)

    async def _main(self):
        self._stop = asyncio.Event()
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        listener.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
