"""Servers that are measured without a proxy, beside `grpcroute server`, which is the first: the contenders of
`make bench-servers`."""
import pathlib
import sys

from contenders import PEERS, Floor
from servers import Reserved, pin

HERE = pathlib.Path(__file__).parent


class Grpcio(Floor):
    program, version_words = sys.executable, ("-c", "import grpc; print(grpc.__version__)")
    settings = ("tests/bench/grpcio_server.py: grpcio's asyncio server, gRPC's core in C++ below Python, one process; "
                "it answers constant bytes and decodes no message")

    def start(self, site, shape):
        return Reserved(lambda port: [sys.executable, HERE / "grpcio_server.py", str(port), site.certs / "cert.pem",
                                      site.certs / "key.pem"], site.certs / "ca.pem",
                        through=pin(site.proxy_cpus(shape)))


SERVERS = [PEERS["floor"], PEERS["echo"], PEERS["grpc-go"], Grpcio("grpcio", "no proxy: grpcio server")]
