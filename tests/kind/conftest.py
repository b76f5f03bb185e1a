"""One kind cluster for all tests, in the box that test.sh runs them in; it is gone afterwards."""
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kube import ROOT, Cluster  # noqa: E402

NAME = "grpc-routing-poc"  # as deploy/kind.yaml and the README have it
NODE = "kindest/node:v1.33.13"


def run(*argv, env):
    subprocess.run([str(arg) for arg in argv], check=True, env=env, cwd=ROOT)


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    run(ROOT / "certs/generate-certs.sh", "--out", folder, env=os.environ)
    return folder


@pytest.fixture(scope="session")
def cluster(certs):
    folder = pathlib.Path(os.environ["BOX_FOLDER"])
    cluster = Cluster(folder / "kubeconfig", {"PATH": f"{ROOT}/.cache/kind/bin:{os.environ['PATH']}",
                                              "CERTS": str(certs)})
    cluster.certs = certs
    try:
        run("kind", "create", "cluster", "--name", NAME, "--config", "deploy/kind.yaml", "--image", NODE,
            env=cluster.env)
        run("kind", "load", "docker-image", "envoyproxy/envoy:v1.40.0", "traefik:v3.6.12", "--name", NAME,
            env=cluster.env)
        run("kubectl", "apply", "--server-side", "-f", ROOT / ".cache/kind/gateway-api", env=cluster.env)
        cluster.wait_system()
        yield cluster
    finally:
        run("kind", "delete", "cluster", "--name", NAME, env=cluster.env)


@pytest.fixture(scope="session")
def next_image(cluster):
    """The image again under the name of a later version."""
    images = cluster.run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split()
    name = next(line for line in images if line.startswith("grpcroute:") and line != "grpcroute:next")
    cluster.run(["docker", "tag", name, "grpcroute:next"])
    cluster.run(["kind", "load", "docker-image", "grpcroute:next", "--name", NAME])
    return "grpcroute:next"
