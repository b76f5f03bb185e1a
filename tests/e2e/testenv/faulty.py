"""Plaintext proxies with one fault each, in what they do to single frames: on top of a relay of frames, with header
blocks that a test reads and writes, since no block is allowed a dynamic table."""
import functools
import struct
import time

import hpack

from testenv.frame_relay import CLIENT, SERVER, FrameRelay, Link
from testenv.raw import ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, \
    WINDOW_UPDATE, block, frame, reset

HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS = 1, 3
REFUSED_STREAM, ENHANCE_YOUR_CALM = 7, 11
LATE_S = 4
MOST_HEADERS = 1 << 20  # bytes of a block


class FaultyLink(Link):
    """Each method of a fault gets what a frame is, and returns whether it goes on; it may send something else."""

    connections = 0  # of the proxy so far: a subclass per proxy

    def __init__(self):
        super().__init__()
        type(self).connections += 1
        self.number = type(self).connections
        self.responded = set()  # streams
        self.never = set()  # streams of which the server hears nothing
        self.later = []  # (when, side, data)
        self._block = {}  # side: (flags, payload, frames) of one that has not come to its end

    def take(self, source, kind, flags, number, payload):
        to = SERVER if source == CLIENT else CLIENT
        if not super().take(source, kind, flags, number, payload) or number in self.never:
            return False
        if kind == SETTINGS and not flags & ACK:
            self.send(to, frame(SETTINGS, payload=payload + struct.pack(">HI", HEADER_TABLE_SIZE, 0)
                                + self.settings(source)))
            return False
        if kind in (HEADERS, CONTINUATION):
            return self._take_block(source, to, kind, flags, number, payload)
        if kind == DATA:
            return self.data(source, flags, number, payload)
        if kind == RST_STREAM:
            return self.ended(source, number, struct.unpack(">I", payload)[0])
        if kind == GOAWAY:
            return self.farewell(source)
        if kind == WINDOW_UPDATE:
            return self.credit(source, number, struct.unpack(">I", payload)[0])
        return True

    def _take_block(self, source, to, kind, flags, number, payload):
        first, begun, frames = self._block.pop(source, (flags, b"", b""))
        whole, frames = begun + payload, frames + frame(kind, flags, number, payload)
        if not flags & END_HEADERS:
            self._block[source] = first, whole, frames
        elif self.headers(source, first, number, hpack.Decoder(MOST_HEADERS).decode(whole, raw=True)):
            self.send(to, frames)
        return False

    def tick(self, now):
        for item in [item for item in self.later if item[0] <= now]:
            self.later.remove(item)
            self.send(*item[1:])

    def put_off(self, side, data):
        self.later.append((time.monotonic() + LATE_S, side, data))

    def send_headers(self, side, number, fields, flags=0):
        self.send(side, frame(HEADERS, END_HEADERS | flags, number, block(*fields)))

    # What a fault overrides.

    def settings(self, source):
        return b""

    def headers(self, source, flags, number, fields):
        return True

    def data(self, source, flags, number, payload):
        return True

    def ended(self, source, number, error):
        return True

    def farewell(self, source):
        return True

    def credit(self, source, number, increment):
        return True


def faulty(server, fault, **settings):
    """A proxy before the server with that fault; `settings` are attributes of the fault."""
    kind = type(fault.__name__, (fault,), {"connections": 0, **settings})
    return FrameRelay(server, lambda link, now: link.tick(now), link=functools.partial(kind))


def is_trailers(source, flags, fields):
    return source == SERVER and flags & END_STREAM and any(name == b"grpc-status" for name, _ in fields)


class SwallowsTrailers(FaultyLink):
    def headers(self, source, flags, number, fields):
        if is_trailers(source, flags, fields):
            self.send(CLIENT, frame(DATA, END_STREAM, number))
            return False
        return True


class DropsStatusMessages(FaultyLink):
    def headers(self, source, flags, number, fields):
        if is_trailers(source, flags, fields):
            self.send_headers(CLIENT, number, [f for f in fields if f[0] != b"grpc-message"], END_STREAM)
            return False
        return True


