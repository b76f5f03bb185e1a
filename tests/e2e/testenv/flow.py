"""A raw client that keeps count: the other side's windows, which of its streams were answered, and which are over."""
import struct
import time

from testenv import raw
from testenv.raw import ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame

INITIAL_WINDOW_SIZE = 4


class Flow:
    """Sends what `peer` may be sent, no more: open() streams, queue() bytes, pump()."""

    def __init__(self, peer):
        self.peer = peer
        self.answered = set()  # streams with DATA
        self.over = set()  # streams that the other side ended
        self._goaway = False
        self._connection = self._initial = 65535
        self._windows = {}
        self._queued = {}
        self._seen = 0
        self._next = 1
        self.poll()

    @property
    def gone(self):
        return self.peer.closed or self._goaway

    def close(self):
        self.peer.close()

    def take(self, count=1):
        """The next stream identifiers."""
        first = self._next
        self._next += 2 * count
        return range(first, self._next, 2)

    def poll(self):
        """Looks at what came since."""
        frames = self.peer.frames[self._seen:]
        self._seen += len(frames)
        for f in frames:
            if f.type == SETTINGS and not f.flags & ACK:
                self._learn(f.payload)
            elif f.type == WINDOW_UPDATE:
                self._credit(f.stream, int.from_bytes(f.payload, "big"))
            elif f.type == DATA and f.payload:
                self.answered.add(f.stream)
            elif f.type == GOAWAY:
                self._goaway = True
            if f.type == RST_STREAM or f.type in (DATA, HEADERS) and f.flags & END_STREAM:
                self.over.add(f.stream)

    def _learn(self, payload):
        for name, value in struct.iter_unpack(">HI", payload):
            if name == INITIAL_WINDOW_SIZE:
                for stream in self._windows:
                    self._windows[stream] += value - self._initial
                self._initial = value

    def _credit(self, stream, increment):
        if stream == 0:
            self._connection += increment
        elif stream in self._windows:
            self._windows[stream] += increment

    def send(self, data):
        """All of it, as it is, whatever the windows say."""
        self.peer.exchange(data)
        self.poll()

    def wait(self, until, deadline_s):
        """Reads until the condition, the end of the connection or the deadline; returns whether the condition holds."""
        def looked():
            self.poll()
            return until()
        return self.peer.exchange(until=looked, deadline_s=deadline_s)

    def wait_over(self, streams, deadline_s):
        return self.wait(lambda: self.over.issuperset(streams), deadline_s)

    def wait_answered(self, streams, deadline_s):
        return self.wait(lambda: self.answered.issuperset(streams), deadline_s)

    def open(self, block, flags=0):
        """Opens a stream with this header block; returns its identifier."""
        stream, = self.take()
        self._windows[stream] = self._initial
        self.send(frame(HEADERS, END_HEADERS | flags, stream, block))
        return stream

    def queue(self, stream, data):
        self._queued[stream] = self._queued.get(stream, b"") + data

    def pump(self, quiet_s, deadline_s):
        """Sends what was queued as the windows allow, until all is sent, nothing was allowed for `quiet_s`, or the
        deadline. Returns how many bytes are left."""
        def allowed():
            self.poll()
            return any(self._room(stream) > 0 for stream in self._queued)

        end = time.monotonic() + deadline_s
        while any(self._queued.values()) and time.monotonic() < end and self.wait(allowed, quiet_s):
            for stream in self._queued:
                self._send_some(stream)
        return sum(map(len, self._queued.values()))

    def _room(self, stream):
        return min(len(self._queued[stream]), self._windows[stream], self._connection, 16384)

    def _send_some(self, stream):
        room = self._room(stream)
        if room > 0:
            data, self._queued[stream] = self._queued[stream][:room], self._queued[stream][room:]
            self._windows[stream] -= room
            self._connection -= room
            self.send(frame(DATA, 0, stream, data))


def connect(port, cacert, settings=()):
    return Flow(raw.client(port, cacert, settings=settings))
