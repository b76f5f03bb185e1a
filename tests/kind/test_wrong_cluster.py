"""Clusters that are wrong, and people who make mistakes: each is told the cause."""
import shutil
import subprocess

import pytest

from kube import ROOT, wait_until


@pytest.fixture(scope="module")
def deployed(cluster):
    cluster.make("all-embedded", timeout=900)
    yield cluster
    cluster.make("clean", "CONFIRM=1")


@pytest.mark.parametrize("overlay", ["embedded", "envoy", "traefik", "gateway-api"])
def test_manifests_validate(cluster, overlay):
    cluster.run(["kubectl", "apply", "-f", "deploy/base/namespace.yaml"])
    cluster.run(["kubectl", "apply", "--dry-run=server", "-k", f"deploy/{overlay}"])
    cluster.run(["kubectl", "apply", "--dry-run=server", "-k", "deploy/monitoring"])
    for job in ("verify", "sticky-test", "bench"):
        cluster.run(["kubectl", "apply", "--dry-run=server", "-f", f"deploy/jobs/{job}.yaml"])


def apply_routes(cluster, folder):
    """kubectl apply -k, as make deploy-embedded does it; returns when the proxy has rolled."""
    old = cluster.ready("app=proxy-ingress")
    cluster.run(["kubectl", "apply", "-k", folder])
    cluster.kubectl("rollout", "status", "deployment/proxy-ingress", "--timeout=60s")
    cluster.kubectl("wait", "--for=delete", *[f"pod/{name}" for name in old], "--timeout=60s")


def test_changed_routes_roll_the_proxy_and_swapped_ones_fail_verify(deployed, tmp_path):
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    routes = tmp_path / "deploy/routes/grpcroute.yaml"
    right = routes.read_text()
    routes.write_text(right.replace(r"^v2\.", r"^vX\.").replace(r"^v1\.", r"^v2\.").replace(r"^vX\.", r"^v1\."))
    assert routes.read_text() != right
    apply_routes(deployed, tmp_path / "deploy/embedded")
    wait_until(lambda: any(p[0] != p[2] for p in deployed.pongs("--since=5s")), 40, "misrouted pongs")
    done = deployed.make("verify", check=False)
    assert done.returncode != 0
    assert "passed" not in done.stdout and "v2" in done.stdout
    apply_routes(deployed, ROOT / "deploy/embedded")
    wait_until(lambda: {(p[0], p[2]) for p in deployed.pongs("--since=5s")} == {("v1", "v1"), ("v2", "v2")}, 40,
               "rightly routed pongs")


def test_a_cluster_ip_is_told(deployed):
    """Behind a virtual IP the proxy holds one connection to one pod."""
    for name in ("server-v1", "server-v2"):
        service = deployed.kubectl("get", "service", name, "-o", "yaml")
        deployed.kubectl("delete", "service", name)
        kept = [line for line in service.splitlines() if "clusterIP" not in line and line.strip() != "- None"
                and "resourceVersion" not in line and "uid" not in line]
        deployed.kubectl("apply", "-f", "-", stdin="\n".join(kept))
    deployed.kubectl("rollout", "restart", "deployment/proxy-ingress")
    deployed.kubectl("rollout", "status", "deployment/proxy-ingress", "--timeout=60s")
    done = deployed.make("verify", check=False)
    assert "headless" in done.stdout + done.stderr
    for name in ("server-v1", "server-v2"):
        deployed.kubectl("delete", "service", name)
    deployed.make("deploy-embedded")


def told(done, *words):
    """One line with a cause and a mend, and make's own line about the failure."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("make: ***", "make[", "==>"))]
    assert done.returncode != 0 and len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]


def test_a_missing_secret_is_told(deployed):
    deployed.kubectl("delete", "secret", "proxy-certs")
    told(deployed.make("deploy-embedded", check=False), "proxy-certs", "make apply-certs")
    deployed.make("apply-certs")


def test_an_image_that_is_not_loaded_is_told(deployed):
    deployed.kubectl("set", "image", "deployment/server-v1", "*=grpcroute:absent")
    done = deployed.run(["deploy/cluster.sh", "wait"], check=False, env={"ROLLOUT_TIMEOUT": "15s"})
    told(done, "grpcroute:absent", "make load")
    deployed.make("deploy-embedded")


def test_a_context_that_does_not_answer_is_told(cluster, tmp_path):
    config = tmp_path / "kubeconfig"
    config.write_text("apiVersion: v1\nkind: Config\ncurrent-context: gone\ncontexts: [{name: gone, context: "
                      "{cluster: gone}}]\n"
                      "clusters: [{name: gone, cluster: {server: 'https://127.0.0.1:1'}}]\n")
    for target in ("deploy-envoy", "verify", "clean", "apply-certs"):
        done = cluster.make(target, check=False, env={"KUBECONFIG": str(config)})
        told(done, "gone")


def test_no_docker_is_told(cluster):
    for target in ("build", "load"):
        done = cluster.make(target, "DOCKER=no-docker-here", check=False, env={"DOCKER": "no-docker-here"})
        told(done, "no-docker-here", "DOCKER=podman")


def test_nothing_committed_is_secret():
    tracked = subprocess.run(["git", "grep", "-lE", "BEGIN (EC |RSA |)PRIVATE KEY-"], cwd=ROOT, capture_output=True,
                             text=True, check=False)
    assert tracked.returncode == 1, tracked.stdout + tracked.stderr  # 1: nothing found
