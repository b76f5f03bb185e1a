"""An HTTP/2 peer that says whatever a test writes: frames made by hand, with no state machine that refuses the bad ones."""
import collections
import contextlib
import select
import socket
import ssl
import struct
import threading
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
ERRORS = ("NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR "
          "REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM").split()
PING_PONG = "/ping.PingService/PingPong"

Frame = collections.namedtuple("Frame", "type flags stream payload fields")
Goaway = collections.namedtuple("Goaway", "error last_stream text")


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """A frame; `length` may lie."""
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def number(prefix_bits, value, first=0):
    """HPACK's integer (RFC 7541 section 5.1)."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([first | value])
    data = bytearray([first | limit])
    value -= limit
    while value >= 128:
        data.append(value % 128 | 128)
        value //= 128
    return bytes(data) + bytes([value])


def literal(name, value, first=0x00):
    """A field as a literal; `first` 0x40 puts it into the dynamic table."""
    data = bytes([first])
    for text in (name, value):
        raw = text if isinstance(text, bytes) else text.encode()
        data += number(7, len(raw)) + raw
    return data


def block(*pairs):
    return b"".join(literal(name, value) for name, value in pairs)


def request(version="v1.1", path=PING_PONG, extra=()):
    """The header block of a ping stream."""
    return block((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
                 ("te", "trailers"), ("content-type", "application/grpc"), ("agent-id", "attacker"),
                 ("agent-version", version), *extra)


def setting(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window_update(increment, stream=0):
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", increment))


def reset(stream, error=8):
    return frame(RST_STREAM, stream=stream, payload=struct.pack(">I", error))


def message(payload=b"\x0a\x04ping"):
    """gRPC's length-prefixed message."""
    return b"\0" + struct.pack(">I", len(payload)) + payload


class Peer:
    """One connection. All traffic happens inside exchange(), which reads while it writes."""

    def __init__(self, sock):
        sock.setblocking(False)
        self.sock = sock
        self.frames = []
        self.closed = False
        self._input = b""
        self._decoder = hpack.Decoder()
        self._preface_left = 0

    def exchange(self, data=b"", until=None, deadline_s=10, read=True):
        """Sends `data` and reads, until `until()` (without it: until all is sent), the end of the connection or the
        deadline. Returns whether it got there."""
        left = memoryview(data)
        end = time.monotonic() + deadline_s
        while not self.closed:
            left = left[self._write(left):]
            if read:
                self._read()
            if until() if until else not left:
                return True
            wait_s = end - time.monotonic()
            if wait_s <= 0:
                return False
            select.select([self.sock] if read else [], [self.sock] if left else [], [], min(wait_s, 0.2))
        return bool(until and until())

    def _write(self, data):
        try:
            return self.sock.send(data[:65536]) if data else 0
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except OSError:
            return len(data)  # what came before the end is still to be read

    def _read(self):
        try:
            while data := self.sock.recv(65536):
                self._input += data
                self._parse()
            self.closed = True
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.closed = True

    def expect_preface(self):
        self._preface_left = len(PREFACE)
        return self

    def _parse(self):
        skip = min(self._preface_left, len(self._input))
        self._preface_left -= skip
        self._input = self._input[skip:]
        while not self._preface_left and len(self._input) >= 9:
            length = int.from_bytes(self._input[:3], "big")
            if len(self._input) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self._input[3:9])
            payload = self._input[9:9 + length]
            self._input = self._input[9 + length:]
            fields = self._decode(payload) if kind == HEADERS and flags & END_HEADERS else {}
            self.frames.append(Frame(kind, flags, stream, payload, fields))

    def _decode(self, payload):
        return {name.decode(): value.decode("latin-1") for name, value in self._decoder.decode(payload, raw=True)}

    def find(self, kind, stream=None, flags=0):
        return [f for f in self.frames if f.type == kind and f.flags & flags == flags
                and stream in (None, f.stream)]

    def goaway(self):
        """The last GOAWAY, or None."""
        for f in reversed(self.find(GOAWAY)):
            last, error = struct.unpack(">II", f.payload[:8])
            return Goaway(ERRORS[error], last, f.payload[8:].decode("latin-1"))
        return None

    def reset_of(self, stream):
        """The name of the error with which the other side reset the stream, or None."""
        for f in self.find(RST_STREAM, stream):
            error = int.from_bytes(f.payload, "big")
            return ERRORS[error] if error < len(ERRORS) else str(error)
        return None

    def status_of(self, stream):
        """grpc-status of the stream as text, or None."""
        for f in self.find(HEADERS, stream):
            if "grpc-status" in f.fields:
                return f.fields["grpc-status"]
        return None

    def close(self):
        self.sock.close()


def connect(port, cacert=None, deadline_s=10):
    """A plain connection, or with `cacert` TLS with ALPN h2."""
    sock = socket.create_connection(("127.0.0.1", port), deadline_s)
    if cacert is None:
        return sock
    context = ssl.create_default_context(cafile=str(cacert))
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(sock, server_hostname="localhost")


def client(port, cacert=None, settings=()):
    """A client with an exchange of SETTINGS behind it."""
    peer = Peer(connect(port, cacert))
    peer.exchange(PREFACE + setting(*settings), until=lambda: peer.find(SETTINGS, flags=ACK))
    peer.exchange(frame(SETTINGS, ACK))
    return peer


class RawServer:
    """`behaviour(peer, stream)` is called for each ping stream; health checks are answered with
    UNIMPLEMENTED, so that a proxy takes it for a live server. `greeting` replaces the server's SETTINGS."""

    def __init__(self, behaviour, greeting=None):
        self._behaviour = behaviour
        self._greeting = setting() if greeting is None else greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.connections = 0
        self._open = True
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while self._open:
            with contextlib.suppress(OSError):
                sock, _ = self._listener.accept()
                if not self._open:
                    sock.close()
                    return
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(Peer(sock).expect_preface(),))
                self._threads.append(thread)
                thread.start()

    def _serve(self, peer):
        with contextlib.closing(peer):
            peer.exchange(self._greeting, until=lambda: peer.find(SETTINGS))
            peer.exchange(frame(SETTINGS, ACK))
            done = set()
            while self._open and not peer.closed:
                peer.exchange(until=lambda: {f.stream for f in peer.find(HEADERS)} - done, deadline_s=0.2)
                for f in [f for f in peer.find(HEADERS) if f.stream not in done]:
                    done.add(f.stream)
                    if "health" in f.fields.get(":path", ""):
                        peer.exchange(frame(HEADERS, END_HEADERS | END_STREAM, f.stream, block(
                            (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12"))))
                    else:
                        self._behaviour(peer, f.stream)

    def close(self):
        self._open = False
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()  # wakes accept()
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
