"""Clients that prove who they are: --client-ca, --client-cert and --forward-client-cert of the embedded proxy."""
import re
import shutil
from concurrent import futures

import grpc
import pytest
from testenv.grpcroute import Proxy, grpcroute
from testenv.identity import Identities

from test_reload import fetch, metric

OTHERS = "x-forwarded-client-cert"


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    return Identities(tmp_path_factory.mktemp("clients"))


def start(started, certs, backends, clients, *args):
    return started(Proxy(certs, *backends, "--client-ca", clients / "clients-ca.pem", *args)).wait_ready()


def verify(front, clients, name):
    return grpcroute("verify", "--target", front.target, "--cacert", front.certs / "ca.pem", "-n", "1", "--timeout",
                     "5s",
                     *clients.options(name))


# Who shows it, what becomes of him when a certificate is required and when it is optional, and why.
CASES = {
    "signed": ("client", 0, 0, ""),
    "none": (None, 3, 0, "certificate required"),
    "of-another-authority": ("stranger", 3, 3, "unknown CA"),
    "expired": ("expired", 3, 3, "certificate expired"),
}


@pytest.mark.parametrize("which", ["required", "optional"])
@pytest.mark.parametrize("case", CASES)
def test_who_is_let_in(started, certs, backends, clients, case, which):
    name, required, optional, alert = CASES[case]
    front = start(started, certs, backends, clients, "--client-cert", which, "--log-level", "debug")
    wanted = required if which == "required" else optional
    result = verify(front, clients, name)
    assert result.returncode == wanted, result.stdout + result.stderr
    if wanted != 0:
        assert alert in result.stdout + result.stderr
        assert metric(front, "grpcroute_proxy_downstream_connections_refused_total") > 0
        front.wait_for({None: "shows no certificate, which --client-ca asks for",
                        "stranger": r"signed by an unknown authority \(issuer \"others-ca\"\): it is none of the "
                                    r"authorities of",
                        "expired": "expired on 2020-01-02"}[name])


def forwarded(front, stubs, clients, name, extra=()):
    """What a server sees of a call whose client shows this certificate."""
    identity = {} if name is None else {"private_key": (clients / f"{name}.key").read_bytes(),
                                        "certificate_chain": (clients / f"{name}.pem").read_bytes()}
    credentials = grpc.ssl_channel_credentials((front.certs / "ca.pem").read_bytes(), **identity)
    with grpc.secure_channel(front.target, credentials) as channel:
        call = channel.stream_stream("/ping.PingService/PingPong")(
            iter([b""]), metadata=[("agent-version", "v1.1"), ("agent-id", "a"), *extra], timeout=20)
        for _ in call:
            pass


class Echo(grpc.GenericRpcHandler):
    def __init__(self):
        self.seen = []

    def service(self, details):
        if details.method == "/ping.PingService/PingPong":
            self.seen.append([value for name, value in details.invocation_metadata if name == OTHERS])
            return grpc.stream_stream_rpc_method_handler(lambda requests, context: iter([b""]))
        return None


@pytest.fixture
def echo(started):
    handler = Echo()
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[handler])
    handler.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield handler
    server.stop(0).wait()


def test_a_server_is_told_who_the_client_is_and_nothing_that_the_client_says(started, certs, stubs, clients, echo):
    front = start(started, certs, ([echo], [echo]), clients, "--client-cert", "optional", "--forward-client-cert")
    forwarded(front, stubs, clients, "client")
    forwarded(front, stubs, clients, "client", [(OTHERS, "Subject=\"CN=somebody-else\"")])
    forwarded(front, stubs, clients, None, [(OTHERS, "Subject=\"CN=somebody-else\"")])
    told, again, nobody = echo.seen
    assert len(told) == 1 and re.fullmatch(r'Hash=[0-9a-f]{64};Subject="CN=client"', told[0])
    assert again == told and nobody == []


def test_without_being_asked_to_it_tells_nobody(started, certs, stubs, clients, echo):
    front = start(started, certs, ([echo], [echo]), clients)
    forwarded(front, stubs, clients, "client", [(OTHERS, "Subject=\"CN=somebody-else\"")])
    assert echo.seen == [[]]


def test_where_clients_prove_nothing_their_word_is_left_alone(started, certs, stubs, clients, echo):
    front = started(Proxy(certs, [echo], [echo])).wait_ready()
    forwarded(front, stubs, clients, None, [(OTHERS, "of a proxy before this one")])
    assert echo.seen == [["of a proxy before this one"]]


def test_another_authority_is_taken_over_by_a_reload(started, certs, backends, clients, tmp_path):
    shutil.copy(clients / "clients-ca.pem", tmp_path / "ca.pem")
    front = started(Proxy(certs, *backends, "--client-ca", tmp_path / "ca.pem")).wait_ready()
    assert verify(front, clients, "client").returncode == 0
    assert verify(front, clients, "stranger").returncode == 3
    shutil.copy(clients / "others-ca.pem", tmp_path / "ca.pem")
    front.wait_for("Reloaded: certificate")
    assert verify(front, clients, "client").returncode == 3
    assert verify(front, clients, "stranger").returncode == 0
    (tmp_path / "ca.pem").write_text("nothing")
    front.wait_for("Not reloaded .*client CA file")
    assert verify(front, clients, "stranger").returncode == 0
    assert fetch(front.admin + "/ready")[0] == 200


@pytest.mark.parametrize("args, cause", [
    (["--forward-client-cert"], "--forward-client-cert: needs --client-ca"),
    (["--client-cert", "required"], "--client-cert: needs --client-ca"),
    (["--age-jitter=20"], "--age-jitter: needs --max-stream-age"),
    (["--client-ca", "/no/such.pem"], "client CA file /no/such.pem: No such file"),
])
def test_what_cannot_be_is_one_line(certs, args, cause):
    result = grpcroute("proxy", "--listen", "127.0.0.1:0", "--cert", certs / "cert.pem", "--key", certs / "key.pem",
                       *args)
    assert result.returncode == 2 and cause in result.stderr
