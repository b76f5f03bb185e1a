"""The image: small, without a shell or a user, and complete."""
import json
import re

import pytest

from conftest import free_port
from kube import ROOT

VERSION = re.search(r"version: '([0-9.]+)'", (ROOT / "meson.build").read_text()).group(1)
IMAGE = f"grpcroute:{VERSION}"
LOCKED_DOWN = ["docker", "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt",
               "no-new-privileges"]


def test_make_build_makes_a_small_image_without_root(cluster, docker):
    cluster.make("build", env=docker, timeout=600)
    inspected = json.loads(cluster.run(["docker", "image", "inspect", IMAGE], env=docker).stdout)[0]
    assert inspected["Size"] < 20_000_000
    assert inspected["Config"]["User"] == "65532:65532"
    assert inspected["Config"]["Entrypoint"] == ["/grpcroute"]


def test_it_runs_read_only_and_without_capabilities(cluster, docker):
    said = cluster.run([*LOCKED_DOWN, IMAGE, "--version"], env=docker).stdout
    assert said.startswith(f"grpcroute {VERSION}")


def test_server_and_agent_talk_inside(cluster, docker):
    port = free_port()
    name = f"server-{port}"
    cluster.run([*LOCKED_DOWN, "--detach", "--name", name, IMAGE, "server", "--version", "v1", "--id", "s", "--listen",
                 f"127.0.0.1:{port}"], env=docker)
    try:
        said = cluster.run([*LOCKED_DOWN, IMAGE, "agent", "--version", "v1.1", "--id", "a", "--plaintext", "--target",
                            f"localhost:{port}", "--messages", "2", "--interval", "100ms"], env=docker)
    finally:
        cluster.run(["docker", "stop", name], env=docker)
    assert (said.stdout + said.stderr).count("Received pong from server=v1/s message=pong") == 2


def test_make_load_brings_it_to_the_node(cluster, docker):
    node = ["ctr", "--address", cluster.state / "containerd.sock", "--namespace", "k8s.io", "images"]
    name = f"docker.io/library/{IMAGE}"
    cluster.run([*node, "rm", name])
    cluster.make("load", env=docker)
    assert name in cluster.run([*node, "ls", "-q"]).stdout.split()


@pytest.mark.parametrize("context, words", [
    ("kind-my-poc", f"kind load docker-image {IMAGE} --name my-poc"),
    ("minikube", f"minikube image load {IMAGE} --profile minikube"),
    ("k3d-my-poc", f"k3d image import {IMAGE} --cluster my-poc"),
])
def test_load_calls_the_tool_of_the_context(cluster, docker, context, words, tmp_path):
    """These tools are not on this machine: what stands in for them writes down how it was called."""
    config = tmp_path / "kubeconfig"
    config.write_text((cluster.state / "kubeconfig").read_text())
    kubeconfig = {"KUBECONFIG": str(config)}
    current = cluster.run(["kubectl", "config", "current-context"], env=kubeconfig).stdout.strip()
    cluster.run(["kubectl", "config", "rename-context", current, context], env=kubeconfig)
    tool = tmp_path / words.split()[0]
    tool.write_text(f'#!/bin/sh\necho "$(basename "$0") $*" > {tmp_path}/called\n')
    tool.chmod(0o755)
    env = {**docker, **kubeconfig, "PATH": f"{tmp_path}:{cluster.env['PATH']}"}
    cluster.make("load", env=env)
    assert (tmp_path / "called").read_text().strip() == words


def test_one_command_does_it_all(cluster, docker):
    cluster.make("all-embedded", env=docker, timeout=600)
    assert len(cluster.ready("app!=check")) == 9
    cluster.make("clean")
    assert "not found" in cluster.run(["kubectl", "get", "namespace", "grpc-routing-poc"], check=False).stderr.lower()
