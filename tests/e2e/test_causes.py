"""A cause is what was seen: the alert, the HTTP answer, the certificate."""
import json
import re
import socket
import ssl
import subprocess
import threading
import urllib.request
from xml.etree import ElementTree

import grpc
import h2.events
import pytest

from testenv.grpcio_peers import _GrpcioServer, _Handler
from testenv.grpcroute import BIN, Agent, Server, grpcroute
from testenv.h2_server import H2Server
from testenv.net import ReservedPort, wait_port
from testenv.process import Process, run


def verify(target, *args):
    return grpcroute("verify", "--target", target, "--versions", "v1.1", "-s", "1", "--timeout", "4s", *args)


# ---- certificates and keys ---------------------------------------------------------------------


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=30)


def make(folder, name, san="DNS:localhost", common_name="localhost"):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            f"/CN={common_name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
            *(["-addext", f"subjectAltName={san}"] if san else []))
    return folder / f"{name}.pem", folder / f"{name}.key"


def start_fails(cert, key):
    done = run([BIN, "server", "--version", "v1", "--id", "s", "--listen", "127.0.0.1:0", "--cert", cert, "--key", key])
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done
    return done.stderr


@pytest.mark.parametrize("kind", [["rsa", "rsa_keygen_bits:2048"], ["ed25519"], ["ec", "ec_paramgen_curve:P-384"],
                                  ["ec", "ec_paramgen_curve:P-256"]])
def test_a_key_of_another_certificate_is_refused_at_the_start(tmp_path, kind):
    cert, _ = make(tmp_path, "a")
    openssl("genpkey", "-algorithm", kind[0], "-out", tmp_path / "other", *(["-pkeyopt", kind[1]] if kind[1:] else []))
    assert "does not belong to the certificate" in start_fails(cert, tmp_path / "other")


def test_a_chain_in_the_wrong_order_is_told_as_that(tmp_path):
    cert, key = make(tmp_path, "leaf")
    other, _ = make(tmp_path, "ca")
    (tmp_path / "chain").write_text(other.read_text() + cert.read_text())
    assert "wrong order" in start_fails(tmp_path / "chain", key)


@pytest.mark.parametrize("san, passes", [("DNS:localhost", True), (None, False)])
def test_a_common_name_is_no_name(started, tmp_path, san, passes):
    cert, key = make(tmp_path, "a", san)
    server = started(Server("v1", "s", "--cert", cert, "--key", key))
    done = verify(f"localhost:{server.port}", "--cacert", cert)
    assert done.returncode == (0 if passes else 3), done
    assert passes or 'has only the common name "localhost"' in done.stderr


@pytest.mark.parametrize("authority, code", [
    ("proxy.example.com", 0), ("proxy.example.com:443", 0), ("proxy.example.com:8443", 0),
    ("proxy.example.com.:443", 0),
    ("other.example.com:443", 3), ("[::1]:443", 0), ("127.0.0.9:443", 3)])
def test_the_port_of_an_authority_is_no_part_of_its_name(started, tmp_path, authority, code):
    cert, key = make(tmp_path, "a", "DNS:proxy.example.com,IP:::1")
    server = started(Server("v1", "s", "--cert", cert, "--key", key))
    done = verify(f"127.0.0.1:{server.port}", "--authority", authority, "--cacert", cert)
    assert done.returncode == code, done


class WantsCertificate:
    """A TLS server that ends connections of clients without a certificate, after their preface has come or at once."""

    def __init__(self, cert, key, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.load_verify_locations(cert)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["h2"])
        context.maximum_version = context.minimum_version = version
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(context,), daemon=True).start()

    def _serve(self, context):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()

    def close(self):
        self._listener.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_is_wanted_is_told(started, tmp_path, version):
    cert, key = make(tmp_path, "a")
    server = started(WantsCertificate(cert, key, version))
    for _ in range(5):  # whether the alert or the reset comes first
        done = verify(f"localhost:{server.port}", "--cacert", cert)
        assert done.returncode == 3 and "asked for a client certificate and got none" in done.stderr, done


