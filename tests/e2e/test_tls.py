"""What TLS offers and takes, compared with docs/tls.md; and that no session is resumed."""
import re
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from testenv.grpcroute import BIN, ROOT, Proxy, Server
from testenv.net import ReservedPort
from testenv.process import Process, run

# Of ClientHellos (RFC 8446 section 4.2.7, draft-ietf-tls-ecdhe-mlkem).
GROUPS = {"X25519MLKEM768": 0x11ec, "X25519": 29, "P-256": 23, "P-384": 24}
SIGNATURES = {"ecdsa_secp256r1_sha256": 0x403, "ecdsa_secp384r1_sha384": 0x503, "ecdsa_secp521r1_sha512": 0x603,
              "ed25519": 0x807, "ed448": 0x808,
              "rsa_pss_pss_sha256": 0x809, "rsa_pss_pss_sha384": 0x80a, "rsa_pss_pss_sha512": 0x80b,
              "rsa_pss_rsae_sha256": 0x804,
              "rsa_pss_rsae_sha384": 0x805, "rsa_pss_rsae_sha512": 0x806, "rsa_pkcs1_sha256": 0x401,
              "rsa_pkcs1_sha384": 0x501, "rsa_pkcs1_sha512": 0x601}
SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, ALPN, VERSIONS = 10, 13, 16, 43
# Of OpenSSL itself, for whoever does not set these things: all that is old and weak, and nothing of the page.
LAX = """openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = lax
[lax]
MinProtocol = TLSv1
MaxProtocol = TLSv1.2
CipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0
Ciphersuites = TLS_AES_128_CCM_8_SHA256
Groups = P-521:X448:ffdhe2048
SignatureAlgorithms = RSA+SHA1:ECDSA+SHA1:RSA+SHA256
ClientSignatureAlgorithms = RSA+SHA1:ECDSA+SHA1
Options = SessionTicket,UnsafeLegacyRenegotiation,Compression,-ServerPreference,-MiddleboxCompat
"""


def told(row):
    """The names that the page has in this row, in their order."""
    line = re.search(rf"^\| {re.escape(row)} \| (.*) \|$", (ROOT / "docs/tls.md").read_text(), re.M).group(1)
    return re.sub(r" \([^)]*\)", "", line).split(", ")


MODERN, OLD, NAMES_OF_GROUPS = told("ciphers of TLS 1.3"), told("ciphers of TLS 1.2"), told("groups")


def known(kind, *args):
    """Every cipher that this machine's OpenSSL has, whatever is thought of it."""
    text = subprocess.run(["openssl", "ciphers", "-s", kind, *args, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
                          capture_output=True, text=True,
                          check=True).stdout
    return [name for name in text.strip().split(":") if "PSK" not in name and "SRP" not in name]


def make_certificate(folder, *key):
    subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-days", "2", "-keyout", folder / "key.pem", "-out",
                    folder / "cert.pem", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost"], check=True,
                   capture_output=True)
    return folder


@pytest.fixture(scope="module")
def lax(tmp_path_factory):
    """Variables of the environment by which a program gets that configuration."""
    path = tmp_path_factory.mktemp("lax") / "openssl.cnf"
    path.write_text(LAX)
    return {"OPENSSL_CONF": str(path)}


@pytest.fixture(scope="module", params=["ec", "rsa", "rsa-lax"])
def identity(request, tmp_path_factory):
    """A folder with a certificate of that kind."""
    kind = request.param.split("-")[0]
    key = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}[kind]
    folder = make_certificate(tmp_path_factory.mktemp(request.param), *key)
    folder.joinpath("kind").write_text({"ec": "ECDSA", "rsa": "RSA"}[kind])
    return folder


@pytest.fixture(scope="module")
def listeners(identity, lax):
    """Both that serve TLS: (kind of the key, ports)."""
    env = lax if "lax" in identity.name else None
    server = Server("v1", "s", "--cert", identity / "cert.pem", "--key", identity / "key.pem", env=env)
    front = Proxy(identity, [server], [server], "--no-health-checks", env=env)
    yield (identity / "kind").read_text(), [front.port, server.port]
    front.close()
    server.close()


def s_client(port, *args):
    """What openssl says of a connection, whole."""
    return run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "h2", *args])


