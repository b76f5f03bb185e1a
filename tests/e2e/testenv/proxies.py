"""Real proxies that route by agent-version: TLS with ALPN h2 in front, h2c behind, two endpoints per version."""
import shutil

import pytest

from testenv.net import ReservedPort, wait_port
from testenv.process import Process


class _RealProxy:
    program = None

    def __init__(self, certs, folder, v1, v2):
        if shutil.which(self.program) is None:
            pytest.fail(f"{self.program} is not installed; tests/tool/setup.sh test installs it")
        self.certs = certs
        self.folder = folder
        self._reserved = ReservedPort()
        self.port = self._reserved.port
        self.config = folder / f"{self.program}.yaml"
        self.config.write_text(self.render(v1, v2))
        self.process = None
        self.start()

    def start(self):
        self.process = Process(self.argv())
        try:
            wait_port(self.port, self.process.running)
        except AssertionError as error:
            raise AssertionError(f"{self.program}: {error}\n{self.process.output}") from None

    def stop(self):
        """Gone at once, as after a crash; start() brings it back on the same port."""
        self.process.kill()
        self.process.close()

    @property
    def target(self):
        return f"localhost:{self.port}"

    def close(self):
        self.process.close()
        self._reserved.close()


class Haproxy(_RealProxy):
    program = "haproxy"

    def argv(self):
        return ["haproxy", "-db", "-f", self.config]

    def render(self, v1, v2):
        pem = self.folder / "haproxy.pem"
        pem.write_text((self.certs / "cert.pem").read_text() + (self.certs / "key.pem").read_text())

        def backend(name, servers):
            lines = "\n".join(f"    server {s.ident} {s.address} proto h2" for s in servers)
            return f"backend {name}\n    balance roundrobin\n{lines}\n"

        return f"""
global
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-request 10s
frontend grpc
    bind 127.0.0.1:{self.port} ssl crt {pem} alpn h2
    use_backend v2 if {{ req.hdr(agent-version) -m reg ^v2\\..*$ }}
    default_backend v1
{backend("v1", v1)}
{backend("v2", v2)}
"""


class Nginx(_RealProxy):
    program = "nginx"

    def argv(self):
        return ["nginx", "-p", self.folder, "-c", self.config, "-g", "daemon off;"]

    def render(self, v1, v2):
        def upstream(name, servers):
            lines = " ".join(f"server {s.address};" for s in servers)
            return f"upstream {name} {{ {lines} }}"

        return f"""
pid {self.folder}/nginx.pid;
error_log {self.folder}/nginx.err;
worker_processes 1;
events {{ worker_connections 4000; }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/fastcgi;
    uwsgi_temp_path {self.folder}/uwsgi;
    scgi_temp_path {self.folder}/scgi;
    {upstream("v1", v1)}
    {upstream("v2", v2)}
    map $http_agent_version $backend {{ default v1; "~^v2\\..*$" v2; }}
    server {{
        listen 127.0.0.1:{self.port} ssl http2;
        ssl_certificate {self.certs}/cert.pem;
        ssl_certificate_key {self.certs}/key.pem;
        client_max_body_size 0;
        location / {{
            grpc_pass grpc://$backend;
            grpc_read_timeout 1h; grpc_send_timeout 1h; client_body_timeout 1h;
        }}
    }}
}}
"""


class Envoy(_RealProxy):
    program = "envoy"

    def argv(self):
        return ["envoy", "-c", self.config, "--use-dynamic-base-id", "--concurrency", "1",
                "--log-level", "error"]

    def render(self, v1, v2):

        def cluster(name, servers):
            endpoints = ",".join(
                f"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {s.port}}}}}}}}}"
                for s in servers)
            return f"""
  - name: {name}
    type: STATIC
    connect_timeout: 5s
    lb_policy: ROUND_ROBIN
    circuit_breakers: {{thresholds: [{{max_connections: 100000, max_pending_requests: 100000, max_requests: 1000000}}]}}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{max_concurrent_streams: 1024}}}}
    load_assignment:
      cluster_name: {name}
      endpoints: [{{lb_endpoints: [{endpoints}]}}]"""

        return f"""
static_resources:
  listeners:
  - name: grpc
    address: {{socket_address: {{address: 127.0.0.1, port_value: {self.port}}}}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2]
            tls_certificates: [{{certificate_chain: {{filename: {self.certs}/cert.pem}}, private_key: {{filename: {self.certs}/key.pem}}}}]
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: grpc
          stream_idle_timeout: 0s
          http2_protocol_options: {{max_concurrent_streams: 1024}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: "/", headers: [{{name: agent-version, string_match: {{prefix: "v2."}}}}]}}
                route: {{cluster: server-v2, timeout: 0s, idle_timeout: 0s}}
              - match: {{prefix: "/"}}
                route: {{cluster: server-v1, timeout: 0s, idle_timeout: 0s}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:{cluster("server-v1", v1)}{cluster("server-v2", v2)}
"""


REAL_PROXIES = {"envoy": Envoy, "haproxy": Haproxy, "nginx": Nginx}
