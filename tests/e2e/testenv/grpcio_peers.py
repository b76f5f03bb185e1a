"""Peers on grpcio: servers of the ping service, and relays that route wrongly on purpose."""
import itertools
import queue
import threading
import time
from concurrent import futures

import grpc

PING = "/ping.PingService/PingPong"


def _identity(data):
    return data


class _GrpcioServer:
    """A plaintext grpcio server with one generic handler, and what `add` adds to it."""

    def __init__(self, handler, certs=None, add=None, options=()):
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=128), options=options)
        self._server.add_generic_rpc_handlers((handler,))
        if add is not None:
            add(self._server)
        if certs is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            credentials = grpc.ssl_server_credentials(
                [((certs / "key.pem").read_bytes(), (certs / "cert.pem").read_bytes())])
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def target(self):
        return f"localhost:{self.port}"

    def close(self):
        self._server.stop(0).wait()


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, behaviour):
        self._behaviour = behaviour

    def service(self, details):
        if details.method == PING:
            return grpc.stream_stream_rpc_method_handler(self._behaviour)
        return None


class PingServer(_GrpcioServer):
    """Answers pings; with the stubs of ping_pb2 in full, with those of plain_pb2 only fields 1 to 3. `heard` gets each
    call's metadata."""

    def __init__(self, messages, version="v1", ident="grpcio-1", certs=None, add=None, heard=lambda metadata: None):
        full = hasattr(messages.PingResponse(), "sequence")

        def behaviour(requests, context):
            metadata = dict(context.invocation_metadata())
            heard(metadata)
            for data in requests:
                request = messages.PingRequest.FromString(data)
                response = messages.PingResponse(message="pong", server_version=version,
                                                 server_id=ident)
                if full:
                    response.sequence = request.sequence
                    response.send_time_ns = request.send_time_ns
                    response.agent_id = metadata.get("agent-id", "")
                    response.agent_version = metadata.get("agent-version", "")
                yield response.SerializeToString()

        super().__init__(_Handler(behaviour), certs, add)


class PlannedEnds(_GrpcioServer):
    """Each of its first `calls` streams answers `answers` pings, then takes no more, and half a second later ends as
    planned; it says that `received` were. Every later stream answers all."""

    def __init__(self, messages, calls, answers, received, pause_s=0.5):
        numbers = itertools.count()

        def behaviour(requests, context):
            last = answers if next(numbers) < calls else None
            for data in itertools.islice(requests, last):
                sequence = messages.PingRequest.FromString(data).sequence
                yield messages.PingResponse(message="pong", server_version="v1", server_id="p",
                                            sequence=sequence).SerializeToString()
            if last is not None:
                time.sleep(pause_s)
                context.set_trailing_metadata((("grpc-retry-pushback-ms", "0"), ("grpcroute-received", str(received))))
                context.abort(grpc.StatusCode.UNAVAILABLE, "planned")

        super().__init__(_Handler(behaviour))


class Relay(_GrpcioServer):
    """Passes ping streams on to servers that `choose(number, metadata)` names: it returns, per message, the address,
    so that a stream can be sent anywhere. `change(number, metadata)` may alter the metadata that is passed on.
    `held_s` has how long each message was here, until its answer left."""

    def __init__(self, choose, change=None, certs=None):
        self.held_s = []
        self._numbers = itertools.count()
        self._choose = choose
        self._change = change or (lambda number, metadata: metadata)
        self._channels = {}
        self._lock = threading.Lock()
        super().__init__(_Handler(self._relay), certs)

    def _channel(self, address):
        with self._lock:
            if address not in self._channels:
                self._channels[address] = grpc.insecure_channel(address)
            return self._channels[address]

    def _relay(self, requests, context):
        number = next(self._numbers)
        metadata = [(k, v) for k, v in context.invocation_metadata()
                    if k in ("agent-id", "agent-version")]
        route = self._choose(number, dict(metadata))
        metadata = self._change(number, metadata)
        pipes = {}
        for index, data in enumerate(requests):
            came = time.monotonic()
            address = route(index) if callable(route) else route
            if address is None:
                context.abort(grpc.StatusCode.UNAVAILABLE, "ended on purpose")
            if address not in pipes:
                sent = queue.SimpleQueue()
                call = self._channel(address).stream_stream(PING, _identity, _identity)(
                    iter(sent.get, None), metadata=metadata)
                pipes[address] = (sent, call)
            sent, call = pipes[address]
            sent.put(data)
            answer = next(call)
            self.held_s.append(time.monotonic() - came)
            yield answer
        for sent, _ in pipes.values():
            sent.put(None)

    def close(self):
        super().close()
        for channel in self._channels.values():
            channel.close()
