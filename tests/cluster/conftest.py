"""One real Kubernetes for all tests, and a Docker for those of the image; both are gone afterwards."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from kube import ROOT, Cluster  # noqa: E402

IMAGES = ROOT / ".cache/cluster/images"
BIN = ROOT / ".cache/cluster/bin"


def run(*argv, env=None):
    subprocess.run([str(arg) for arg in argv], check=True, env={**os.environ, **(env or {})}, cwd=ROOT)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def state_folder(kind):
    """In the folder of test.sh, which takes down what is left in it, however this process ends."""
    return pathlib.Path(tempfile.mkdtemp(prefix=f"grpcroute-{kind}-", dir=os.environ.get("CLUSTER_FOLDER"))) / "state"


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    run(ROOT / "certs/generate-certs.sh", "--out", folder)
    return folder


@pytest.fixture(scope="session")
def cluster(certs):
    state = state_folder("cluster")
    ports = {30443: free_port(), 30901: free_port()}
    try:
        run(HERE / "up.sh", state, env={"PORTS": " ".join(f"{here}:{node}" for node, here in ports.items())})
        run(HERE / "load.sh", state, *sorted(IMAGES.glob("*.tar")))
        cluster = Cluster(state / "kubeconfig", ports, {
            "PATH": f"{BIN}:{os.environ['PATH']}", "CERTS": str(certs), "CTR": f"ctr --address {state}/containerd.sock"})
        cluster.certs = certs
        cluster.state = state
        yield cluster
    finally:
        run(HERE / "down.sh", state)
        shutil.rmtree(state.parent)


@pytest.fixture(scope="session")
def next_image(cluster):
    """The image again under the name of a later version."""
    containerd = ["ctr", "--address", cluster.state / "containerd.sock", "--namespace", "k8s.io", "images"]
    listed = subprocess.run([*containerd, "ls", "-q"], check=True, capture_output=True, text=True).stdout
    name = next(line for line in listed.splitlines() if "/grpcroute:" in line)
    run(*containerd, "tag", name, "docker.io/library/grpcroute:next")
    return "grpcroute:next"


@pytest.fixture(scope="session")
def docker():
    """The environment of a docker command that answers."""
    state = state_folder("docker")
    try:
        run(HERE / "dockerd.sh", state)
        yield {"DOCKER_HOST": f"unix://{state}/docker.sock"}
    finally:
        run(HERE / "down.sh", state)
        shutil.rmtree(state.parent)
