"""A PingPong server on grpcio's asyncio interface, with the least that can be: grpcio_server.py PORT CERT KEY."""
import asyncio
import pathlib
import sys

import grpc

PONG = b"\x0a\x04pong\x12\x02v1\x1a\x06grpcio"
STREAMS = 10000  # on one connection


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(self._answer)

    async def _answer(self, requests, context):
        async for _ in requests:
            yield PONG


async def main(port, cert, key):
    server = grpc.aio.server(options=[("grpc.max_concurrent_streams", STREAMS)])
    server.add_generic_rpc_handlers((Handler(),))
    pair = pathlib.Path(key).read_bytes(), pathlib.Path(cert).read_bytes()
    if server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([pair])) == 0:
        raise SystemExit(f"grpcio_server.py: cannot listen on port {port}")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main(*sys.argv[1:]))
