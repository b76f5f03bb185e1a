"""A service that is not PingPong, on grpcio: the four kinds of call. An answer names its server in field 1 and its pod
in field 2 of field 2; so do the headers x-server and x-pod, and the trailers x-server-t and x-pod-t."""
import time

import grpc

from testenv.grpcio_peers import _GrpcioServer

SERVICE = "own.Fleet"
METHODS = {"unary": "Ask", "client-stream": "Collect", "server-stream": "Watch", "bidi": "Talk"}


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    """A string, bytes or message, or a varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def answer(server, pod, number=0):
    return field(1, server) + field(2, field(1, 7) + field(2, pod)) + field(3, number)


class OwnService(_GrpcioServer):
    """`count`: answers of a server-stream call; 0: one each 20 ms without end. `each(number)`: the message of that
    answer. `status`: how calls end instead, and `before`: whether already without an answer; `fails(number)`: whether
    that call does. `headers`: instead of its own."""

    def __init__(self, server="v1", pod="pod-1", count=5, each=None, status=None, before=False, headers=None,
                 fails=lambda number: True, options=()):
        self.count = count
        self.each = each or (lambda number: answer(server, pod, number))
        self.status = status
        self.before = before
        self.headers = headers if headers is not None else [("x-server", server), ("x-pod", pod)]
        self.trailers = [("x-server-t", server), ("x-pod-t", pod)]
        self.received = []  # messages
        self.metadata = []  # of calls
        self.fails = fails
        super().__init__(_Handler(self), options=options)

    def begin(self, context):
        self.metadata.append(dict(context.invocation_metadata()))
        context.set_trailing_metadata(self.trailers)
        if self.before and self.fails(len(self.metadata) - 1):
            context.abort(self.status, "as told")
        context.send_initial_metadata(self.headers)

    def end(self, context):
        if self.status is not None and not self.before and self.fails(len(self.metadata) - 1):
            context.abort(self.status, "as told")

    def ask(self, request, context):
        self.begin(context)
        self.received.append(request)
        self.end(context)
        return self.each(0)

    def collect(self, requests, context):
        self.begin(context)
        self.received.extend(requests)
        self.end(context)
        return self.each(0)

    def watch(self, request, context):
        self.begin(context)
        self.received.append(request)
        number = 0
        while context.is_active() and (self.count == 0 or number < self.count):
            yield self.each(number)
            number += 1
            if self.count == 0:
                time.sleep(0.02)  # its pace
        self.end(context)

    def talk(self, requests, context):
        self.begin(context)
        for number, request in enumerate(requests):
            self.received.append(request)
            yield self.each(number)
        self.end(context)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, service):
        self._of = {
            "Ask": grpc.unary_unary_rpc_method_handler(service.ask),
            "Collect": grpc.stream_unary_rpc_method_handler(service.collect),
            "Watch": grpc.unary_stream_rpc_method_handler(service.watch),
            "Talk": grpc.stream_stream_rpc_method_handler(service.talk),
        }

    def service(self, details):
        service, _, method = details.method[1:].partition("/")
        return self._of.get(method) if service == SERVICE else None
