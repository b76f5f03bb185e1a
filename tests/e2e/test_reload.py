"""What is in force changes while streams live: by itself, on SIGHUP, and on POST /reload; all or nothing."""
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from testenv.grpcroute import BIN, Agent, Proxy, Server, grpcroute
from testenv.process import Process
from testenv.sanitizers import is_sanitized
from testenv.slow import SLOW, sized, slow
from testenv.wait import wait_until

ROUTES = """apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: fleet}
spec:
  rules:
  - matches: [{headers: [{name: agent-version, type: RegularExpression, value: 'v2\\..*'}]}]
    backendRefs: [{name: %s, port: 50051}]
  - backendRefs: [{name: server-v1, port: 50051}]
"""


def make_certificate(folder, name, days=2, ca=None):
    """One that signs itself; its folder has cert.pem, key.pem and, to trust it, ca.pem."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", str(days),
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", f"/CN={name}" if name else "/",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two certificates, for whoever copies them to where he wants them."""
    folder = tmp_path_factory.mktemp("two")
    return make_certificate(folder / "old", "old"), make_certificate(folder / "new", "new", days=30)


@pytest.fixture
def files(tmp_path, two):
    """A folder with the files of a proxy."""
    use(two[0], tmp_path)
    (tmp_path / "routes.yaml").write_text(ROUTES % "server-v2")
    return tmp_path


def use(certificate, folder):
    for name in "cert.pem", "key.pem":
        shutil.copy(certificate / name, folder / name)


