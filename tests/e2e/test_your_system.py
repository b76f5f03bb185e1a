"""Proxies that ask for something: a client certificate, a token, a header of their own; each also says no."""
import json
import re

import pytest

from testenv.grpcio_peers import PingServer
from testenv.grpcroute import BIN, Server, grpcroute
from testenv.identity import PASSPHRASE, Identities
from testenv.net import ReservedPort
from testenv.process import Process
from testenv.proxies import REAL_PROXIES

ASKING = ["envoy", "haproxy", "nginx"]
TOKEN = "s3cr3t-tok3n"


@pytest.fixture(scope="session")
def identities(tmp_path_factory):
    return Identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def verify(certs):
    def run(target, *args):
        return grpcroute("verify", "--target", target, "--cacert", certs / "ca.pem", "--versions", "v1.1,v2.1",
                         "--timeout", "5s",
                         *args)
    return run


# ---- client certificates ---------------------------------------------------------------------------

def asks_for_certificate(program, ca, required):
    """Returns what changes a proxy's configuration so that it wants one."""
    if program == "nginx":
        mode = "on" if required else "optional"
        return lambda text: text.replace("ssl_protocols", f'ssl_client_certificate "{ca}"; ssl_verify_client {mode};\n'
                                                          "        ssl_protocols")
    if program == "haproxy":
        mode = "required" if required else "optional"
        return lambda text: text.replace("ssl-min-ver", f"ca-file {ca} verify {mode} ssl-min-ver")
    wanted = "          require_client_certificate: true\n" if required else ""
    return lambda text: text.replace(
        "          common_tls_context:\n",
        f'{wanted}          common_tls_context:\n'
        f'            validation_context: {{trusted_ca: {{filename: "{ca}"}}}}\n')


@pytest.fixture(params=ASKING)
def asking(request, started, certs, backends, tmp_path, identities):
    def start(required):
        change = asks_for_certificate(request.param, identities / "clients-ca.pem", required)
        return started(REAL_PROXIES[request.param](certs, tmp_path, *backends, change=change))
    return start


def test_a_required_client_certificate_is_shown(asking, verify, identities, certs, agent):
    proxy = asking(True)
    done = verify(proxy.target, *identities.options("client"))
    assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output
    client = agent("v2.2", "a", proxy.target, "--messages", "2", *identities.options("client"), cacert=certs / "ca.pem")
    assert client.wait() == 0
    for name in (None, "stranger", "expired"):
        done = verify(proxy.target, *identities.options(name))
        assert done.returncode in (3, 4), (name, done.stdout + done.stderr)
        assert "passed" not in done.stdout
        assert ("is expired" in done.stderr) == (name == "expired")


def test_an_optional_client_certificate_may_be_missing_but_not_wrong(asking, verify, identities):
    proxy = asking(False)
    for name in (None, "client"):
        done = verify(proxy.target, *identities.options(name))
        assert done.returncode == 0, (name, done.stdout + done.stderr + proxy.process.output)
    for name in ("stranger", "expired"):
        done = verify(proxy.target, *identities.options(name))
        assert done.returncode in (3, 4), (name, done.stdout + done.stderr)


EACH_COMMAND = pytest.mark.parametrize("command", [
    ["verify", "-s", "1"],
    ["sticky-test", "--interval", "1ms"],
    ["failover-test", "--fault", "true", "--settle", "10ms", "--agents", "4"],
    ["bench", "-r", "0", "-z", "200ms", "--warmup", "0", "-c", "2"],  # a load at a rate may find the machine too busy
    ["agent", "--version", "v1.1", "-n", "2", "--interval", "1ms"],
], ids=lambda command: command[0])


def test_keys_of_each_type_and_chains_of_each_length_are_shown(asking, verify, identities):
    proxy = asking(True)
    for name in "rsa", "below":
        done = verify(proxy.target, *identities.options(name))
        assert done.returncode == 0, (name, done.stdout + done.stderr + proxy.process.output)
        assert done.stderr == ""
    done = verify(proxy.target, *identities.options("ed25519"))
    if proxy.program == "envoy":  # BoringSSL does not ask for such a signature, and so none is made
        assert done.returncode == 3 and "takes none of the type of --cert's key" in done.stderr, done
    else:
        assert done.returncode == 0, done


