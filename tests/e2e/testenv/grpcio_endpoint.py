"""A PingPong server on grpcio's asyncio interface, with grpc.health.v1: grpcio_endpoint.py VERSION
[OPTION=NUMBER...], channel arguments of its core."""
import asyncio
import sys

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PING = "/ping.PingService/PingPong"


def text(number, value):
    """A string field of a protobuf message shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value.encode()


class Handler(grpc.GenericRpcHandler):
    def __init__(self, version):
        self._pong = text(1, "pong") + text(2, version) + text(3, "grpcio")

    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(self._answer) if details.method == PING else None

    async def _answer(self, requests, context):
        async for _ in requests:
            yield self._pong


async def main(version, *options):
    pairs = [option.split("=") for option in options]
    server = grpc.aio.server(options=[(name, int(value)) for name, value in pairs])
    server.add_generic_rpc_handlers((Handler(version),))
    checks = health.aio.HealthServicer()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"Listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


asyncio.run(main(*sys.argv[1:]))