def shown(port):
    """The name of the certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as tls:
        der = tls.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der, capture_output=True,
                          check=True).stdout.decode()
    return text.strip().rsplit(" ", 1)[-1]


def fetch(url, method="GET", **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers),
                                    timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(proxy, name):
    text = fetch(proxy.admin + "/stats/prometheus")[1]
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


def start(started, files, backends, *args):
    return started(Proxy(files, *backends, "--routes", files / "routes.yaml", *args)).wait_ready()


def hold(started, front, certificate, version="v1.1"):
    agent = started(Agent(version, f"held-{version}", front.target, "--interval", "50ms",
                          cacert=certificate / "ca.pem"))
    agent.wait_for("Received pong")
    return agent


def assert_undisturbed(agent):
    """It goes on, on the stream that it opened."""
    agent.wait_for("Received pong", count=3, after=len(agent.lines))
    assert len([line for line in agent.lines if "Stream opened" in line]) == 1, agent.output


# ---- what changes ----


def test_a_renewed_certificate_is_shown_by_itself(started, files, two, backends):
    front = start(started, files, backends)
    agent = hold(started, front, two[0])
    assert shown(front.port) == "old"
    use(two[1], files)
    wait_until(lambda: shown(front.port) == "new", 10, "the new certificate is shown")
    front.wait_for(r"Reloaded: certificate \(CN=new, until 20\d\d-.*Z\)")
    assert_undisturbed(agent)
    certificate, = json.loads(fetch(front.admin + "/certs")[1])["certificates"]
    leaf, = certificate["cert_chain"]
    assert leaf["subject"] == "CN=new" and leaf["path"].endswith("cert.pem") and \
        leaf["days_until_expiration"] in ("29", "30")
    assert {"dns": "localhost"} in leaf["subject_alt_names"] and \
        {"ip_address": "127.0.0.1"} in leaf["subject_alt_names"]
    ends = re.search(r'certificate_expiry_timestamp_seconds\{subject="CN=new".*\} (\S+)',
                     fetch(front.admin + "/metrics")[1])
    assert 29 * 86400 < float(ends.group(1)) - time.time() <= 30 * 86400


def test_a_certificate_for_ever_ends_in_the_year_that_it_says(started, files, tmp_path, two, backends):
    """Of both who serve TLS; what has no name is called by its file."""
    front = start(started, files, backends)
    serving = started(Server("v1", "s", "--cert", files / "cert.pem", "--key", files / "key.pem"))
    for name, told in ("ever", "CN=ever"), ("", f"{files}/cert.pem"):
        use(make_certificate(tmp_path / f"of{name}", name, days=2_000_000), files)
        for process in front, serving:
            process.wait_for(rf"Reloaded: certificate \({re.escape(told)}, until 75\d\d-\d\d-\d\dT.*Z\)")
    leaf, = json.loads(fetch(front.admin + "/certs")[1])["certificates"][0]["cert_chain"]
    assert leaf["expiration_time"].startswith("75") and leaf["valid_from"].startswith("20")


def test_the_link_swap_of_a_kubernetes_volume_is_seen(started, tmp_path, two, backends):
    volume = tmp_path / "volume"
    volume.mkdir()
    for name, certificate, backend in ("..1", two[0], "server-v2"), ("..2", two[1], "server-v1"):
        (volume / name).mkdir()
        use(certificate, volume / name)
        (volume / name / "routes.yaml").write_text(ROUTES % backend)
    (volume / "..data").symlink_to("..1")
    for name in "cert.pem", "key.pem", "routes.yaml":
        (volume / name).symlink_to(f"..data/{name}")
    front = start(started, volume, backends)
    agent = hold(started, front, two[0])
    (volume / "..tmp").symlink_to("..2")
    os.rename(volume / "..tmp", volume / "..data")
    front.wait_for(r"Reloaded: routes \(2 rules\), cluster server-v2 gone, certificate \(CN=new")
    assert shown(front.port) == "new"
    assert_undisturbed(agent)


def test_routes_hold_for_the_next_stream_and_for_no_older_one(started, files, two, backends):
    front = start(started, files, backends)
    agent = hold(started, front, two[0], "v2.1")
    (files / "routes.yaml").write_text(ROUTES % "server-v1")
    front.wait_for("Reloaded: routes")
    late = hold(started, front, two[0], "v2.2")
    assert {version for version, _ in late.pongs()} == {"v1"}
    assert_undisturbed(agent)
    assert {version for version, _ in agent.pongs()} == {"v2"}
    dump = json.loads(fetch(front.admin + "/config_dump")[1])
    assert [cluster["name"] for cluster in dump["clusters"]] == ["server-v1"] and "server-v2" not in dump["routes"]
    assert dump["last_reload"]["ok"] and dump["last_updated"] >= dump["last_reload"]["time"]  # of one second or of two


def test_a_new_cluster_is_ready_before_it_is_used(started, files, two, backends):
    """No stream meets a cluster whose names are not resolved yet."""
    endpoints = files / "endpoints.txt"
    servers = [started(Server("v2", "server-v3-a"))]
    endpoints.write_text("")
    front = start(started, files, backends, "--endpoints", f"@{endpoints}", "--no-watch")
    endpoints.write_text(f"server-v3={servers[0].address}\n")
    (files / "routes.yaml").write_text(ROUTES % "server-v3")
    status, text = fetch(front.admin + "/reload", "POST")
    assert status == 202 and "new cluster server-v3, cluster server-v2 gone" in text
    codes = set()
    while "Reloaded" not in front.output:
        result = grpcroute("verify", "--target", front.target, "--cacert", two[0] / "ca.pem", "--versions", "v2.1",
                           "-n", "1", "--expect", "v2.1=v2")
        codes.add(result.returncode)
    assert codes <= {0}
    agent = hold(started, front, two[0], "v2.1")
    assert agent.pongs()[0] == ("v2", "server-v3-a")


def test_endpoints_come_and_go_by_their_file(started, files, two):
    servers = [started(Server("v1", f"s{n}")) for n in range(4)]
    endpoints = files / "endpoints.txt"

    def write(*chosen):
        endpoints.write_text("# ours\nserver-v1=" + ",".join(servers[n].address for n in chosen)
                             + f"\nserver-v2={servers[0].address}\n")

    write(0, 1)
    front = start(started, files, ([], []), "--endpoints", f"@{endpoints}")
    agents = [hold(started, front, two[0]) for _ in range(2)]
    write(1, 2, 3)
    front.wait_for("Reloaded: endpoints of server-v1")
    front.wait_for(r"Cluster server-v1 has 3 endpoints \(2 new, 1 gone\)")
    for server in servers[2:]:
        front.wait_for(f"Endpoint {server.address} of cluster server-v1 is healthy")
    for agent in agents:  # also the one whose endpoint is gone from the list
        assert_undisturbed(agent)
    assert {ident for agent in agents for _, ident in agent.pongs()} == {"s0", "s1"}
    endpoints.write_text("server-v9=127.0.0.1:1\n")
    front.wait_for("Not reloaded .*endpoints.txt:1: .*no rule of the routes has a backend of that name")
    endpoints.write_text(f"server-v1={servers[0].address}\nserver-v1={servers[1].address}\n")
    front.wait_for("Not reloaded .*endpoints.txt:2: .*that backend was said before; join its addresses with commas")
    seen = {hold(started, front, two[0]).pongs()[0][1] for _ in range(6)}
    assert seen == {"s1", "s2", "s3"}


# ---- who asks ----


def test_nothing_is_watched_when_that_is_not_wanted(started, files, two, backends):
    front = start(started, files, backends, "--no-watch")
    use(two[1], files)
    time.sleep(2.5)  # that nothing happens has no event
    assert shown(front.port) == "old" and "Reloaded" not in front.output
    front.send_signal(signal.SIGHUP)
    front.wait_for("Reloaded: certificate")
    assert shown(front.port) == "new"
    front.send_signal(signal.SIGHUP)
    front.wait_for(r"Reloaded \(SIGHUP\): nothing has changed")


def test_post_reload_answers_what_happened(started, files, two, backends):
    front = start(started, files, backends, "--no-watch")
    assert fetch(front.admin + "/reload")[0] == 405
    assert fetch(front.admin + "/reload", "POST") == (200, "reloaded: nothing has changed\n")
    use(two[1], files)
    status, text = fetch(front.admin + "/reload", "POST")
    assert status == 200 and text.startswith("reloaded: certificate (CN=new, until ")
    assert shown(front.port) == "new"
    (files / "routes.yaml").write_text("nothing: good\n")
    status, text = fetch(front.admin + "/reload", "POST")
    assert status == 400 and text.startswith("not reloaded, all stays as it was: ") and "routes.yaml" in text
    assert fetch(front.admin + "/reload", "POST", Origin="https://elsewhere.example")[0] == 403
    assert fetch(front.admin + "/reload", "POST", Host="elsewhere.example")[0] == 403


def test_post_drain_ends_it_as_sigterm_does(started, files, two, backends):
    front = start(started, files, backends)
    agent = hold(started, front, two[0])
    assert fetch(front.admin + "/drain", "POST") == (200, "draining\n")
    agent.wait_for("proxy is shutting down; reconnecting")
    assert front.wait(deadline_s=5) == 0


# ---- what is wrong ----

BROKEN = {
    "no-yaml": ("routes.yaml", "rules: [", "routes.yaml:"),
    "no-route": ("routes.yaml", "kind: HTTPRoute\n", "routes.yaml"),
    "empty-routes": ("routes.yaml", "", "routes.yaml"),
    "no-certificate": ("cert.pem", "nothing", "cert.pem"),
    "empty-certificate": ("cert.pem", "", "cert.pem is empty"),
    "another-key": ("key.pem", None, "does not belong"),
    "no-key": ("key.pem", "nothing", "key.pem"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_changes_nothing(started, files, two, backends, name):
    """Also not what was good beside it."""
    file, text, cause = BROKEN[name]
    front = start(started, files, backends)
    agent = hold(started, front, two[0])
    before = json.loads(fetch(front.admin + "/config_dump")[1])
    if file == "routes.yaml":
        use(two[1], files)
        (files / file).write_text(text)
    elif text is None:
        shutil.copy(two[1] / "key.pem", files / "key.pem")
    else:
        (files / "routes.yaml").write_text(ROUTES % "server-v1")
        (files / file).write_text(text)
    front.wait_for(rf"Not reloaded \(a file changed\), all stays as it was: .*{re.escape(cause)}")
    assert "Reloaded" not in front.output
    assert shown(front.port) == "old"
    after = json.loads(fetch(front.admin + "/config_dump")[1])
    assert cause in after["last_reload"].pop("failure")
    assert not after.pop("last_reload")["ok"] and after == before
    assert metric(front, "grpcroute_proxy_config_last_reload_successful") == 0
    # two, if it looked between the two files
    assert metric(front, 'grpcroute_proxy_reloads_total{result="failure"}') >= 1
    assert_undisturbed(agent)
    use(two[1], files)
    (files / "routes.yaml").write_text(ROUTES % "server-v1")
    front.wait_for("Reloaded: .*certificate")
    assert metric(front, "grpcroute_proxy_config_last_reload_successful") == 1
    assert_undisturbed(agent)


def test_a_file_that_is_gone_changes_nothing_until_it_is_back(started, files, two, backends):
    front = start(started, files, backends)
    (files / "cert.pem").unlink()
    front.wait_for(r"Not reloaded .*cannot read certificate file .*cert.pem: No such file")
    assert shown(front.port) == "old"
    use(two[1], files)
    front.wait_for("Reloaded: certificate")
    assert shown(front.port) == "new"


# ---- many ----


def descriptors(process):
    return len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))


def resident_kib(process):
    return int(re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text(), re.M).group(1))


STREAMS, RELOADS = (1000, 100) if SLOW else (200, 25)


@sized
def test_a_storm_of_reloads_costs_no_stream_and_no_message(started, files, two, backends, tmp_path):
    """Good ones of routes, good ones of certificates and broken ones in turns, under load."""
    front = start(started, files, backends, "--no-watch", "--workers", "2")
    report = tmp_path / "load.json"
    load = started(Process([BIN, "bench", "--target", front.target, "--cacert", two[0] / "ca.pem", "-c",
                            str(STREAMS // 10),
                            "-s", "10", "-r", str(STREAMS * 2), "-z", f"{RELOADS * 0.3}s", "--json-file", report]))
    wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") == STREAMS, 30, "all streams are open")

    def reload(status):
        assert fetch(front.admin + "/reload", "POST")[0] == status

    memory = handles = None
    n = 0
    while n < RELOADS and load.running():
        (files / "routes.yaml").write_text(ROUTES % "server-v2" + f"# {n}\n")
        reload(200)
        use(two[1 - n % 2], files)
        reload(200)
        (files / "routes.yaml").write_text(f"broken: {n}\n")
        reload(400)
        if n == RELOADS // 5:
            memory, handles = resident_kib(front), descriptors(front)
        n += 1
    assert memory is not None, f"the load ended after {n} rounds"
    # the connection of the last request may not have heard of its end yet
    wait_until(lambda: descriptors(front) <= handles, 5, "no more descriptors than before", lambda: descriptors(front))
    assert is_sanitized(front) or resident_kib(front) <= memory * 1.05 + 1024
    assert metric(front, "grpcroute_proxy_streams_total") == STREAMS
    assert load.wait(deadline_s=90) in (0, 4), load.output  # 4: the driver could not keep its time, but counted
    found = json.loads(report.read_text())
    assert found["sent"] > 0 and found["streams_opened"] == STREAMS
    assert [found[name] for name in ("unanswered", "lost", "reopened", "misrouted")] == [0, 0, 0, 0]
    assert metric(front, 'grpcroute_proxy_reloads_total{result="success"}') == 2 * n
    wait_until(lambda: len(front.output.split("Not reloaded")) == n + 1, 10, "each failure is told once")
    assert f"# {n - 1}\n" in json.loads(fetch(front.admin + "/config_dump")[1])["routes"]  # the last one that was good


@slow
@pytest.mark.timeout(240)
def test_answers_take_no_longer_while_reloads_storm(started, files, two, backends, tmp_path):
    """p99 of 1000 streams in each second of a load: every other one has four reloads of routes and one of a
    certificate. A busy machine only ever adds to a p99, and to some seconds of twenty, whereas what a reload costs is
    in each of the stormy ones: so the lower quartiles are compared. Below a millisecond it is whose turn is next on a
    core."""
    front = start(started, files, backends, "--no-watch", "--workers", "2")
    both, report = tmp_path / "both.pem", tmp_path / "load.json"
    both.write_text("".join((one / "cert.pem").read_text() for one in two))
    load = started(Process([BIN, "bench", "--target", front.target, "--cacert", both, "-c", "100", "-s", "10", "-r",
                            "2000", "--warmup", "0", "-z", "40s", "--json-file", report]))
    wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") == 1000, 60, "all streams are open")
    opened = messages(front)
    wait_until(lambda: messages(front) > opened, 20, "the load begins")
    begin, reloads = time.monotonic(), 0
    while (second := time.monotonic() - begin) < 39.9:
        if int(second) % 2 == 1 and 0.1 < second % 1 < 0.85:  # what is at the edges belongs to neither
            reloads += 1
            (files / "routes.yaml").write_text(ROUTES % "server-v2" + f"# {reloads}\n")
            if reloads % 4 == 0:
                use(two[reloads // 4 % 2], files)
            assert fetch(front.admin + "/reload", "POST")[0] == 200
        time.sleep(0.16)  # a storm has a pace
    assert load.wait(deadline_s=60) in (0, 4), load.output
    found = json.loads(report.read_text())
    assert [found[name] for name in ("unanswered", "lost", "reopened", "errors")] == [0, 0, 0, {}] and reloads >= 60
    p99 = [second["p99_ns"] for second in found["timeline"]]
    calm, stormy = (statistics.quantiles(p99[first:40:2])[0] for first in (0, 1))
    assert stormy <= 2 * max(calm, 1e6), p99


def messages(front):
    """Of fifty streams, from their clients."""
    rows = json.loads(fetch(front.admin + "/streams?limit=50")[1])["streams"]
    return sum(row["messages_up"] for row in rows)


# ---- the other commands ----


def test_a_server_that_serves_tls_itself_reloads_its_certificate(started, files, two):
    server = started(Server("v1", "s", "--cert", files / "cert.pem", "--key", files / "key.pem"))
    agent = started(Agent("v1.1", "held", f"localhost:{server.port}", "--interval", "50ms", cacert=two[0] / "ca.pem"))
    agent.wait_for("Received pong")
    use(two[1], files)
    server.wait_for(r"Reloaded: certificate \(CN=new, until ")
    assert shown(server.port) == "new"
    (files / "key.pem").write_text("")
    server.wait_for("Not reloaded, all stays as it was: key file .* is empty")
    server.send_signal(signal.SIGHUP)
    server.wait_for("Not reloaded, ", count=2)
    assert shown(server.port) == "new"
    assert_undisturbed(agent)


def test_sighup_is_an_end_in_good_order_elsewhere(started, files, two, backends):
    front = start(started, files, backends)
    server = backends[0][0]
    agent = started(Agent("v1.1", "a", server.address, "--interval", "50ms"))
    agent.wait_for("Received pong")
    agent.send_signal(signal.SIGHUP)
    assert agent.wait(deadline_s=5) == 0
    server.wait_for("Stream closed by agent-id=a")
    verify = started(Process([BIN, "verify", "--target", front.target, "--cacert", two[0] / "ca.pem", "-n", "100000",
                              "--timeout", "10m"]))
    wait_until(lambda: metric(front, "grpcroute_proxy_streams_active") > 0, 10, "verify has streams")
    verify.send_signal(signal.SIGHUP)
    assert verify.wait(deadline_s=10) == 129
    server.send_signal(signal.SIGHUP)  # h2c: nothing to read again
    assert server.wait(deadline_s=5) == 0


def test_nohup_is_respected(started, backends):
    agent = started(Process(["nohup", BIN, "agent", "--version", "v1.1", "--target", backends[0][0].address,
                             "--plaintext", "--interval", "50ms"]))
    agent.wait_for("Received pong")
    agent.send_signal(signal.SIGHUP)
    agent.wait_for("Received pong", count=3, after=len(agent.lines))