@EACH_COMMAND
def test_a_chain_without_its_intermediate_is_refused_whatever_we_trust(command, started, certs, backends, tmp_path,
                                                                       identities):
    """Filled up from --cacert it would be good here, and be refused when agents show it, who do not do that."""
    proxy = started(REAL_PROXIES["haproxy"](certs, tmp_path, *backends,
                                            change=asks_for_certificate("haproxy", identities / "clients-ca.pem",
                                                                        True)))
    trusted = tmp_path / "trusted.pem"
    trusted.write_text("".join((file).read_text() for file in (certs / "ca.pem", identities / "intermediate.pem",
                                                               identities / "clients-ca.pem")))
    words = [*command, "--target", proxy.target, "--cacert", trusted]
    if command[0] != "agent":  # which tries for ever
        done = grpcroute(*words, *identities.options("lonely"))
        assert done.returncode == 3 and "alert: unknown CA" in done.stderr, done
        assert "does not know who signed the client certificate of --cert, or the file lacks the intermediate" \
            in done.stderr
    else:
        started(Process([BIN, *words, *identities.options("lonely")])).wait_for("Connection failed: .*lacks the "
                                                                                "intermediate")
    done = grpcroute(*words, *identities.options("below"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name, told", [
    ("lonely", {"nginx": "shown the client certificate of --cert", "haproxy": "unknown CA.*intermediate",
                "envoy": "unknown CA.*intermediate"}),
    ("stranger", {"nginx": "shown the client certificate of --cert", "haproxy": "unknown CA.*of --cert",
                  "envoy": "unknown CA.*of --cert"}),
    ("early", {"nginx": "shown the client certificate of --cert",
               "haproxy": "does not accept the client certificate of --cert",
               "envoy": "does not accept the client certificate of --cert"}),
])
@pytest.mark.parametrize("required", [True, False])
def test_a_certificate_that_is_refused_is_told_as_that(asking, verify, identities, name, told, required):
    proxy = asking(required)
    done = verify(proxy.target, *identities.options(name))
    assert done.returncode in (3, 4) and re.search(told[proxy.program], done.stdout + done.stderr), done
    assert ("not yet valid" in done.stderr) == (name == "early")


@EACH_COMMAND
def test_a_certificate_that_nobody_looked_at_is_no_proof(command, started, proxy, certs, backends, tmp_path,
                                                         identities):
    """It was not asked for, or is of a type that the peer does not take and does without."""
    done = grpcroute(*command, "--target", proxy.target, "--cacert", certs / "ca.pem", *identities.options("client"))
    assert "warning: --cert: it was shown to nobody: the peer did not ask for a client certificate" in done.stderr, done
    assert "warning" not in grpcroute(*command, "--target", proxy.target, "--cacert", certs / "ca.pem").stderr
    envoy = started(REAL_PROXIES["envoy"](certs, tmp_path, *backends,
                                          change=asks_for_certificate("envoy", identities / "clients-ca.pem", False)))
    for name, told in ("ed25519", "the peer takes no certificate of its key's type"), ("client", None):
        done = grpcroute(*command, "--target", envoy.target, "--cacert", certs / "ca.pem", *identities.options(name))
        assert done.returncode in (0, 4), done
        assert (f"--cert: it was shown to nobody: {told}" in done.stderr) if told else "warning" not in done.stderr, \
            done