class CountsStreams(FaultyLink):
    """How many streams were open at once, over all connections."""

    links, counted = [], []  # a list of each per proxy: settings of faulty()

    def __init__(self):
        super().__init__()
        self.links.append(self)

    def take(self, source, kind, flags, number, payload):
        goes_on = super().take(source, kind, flags, number, payload)
        self.counted.append(sum(len(link.streams) for link in self.links))
        return goes_on

    def farewell(self, source):
        if source == CLIENT and self in self.links:  # it leaves
            self.links.remove(self)
        return True


class DropsAllButCodes(FaultyLink):
    """A hop that makes statuses anew: of each, its code is left."""

    def headers(self, source, flags, number, fields):
        if is_trailers(source, flags, fields):
            kept = (b":status", b"content-type", b"grpc-status")
            self.send_headers(CLIENT, number, [field for field in fields if field[0] in kept], END_STREAM)
            return False
        return True


class SpoilsBinaryMetadata(FaultyLink):
    """All but what the probes themselves need."""

    def headers(self, source, flags, number, fields):
        spoilt = [(name, b"AAAA" if name.endswith(b"-bin") and name != b"probe-script-bin" else value)
                  for name, value in fields]
        self.send_headers(SERVER if source == CLIENT else CLIENT, number, spoilt, flags & END_STREAM)
        return False


class TurnsResetsIntoStatuses(FaultyLink):
    def ended(self, source, number, error):
        if source == SERVER and error != 0:
            self.send_headers(CLIENT, number, [("grpc-status", "14"), ("grpc-message", "upstream reset")], END_STREAM)
            return False
        return True


class DelaysCancels(FaultyLink):
    def ended(self, source, number, error):
        if source == CLIENT:
            self.put_off(SERVER, reset(number, error))
            return False
        return True


class DropsCancels(FaultyLink):
    def ended(self, source, number, error):
        return source != CLIENT


class DropsDeadlines(FaultyLink):
    def headers(self, source, flags, number, fields):
        if source == CLIENT and any(name == b"grpc-timeout" for name, _ in fields):
            self.send_headers(SERVER, number, [f for f in fields if f[0] != b"grpc-timeout"], flags & END_STREAM)
            return False
        return True


class HoldsHeaders(FaultyLink):
    """Those of one side, until there is a message of that side."""

    side = SERVER

    def __init__(self):
        super().__init__()
        self._held = {}

    def headers(self, source, flags, number, fields):
        if source != self.side or flags & END_STREAM:
            return True
        self._held[number] = fields
        return False

    def data(self, source, flags, number, payload):
        if source == self.side and number in self._held:
            self.send_headers(SERVER if source == CLIENT else CLIENT, number, self._held.pop(number))
        return True

    def ended(self, source, number, error):
        if self.side == CLIENT and self._held.pop(number, None) is not None:
            self.never.add(number)  # there is nothing to end
            return False
        return True


class HidesGoaways(FaultyLink):
    def farewell(self, source):
        return source != SERVER


class EndsAllAtGoaway(FaultyLink):
    def farewell(self, source):
        if source == SERVER:
            for stream in list(self.streams.values()):
                self.reset(stream)
        return True


class StarvesTheQuick(FaultyLink):
    """Reads nothing of the server while one stream is not read."""

    MOST = 32 * 1024

    def __init__(self):
        super().__init__()
        self._unread = {}
        self._stalled = []

    def _is_stalled(self):
        return any(unread > self.MOST for unread in self._unread.values())

    def data(self, source, flags, number, payload):
        if source != SERVER:
            return True
        if self._is_stalled():
            self._stalled.append((number, flags, payload))
            return False
        self._unread[number] = self._unread.get(number, 0) + len(payload)
        return True

    def credit(self, source, number, increment):
        if source == CLIENT and number:
            self._unread[number] = self._unread.get(number, 0) - increment
            while self._stalled and not self._is_stalled():
                stalled, flags, payload = self._stalled.pop(0)
                self._unread[stalled] = self._unread.get(stalled, 0) + len(payload)
                self.send(CLIENT, frame(DATA, flags, stalled, payload))
        return True


