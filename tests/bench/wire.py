"""Two ends of HTTP/2 that send the same bytes at the same places each time, so that what a proxy between them does can
be counted: a client over TLS and an h2c server that echoes. They speak no more of the protocol than that takes."""
import socket
import ssl
import struct
import threading

DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
FRAME_BYTES = 16384
PATIENCE_S = 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WIDEST = 2**31 - 1
REQUEST = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/ping.PingService/PingPong"),
           (b":authority", b"localhost"), (b"content-type", b"application/grpc"), (b"te", b"trailers"),
           (b"agent-id", b"agent-1"), (b"agent-version", b"v1.1")]
RESPONSE = [(b":status", b"200"), (b"content-type", b"application/grpc")]


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields):
    """HPACK without table or Huffman code (RFC 7541 section 6.2.2); names and values are shorter than 127."""
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)


def message(size):
    """One of gRPC whose protobuf is field 1 with as many bytes as make it `size` in all."""
    body = size - 4 if size > 16386 else size - 3 if size > 129 else size - 2
    length = bytearray()
    rest = body
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    length.append(rest)
    return struct.pack(">BI", 0, size) + b"\x0a" + bytes(length) + b"p" * body


def data(payload, stream=1):
    return b"".join(frame(DATA, 0, stream, payload[at:at + FRAME_BYTES]) for at in range(0, len(payload), FRAME_BYTES))


def opening():
    """SETTINGS and an update that open the windows of who sends it as wide as they go."""
    return frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WIDEST)) + \
        frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDEST - 65535))


class Frames:
    """Cuts what comes into frames."""

    def __init__(self):
        self.bytes = bytearray()

    def add(self, received):
        self.bytes += received
        while len(self.bytes) >= 9:
            size = int.from_bytes(self.bytes[:3], "big")
            if len(self.bytes) < 9 + size:
                return
            yield self.bytes[3], self.bytes[4], int.from_bytes(self.bytes[5:9], "big"), bytes(self.bytes[9:9 + size])
            del self.bytes[:9 + size]


def answer_to(kind, flags, payload):
    """What any end says to the frames that want an answer."""
    if kind == SETTINGS and not flags & ACK:
        return frame(SETTINGS, ACK, 0)
    if kind == PING and not flags & ACK:
        return frame(PING, ACK, 0, payload)
    return b""


class Credit:
    """What the peer has not given back yet of what was sent on a stream; grpcroute does at half of its window."""

    def __init__(self):
        self.owed, self.window = 0, 65535

    def sent(self, size):
        self.owed += size

    def hears(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, at)
                self.window = value if name == INITIAL_WINDOW_SIZE else self.window
        elif kind == WINDOW_UPDATE and stream == 1:
            self.owed -= struct.unpack(">I", payload)[0]

    def due(self):
        return self.owed >= self.window // 2


class Client:
    """One connection with one stream. Each send of it is one write to the socket."""

    def __init__(self, port, cacert):
        context = ssl.create_default_context(cafile=str(cacert))
        context.set_alpn_protocols(["h2"])
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, server_hostname="localhost")
        self.frames, self.credit, self.received, self.answers, self.ended = Frames(), Credit(), 0, 0, False
        self._until(self.tls.do_handshake)

    def _flush(self):
        if self.goes.pending:
            self.socket.sendall(self.goes.read())

    def _fill(self):
        received = self.socket.recv(65536)
        assert received, "the peer ended the connection"
        self.came.write(received)

    def _until(self, done):
        while True:
            try:
                result = done()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                return result  # what it has to say goes with the first frames

    def send(self, payload):
        self.tls.write(payload)
        self._flush()

    def send_message(self, text):
        self.credit.sent(len(text))
        self.send(data(text))

    def open(self, first, end=False):
        """The preface and a request with `first`."""
        self.credit.sent(len(first))
        self.send(PREFACE + opening() + frame(HEADERS, END_HEADERS, 1, block(REQUEST)) + data(first) +
                  (frame(DATA, END_STREAM, 1) if end else b""))

    def read(self):
        """Takes what the peer says next."""
        for kind, flags, stream, payload in self.frames.add(self._until(lambda: self.tls.read(65536))):
            self.received += len(payload) if kind == DATA else 0
            self.answers += kind == DATA and len(payload) > 0
            self.ended |= stream == 1 and kind in (DATA, HEADERS) and bool(flags & END_STREAM)
            self.credit.hears(kind, flags, stream, payload)
            reply = answer_to(kind, flags, payload)
            if reply:
                self.send(reply)

    def read_until(self, done):
        while not done():
            assert not self.ended, "the stream ended early"
            self.read()

    def close(self):
        self.socket.close()


def call_anew(port, cacert, count):
    """So many connections, one behind the other, each with one call."""
    for _ in range(count):
        client = Client(port, cacert)
        client.open(message(6), end=True)
        while not client.ended:
            client.read()
        client.close()


def ping_messages(port, cacert, size, count):
    """So many messages to a server that answers each with one frame, one at a time."""
    client = Client(port, cacert)
    text = message(size)
    client.open(text)
    for done in range(1, count + 1):
        client.read_until(lambda want=done: client.answers >= want and not client.credit.due())
        if done < count:
            client.send_message(text)
    client.close()


class Echo:
    """An h2c server of one connection with one stream, which sends bytes back in one write. It has the shape of a
    server of `grpcroute`: an address to be named by, and close()."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.peer, self.frames, self.credit, self.held, self.ready = None, Frames(), Credit(), b"", False
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        """The connection that the proxy makes ahead of any request, and without which it is not ready."""
        self.listener.settimeout(PATIENCE_S)
        self.peer, _ = self.listener.accept()
        self.peer.settimeout(PATIENCE_S)
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer.sendall(opening())
        preface = b""
        while len(preface) < len(PREFACE):
            received = self.peer.recv(len(PREFACE) - len(preface))
            assert received, "the proxy ended the connection"
            preface += received
        self.read_until(lambda: self.ready)

    def wait_ready(self):
        self.accepting.join(PATIENCE_S)
        assert self.ready, "the proxy made no connection"

    def read_until(self, done):
        while not done():
            received = self.peer.recv(65536)
            assert received, "the proxy ended the connection"
            out = b"".join(self._answer(*each) for each in self.frames.add(received))
            if out:
                self.peer.sendall(out)

    def _answer(self, kind, flags, stream, payload):
        self.credit.hears(kind, flags, stream, payload)
        self.ready |= kind == SETTINGS and bool(flags & ACK)
        if kind == HEADERS:
            return frame(HEADERS, END_HEADERS, stream, block(RESPONSE))
        self.held += payload if kind == DATA else b""
        return answer_to(kind, flags, payload)

    def send_back(self):
        text, self.held = self.held, b""
        self.credit.sent(len(text))
        self.peer.sendall(data(text))

    def close(self):
        self.listener.close()
        if self.peer is not None:
            self.peer.close()


def echo_messages(echo, port, cacert, size, count):
    """So many messages through a proxy to `echo` and back on one stream. One thing happens at a time: who has sent a
    message waits for the credit that it is due before the other end speaks, as whether a WINDOW_UPDATE meets a message
    to go with would be a race."""
    echo.wait_ready()
    client = Client(port, cacert)
    text = message(size)
    client.open(text)
    for done in range(1, count + 1):
        echo.read_until(lambda: len(echo.held) == len(text))
        client.read_until(lambda: not client.credit.due())
        echo.send_back()
        client.read_until(lambda want=done * len(text): client.received >= want)
        echo.read_until(lambda: not echo.credit.due())
        if done < count:
            client.send_message(text)
    client.close()