@EACH_COMMAND
def test_every_client_command_shows_its_certificate_and_token(command, started, certs, backends, tmp_path, identities):
    wants = asks_for_certificate("nginx", identities / "clients-ca.pem", True)
    proxy = started(REAL_PROXIES["nginx"](certs, tmp_path, *backends,
                                          change=lambda text: wants(asks_for_token("nginx")(text))))
    common = [*command, "--target", "proxy.example.com:1", "--connect-to", proxy.target, "--authority",
              f"localhost:{proxy.port}",
              "--cacert", certs / "ca.pem"]
    token = ["-H", f"Authorization: Bearer {TOKEN}"]
    shown = identities.options("client")
    done = grpcroute(*common, *shown, *token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    if command[0] != "agent":  # which tries for ever
        assert grpcroute(*common, *shown).returncode not in (0, 2)
        assert grpcroute(*common, *token).returncode not in (0, 2)


def test_an_encrypted_key_needs_its_passphrase(asking, verify, identities, tmp_path):
    proxy = asking(True)
    cert = ["--cert", identities / "client.pem", "--key", identities / "encrypted.key"]
    done = verify(proxy.target, *cert, "--key-passphrase-file", identities / "passphrase.txt")
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("incorrect horse")
    for args, told in ([], "--key-passphrase-file"), (["--key-passphrase-file", wrong], "does not open"):
        done = verify(proxy.target, *cert, *args)
        assert done.returncode == 2 and told in done.stderr, done.stderr
        assert PASSPHRASE not in done.stderr and "incorrect" not in done.stderr
    done = verify(proxy.target, "--cert", identities / "both.pem")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("args, told", [
    (["--cert", "client.pem", "--key", "stranger.key"], "does not belong"),
    (["--cert", "stranger.pem", "--key", "encrypted.key", "--key-passphrase-file", "passphrase.txt"],
     "does not belong"),
    (["--cert", "none.pem"], "none.pem"),
    (["--cert", "client.pem"], "client.pem"),
    (["--key", "client.key"], "--cert"),
    (["--cert", "client.pem", "--key", "client.key", "--plaintext"], "--plaintext"),
    (["--key-passphrase-file", "passphrase.txt"], "--cert"),
    (["--cert", "client.pem", "--key", "encrypted.key", "--key-passphrase-file", "none.txt"], "none.txt"),
])
def test_certificates_that_cannot_be_shown_are_told_at_once(identities, args, told):
    done = grpcroute("verify", "--target", "localhost:1", *(identities / arg if "." in arg else arg for arg in args))
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr


# ---- tokens ----------------------------------------------------------------------------------------

def asks_for_token(program):
    if program == "nginx":
        return lambda text: text.replace("if ($backend",
                                         f'if ($http_authorization != "Bearer {TOKEN}") {{ return 401; }}\n'
                                                         "            if ($backend")
    if program == "haproxy":
        return lambda text: re.sub(r"(\n *)(http-request return status 400)",
                                   rf"\1http-request return status 401 unless {{ req.hdr(authorization) 'Bearer "
                                   rf"{TOKEN}' }}\1\2", text)
    return lambda text: text.replace(
        "                    if request:headers():getNumValues",
        f'                    if request:headers():get("authorization") ~= "Bearer {TOKEN}" then\n'
        '                      request:respond({[":status"] = "401"}, "no")\n                      return\n           '
        '         end\n'
        "                    if request:headers():getNumValues", 1)


@pytest.mark.parametrize("program", ASKING)
def test_a_token_opens_the_way_and_a_wrong_one_does_not(program, started, certs, backends, tmp_path, verify):
    proxy = started(REAL_PROXIES[program](certs, tmp_path, *backends, change=asks_for_token(program)))
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    for value in f"Bearer {TOKEN}", f"Bearer @{file}":
        done = verify(proxy.target, "-H", f"authorization: {value}", "-H", "x-tenant:blue")
        assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output
    for args in [], ["-H", "authorization: Bearer wr0ng"]:
        done = verify(proxy.target, *args)
        assert done.returncode not in (0, 2) and "passed" not in done.stdout, done.stdout + done.stderr
        assert "wr0ng" not in done.stdout + done.stderr


def test_a_token_file_is_read_again_at_each_connection(started, certs, backends, tmp_path, agent):
    proxy = started(REAL_PROXIES["haproxy"](certs, tmp_path, *backends, change=asks_for_token("haproxy")))
    file = tmp_path / "token"
    file.write_text("0ld")
    client = agent("v1.1", "a", proxy.target, "--max-backoff", "1s", "-H", f"authorization: Bearer @{file}",
                   cacert=certs / "ca.pem")
    client.wait_for(r"reconnecting in")
    assert not client.pongs()
    file.write_text(TOKEN)
    client.wait_for(r"Received pong")
    file.unlink()
    proxy.stop()
    client.wait_for(r"-H authorization: cannot use .*token.*; the value read before is sent")
    proxy.start()
    before = len(client.pongs())
    client.wait_for(r"Received pong", count=before + 2)
    assert TOKEN not in client.output and "0ld" not in client.output


@pytest.mark.parametrize("text", ["s3cr3t", "authorization", ": s3cr3t", "a b: s3cr3t", "x: ", "x: s3cr3t\ny",
                                  "te: s3cr3t", "grpc-timeout: 1S3cr3t", "host: s3cr3t", "agent-id: s3cr3t",
                                  "Agent-Version: s3cr3t", "x: @/none/s3cr3t-file", "x: " + "s3cr3t" * 2000])
def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(text):
    done = grpcroute("verify", "--target", "localhost:1", "--plaintext", "-H", text)
    assert done.returncode == 2 and "-H" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "s3cr3t" not in done.stderr.replace("/none/s3cr3t-file", "")


BINARY = {"AAEC": b"\0\1\2", "AAE": b"\0\1", "AAE=": b"\0\1"}


@pytest.mark.parametrize("value", BINARY)
def test_binary_headers_are_decoded_by_real_servers(started, stubs, value):
    """What is not base64 would end every call at a server that is right to do so."""
    seen = []
    server = started(PingServer(stubs["ping_pb2"], heard=seen.append))
    done = grpcroute("verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-s", "1", "-H",
                     f"X-Trace-Bin: {value}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert seen[0]["x-trace-bin"] == BINARY[value]


@pytest.mark.parametrize("args, told", [
    (["-H", "x-trace-bin: not base64!"], "is not base64"), (["-H", "x-trace-BIN: A"], "is not base64"),
    (["-H", "x-trace-bin: AA==="], "is not base64"), (["-H", "x-trace-bin: AAEC,AA"], "is not base64"),
    (["--version-header", "x-bin"], "base64"), (["--id-header", "x-id-Bin"], "base64"),
])
@EACH_COMMAND
def test_a_binary_header_that_cannot_be_decoded_is_refused(command, args, told):
    done = grpcroute(*command, "--target", "localhost:1", "--plaintext", *args)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_headers_go_out_as_given(started, certs, tmp_path):
    """@@ is an @, a value keeps its inner blanks, and a name its lower case."""
    server = started(Server("v1", "pod"))
    for text in "x-at: @@home", "X-Two: a b @@c", "x-colon:a:b":
        done = grpcroute("verify", "--target", server.address, "--plaintext", "--versions", "v1.1", "-H", text)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- names -----------------------------------------------------------------------------------------

OWN_ROUTES = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: own}
spec:
  rules:
  - matches: [{headers: [{name: x-client, value: green}]}]
    backendRefs: [{name: server-v1, port: 50051}]
  - matches: [{headers: [{name: x-client, value: blue}]}]
    backendRefs: [{name: server-v2, port: 50051}]
"""


@pytest.mark.parametrize("program", sorted(REAL_PROXIES))
def test_a_header_of_its_own_routes_through_each_rendered_configuration(program, started, certs, backends, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(OWN_ROUTES)
    proxy = started(REAL_PROXIES[program](certs, tmp_path, *backends, "--routes", routes))
    common = ["verify", "--target", proxy.target, "--cacert", certs / "ca.pem", "--versions", "green,blue", "--timeout",
              "8s"]
    own = ["--version-header", "X-Client", "--id-header", "x-client-id"]
    done = grpcroute(*common, *own, "--routes", routes, "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output
    report = json.loads(done.stdout)
    assert [check["expected_versions"] for check in report["checks"]] == [["v1"], ["v2"]]
    assert all("isolation" in check["not_checked"] for check in report["checks"])
    done = grpcroute(*common, *own, "--expect", "green=v2", "--expect", "blue=v2")
    assert done.returncode == 1 and "❌ Agent green" in done.stdout and "✅ Agent blue" in done.stdout, done.stdout
    done = grpcroute(*common, *own)
    assert done.returncode == 4 and "--expect 'green=SERVER'" in done.stdout, done.stdout
    done = grpcroute(*common, "--routes", routes)  # under the usual name no rule takes it
    assert done.returncode != 0, done.stdout


@pytest.mark.parametrize("args", [["--version-header", "a b"], ["--version-header", "te"],
                                  ["--version-header", "x", "--id-header", "X"],
                                  ["--id-header", ":path"], ["--authority", "a/b"], ["--authority", ":443"],
                                  ["--connect-to", ":1"], ["--connect-to", "a:0"], ["--connect-to", "::1"]])
def test_names_that_cannot_be_are_refused(args):
    done = grpcroute("verify", "--target", "localhost:1", "--plaintext", *args)
    assert done.returncode == 2 and args[-2] in done.stderr, done.stderr


def test_connect_to_goes_there_and_verifies_the_targets_name(started, proxy, certs, verify):
    for target in "localhost:1", "localhost":
        done = verify(target, "--connect-to", f"127.0.0.1:{proxy.port}")
        assert done.returncode == 0, done.stdout + done.stderr
    for there in "127.0.0.1", "localhost":  # the port is the target's
        done = verify(f"localhost:{proxy.port}", "--connect-to", there)
        assert done.returncode == 0, done.stdout + done.stderr
    done = verify("proxy.example.com:443", "--connect-to", proxy.target)
    assert done.returncode == 3 and "not \"proxy.example.com\"" in done.stderr, done.stderr
    done = verify(proxy.target, "--connect-to", f"127.0.0.1:{started(ReservedPort()).port}")
    assert done.returncode == 3 and "refused" in done.stderr, done.stderr


def test_the_port_of_an_authority_is_no_part_of_the_verified_name(proxy, verify):
    done = verify(f"127.0.0.1:{proxy.port}", "--authority", "localhost:443")
    assert done.returncode == 0, done.stdout + done.stderr
    done = verify(proxy.target, "--authority", "example.com:443")
    assert done.returncode == 3 and '"example.com"' in done.stderr, done.stderr
