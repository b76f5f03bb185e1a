"""Runs of `grpcroute limits`."""
import json

from testenv.grpcroute import grpcroute


def limits(target, *args, shapes=(), within="2s", cacert=None, code=0):
    """{shape: finding} of a run; without `shapes`, of all. `code` None: any."""
    tls = ["--cacert", cacert] if cacert else ["--plaintext"]
    only = ["--shapes", ",".join(shapes)] if shapes else []
    done = grpcroute("limits", "--target", target, *tls, "--within", within, *only, "-o", "json", *args, timeout=110)
    assert code in (None, done.returncode), done.stdout + done.stderr
    return {finding["shape"]: finding for finding in json.loads(done.stdout)["limits"]}
