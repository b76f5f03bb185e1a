"""The recipes of docs/ci.md do what they say: each command, as it stands there, passes with a proxy that routes right
and fails with one that does not."""
import os
import pathlib
import re
import xml.etree.ElementTree

import pytest
import yaml

from testenv.grpcroute import BIN, ROOT, Proxy, Server
from testenv.process import run
from testenv.slow import slow

BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/ci.md").read_text(),
                                                      re.DOTALL)]


def github_steps():
    [workflow] = [block for block in BLOCKS if "jobs" in block]
    [job] = workflow["jobs"].values()
    return [(f"github {step['name']}", step["run"], job["env"]) for step in job["steps"] if "run" in step]


def gitlab_jobs():
    jobs = [(name, job) for block in BLOCKS for name, job in block.items() if isinstance(job, dict) and "script" in job]
    return [(f"gitlab {name}", "\n".join(job["script"]), job["variables"]) for name, job in jobs]


def argo_job():
    [template] = [block for block in BLOCKS if block.get("kind") == "AnalysisTemplate"]
    [metric] = template["spec"]["metrics"]
    [container] = metric["provider"]["job"]["spec"]["template"]["spec"]["containers"]
    words = " ".join(container["args"]).replace("{{args.target}}", '"$TARGET"').replace("/etc/grpcroute/ca/ca.pem",
                                                                                        '"$CA"')
    return [("argo", f"grpcroute {words}", {"TARGET": "", "CA": ""})]


def flagger_hook():
    [canary] = [block for block in BLOCKS if block.get("kind") == "Canary"]
    [hook] = canary["spec"]["analysis"]["webhooks"]
    return [("flagger", hook["metadata"]["cmd"], {"TARGET": "", "CA": ""})]


def component():
    """The container of deploy/components/verify; what ends is asked for once."""
    deployment = yaml.safe_load((ROOT / "deploy/components/verify/verify.yaml").read_text())
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    words = " ".join(container["args"]).replace("$(TARGET)", '"$TARGET"').replace("/etc/grpcroute/ca/ca.pem", '"$CA"')
    every, metrics = " --every 1m", " --metrics-listen :9102"
    assert every in words and metrics in words
    return [("kustomize", f"grpcroute {words.replace(every, '').replace(metrics, '')}",
             {entry["name"]: "" for entry in container["env"]})]


RECIPES = github_steps() + gitlab_jobs() + argo_job() + flagger_hook() + component()


@pytest.fixture
def topology(started, certs):
    v1, v2 = [started(Server("v1", f"server-v1-{n}")) for n in "ab"], [started(Server("v2", f"server-v2-{n}"))
                                                                       for n in "ab"]
    return started(Proxy(certs, v1, v2)).wait_ready(), started(Proxy(certs, v2, v1)).wait_ready()


def run_recipe(script, variables, proxy, certs, folder):
    folder.mkdir()
    (folder / "grpcroute").symlink_to(BIN)
    known = {"TARGET": proxy.target, "BASELINE": proxy.target, "CA": str(certs / "ca.pem"), "TOLERANCE": "25"}
    assert set(variables) <= set(known), variables
    return run(["bash", "-e", "-o", "pipefail", "-c", f"cd {folder}\n{script}"], timeout=120,
               env={**os.environ, **known, "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
                    "PATH": f"{folder}:{os.environ['PATH']}"})


def machine_was_too_busy(done):
    """For `bench`, which says so instead of a result."""
    return done.returncode == 4 and "Not valid: the driver" in done.stdout


def test_there_are_recipes_of_every_kind():
    assert [name.split()[0] for name, _, _ in RECIPES] == ["github", "github", "gitlab", "gitlab", "argo", "flagger",
                                                           "kustomize"]


def test_the_component_takes_what_the_recipe_gives_it():
    """Names in docs/ci.md are those of deploy/components/verify."""
    folder = ROOT / "deploy/components/verify"
    [recipe] = [block for block in BLOCKS if block.get("kind") == "Kustomization"]
    own = yaml.safe_load((folder / "kustomization.yaml").read_text())
    pod = yaml.safe_load((folder / "verify.yaml").read_text())["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [used] = container["env"]
    assert own["kind"] == "Component" and recipe["components"] == ["grpcroute/deploy/components/verify"]
    target, ca = recipe["configMapGenerator"]
    assert target["name"] == used["valueFrom"]["configMapKeyRef"]["name"]
    assert target["literals"][0].split("=")[0] == used["valueFrom"]["configMapKeyRef"]["key"]
    assert ca["name"] == pod["volumes"][0]["configMap"]["name"] and container["image"].split(":")[0] == \
        recipe["images"][0]["name"]


@pytest.mark.parametrize("name,script,variables", [
    pytest.param(*recipe, id=recipe[0], marks=[slow] if recipe[0] == "gitlab speed" else []) for recipe in RECIPES])
def test_a_recipe_passes_and_fails_as_it_should(name, script, variables, topology, certs, tmp_path):
    right, wrong = topology
    # how fast two runs of this minute were says nothing here: one is compared with itself
    alike = script.replace("grpcroute bench compare", "cp before.json now.json\ngrpcroute bench compare")
    good = run_recipe(alike, variables, right, certs, tmp_path / "right")
    assert good.returncode == 0 or machine_was_too_busy(good), good
    if "sticky" not in script:  # who is on a wrong pod for ever is sticky all the same
        bad = run_recipe(script, variables, wrong, certs, tmp_path / "wrong")
        assert bad.returncode == 1 or machine_was_too_busy(bad), bad
    for report in pathlib.Path(tmp_path / "right").glob("*.xml"):
        assert xml.etree.ElementTree.parse(report).getroot().get("failures") == "0"
    if name.startswith("github"):
        assert "✅" in (tmp_path / "right/summary.md").read_text() or \
            "passed" in (tmp_path / "right/summary.md").read_text().lower()