def agreed(done):
    """Version and cipher that came of it, or the alert."""
    found = re.search(r"^New, (TLSv1\.\d).*, Cipher is (\S+)$", done.stdout, re.M)
    alert = re.search(r"alert ([a-z ]+):", done.stderr)
    return found.groups() if found and found.group(2) != "(NONE)" else alert.group(1) if alert else None


def test_each_cipher_of_the_page_is_taken_and_no_other(listeners):
    kind, ports = listeners
    port = ports[0]
    taken = {name: agreed(s_client(port, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0")) for name in known("-tls1_2")}
    assert len(taken) > 30  # or there was nothing to refuse
    for name, found in taken.items():
        mine = name in OLD and f"-{kind}-" in name
        assert found == (("TLSv1.2", name) if mine else "handshake failure"), (name, found)
    modern = {name: agreed(s_client(port, "-tls1_3", "-ciphersuites", name))
              for name in known("-tls1_3", "-ciphersuites",
              "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256:" + ":".join(MODERN)) if name.startswith("TLS_")}
    assert set(MODERN) < set(modern)
    for name, found in modern.items():
        assert found == (("TLSv1.3", name) if name in MODERN else "handshake failure"), (name, found)


def test_the_order_is_that_of_the_page(listeners):
    kind, ports = listeners
    for port in ports:
        mine = [name for name in OLD if f"-{kind}-" in name]
        assert agreed(s_client(port, "-tls1_2", "-cipher", ":".join(reversed(mine[:2])))) == ("TLSv1.2", mine[0])
        # it prefers ChaCha20
        assert agreed(s_client(port, "-tls1_2", "-cipher", ":".join(reversed(mine)))) == ("TLSv1.2", mine[2])
        assert agreed(s_client(port, "-ciphersuites", ":".join(reversed(MODERN[:2])))) == ("TLSv1.3", MODERN[0])


def test_groups_are_those_of_the_page(listeners):
    port = listeners[1][0]
    keys = {"X25519": "X25519", "P-256": "prime256v1", "P-384": "secp384r1"}
    refused = ["X448", "P-521", "ffdhe2048"]
    for name in [*keys, *refused]:
        done = s_client(port, "-groups", name)
        assert (agreed(done) == "handshake failure") == (name in refused), (name, done.stdout + done.stderr)
    assert set(keys) == set(NAMES_OF_GROUPS) - {"X25519MLKEM768"}


def test_signatures_are_those_of_the_page(listeners):
    """Those that the key can make; and none with SHA-1, which a client of old might ask for."""
    kind, ports = listeners
    mine = {"ECDSA": ["ecdsa_secp256r1_sha256"], "RSA": [name for name in SIGNATURES
                                                         if name.startswith(("rsa_pss_rsae", "rsa_pkcs1"))]}[kind]
    for port in ports:
        for name in [*mine, f"{kind}+SHA1", f"{kind}+SHA224"]:
            done = s_client(port, "-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", name)
            assert (agreed(done) == "handshake failure") == (name not in mine), (name, done.stdout + done.stderr)
    assert list(SIGNATURES) == told("signatures")


def test_versions_are_those_of_the_page(listeners):
    for port in listeners[1]:
        found = {version: agreed(s_client(port, f"-tls{version}", "-cipher", "ALL:@SECLEVEL=0"))
                 for version in ("1", "1_1", "1_2")}
        assert (found["1"], found["1_1"]) == ("protocol version", "protocol version") and found["1_2"][0] == "TLSv1.2"
        assert [agreed(s_client(port))[0]] == told("versions")[:1]
        assert "no application protocol" in run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]).stderr


# ---- what is offered ----

class Listener:
    """Takes one ClientHello, and closes."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.hello = b""
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def take(self):
        with self.socket.accept()[0] as client:
            client.settimeout(10)
            while len(self.hello) < 5 or len(self.hello) < 5 + struct.unpack(">H", self.hello[3:5])[0]:
                self.hello += client.recv(65536)

    def close(self):
        self.socket.close()
        self.thread.join(10)


def sixteens(data):
    return [number for number, in struct.iter_unpack(">H", data)]


def parse(hello):
    """Ciphers, and extensions by their number."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    size = struct.unpack_from(">H", hello, at)[0]
    ciphers = sixteens(hello[at + 2:at + 2 + size])
    at += 2 + size
    at += 1 + hello[at] + 2
    extensions = {}
    while at < len(hello):
        number, size = struct.unpack_from(">HH", hello, at)
        extensions[number] = hello[at + 4:at + 4 + size]
        at += 4 + size
    return ciphers, extensions


def numbers_of(names):
    text = subprocess.run(["openssl", "ciphers", "-V", "ALL:COMPLEMENTOFALL"], capture_output=True, text=True,
                          check=True).stdout
    found = {name: int(high, 16) << 8 | int(low, 16) for high, low,
             name in re.findall(r"0x(..),0x(..) +- +(\S+)", text)}
    return [found[name] for name in names]


@pytest.mark.parametrize("configured", ["as it is", "lax"])
@pytest.mark.parametrize("command", [["verify"], ["agent", "--version", "v1.1"], ["bench"]])
def test_who_connects_offers_what_the_page_says(started, command, configured, lax):
    listener = started(Listener())
    started(Process([BIN, *command, "--target", f"localhost:{listener.port}", "-k"], env=lax if configured == "lax"
                    else None))
    listener.thread.join(20)
    ciphers, extensions = parse(listener.hello)
    scsv = 0x00ff  # of renegotiation, which is none
    assert [cipher for cipher in ciphers if cipher != scsv] == numbers_of([*MODERN, *OLD])
    groups = sixteens(extensions[SUPPORTED_GROUPS][2:])
    assert groups in ([GROUPS[name] for name in NAMES_OF_GROUPS], [GROUPS[name] for name in NAMES_OF_GROUPS[1:]])
    assert sixteens(extensions[VERSIONS][1:]) == [{"TLSv1.3": 0x304, "TLSv1.2": 0x303}[name]
                                                  for name in told("versions")]
    assert sixteens(extensions[SIGNATURE_ALGORITHMS][2:]) == list(SIGNATURES.values())
    assert extensions[ALPN][2:] == b"\x02h2" and told("ALPN") == ["h2"]


# ---- certificates ----

@pytest.fixture(scope="module", params=[("-newkey", "rsa:1024"), ("-newkey", "rsa:2048", "-sha1")],
                ids=["1024 bits", "SHA-1"])
def weak(request, tmp_path_factory):
    """A certificate that is short of the page, by its key or by who signed it."""
    folder = make_certificate(tmp_path_factory.mktemp("weak"), "-newkey", "rsa:2048")
    authority = (folder / "cert.pem").rename(folder / "ca.pem"), (folder / "key.pem").rename(folder / "ca-key.pem")
    size, *digest = request.param[1:]
    subprocess.run(["openssl", "req", "-newkey", size, "-nodes", "-keyout", folder / "key.pem", "-out",
                    folder / "csr.pem", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost"], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", authority[0], "-CAkey", authority[1],
                    "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", folder / "cert.pem", *digest],
                   check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("configured", ["as it is", "lax"])
def test_a_weak_certificate_is_not_shown(weak, lax, configured):
    done = run([BIN, "server", "--version", "v1", "--listen", "127.0.0.1:0", "--cert", weak / "cert.pem", "--key",
                weak / "key.pem"],
               env=lax if configured == "lax" else {})
    assert done.returncode == 2 and re.search("too (small|weak)", done.stderr), done.stderr


@pytest.mark.parametrize("configured", ["as it is", "lax"])
def test_a_weak_certificate_is_not_trusted(started, weak, lax, configured):
    port = started(ReservedPort()).port
    peer = started(Process(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", weak / "cert.pem", "-key",
                            weak / "key.pem", "-cipher", "ALL:@SECLEVEL=0", "-alpn", "h2", "-www"]))
    peer.wait_for("ACCEPT")
    done = run([BIN, "verify", "--target", f"localhost:{port}", "--cacert", weak / "ca.pem", "--timeout", "5s"],
               env=lax if configured == "lax" else {})
    assert done.returncode == 3 and re.search("too (small|weak)", done.stdout + done.stderr), done.stdout + done.stderr


# ---- resumption ----

def test_no_session_is_resumed(listeners):
    """Neither by openssl, which tries five times, nor by Python; of either version no ticket comes."""
    for port in listeners[1]:
        for version in "-tls1_2", "-tls1_3":
            done = s_client(port, version, "-reconnect")
            assert done.stdout.count("\nNew, ") == 6 and "Reused" not in done.stdout, done.stdout
            assert "ticket" not in done.stdout.lower(), done.stdout
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        session = None
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain,
                                                                                             session=session) as tls:
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
                assert tls.recv(9)  # a ticket would come before it
                assert not tls.session_reused
                session = tls.session
        assert session is None or not session.has_ticket