NGINX = """
pid {0}/pid; error_log {0}/error.log info; daemon off; events {{}}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;
uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
server {{ listen 127.0.0.1:{1} ssl http2; ssl_certificate {2}; ssl_certificate_key {3}; ssl_client_certificate {2};
ssl_verify_client on; location / {{ grpc_pass grpc://127.0.0.1:1; }} }} }}
"""


def test_nginx_that_wants_a_client_certificate_is_told(started, tmp_path):
    cert, key = make(tmp_path, "a")
    port = started(ReservedPort()).port
    (tmp_path / "nginx.conf").write_text(NGINX.format(tmp_path, port, cert, key))
    nginx = started(Process(["nginx", "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf"]))
    wait_port(port, nginx.running)
    done = verify(f"localhost:{port}", "--cacert", cert)
    assert done.returncode == 4 and re.search("status 400 .*text/html, and it asked for a client certificate",
                                              done.stdout), done


# ---- answers that are not gRPC -----------------------------------------------------------------


def answers(headers):
    def behaviour(peer, event):
        if isinstance(event, h2.events.RequestReceived):
            peer.respond(event.stream_id, headers, True)

    return behaviour


@pytest.mark.parametrize("headers, cause", [
    ([(":status", "302"), ("content-type", "text/html"), ("location", "https://login.example.com/x")],
     "status 302 .*text/html, it redirects to https://login.example.com/x"),
    ([(":status", "308"), ("location", "/grpc/")], "status 308 .*no content-type, it redirects to /grpc/"),
    ([(":status", "200"), ("content-type", "text/html; charset=utf-8")],
     "status 200 .*content-type text/html; charset=utf-8"),
    ([(":status", "401"), ("content-type", "application/json"), ("www-authenticate", "Bearer")],
     "status 401 .*application/json, it wants credentials: Bearer"),
    ([(":status", "401")], "status 401 .*no content-type, it wants credentials"),
    ([(":status", "302"), ("location", "x" * 3000)], "it redirects to x{99}\\b"),
    ([(":status", "503"), ("content-type", "text/\x80\x9b")], r"content-type text/(\\x..)+"),
])
def test_an_http_answer_is_described(started, headers, cause):
    done = verify(started(H2Server(answers(headers))).address, "--plaintext")
    assert done.returncode == 4 and re.search(cause, done.stdout), done


# ---- messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("message, shown", [
    ("Dienst nicht verf%C3%BCgbar: %E6%9C%8D%E5%8A%A1", "Dienst nicht verfügbar: 服务"),
    ("%E2%80%AEoverride%1B[31m", r"\xe2\x80\xaeoverride\x1b[31m"), ("broken %C3%28 %FF", r"broken \xc3( \xff"),
    ("%C3%BC" * 500, "üüü")])
def test_a_message_in_utf8_is_readable_and_harmless(started, message, shown):
    headers = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14"),
               ("grpc-message", message)]
    server = started(H2Server(answers(headers)))
    done = verify(server.address, "--plaintext")
    assert done.returncode == 4 and shown in done.stdout, done
    report = json.loads(verify(server.address, "--plaintext", "-o", "json").stdout)
    assert shown in report["checks"][0]["findings"][0]["text"]


@pytest.mark.parametrize("message, shown", [
    ("nicht verf%C3%BCgbar: %E6%9C%8D%E5%8A%A1", "nicht verfügbar: 服务"),
    ("%E2%80%AEoverride%1B[31m%0A", r"\xe2\x80\xaeoverride\x1b[31m\x0a"), ("broken %C3%28 %FF", r"broken \xc3( \xff")])
