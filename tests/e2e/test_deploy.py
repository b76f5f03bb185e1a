"""What the make targets for a cluster do, beside a kubectl and a docker that say what the test wants; tests/kind has
real ones."""
import os
import pty
import re
import shutil
import subprocess

import pytest
import yaml

from testenv.grpcroute import BIN, ROOT

TOOLS = ["bash", "cat", "dirname", "env", "grep", "head", "make", "sed", "sleep", "sh", "touch", "wc"]

KUBECTL = """#!/bin/sh
cd {folder}
echo "$*" >> asked
case "$*" in
    "config current-context") cat context ;;
    *"get --raw /readyz"*) [ ! -e unreachable ] || {{ echo "dial tcp: connection refused" >&2; exit 1; }} ;;
    *"get crd"*) [ ! -e no_crd ] ;;
    *"rollout status"*) [ ! -e not_ready ] ;;
    *"get deployments"*) echo agent-v1-1 ;;
    *"get pods -o go-template"*) cat not_ready ;;
    *"get pods -l job-name"*) cat probe ;;
    *"get pods"*) cat pods ;;
    *"get events"*) cat event 2> /dev/null ;;
    *--previous*) cat previous 2> /dev/null ;;
    *--tail=1) cat last ;;
    *"logs job/"*) echo the probe says ;;
    *"logs "*" --selector"*|*"logs -l app in"*)
        read=$(grep -c "app in" asked)
        [ "$read" -ge "$(cat enough_at)" ] && cat logs || head -n 8 logs ;;
    *"logs -l"*) echo a line ;;
esac
"""
DOCKER = """#!/bin/sh
cd {folder}
[ ! -e silent ] || {{ echo 'Cannot connect to the Docker daemon' >&2; exit 1; }}
echo "$*" >> docker_asked
"""


def log(servers, messages):
    """Of an agent of each version, a message of each in turn."""
    fronts = {version: f"[pod/agent/agent] 2026-01-02T03:04:05.1Z "
                       f"[AGENT_{version}/agent-{version.replace(chr(46), chr(45))}-x]" for version in servers}
    lines = [f"{front} Stream opened to proxy-ingress:8443\n" for front in fronts.values()]
    for _ in range(messages):
        for version, front in fronts.items():
            lines += [f"{front} Sent ping\n", f"{front} Received pong from "
                                              f"server={servers[version]}/pod-{servers[version]} message=pong\n"]
    return "".join(lines)


RIGHT = {"v1.1": "v1", "v1.2": "v1", "v2.1": "v2", "v2.2": "v2"}


class Machine:
    """Files of `folder` are what kubectl and docker go by."""

    def __init__(self, folder, tools):
        self.folder = folder
        self.path = folder / "bin"
        self.path.mkdir()
        for tool in tools:
            (self.path / tool).symlink_to(shutil.which(tool))
        self.tell(enough_at=1, logs=log(RIGHT, 21), probe=0, context="fake", pods="pod/agent-v1-1-x\n", last="")

    def install(self, name, text):
        program = self.path / name
        program.write_text(text.format(folder=self.folder))
        program.chmod(0o755)

    def tell(self, **files):
        for name, text in files.items():
            (self.folder / name).write_text(str(text))

    def asked(self):
        return (self.folder / "asked").read_text()

    def run(self, *argv, stdin=None, **env):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS")) and
                 name not in ("TAIL", "FOLLOW", "CONFIRM")}
        return subprocess.run([str(arg) for arg in argv], cwd=ROOT, stdin=stdin, capture_output=True, text=True,
                              timeout=60,
                              check=False, env={**clean, "PATH": str(self.path), "GRPCROUTE": BIN, **env})

    def make(self, *words, stdin=None, **env):
        return self.run("make", "--no-print-directory", *words, f"BIN={BIN}", stdin=stdin, **env)

    def check(self, name, **env):
        return self.run("deploy/cluster.sh", "check", name, **env)


@pytest.fixture
def bare(tmp_path):
    """Neither kubectl nor docker."""
    return Machine(tmp_path, TOOLS)


@pytest.fixture
def machine(bare):
    bare.install("kubectl", KUBECTL)
    bare.install("docker", DOCKER)
    return bare


