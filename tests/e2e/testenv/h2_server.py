"""A small HTTP/2 server in plaintext whose answers a test decides, for behaviour that no real server shows."""
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

RESPONSE = [(":status", "200"), ("content-type", "application/grpc")]


def field(number, text):
    """A string field of a protobuf message shorter than 128 bytes."""
    data = text.encode()
    return bytes([number << 3 | 2, len(data)]) + data


def message(data):
    """gRPC's length-prefixed message."""
    return b"\0" + struct.pack(">I", len(data)) + data


def pings(data):
    """How many messages a DATA frame holds: a client may send several at once."""
    count = 0
    while data:
        data = data[5 + int.from_bytes(data[1:5], "big"):]
        count += 1
    return count


PONG = message(field(1, "pong") + field(2, "v1") + field(3, "odd-server"))


class Peer:
    """One connection, given to the behaviour with each event; `send` writes what the h2 state machine made."""

    def __init__(self, sock, greeting=None):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.messages = {}  # stream id: pings so far
        if greeting is None:
            self.send()
        else:
            self.h2.data_to_send()
            greeting(self)

    def send(self):
        self.sock.sendall(self.h2.data_to_send())

    def respond(self, stream_id, headers=RESPONSE, end=False):
        self.h2.send_headers(stream_id, headers, end_stream=end)

    def trailers(self, stream_id, status, text=""):
        self.h2.send_headers(stream_id, [("grpc-status", str(status)), ("grpc-message", text)],
                             end_stream=True)


class H2Server:
    """`behaviour(peer, event)` is called for h2.events.RequestReceived, DataReceived and StreamEnded; `greeting(peer)`
    says something else than the SETTINGS that come first."""

    def __init__(self, behaviour, greeting=None):
        self._behaviour = behaviour
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.connections = 0
        self.streams = 0
        self.pings = 0
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            peer = Peer(sock, self._greeting)
            while data := sock.recv(65536):
                for event in peer.h2.receive_data(data):
                    self._handle(peer, event)
                peer.send()
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            sock.close()

    def _handle(self, peer, event):
        if isinstance(event, h2.events.RequestReceived):
            self.streams += 1
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(event, h2.events.DataReceived):
            peer.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if not event.data:
                return  # the end of the stream, which has an event of its own
            peer.messages[event.stream_id] = peer.messages.get(event.stream_id, 0) + 1
        elif not isinstance(event, h2.events.StreamEnded):
            return
        self._behaviour(peer, event)

    def close(self):
        self._listener.close()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
