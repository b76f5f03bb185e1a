"""A fleet that tells its metrics, and a real Prometheus that scrapes it as deploy/monitoring says."""
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import yaml

from testenv.grpcroute import BIN, ROOT, Proxy, Server
from testenv.net import ReservedPort, wait_port
from testenv.process import Process, run
from testenv.proxies import REAL_PROXIES
from testenv.wait import wait_until

FOLDER = ROOT / "deploy/monitoring"
RULES = FOLDER / "rules.yaml"
ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text())
OF_LOAD = {"GrpcrouteSlowAnswers"}  # tells of the machine that runs the tests, and minutes are seconds here
METRICS_PATHS = {"embedded": "/metrics", "envoy": "/stats/prometheus", "traefik": "/metrics"}


def fetch(url, accept=None):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def metrics_url(process):
    return process.wait_for(r"Metrics on (http://\S+)").group(1)


class Probe(Process):
    """verify, again and again."""

    exit_codes = {143}

    def __init__(self, target, cacert, *args):
        super().__init__([BIN, "verify", "--every", "1s", "--timeout", "10s", "--metrics-listen", "127.0.0.1:0",
                          "--target", target, "--cacert", cacert, *args])


class Fleet:
    """Servers of both versions, a proxy, an agent of each version, a probe; all tell their metrics. `through` names
    the proxy; one that others wrote has its files in `folder`."""

    def __init__(self, certs, started, agent, swapped=False, through="embedded", folder=None, routes=None):
        listen = ["--metrics-listen", "127.0.0.1:0"]
        self.servers = {v: started(Server(v, f"server-{v}", *listen, port=started(ReservedPort()).port))
                        for v in ("v1", "v2")}
        behind = [self.servers["v2"], self.servers["v1"]] if swapped else [self.servers["v1"], self.servers["v2"]]
        self.through = through
        self.proxy = started(self._proxy(certs, folder, behind, [] if routes is None else ["--routes", routes]))
        self.agents = [agent(version, f"agent-{version}", self.proxy.target, *listen, cacert=certs / "ca.pem")
                       for version in ("v1.1", "v2.1")]
        self.probe = started(Probe(self.proxy.target, certs / "ca.pem"))
        for one in self.agents:
            one.wait_for("Received pong", count=3)
        self.probe.wait_for(r"T[\d:.]+Z ")  # its first verdict

    def _proxy(self, certs, folder, behind, more):
        if self.through == "embedded":
            return Proxy(certs, behind[:1], behind[1:], *more).wait_ready()
        return REAL_PROXIES[self.through](certs, folder, behind[:1], behind[1:], *more)

    def urls(self):
        return {"grpcroute-agents": [metrics_url(a) for a in self.agents],
                "grpcroute-servers": [metrics_url(s) for s in self.servers.values()],
                "grpcroute-verify": [metrics_url(self.probe)],
                "grpcroute-proxy": [f"http://127.0.0.1:{self.proxy.admin_port}{METRICS_PATHS[self.through]}"]}


def firing_by_promtool(folder, series, at):
    """Which alerts promtool sees firing; it knows only to compare, so the truth is in what it says it got."""
    tests = folder / "tests.json"
    tests.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [{
        "interval": "15s", "input_series": [{"series": s, "values": v} for s, v in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": []} for name in ALERTS]}]}))
    done = run(["promtool", "test", "rules", tests])
    said = done.stdout + done.stderr
    assert "parse" not in said and ("SUCCESS" in said or "alertname:" in said), said
    return set(re.findall(r"alertname: ?\"?(\w+)", said))


def pods_of_deploy():
    """The labels and the port name of each container port in deploy/, as Kubernetes tells Prometheus of them."""
    deploy = ROOT / "deploy"
    for path in [deploy / "components/verify/verify.yaml", *sorted(deploy.glob("base/*.yaml")),
                 *sorted(deploy.glob("*/proxy.yaml"))]:
        for workload in yaml.safe_load_all(path.read_text()):
            if workload["kind"] == "Deployment":
                template = workload["spec"]["template"]
                labels = {"__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", name): value
                          for name, value in template["metadata"]["labels"].items()}
                for port in [port for container in template["spec"]["containers"]
                             for port in container.get("ports", [])]:
                    yield {**labels, "__meta_kubernetes_pod_name": f"{workload['metadata']['name']}-0",
                           "__meta_kubernetes_pod_container_port_name": port["name"]}


def prometheus_config(fleet):
    """That of deploy/monitoring, with the pods of deploy/ found without Kubernetes. A fleet's process stands for the
    ports that its job should find, once; what no job should take is nobody's address. Of the overlays, one is
    deployed."""
    urls = {job: [urllib.parse.urlsplit(url).netloc for url in urls] for job, urls in fleet.urls().items()}
    wanted = {("agent", "metrics"): urls["grpcroute-agents"], ("server", "metrics"): urls["grpcroute-servers"],
              ("check", "metrics"): urls["grpcroute-verify"],
              **{("proxy-ingress", "admin", name): urls["grpcroute-proxy"] if name == fleet.through else []
                 for name in METRICS_PATHS}}

    def address(labels):
        app, port = labels["__meta_kubernetes_pod_label_app"], labels["__meta_kubernetes_pod_container_port_name"]
        key = (app, port) if app != "proxy-ingress" else (app, port, labels["__meta_kubernetes_pod_label_proxy"])
        if key not in wanted:
            return ["127.0.0.1:1"]
        return [wanted[key].pop()] if wanted[key] else []

    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    found = [{"targets": address(labels), "labels": labels} for labels in pods_of_deploy()]
    for job in config["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["grpc-routing-poc"]}}]
        job["static_configs"] = found
    return {**config, "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}}


class Prometheus(Process):
    """Scrapes a fleet twice a second, with the rules' minutes shortened to seconds."""

    def __init__(self, folder, fleet):
        (folder / "rules.yaml").write_text(self.shortened(RULES.read_text()))
        (folder / "prometheus.json").write_text(json.dumps(prometheus_config(fleet)))
        port = ReservedPort()
        self.url = f"http://127.0.0.1:{port.port}"
        super().__init__(["prometheus", f"--config.file={folder}/prometheus.json", f"--storage.tsdb.path={folder}/data",
                          f"--web.listen-address=127.0.0.1:{port.port}", "--log.level=warn"])
        wait_port(port.port, self.running)
        port.close()
        wait_until(self.ready, 30, "Prometheus is ready")

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    @staticmethod
    def shortened(text):
        text = re.sub(r"\[\d+m\]", "[8s]", text).replace("offset 5m", "offset 8s")
        return re.sub(r"for: \d+[ms]", "for: 1s", text)

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"}

    def wait_scraped(self, count):
        """Long enough that rates have their two samples and rules were evaluated on them."""
        wait_until(lambda: len(self.query("count_over_time(up[1m]) >= 6")) == count and
                   self.query("grpcroute:accuracy:ratio_rate5m"), 30, "all targets scraped, rules evaluated")

    def wait_shown(self, expression):
        """A rate is empty until its window holds two samples, which a busy machine may space out."""
        expression = expression.replace("$__rate_interval", "8s")
        return wait_until(lambda: self.query(expression), 30, f"a value of {expression}")


def board_expressions():
    board = json.loads((FOLDER / "grafana.json").read_text())
    return {target["expr"] for panel in board["panels"] for target in panel.get("targets", [])}