def one_line(done, code, *words):
    """Said in one line; make adds its own."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("make: ***", "==>"))]
    assert done.returncode == code and len(lines) == 1 and done.stdout == "", done
    for word in words:
        assert word in lines[0], done


# ---- checks ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, last", [("verify", "Routing verification passed!"),
                                        ("sticky-test", "Sticky routing works correctly!")])
def test_a_check_right_after_the_deployment_waits_for_the_logs(machine, name, last):
    machine.tell(enough_at=3)
    done = machine.make(name)
    assert done.returncode == 0 and last in done.stdout and "the probe says" in done.stdout, done
    assert done.stderr.count("agents have not logged enough yet; waiting for them, up to 150 s") == 1
    # twice too early, once to see that it is enough, once to tell
    assert machine.asked().count("app in (agent, server)") == 4


def test_enough_is_not_waited_for(machine):
    done = machine.make("verify")
    assert done.returncode == 0 and "waiting" not in done.stderr, done


def test_the_wait_has_a_limit(machine):
    machine.tell(enough_at=1000)
    done = machine.check("verify", LOG_TIMEOUT="4")
    assert done.returncode == 4 and "up to 4 s" in done.stderr and "passed" not in done.stdout, done
    assert "the probe says" in done.stdout
    assert "Error 4" in machine.make("verify", LOG_TIMEOUT="0").stderr


def test_what_is_wrong_is_not_waited_for(machine):
    machine.tell(logs=log({**RIGHT, "v2.1": "v1"}, 21))
    done = machine.check("verify")
    assert done.returncode == 1 and "waiting" not in done.stderr and "❌" in done.stdout, done


@pytest.mark.parametrize("logs, probe, code", [
    (RIGHT, 0, 0), (RIGHT, 1, 1), (RIGHT, 3, 3), (RIGHT, 4, 4), ({**RIGHT, "v1.1": "v2"}, 0, 1),
    ({**RIGHT, "v1.1": "v2"}, 4, 1),
    (RIGHT, "", 4), ({**RIGHT, "v1.1": "v2"}, "", 1),  # a probe that does not end
])
def test_exit_codes_pass_through(machine, logs, probe, code):
    """A check that failed is not hidden by one that could not be made."""
    machine.tell(logs=log(logs, 21), probe=probe)
    assert machine.check("verify", PROBE_TIMEOUT="2").returncode == code


# ---- deployments that do not become ready -----------------------------------------------------------

@pytest.mark.parametrize("not_ready, files, said", [
    ("agent-v1-1-x agent grpcroute:1 ", {"last": "[AGENT_v1.1/x] no trust in the certificate"},
     "agent-v1-1-x says: [AGENT_v1.1/x] no trust"),
    ("agent-v1-1-x agent grpcroute:1 ", {"previous": "the last words"}, "agent-v1-1-x says: the last words"),
    ("agent-v1-1-x agent grpcroute:1 CrashLoopBackOff", {"last": "bad option"},
     "agent-v1-1-x ends at once: bad option"),
    ("agent-v1-1-x agent grpcroute:1 ImagePullBackOff", {}, "image grpcroute:1 is not on the node; run make load"),
    ("agent-v1-1-x agent grpcroute:1 ContainerCreating", {"event": 'configmap "proxy-ca" not found'},
     'configmap "proxy-ca" not found'),
    ("agent-v1-2-x agent grpcroute:1 ImagePullBackOff", {"event": "0/1 nodes are available"},
     "0/1 nodes are available"),
    ("", {}, "see kubectl get events -n grpc-routing-poc"),
])
def test_why_it_is_not_ready_is_said_in_one_line(machine, not_ready, files, said):
    machine.tell(not_ready=not_ready + "\n", **files)
    done = machine.run("deploy/cluster.sh", "wait", ROLLOUT_TIMEOUT="7s")
    one_line(done, 1, f"deployment agent-v1-1 is not ready after 7s: {said}")


# ---- logs, image -----------------------------------------------------------------------------------

@pytest.mark.parametrize("target, selector", [
    ("logs-proxy", "app=proxy-ingress"), ("logs-envoy", "app=proxy-ingress,proxy=envoy"),
    ("logs-server-v2", "app=server,version=v2"),
    ("logs-agent-v1-1", "app=agent,version=v1.1"), ("logs-agents-v2", "app=agent,major-version=v2"),
])
def test_logs_are_those_of_all_containers(machine, target, selector):
    assert machine.make(target).stdout == "a line\n"
    assert f"logs -l {selector} --all-containers --tail=100 --max-log-requests=100\n" in machine.asked()
    assert machine.make(target, "TAIL=7", "FOLLOW=1").stdout == "a line\n"
    assert f"logs -l {selector} --all-containers --tail=7 --max-log-requests=100 --follow\n" in machine.asked()


CLUSTER_TARGETS = ["logs-proxy", "logs-agents-v1", "logs-agent-v1-1", "logs-server-v1", "logs-traefik", "verify",
                   "sticky-test", "clean", "deploy-envoy"]


@pytest.mark.parametrize("target", CLUSTER_TARGETS)
def test_no_kubectl_is_one_line(bare, target):
    one_line(bare.make(target), 2, "kubectl is not on PATH")


@pytest.mark.parametrize("target", CLUSTER_TARGETS)
def test_a_cluster_that_does_not_answer_is_one_line(machine, target):
    machine.tell(unreachable="")
    one_line(machine.make(target), 2, "the cluster of context fake does not answer")


def deleted(machine):
    return "delete namespace" in machine.asked()


def test_nothing_is_deleted_where_nobody_can_be_asked(machine):
    done = machine.make("clean", stdin=subprocess.DEVNULL)
    one_line(done, 2, "Delete the namespace grpc-routing-poc and everything in it, and the ",
             "in the cluster of context fake?", "CONFIRM=1")
    one_line(machine.make("clean", "CONFIRM=0", stdin=subprocess.DEVNULL), 2, "CONFIRM=1")
    assert not deleted(machine)
    assert machine.make("clean", "CONFIRM=1", stdin=subprocess.DEVNULL).returncode == 0 and deleted(machine)


@pytest.mark.parametrize("answer, agreed", [("y", True), ("yes", True), ("", False), ("n", False), ("yesterday", False),
                                            ("\x04", False)])
def test_who_is_asked_decides_what_is_deleted(machine, answer, agreed):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode() + b"\n")
        done = machine.make("clean", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "in the cluster of context fake? [y/N]" in done.stderr
    assert deleted(machine) is agreed and (done.returncode == 0) is agreed and \
        ("nothing was deleted" in done.stderr) is not agreed, done


def test_a_cluster_without_the_gateway_api_is_one_line(machine):
    machine.tell(no_crd="")
    one_line(machine.make("deploy-gateway"), 2, "does not have the Gateway API's types; run kubectl apply -f https://")


def test_logs_of_nothing_are_one_line(machine):
    machine.tell(pods="")
    one_line(machine.make("logs-proxy"), 2, "app=proxy-ingress", "make all-envoy")


@pytest.mark.parametrize("target", ["build", "load"])
def test_no_docker_is_one_line(bare, target):
    one_line(bare.make(target), 2, "docker is not on PATH")
    one_line(bare.make(target, "DOCKER=podman"), 2, "podman is not on PATH")


@pytest.mark.parametrize("target", ["build", "load"])
def test_a_docker_that_does_not_answer_is_one_line(machine, target):
    machine.tell(silent="")
    one_line(machine.make(target), 2, "docker does not answer")


@pytest.mark.parametrize("context, tool", [("kind-poc", "kind"), ("minikube", "minikube"), ("k3d-poc", "k3d"),
                                           ("my-server", "ctr")])
def test_load_without_the_tool_of_the_context_is_one_line(machine, context, tool):
    machine.tell(context=context)
    one_line(machine.make("load"), 2, tool, f"context {context} is")


@pytest.mark.parametrize("context, words", [("kind-poc", "kind load docker-image {} --name poc"),
                                            ("minikube", "minikube image load {} --profile minikube"),
                                            ("k3d-poc", "k3d image import {} --cluster poc"),
                                            ("my-server", "ctr --namespace k8s.io images import -")])
def test_load_calls_the_tool_of_the_context(machine, context, words):
    machine.tell(context=context)
    machine.install(words.split()[0], '#!/bin/sh\necho "${{0##*/}} $*" > {folder}/called\n')
    assert machine.make("load", "IMAGE=a:b").returncode == 0
    assert (machine.folder / "called").read_text().strip() == words.format("a:b")


def test_build_builds_the_image(machine):
    assert machine.make("build", "IMAGE=a:b").returncode == 0
    assert (machine.folder / "docker_asked").read_text() == "info\nbuild --tag a:b .\n"


def test_what_the_image_is_built_of_is_enough_to_build(tmp_path):
    """The Dockerfile sees what .dockerignore lets in, and copies that."""
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M)
    for name in let_in:
        target = tmp_path / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    assert sorted(" ".join(copied).split()) == sorted(let_in)
    done = subprocess.run(["meson", "setup", tmp_path / "build", tmp_path / "source", "--buildtype=release"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# ---- policies --------------------------------------------------------------------------------------

def test_no_policy_has_rules_for_both_directions():
    """kube-router takes ports to come in by for ports to go out to where one has both."""
    for file in ("base/network-policies.yaml", "gateway-api/network-policy.yaml", "monitoring/network-policy.yaml"):
        for policy in yaml.safe_load_all((ROOT / "deploy" / file).read_text()):
            spec = policy["spec"]
            assert not ("ingress" in spec and "egress" in spec), policy["metadata"]["name"]
            assert all(kind in spec["policyTypes"] for kind, key in (("Ingress", "ingress"), ("Egress", "egress"))
                       if key in spec)