def test_every_command_shows_it_alike(started, tmp_path, message, shown):
    headers = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14"),
               ("grpc-message", message)]
    target = ["--target", started(H2Server(answers(headers))).address, "--plaintext"]
    junit = tmp_path / "x.xml"
    assert shown in grpcroute("verify", *target, "--versions", "v1.1", "-s", "1", "--timeout", "4s", "--junit-file",
                              junit).stdout
    assert shown in ElementTree.parse(junit).getroot().find(".//error").text
    done = grpcroute("bench", *target, "-z", "200ms", "-c", "1", "-o", "json", "--junit-file", junit)
    assert shown in done.stderr and any(shown in cause for cause in json.loads(done.stdout)["errors"]), done
    assert shown in ElementTree.parse(junit).getroot().find(".//error").text
    done = grpcroute("failover-test", *target, "--agents", "1", "--fault", "true", "-o", "json")
    assert shown in done.stderr and shown in json.loads(done.stdout)["message"], done
    agent = started(Agent("v1.1", "a", target[1]))
    agent.wait_for(re.escape(shown))
    agent = started(Agent("v1.1", "a", target[1], "--log-format", "json"))
    line = json.loads(agent.wait_for(r"^\{.*\"reconnecting\".*").group(0))
    assert shown in line["cause"] and shown in line["msg"] and isinstance(line["delay_ns"], int) and \
        line["delay_ns"] > 0


class Dying(_GrpcioServer):
    """Answers a ping, and ends the stream with a message at the next."""

    def __init__(self, messages, message):
        def behaviour(requests, context):
            for index, _ in enumerate(requests):
                if index == 1:
                    context.abort(grpc.StatusCode.UNAVAILABLE, message)
                yield messages.PingResponse(message="pong", server_version="v1", server_id="s").SerializeToString()

        super().__init__(_Handler(behaviour))


def test_the_fault_of_a_failover_shows_it(started, stubs, tmp_path):
    junit = tmp_path / "x.xml"
    server = started(Dying(stubs["ping_pb2"], "verfügbar\u202e"))
    done = grpcroute("failover-test", "--target", server.target, "--plaintext", "--versions", "v1.1", "--agents", "1",
                     "--fault", "true", "--settle", "2s", "--junit-file", junit)
    for said in (done.stdout, junit.read_text()):
        assert r"verfügbar\xe2\x80\xae" in said, done


# ---- many addresses ----------------------------------------------------------------------------

MANY = [f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in range(300)] + ["127.0.0.1"]


@pytest.fixture
def many(tmp_path):
    """Words before a command for which many.test has 301 addresses: a mount namespace of its own, with another
    /etc/hosts."""
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"{address} many.test\n" for address in MANY) + "127.0.0.1 localhost\n")
    words = ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    if run([*words, "true"]).returncode != 0:
        pytest.skip("no mount namespaces here")
    return words


def test_no_address_of_a_name_is_dropped(started, many):
    server = started(Server("v1", "s"))
    proxy = started(Process([BIN, "proxy", "--plaintext", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                             "--endpoints", f"server-v1=many.test:{server.port}", "--endpoints",
                             f"server-v2=127.0.0.1:{server.port}"], through=many))
    admin = proxy.wait_for(r"admin on (\S+:\d+)").group(1)
    proxy.wait_for(r"\] Ready$")
    clusters = urllib.request.urlopen(f"http://{admin}/clusters", timeout=10).read().decode()
    assert len(set(re.findall(r"^server-v1::([\d.]+:\d+)::", clusters, re.M))) == len(MANY), clusters
    for name in ("envoy", "nginx"):
        done = run([*many, BIN, "render", name, "--resolve", "--endpoints", "server-v1=many.test:7", "--endpoints",
                    "server-v2=127.0.0.1:8"])
        assert done.returncode == 0 and all(re.search(rf"\b{address}\b", done.stdout) for address in MANY), done


def test_too_many_endpoints_are_told_with_the_limit():
    endpoints = "server-v1=" + ",".join(f"{address}:7" for address in MANY)
    done = run([BIN, "proxy", "--plaintext", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--endpoints",
                endpoints])
    assert done.returncode == 2 and "too many addresses, 32 are the limit" in done.stderr, done
    done = run([BIN, "render", "envoy", "--endpoints", endpoints])
    assert done.returncode == 0 and all(f"\"{address}\"" in done.stdout for address in MANY), done
