"""A plaintext relay that understands frames and does to streams and connections what a fault says: a proxy with one
limit, and nothing else. Header blocks go through as they are."""
import asyncio
import struct
import time

from testenv.raw import ACK, DATA, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, frame, reset
from testenv.relay import Relay

TICK_S = 0.02
CLIENT, SERVER = "client", "server"


class Stream:
    def __init__(self, number, now):
        self.number = number
        self.opened = now
        self.heard = {CLIENT: now, SERVER: now}  # the last DATA of each
        self.half_closed = None


class Link:
    """One connection of a client, and its own to the server. `streams` are those that live, `pings` the times of the
    client's PINGs."""

    def __init__(self):
        self.opened = time.monotonic()
        self.idle_since = self.opened
        self.streams = {}
        self.pings = []
        self.writers = {}
        self._cut = set()  # streams that were reset here
        self.deaf = set()  # sides that were closed here, or are told nothing any more

    def send(self, side, data):
        writer = self.writers[side]
        if not writer.is_closing():
            writer.write(data)

    def reset(self, stream, sides=(CLIENT, SERVER), error=2):
        """RST_STREAM to the sides; what comes of the stream from then on goes nowhere."""
        for side in sides:
            self.send(side, reset(stream.number, error))
        self._cut.add(stream.number)
        self._ended(stream.number)

    def goaway(self, error=0, text=b""):
        self.send(CLIENT, frame(GOAWAY, payload=struct.pack(">II", 0x7fffffff, error) + text))

    def close(self, *sides):
        for side in sides or (CLIENT, SERVER):
            self.deaf.add(side)
            self.writers[side].close()

    def _ended(self, number):
        self.streams.pop(number, None)
        if not self.streams:
            self.idle_since = time.monotonic()

    def take(self, source, kind, flags, number, payload):
        """Notes a frame; returns whether it goes on."""
        now = time.monotonic()
        if kind == PING and source == CLIENT and not flags & ACK:
            self.pings.append(now)
        if number in self._cut:
            return kind != DATA
        if source == CLIENT and kind == HEADERS:
            self.streams.setdefault(number, Stream(number, now))
        if number in self.streams:
            self._note(self.streams[number], source, kind, flags, payload, now)
        return True

    def _note(self, stream, source, kind, flags, payload, now):
        if kind == DATA and payload:
            stream.heard[source] = now
        ends = kind in (DATA, HEADERS) and flags & END_STREAM
        if kind == RST_STREAM or ends and source == SERVER:
            self._ended(stream.number)
        elif ends:
            stream.half_closed = now


class FrameRelay(Relay):
    """`fault(link, now)` is called every 20 ms for each connection, and may reset streams, say GOAWAY, close. `link`
    makes what each connection is."""

    def __init__(self, server, fault, link=Link):
        self._fault = fault
        self._link = link
        self.connections = 0
        self.open = 0  # of them, now and at most
        self.most_open = 0
        super().__init__(server.address)

    async def _serve(self, reader, writer):
        link = self._link()
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        upstream, up_writer = await self._dial()
        link.writers = {CLIENT: writer, SERVER: up_writer}
        ticker = asyncio.ensure_future(self._tick(link))
        try:
            up_writer.write(await reader.readexactly(len(PREFACE)))
            await asyncio.gather(self._pump(link, CLIENT, reader), self._pump(link, SERVER, upstream))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            ticker.cancel()
            self.open -= 1
            writer.close()
            up_writer.close()

    async def _tick(self, link):
        while True:
            await asyncio.sleep(TICK_S)
            self._fault(link, time.monotonic())

    async def _pump(self, link, source, reader):
        """Frames of one side to the other, until its end, which ends both but where the other is to be left alone."""
        to = SERVER if source == CLIENT else CLIENT
        try:
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, number = struct.unpack(">BBI", head[3:])
                if link.take(source, kind, flags, number, payload) and to not in link.deaf:
                    link.send(to, head + payload)
        except (OSError, asyncio.IncompleteReadError):
            if not link.deaf:
                link.writers[to].close()
