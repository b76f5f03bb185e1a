"""Client certificates: a CA of clients, and what it and others have signed."""
import subprocess

CA_CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""
PASSPHRASE = "correct horse"


def _openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Identities:
    """Files of `folder`: clients-ca.pem; client, expired, early (not yet valid) and stranger, each NAME.pem and
    NAME.key; encrypted.key is client's with a passphrase, in passphrase.txt; both.pem holds client's certificate and
    key. `below` is signed by an intermediate: its file is the chain, `lonely`'s the leaf alone; rsa and ed25519 are
    keys of other types."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(CA_CONFIG.format(folder=folder))
        self._authority("clients-ca")
        self._authority("others-ca")
        self._sign("client", "clients-ca", "20200101000000Z", "20491231235959Z")
        self._sign("expired", "clients-ca", "20200101000000Z", "20200102000000Z")
        self._sign("early", "clients-ca", "20400101000000Z", "20491231235959Z")
        for name, key in (("rsa", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]), ("ed25519", ["ED25519"])):
            self._sign(name, "clients-ca", "20200101000000Z", "20491231235959Z", key)
        self._sign("intermediate", "clients-ca", "20200101000000Z", "20491231235959Z",
                   extension="basicConstraints=critical,CA:TRUE")
        self._sign("lonely", "intermediate", "20200101000000Z", "20491231235959Z")
        (folder / "below.pem").write_text((self / "lonely.pem").read_text() + (self / "intermediate.pem").read_text())
        (folder / "below.key").write_text((self / "lonely.key").read_text())
        self._sign("stranger", "others-ca", "20200101000000Z", "20491231235959Z")
        (folder / "passphrase.txt").write_text(PASSPHRASE + "\n")
        _openssl("pkey", "-in", self / "client.key", "-aes256", "-passout", f"pass:{PASSPHRASE}", "-out",
                 self / "encrypted.key")
        (folder / "both.pem").write_text((self / "client.pem").read_text() + (self / "client.key").read_text())

    def __truediv__(self, name):
        return self.folder / name

    def options(self, name):
        """That show the certificate of this name; None: none."""
        return [] if name is None else ["--cert", self / f"{name}.pem", "--key", self / f"{name}.key"]

    def _key(self, name, algorithm=("EC", "-pkeyopt", "ec_paramgen_curve:P-256")):
        _openssl("genpkey", "-algorithm", *algorithm, "-out", self / f"{name}.key")

    def _authority(self, name):
        self._key(name)
        _openssl("req", "-x509", "-new", "-key", self / f"{name}.key", "-days", "30", "-subj", f"/CN={name}", "-out",
                 self / f"{name}.pem")

    def _sign(self, name, authority, begin, end, *key, extension=None):
        self._key(name, *key)
        extensions = []
        if extension:
            (self / "extensions.cnf").write_text(extension + "\n")
            extensions = ["-extfile", self / "extensions.cnf"]
        _openssl("req", "-new", "-key", self / f"{name}.key", "-subj", f"/CN={name}", "-out", self / f"{name}.csr")
        _openssl("ca", "-batch", "-notext", "-config", self / "ca.cnf", "-cert", self / f"{authority}.pem", "-keyfile",
                 self / f"{authority}.key", "-startdate", begin, "-enddate", end, *extensions, "-in",
                 self / f"{name}.csr", "-out", self / f"{name}.pem")
