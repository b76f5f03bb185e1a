"""The image: small, without a shell or a user, and complete."""
import json
import pathlib
import re

from kube import ROOT

VERSION = re.search(r"version: '([0-9.]+)'", (ROOT / "meson.build").read_text()).group(1)
IMAGE = f"grpcroute:{VERSION}"
ON_THE_NODE = f"docker.io/library/{IMAGE}"
NODE_CTR = ["docker", "exec", "--interactive", "grpc-routing-poc-control-plane", "ctr", "--namespace", "k8s.io",
            "images"]
LOCKED_DOWN = ["docker", "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt",
               "no-new-privileges"]


def test_make_build_makes_a_small_image_without_root(cluster):
    cluster.make("build", timeout=600)
    inspected = json.loads(cluster.run(["docker", "image", "inspect", IMAGE]).stdout)[0]
    assert inspected["Size"] < 20_000_000
    assert inspected["Config"]["User"] == "65532:65532"
    assert inspected["Config"]["Entrypoint"] == ["/grpcroute"]


def test_it_runs_read_only_and_without_capabilities(cluster):
    said = cluster.run([*LOCKED_DOWN, IMAGE, "--version"]).stdout
    assert said.startswith(f"grpcroute {VERSION}")


def test_server_and_agent_talk_inside(cluster):
    port = 50051  # the box is nobody else's
    name = "test-server"
    cluster.run([*LOCKED_DOWN, "--detach", "--name", name, IMAGE, "server", "--version", "v1", "--id", "s", "--listen",
                 f"127.0.0.1:{port}"])
    try:
        said = cluster.run([*LOCKED_DOWN, IMAGE, "agent", "--version", "v1.1", "--id", "a", "--plaintext", "--target",
                            f"localhost:{port}", "--messages", "2", "--interval", "100ms"])
    finally:
        cluster.run(["docker", "stop", name])
    assert (said.stdout + said.stderr).count("Received pong from server=v1/s message=pong") == 2


def on_the_node(cluster):
    return cluster.run([*NODE_CTR, "ls", "-q"]).stdout.split()


def test_make_load_brings_it_to_the_node(cluster):
    cluster.run([*NODE_CTR, "rm", ON_THE_NODE], check=False)
    cluster.make("load")
    assert ON_THE_NODE in on_the_node(cluster)


def test_make_load_brings_it_to_a_containerd(cluster, tmp_path):
    """Of a cluster that no tool of its own loads images into."""
    cluster.run([*NODE_CTR, "rm", ON_THE_NODE], check=False)
    assert ON_THE_NODE not in on_the_node(cluster)
    cluster.make("load", env={**renamed_context(cluster, tmp_path, "some-server"), "CTR": " ".join(NODE_CTR[:5])})
    assert ON_THE_NODE in on_the_node(cluster)


def renamed_context(cluster, folder, name):
    """The environment in which the cluster's context has another name."""
    config = folder / "kubeconfig"
    config.write_text(pathlib.Path(cluster.env["KUBECONFIG"]).read_text())
    environment = {"KUBECONFIG": str(config)}
    current = cluster.run(["kubectl", "config", "current-context"], env=environment).stdout.strip()
    cluster.run(["kubectl", "config", "rename-context", current, name], env=environment)
    return environment