class BuffersWithoutBound(FaultyLink):
    """Gives the server credit for all it sends, and keeps what the client does not read."""

    def __init__(self):
        super().__init__()
        self._room = {}
        self._kept = {}

    def data(self, source, flags, number, payload):
        if source != SERVER:
            return True
        if payload:
            credit = struct.pack(">I", len(payload))
            self.send(SERVER, frame(WINDOW_UPDATE, stream=number, payload=credit)
                      + frame(WINDOW_UPDATE, payload=credit))
        self._kept.setdefault(number, []).append((flags, payload))
        self._give(number)
        return False

    def _give(self, number):
        kept = self._kept.get(number, [])
        while kept and len(kept[0][1]) <= self._room.setdefault(number, 65535):
            flags, payload = kept.pop(0)
            self._room[number] -= len(payload)
            self.send(CLIENT, frame(DATA, flags, number, payload))

    def headers(self, source, flags, number, fields):
        return True

    def credit(self, source, number, increment):
        if source != CLIENT:
            return True
        if number:
            self._room[number] = self._room.get(number, 65535) + increment
            self._give(number)
        return False


class AnnouncesStreams(FaultyLink):
    streams_allowed = 20

    def settings(self, source):
        return struct.pack(">HI", MAX_CONCURRENT_STREAMS, self.streams_allowed) if source == SERVER else b""


class RefusesStreams(FaultyLink):
    """Unannounced; `later` streams on the connections behind the fourth: those before it ask who is there, and from
    where a stream comes."""

    streams_allowed = 10
    later_allowed = 10

    def headers(self, source, flags, number, fields):
        allowed = self.streams_allowed if self.number <= 4 else self.later_allowed
        if source == CLIENT and len(self.streams) > allowed:
            self.send(CLIENT, reset(number, REFUSED_STREAM))
            self.never.add(number)
            self._ended(number)
            return False
        return True


class QueuesStreams(FaultyLink):
    """For ever: as the pool of a proxy whose server takes no more, and never frees any."""

    streams_allowed = 10

    def headers(self, source, flags, number, fields):
        if source == CLIENT and len(self.streams) > self.streams_allowed:
            self.never.add(number)
            return False
        return True


class LimitsMessages(FaultyLink):
    """Ends a stream when so many bytes went one way: with a status for the client's, with a reset for the server's."""

    side = CLIENT
    most = 100_000

    def __init__(self):
        super().__init__()
        self._passed = {}

    def data(self, source, flags, number, payload):
        if source != self.side or number not in self.streams:
            return True
        self._passed[number] = self._passed.get(number, 0) + len(payload)
        if self._passed[number] <= self.most:
            return True
        self._end(number)
        return False

    def _end(self, number):
        if self.side == SERVER:
            self.send(CLIENT, reset(number, ENHANCE_YOUR_CALM))
        else:
            begin = [] if number in self.responded else [(":status", "200"), ("content-type", "application/grpc")]
            self.send_headers(CLIENT, number, [*begin, ("grpc-status", "8"), ("grpc-message", "too large")], END_STREAM)
        self.reset(self.streams[number], sides=(SERVER,), error=ENHANCE_YOUR_CALM)

    def headers(self, source, flags, number, fields):
        if source == SERVER:
            self.responded.add(number)
        return True


class LimitsMetadata(FaultyLink):
    """Bytes of names and values, or fields, of a block that does not end its stream."""

    side = CLIENT
    most_bytes = 1 << 20
    most_fields = 1 << 20

    def headers(self, source, flags, number, fields):
        if source != self.side or flags & END_STREAM:
            return True
        size = sum(len(name) + len(value) for name, value in fields)
        if size <= self.most_bytes and len(fields) <= self.most_fields:
            return True
        self.send_headers(CLIENT, number, [(":status", "431" if source == CLIENT else "502")], END_STREAM)
        if source == CLIENT:
            self.never.add(number)
            self._ended(number)
        else:
            self.reset(self.streams[number], sides=(SERVER,), error=2)
        return False


class DropsMetadata(FaultyLink):
    """The client's fields that are larger than that, and hands on the others."""

    most_bytes = 1 << 20

    def headers(self, source, flags, number, fields):
        kept = [(name, value) for name, value in fields if len(name) + len(value) <= self.most_bytes]
        if source != CLIENT or len(kept) == len(fields):
            return True
        self.send_headers(SERVER, number, kept, flags & END_STREAM)
        return False
