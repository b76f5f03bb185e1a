"""What render writes, in the proxies it is for: the same routes file, the same verdicts."""
import json
import re
import subprocess
import time

import pytest

from testenv.grpcroute import BIN, ROOT, Agent, Server, grpcroute
from testenv.net import ReservedPort
from testenv.process import Process
from testenv.proxies import REAL_PROXIES

NAMES = sorted(REAL_PROXIES)

ROUTES = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: several}
spec:
  rules:
  - backendRefs: [{name: server-v1, port: 50051}]
  - matches:
    - headers: [{name: agent-version, value: v2.1}]
    - headers: [{name: agent-version, type: RegularExpression, value: 'v2\\.[2-9]'}]
    backendRefs: [{name: server-v2, port: 50051}]
  - matches:
    - method: {service: ping.PingService, method: Other}
      headers: [{name: agent-version, value: v1.1}]
    backendRefs: [{name: server-v2, port: 50051}]
"""

# What each proxy does by default to a stream, in 2 s instead of minutes: how to say that, the interval between messages
# that meets it, and what must be named.
LIMITS = {
    "envoy": (lambda text: re.sub(r"\n *idle_timeout: 0s #[^\n]*", "", text).replace(
        "stream_idle_timeout: 0s", "stream_idle_timeout: 2s"), "3s", "stream_idle_timeout"),
    "haproxy": (lambda text: text.replace("timeout server 24d", "timeout server 2s"), "3s", "timeout server"),
    "nginx": (lambda text: text.replace("grpc_read_timeout 24d", "grpc_read_timeout 2s"), "3s", "grpc_read_timeout"),
    "traefik": (lambda text: text.replace("readTimeout: 0s", "readTimeout: 2s"), "500ms", "readTimeout"),
}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def start(started, certs, backends, tmp_path):
    """Starts the proxy of that name."""
    return lambda name, *render, **kwargs: started(REAL_PROXIES[name](certs, tmp_path, *backends, *render, **kwargs))


def check(proxy, command, *args):
    return grpcroute(command, "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", *args)


def test_several_rules_mean_the_same_everywhere(start, name, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    proxy = start(name, "--routes", routes)
    done = check(proxy, "verify", "--routes", routes, "--versions", "v1.1,v1.2,v2.1,v2.2,v2.9")
    assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output


def test_the_default_routes_hold_at_their_boundaries(start, name):
    proxy = start(name)
    done = check(proxy, "verify", "--boundary")
    assert done.returncode == 0, done.stdout + done.stderr
    # nginx and Traefik cannot see that a header is repeated; their configuration says so
    assert ("not rejected" in done.stdout) == (name in ("nginx", "traefik"))


def test_a_silent_client_hears_of_its_server_s_end(start, name):
    """Behind Traefik it does not, which its configuration says."""
    proxy = start(name, "--no-health-checks")
    done = check(proxy, "limits", "--shapes", "deadline", "--within", "1s", "-o", "json")
    finding, = json.loads(done.stdout)["limits"]
    assert finding["state"] == "found" and finding["holds"] == (name != "traefik"), finding
    assert ("hears of it at its next message" in proxy.render()) == (name == "traefik")


def test_envoy_holds_little_for_a_client_that_does_not_read(start):
    """Its own windows are of many MiB, for each stream."""
    done = check(start("envoy", "--no-health-checks"), "limits", "--shapes", "buffered", "--within", "1s", "-o", "json")
    finding, = json.loads(done.stdout)["limits"]
    assert finding["state"] == "found" and finding["value_bytes"] < 1 << 20, finding


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"haproxy"}))
def test_answers_that_a_proxy_does_not_take_cost_no_server(start, started, name):
    """One client asks for more and more metadata; the streams of others find their servers all the time. HAProxy ends
    the connection that they share (http-reuse), and others on it are refused now and then."""
    proxy = start(name, "--no-health-checks")
    asks = started(Process([BIN, "limits", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--shapes",
                            "metadata_down", "--within", "1s"]))
    rounds = 0
    while asks.running() or rounds == 0:
        done = check(proxy, "verify", "--versions", "v1.1", "-s", "8", "--messages", "1")
        assert done.returncode == 0, done.stdout + done.stderr
        rounds += 1
    assert asks.wait() == 0 and "metadata_down" in asks.output, asks.output


def test_swapped_backends_are_found_behind_each(started, certs, backends, name, tmp_path):
    proxy = started(REAL_PROXIES[name](certs, tmp_path, backends[1], backends[0]))
    done = check(proxy, "verify")
    assert done.returncode == 1 and "❌" in done.stdout


def test_weights_share_new_streams(start, name, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: w}\nspec:\n  "
                      "rules:\n"
                      "  - backendRefs: [{name: server-v1, port: 1, weight: 3}, {name: server-v2, port: 1, weight: "
                      "1}]\n")
    proxy = start(name, "--routes", routes)
    agent = Agent("v1.1", "a", proxy.target, "--count", "200", "--messages", "1", cacert=proxy.certs / "ca.pem")
    agent.wait(40)
    answered = re.findall(r"Received pong from server=(v\d)/", agent.output)
    agent.close()
    assert len(answered) == 200
    assert 15 <= answered.count("v2") <= 90  # 50 expected


def test_streams_come_back_when_a_server_dies(start, started, certs, name, tmp_path):
    ports = [started(ReservedPort()).port for _ in range(2)]
    v1 = [started(Server("v1", f"v1-{i}", port=port)) for i, port in enumerate(ports)]
    v2 = [started(Server("v2", "v2-0"))]
    proxy = started(REAL_PROXIES[name](certs, tmp_path, v1, v2))
    agent = started(Agent("v1.1", "a", proxy.target, "--count", "10", "--interval", "200ms", cacert=certs / "ca.pem"))
    agent.wait_for("Received pong", count=20)
    v1[0].kill()
    before = len(agent.lines)
    agent.wait_for(r"Received pong from server=v1/v1-1", count=60, after=before)
    assert "server=v2" not in agent.output


def test_a_limit_on_streams_is_named(start, name):
    change, interval, setting = LIMITS[name]
    proxy = start(name, change=change)
    done = check(proxy, "verify", "--versions", "v1.1", "--messages", "9", "--interval", interval, "--timeout", "15s")
    assert done.returncode == 4, done.stdout
    assert setting in done.stdout and "cut off" in done.stdout


def test_without_it_the_stream_lives(start, name):
    done = check(start(name), "verify", "--versions", "v1.1", "--messages", "3", "--interval", "3s", "--timeout", "15s")
    assert done.returncode == 0, done.stdout


CHECKERS = {
    "envoy": ["envoy", "--mode", "validate", "--log-level", "warning", "-c"],
    "haproxy": ["haproxy", "-c", "-f"],
    "nginx": ["nginx", "-t", "-e", "stderr", "-c"],
}


@pytest.mark.parametrize("checked", sorted(CHECKERS))
def test_the_proxy_finds_nothing_to_complain_about(start, checked, tmp_path):
    proxy = start(checked)
    prefix = ["-p", tmp_path] if checked == "nginx" else []
    done = subprocess.run([*CHECKERS[checked], proxy.config, *prefix], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("warn", "deprecat", "alert"):
        assert word not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


@pytest.mark.parametrize("file, args", [
    ("envoy/envoy.yaml", ["envoy"]),
    ("traefik/traefik.yaml", ["traefik", "--static", "--dynamic-dir", "/etc/traefik-dynamic"]),
])
def test_deploy_holds_what_render_writes(file, args):
    done = grpcroute("render", *args, "--routes", ROOT / "deploy/routes/grpcroute.yaml")
    assert (ROOT / "deploy" / file).read_text() == done.stdout


def test_watch_follows_names_and_replaces_the_file_as_a_whole(started, tmp_path):
    from testenv.grpcroute import BIN
    from testenv.process import Process

    output = tmp_path / "routes.yaml"
    watch = started(Process([BIN, "render", "traefik", "--endpoints", "server-v1=localhost:7", "--endpoints",
                             "server-v2=no-such-name.invalid:8", "--watch", "100ms", "--output", output]))
    watch.wait_for("server-v1: 1 endpoints|server-v1: 2 endpoints")
    text = output.read_text()
    assert "h2c://127.0.0.1:7" in text and "no-such-name" not in text
    output.unlink()
    assert watch.stop() == 0
    assert list(tmp_path.iterdir()) == []


def test_one_port_at_two_addresses_is_fine():
    assert grpcroute("render", "envoy", "--listen", "127.0.0.1:7", "--admin", "127.0.0.2:7").returncode == 0


@pytest.mark.parametrize("args, option", [
    (["--routes", "FILE"], "--routes"), (["--endpoints", "@FILE"], "--endpoints"), (["--key", "FILE"], "--key"),
])
@pytest.mark.parametrize("under", ["in.yaml", "link", "../SAME/in.yaml"])
def test_what_is_read_is_not_written_over(args, option, under, tmp_path):
    file, output = tmp_path / "in.yaml", tmp_path / under.replace("SAME", tmp_path.name)
    text = ROUTES if option == "--routes" else "server-v1=127.0.0.1:7\n"
    file.write_text(text)
    (tmp_path / "link").symlink_to(file)
    done = grpcroute("render", "envoy", *(word.replace("FILE", str(file)) for word in args), "--output", output)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and f"{output} is the file of {option}" in done.stderr
    assert file.read_text() == text and (tmp_path / "link").is_symlink()


NOBODY = ["--endpoints", "server-v1=a.invalid:7", "--endpoints", "server-v2=b.invalid:8"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_does_not_resolve_is_an_error_and_keeps_the_file(name, tmp_path):
    output = tmp_path / "out"
    output.write_text("four servers\n")
    some = ["--endpoints", "server-v1=127.0.0.1:7,a.invalid:7", "--endpoints", "server-v2=127.0.0.1:8"]
    for args in (NOBODY, some):
        for where in (["--output", output], []):
            done = grpcroute("render", name, "--resolve", *args, *where)
            assert done.returncode == 3 and done.stdout == "" and done.stderr.count("\n") == 1, done
            assert re.search(r'name "[ab].invalid" does not resolve: .*; nothing is written', done.stderr), done
    assert output.read_text() == "four servers\n"


def test_watch_keeps_the_file_while_nothing_resolves(started, tmp_path):
    output = tmp_path / "routes.yaml"
    output.write_text("four servers\n")
    watch = started(Process([BIN, "render", "traefik", *NOBODY, "--watch", "100ms", "--output", output]))
    watch.wait_for(r'server-v1: name "a.invalid" does not resolve: .*; no address of it is written until it does')
    watch.wait_for(r'server-v2: name "b.invalid" does not resolve: ')
    time.sleep(0.5)  # rounds in which nothing is new
    assert watch.output.count("does not resolve") == 2 and output.read_text() == "four servers\n"
    assert watch.stop() == 0


def test_watch_keeps_the_addresses_of_a_name_that_is_gone(started, tmp_path):
    """In a mount namespace of its own /etc/hosts is the name server."""
    hosts, output = tmp_path / "hosts", tmp_path / "routes.yaml"
    hosts.write_text("127.0.0.2 pod.test\n127.0.0.3 other.test\n")
    through = ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    if subprocess.run([*through, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    watch = started(Process([BIN, "render", "traefik", "--endpoints", "server-v1=pod.test:7", "--endpoints",
                             "server-v2=other.test:8", "--watch", "100ms", "--output", output], through=through))
    watch.wait_for("server-v2: 1 endpoints")
    hosts.write_text("127.0.0.4 other.test\n")
    watch.wait_for(r'server-v1: name "pod.test" does not resolve: .*; it keeps its last addresses \(1\)')
    watch.wait_for("server-v2: 1 endpoints", count=2)
    text = output.read_text()
    assert "h2c://127.0.0.2:7" in text and "h2c://127.0.0.4:8" in text and "127.0.0.3" not in text
    hosts.write_text("127.0.0.5 pod.test\n127.0.0.4 other.test\n")
    watch.wait_for("server-v1: 1 endpoints", count=3)
    assert "h2c://127.0.0.5:7" in output.read_text() and "127.0.0.2" not in output.read_text()
    hosts.write_text("127.0.0.4 other.test\n")
    watch.wait_for("does not resolve", count=2)  # it is said again
    assert watch.stop() == 0


@pytest.mark.parametrize("args, named", [
    ([], "envoy"), (["apache"], "apache"), (["envoy", "--static"], "--static"),
    (["envoy", "nginx"], 'unexpected argument "nginx" behind envoy'), (["apache", "nginx"], "not apache"),
    (["envoy", "--dynamic-dir", "x"], "--dynamic-dir: needs --static"),
    (["traefik", "--access-log"], "add --static"),
    (["envoy", "--version-header", "x"], "--version-header: needs --access-log"),
    (["envoy", "--id-header", "x"], "--id-header: needs --access-log"),
    (["traefik", "--watch", "1s"], "--output"), (["envoy", "--listen", ":0"], "--listen: "),
    (["envoy", "--admin", "127.0.0.1:0"], "--admin: "),
    (["envoy", "--listen", ":17490", "--admin", ":17490"], "both at :17490"),
    (["nginx", "--listen", "[::1]:17490", "--admin", ":17490"], "both at [::1]:17490"),
    (["haproxy", "--listen", ":9901"], "both at :9901"),
    (["envoy", "--endpoints", "x"], "--endpoints"), (["envoy", "--endpoints", "x=1.2.3.4:5"], "--endpoints"),
    (["envoy", "--endpoints", "server-v1=a:1", "--endpoints", "server-v1=b:1"], "said before"),
    (["envoy", "--routes", "/nowhere"], "/nowhere"), (["envoy", "--output", "/nowhere/x"], "/nowhere/x"),
    (["envoy", "--watch", "1s", "--output", "/nowhere/x", "--endpoints", "server-v2=localhost:1"], "/nowhere/x"),
])
def test_bad_input_is_one_line(args, named):
    done = grpcroute("render", *args)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1 and named in done.stderr, \
        done.stderr


@pytest.mark.parametrize("name_of_proxy", NAMES)
def test_the_demo_runs_through_each(name_of_proxy):
    demo = grpcroute("demo", "--proxy", name_of_proxy, "--interval", "300ms")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "Demo passed" in demo.stdout and f"render {name_of_proxy}" in demo.stdout


def test_a_proxy_that_is_not_there_is_told():
    done = grpcroute("demo", "--proxy", "envoy", env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "envoy is not on PATH" in done.stderr
