"""Two ends of HTTP/2 that send the same bytes at the same places each time, so that what a proxy between them does can
be counted: a client over TLS and an h2c server that echoes. They speak no more of the protocol than that takes."""
import socket
import ssl
import struct
import threading

DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
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


class Client:
    """One connection with one stream. Each send of it is one write to the socket."""

    def __init__(self, port, cacert):
        context = ssl.create_default_context(cafile=str(cacert))
        context.set_alpn_protocols(["h2"])
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, server_hostname="localhost")
        self.frames, self.received, self.ended = Frames(), 0, False
        self._until(self.tls.do_handshake)

    def _flush(self):
        if self.goes.pending:
            self.socket.sendall(self.goes.read())

    def _fill(self):
        received = self.socket.recv(65536)
        assert received, "the proxy ended the connection"
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

    def open(self, first, end=False):
        """The preface and a request with `first`."""
        self.send(PREFACE + opening() + frame(HEADERS, END_HEADERS, 1, block(REQUEST)) + data(first) +
                  (frame(DATA, END_STREAM, 1) if end else b""))

    def read(self):
        """Takes what the proxy says next."""
        for kind, flags, stream, payload in self.frames.add(self._until(lambda: self.tls.read(65536))):
            self.received += len(payload) if kind == DATA else 0
            self.ended |= stream == 1 and kind in (DATA, HEADERS) and bool(flags & END_STREAM)
            reply = answer_to(kind, flags, payload)
            if reply:
                self.send(reply)

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


def echo_messages(port, cacert, size, count):
    """So many messages there and back on one stream, one at a time."""
    client = Client(port, cacert)
    text = message(size)
    client.open(text)
    for done in range(1, count + 1):
        while client.received < done * len(text):
            assert not client.ended, "the stream ended early"
            client.read()
        if done < count:
            client.send(data(text))
    client.close()


class Echo:
    """An h2c server that sends back the bytes of each stream, in writes of whole messages. It has the shape of a
    server of `grpcroute`: an address to be named by, and close()."""

    def __init__(self, size):
        self.whole = 5 + size
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frames, preface, held = Frames(), len(PREFACE), {}
        peer.sendall(opening())
        with peer:
            while received := peer.recv(65536):
                skipped, preface = received[preface:], max(0, preface - len(received))
                out = b"".join(self._answer(held, *each) for each in frames.add(skipped))
                if out:
                    peer.sendall(out)

    def _answer(self, held, kind, flags, stream, payload):
        if kind == HEADERS:
            held[stream] = b""
            return frame(HEADERS, END_HEADERS, stream, block(RESPONSE))
        if kind != DATA or stream not in held:
            return answer_to(kind, flags, payload)
        held[stream] += payload
        if len(held[stream]) < self.whole:
            return b""
        text, held[stream] = held[stream], b""
        return data(text, stream)

    def close(self):
        self.listener.close()
