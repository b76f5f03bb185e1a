"""kubectl, make and what a person types, against the test's cluster."""
import json
import os
import pathlib
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = "grpc-routing-poc"
AGENTS = {"agent-v1-1": "v1.1", "agent-v1-2": "v1.2", "agent-v2-1": "v2.1", "agent-v2-2": "v2.2"}
PONG = re.compile(r"\[AGENT_(v\d)\.\d+/(\S+)\] Received pong from server=(v\d)/(\S+) message=pong")


class Cluster:
    """A running cluster. Every call raises with the command's output when it fails, unless told otherwise."""

    def __init__(self, kubeconfig, environment=None):
        self.env = {**os.environ, **(environment or {}), "KUBECONFIG": str(kubeconfig)}

    def run(self, argv, check=True, timeout=300, stdin=None, env=None):
        done = subprocess.run([str(arg) for arg in argv], cwd=ROOT, env={**self.env, **(env or {})},
                              text=True, capture_output=True, timeout=timeout, check=False, input=stdin)
        if check and done.returncode != 0:
            raise AssertionError(f"{argv}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def sh(self, command, **kwargs):
        """A line as a person types it, from the root of the repository."""
        return self.run(["bash", "-o", "pipefail", "-c", command], **kwargs).stdout

    def kubectl(self, *args, **kwargs):
        return self.run(["kubectl", "--namespace", NAMESPACE, *args], **kwargs).stdout

    def wait_system(self):
        """The node is ready, its DNS answers, and policies are enforced."""
        self.run(["kubectl", "wait", "--for=condition=Ready", "node", "--all", "--timeout=120s"])
        for what in ("daemonset/kube-router", "deployment/coredns"):
            self.run(["kubectl", "rollout", "status", "-n", "kube-system", what, "--timeout=120s"])

    def make(self, *targets, **kwargs):
        return self.run(["make", "--no-print-directory", *targets], **kwargs)

    def pods(self, selector=""):
        """The pods that are not on their way out."""
        found = json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, selector=""):
        return [pod["metadata"]["name"] for pod in self.pods(selector) if is_ready(pod)]

    def wait_ready(self, selector, count, deadline_s=60):
        return wait_until(lambda: _exactly(self.ready(selector), count), deadline_s,
                          f"{count} ready pods of {selector!r}", lambda: self.kubectl("get", "pods"))

    def agent_lines(self, *since):
        """What agents logged; `since`: an option of kubectl logs, --since or --since-time."""
        return self.kubectl("logs", "-l", "app=agent", "--tail=-1", "--max-log-requests=100", *since,
                            check=False).splitlines()  # fails when one of the pods goes meanwhile

    def pongs(self, *since):
        """(agent's major version, agent id, server's version, server id) of each pong that agents logged."""
        return [match.groups() for match in map(PONG.search, self.agent_lines(*since)) if match]


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def _exactly(items, count):
    return items if len(items) == count else None


def wait_until(probe, deadline_s, what, show=lambda: ""):
    """Polls, as nothing here tells by itself; returns what `probe` found."""
    end = time.monotonic() + deadline_s
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}\n{show()}"
        time.sleep(0.5)
