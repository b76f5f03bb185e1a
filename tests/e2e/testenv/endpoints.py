"""Endpoints of many makes that answer PingPong in plaintext, to stand behind the proxy. Each has address, port, log,
close()."""
import pathlib
import shutil
import sys

from testenv.grpcroute import ROOT, Server
from testenv.net import ReservedPort, wait_port
from testenv.process import Process

HERE = pathlib.Path(__file__).parent
NODE_PATH = ROOT / ".cache/node/node_modules"


def program(name):
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed; tests/tool/setup.sh test installs it"
    return found


class Endpoint:
    """`process` answers on `port`; `behind` is the server behind it, where it is a proxy itself."""

    make = None
    process = None
    behind = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.process.output

    def running(self):
        return self.process.running()

    def close(self):
        self.process.close()
        if self.behind is not None:
            self.behind.close()


class Ours(Endpoint):
    make = "grpcroute"

    def __init__(self, folder, version="v1"):
        self.process = Server(version, "ours")
        self.port = self.process.port


class GrpcGo(Endpoint):
    """tests/bench/grpc_go; `args` are options of it. Streams with the metadata noread are left unread."""

    make = "grpc-go"

    def __init__(self, folder, version="v1", *args):
        self.process = Process([program("grpc-go-ping"), "-server-version", version, "-noread", "-health", *args])
        self.port = int(self.process.wait_for_start(r"Listening on 127\.0\.0\.1:(\d+)").group(1))


class Grpcio(Endpoint):
    """`options` are channel arguments, NAME=NUMBER."""

    make = "grpcio"

    def __init__(self, folder, version="v1", *options):
        self.process = Process([sys.executable, HERE / "grpcio_endpoint.py", version, *options])
        self.port = int(self.process.wait_for_start(r"Listening on 127\.0\.0\.1:(\d+)").group(1))


class GrpcJs(Endpoint):
    """Only where there is Node.js, for which tests/tool/setup.sh installs the package."""

    make = "grpc-js"

    def __init__(self, folder, version="v1"):
        self.process = Process([program("node"), HERE / "grpc_js_endpoint.js", version],
                               env={"NODE_PATH": str(NODE_PATH)})
        self.port = int(self.process.wait_for_start(r"Listening on 127\.0\.0\.1:(\d+)").group(1))


class _InFront(Endpoint):
    """A proxy of another make as endpoint, with a grpc-go server behind it."""

    def __init__(self, folder, version="v1"):
        self.behind = GrpcGo(folder, version)
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        config = folder / f"{self.make}-{self.port}.yaml"
        config.write_text(self.config())
        self.process = Process(self.argv(config))
        try:
            wait_port(self.port, self.process.running)
        except AssertionError:
            self.close()
            raise

    def config(self):
        return ""

    def argv(self, config):
        raise NotImplementedError

    def close(self):
        super().close()
        self._reserved.close()


class Nghttpx(_InFront):
    make = "nghttpx"

    def argv(self, config):
        return [program("nghttpx"), f"--conf={config}", "--workers=1", f"--frontend=127.0.0.1,{self.port};no-tls",
                "--log-level=ERROR", "--accesslog-file=/dev/null", "--backend-read-timeout=1h",
                "--frontend-http2-read-timeout=1h", f"--backend=127.0.0.1,{self.behind.port};;proto=h2"]


ENVOY = """
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          codec_type: HTTP2
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: /}, route: {cluster: behind, timeout: 0s}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: behind
    type: STATIC
    load_assignment:
      cluster_name: behind
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: BEHIND}}}}]}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
"""


class Envoy(_InFront):
    """As a sidecar before a server, with the settings that it has by itself."""

    make = "envoy"

    def config(self):
        return ENVOY.replace("PORT", str(self.port)).replace("BEHIND", str(self.behind.port))

    def argv(self, config):
        return [program("envoy"), "-c", config, "--disable-hot-restart", "--concurrency", "1",
                "--log-level", "error"]


ENDPOINTS = {kind.make: kind for kind in (Ours, GrpcGo, Grpcio, Nghttpx, Envoy)}
if (NODE_PATH / "@grpc/grpc-js").exists():
    ENDPOINTS[GrpcJs.make] = GrpcJs
