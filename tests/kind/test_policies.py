"""The network policies, by real connections between pods: the arrows of the picture and no others."""
import concurrent.futures
import json
import shutil

import pytest

from conftest import HERE, NAME
from kube import NAMESPACE, wait_until

IMAGE = "local/busybox:1"
# Pods by their namespace and label `app`: what each may be taken for.
SOURCES = [(NAMESPACE, None), *((NAMESPACE, app) for app in ("agent", "check", "server", "proxy-ingress")),
           ("default", None), ("default", "agent"), ("default", "proxy-ingress")]
TARGETS = ("server:50051", "server:9102", "proxy:8443", "proxy:9901", "service:8443", "agent:9102", "dns:53", "api:443")
PROXY_PORTS = {"proxy:8443", "proxy:9901", "service:8443"}
OPEN = {(NAMESPACE, None): set(), (NAMESPACE, "agent"): {"proxy:8443", "service:8443"},
        (NAMESPACE, "check"): {"proxy:8443", "service:8443"},
        (NAMESPACE, "server"): set(), (NAMESPACE, "proxy-ingress"): {"server:50051"}}


def expected(source):
    """Everybody asks the DNS; who is not of the namespace reaches the proxy, as through its NodePorts."""
    return {"dns:53"} | OPEN.get(source, PROXY_PORTS | {"api:443"})


def pod(source):
    return "probe-" + (source[1] or "none")


def manifest(source):
    labels = {"probe": "policies", **({"app": source[1]} if source[1] else {})}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod(source), "namespace": source[0],
                                                            "labels": labels}, "spec": {
        "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "image": IMAGE, "imagePullPolicy": "Never", "securityContext": security}]}}


@pytest.fixture(scope="module")
def busybox(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("busybox")
    binaries = folder / "root/bin"
    binaries.mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), binaries / "busybox")
    for name in ("nc", "nslookup", "sleep", "true"):
        (binaries / name).symlink_to("busybox")
    cluster.run([HERE / "mkimage.sh", folder / "root", IMAGE, folder / "image.tar", '["/bin/sleep", "3600"]'])
    cluster.run(["docker", "load", "--input", folder / "image.tar"])
    cluster.run(["kind", "load", "docker-image", IMAGE, "--name", NAME])


@pytest.fixture(scope="module")
def probes(cluster, busybox):
    cluster.make("all-embedded", timeout=900)
    pods = {"apiVersion": "v1", "kind": "List", "items": [manifest(source) for source in SOURCES]}
    try:
        cluster.run(["kubectl", "apply", "-f", "-"], stdin=json.dumps(pods))
        for namespace in (NAMESPACE, "default"):
            cluster.run(["kubectl", "wait", "-n", namespace, "--for=condition=Ready", "pod", "-l", "probe=policies",
                         "--timeout=90s"])
        yield cluster
    finally:
        cluster.run(["kubectl", "delete", "pod", "-n", "default", "-l", "probe=policies", "--now"], check=False)
        cluster.make("clean", "CONFIRM=1")


def addresses(cluster):
    """Of real pods and services: those of the deployment, not the probes."""
    def of(selector, namespace=NAMESPACE):
        return cluster.run(["kubectl", "get", "pods", "-n", namespace, "-l", selector, "-o",
                            "jsonpath={.items[0].status.podIP}"]).stdout

    service = cluster.kubectl("get", "service", "proxy-ingress", "-o", "jsonpath={.spec.clusterIP}")
    return {"server": of("app=server,version=v1"), "proxy": of("app=proxy-ingress,proxy"), "service": service,
            "agent": of("app=agent,version=v1.1"), "dns": of("k8s-app=kube-dns", "kube-system"), "api": "10.96.0.1"}


def connects(cluster, source, address, port):
    return cluster.run(["kubectl", "exec", "-n", source[0], pod(source), "--", "nc", "-w", "2", address, port, "-e",
                        "/bin/true"],
                       check=False).returncode == 0


def reached(cluster):
    """{source: the targets that it connects to}."""
    known = addresses(cluster)
    where = {target: (known[target.split(":")[0]], target.split(":")[1]) for target in TARGETS}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tried = {(source, target): pool.submit(connects, cluster, source, *where[target]) for source in SOURCES
                 for target in TARGETS}
        return {source: {target for target in TARGETS if tried[source, target].result()} for source in SOURCES}


def test_connections_are_those_of_the_picture_and_no_others(probes):
    wanted = {source: expected(source) for source in SOURCES}
    wait_until(lambda: reached(probes) == wanted, 120, "every connection is open or shut as promised",
               lambda: str(reached(probes)))


def test_prometheus_is_let_in_where_that_is_applied(probes):
    prometheus, known = ("monitoring", None), addresses(probes)
    probes.run(["kubectl", "create", "namespace", "monitoring"])
    try:
        probes.run(["kubectl", "apply", "-f", "-"], stdin=json.dumps(manifest(prometheus)))
        probes.run(["kubectl", "wait", "-n", "monitoring", "--for=condition=Ready", "pod/" + pod(prometheus),
                    "--timeout=90s"])
        assert not connects(probes, prometheus, known["agent"], "9102")
        probes.run(["kubectl", "apply", "-n", NAMESPACE, "-f", "deploy/monitoring/network-policy.yaml"])
        for name in ("agent", "server"):
            wait_until(lambda address=known[name]: connects(probes, prometheus, address, "9102"), 60,
                       f"metrics of {name}")
        assert not connects(probes, prometheus, known["server"], "50051")
    finally:
        probes.run(["kubectl", "delete", "-n", NAMESPACE, "-f", "deploy/monitoring/network-policy.yaml",
                    "--ignore-not-found"])
        probes.run(["kubectl", "delete", "namespace", "monitoring"])


def test_dns_answers_everybody(probes):
    for source in SOURCES:
        said = probes.run(["kubectl", "exec", "-n", source[0], pod(source), "--", "nslookup", "-type=a",
                           "kubernetes.default.svc.cluster.local", "10.96.0.10"]).stdout
        assert "Address: 10.96.0.1\n" in said, source


def test_a_policy_for_both_directions_would_be_seen(probes):
    """kube-router takes the ports to come in by for ports to go out to, so that proxies would reach each other."""
    both = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "both", "namespace": NAMESPACE}, "spec": {
        "podSelector": {"matchLabels": {"app": "proxy-ingress"}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": 8443}]}],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "server"}}}], "ports": [{"port": 50051}]}]}}
    proxy = (NAMESPACE, "proxy-ingress")
    probes.run(["kubectl", "apply", "-f", "-"], stdin=json.dumps(both))
    try:
        wait_until(lambda: "proxy:8443" in reached(probes)[proxy], 120, "proxy reaches proxy")
    finally:
        probes.kubectl("delete", "networkpolicy", "both")
