"""Weights: verify --split calls right ones right, wrong ones wrong, and too few streams no verdict."""
import json
import re
import xml.etree.ElementTree

import pytest

from testenv.grpcroute import BIN, Proxy, Server, grpcroute
from testenv.net import ReservedPort, wait_port
from testenv.process import Process
from testenv.proxies import REAL_PROXIES
from testenv.wait import wait_until


def routes_file(folder, v1, v2, first="server-v1", name="routes.yaml"):
    path = folder / name
    path.write_text("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: w}\nspec:\n  rules:\n"
                    f"  - backendRefs: [{{name: {first}, port: 1, weight: {v1}}}, {{name: server-v2, port: 1, weight: "
                    f"{v2}}}]\n")
    return path


@pytest.fixture
def pair(started):
    return [started(Server("v1", "pod-1"))], [started(Server("v2", "pod-2"))]


@pytest.fixture
def proxy_with(started, certs, pair, tmp_path):
    """The embedded proxy with these weights of server-v1 and server-v2."""
    return lambda v1, v2: started(Proxy(certs, *pair, "--routes",
                                        routes_file(tmp_path, v1, v2, name="proxy.yaml"))).wait_ready()


def split(proxy, routes, *args):
    return grpcroute("verify", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--versions", "v1.1",
                     "--routes", routes, "--split", *args)


def test_right_weights_pass_and_the_evidence_is_told(proxy_with, tmp_path):
    proxy = proxy_with(90, 10)
    junit = tmp_path / "out.xml"
    done = split(proxy, routes_file(tmp_path, 90, 10), "--junit-file", junit)
    assert done.returncode == 0, done.stdout + done.stderr
    line = re.search(r"^✅ Agent v1\.1 → Split of new streams: OK, server-v1 (\d+) of (\d+) \((\S+) %, expected 90 %, "
                     r"interval (\S+) % to (\S+) %\), server-v2 .* expected 10 %.*; 99 % sure to show server-v1 at "
                     r"(\S+) % or less",
                     done.stdout, re.M)
    assert line, done.stdout
    hits, streams, share, low, high, found = map(float, line.groups())
    assert streams >= 290 and abs(100 * hits / streams - share) < 0.1 and low < 90 < high and 80 <= found < 90
    assert "false alarms" in done.stdout and done.stdout.endswith("🎉 Routing verification passed!\n")
    assert xml.etree.ElementTree.parse(junit).getroot().find(".//failure") is None
    assert "server-v1" in "".join(out.text for out in xml.etree.ElementTree.parse(junit).getroot().iter("system-out"))


def test_right_weights_are_told_in_markdown_and_on_the_page(proxy_with, tmp_path):
    page = tmp_path / "page.html"
    routes = routes_file(tmp_path, 90, 10)
    proxy = proxy_with(90, 10)
    done = split(proxy, routes, "-o", "markdown", "--report-file", page)
    evidence = r"Split of new streams: OK, server-v1 \d+ of \d+ \(.*expected 90 %.*99 % sure to show"
    row = re.search(r"^\| passed .*$", done.stdout, re.M).group(0).replace("\\", "")
    assert done.returncode == 0 and re.search(evidence, row), done.stdout
    assert re.search(evidence, page.read_text())
    for text in (grpcroute("verify", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--versions", "v1.1",
                           "--expect",
                           "v1.1=*", "-o", "markdown", "--report-file", page).stdout, page.read_text()):
        assert "Split of new streams" not in text


def test_other_weights_than_the_routes_say_are_found(proxy_with, tmp_path):
    proxy = proxy_with(80, 20)
    junit = tmp_path / "out.xml"
    done = split(proxy, routes_file(tmp_path, 90, 10), "-o", "json", "--junit-file", junit)
    assert done.returncode == 1, done.stdout
    check = json.loads(done.stdout)["checks"][0]
    assert check["split"]["result"] == "failed" and [p["wrong"] for p in check["split"]["parts"]] == [True, True]
    assert [p["expected_share"] for p in check["split"]["parts"]] == [0.9, 0.1]
    assert check["split"]["parts"][0]["interval_high"] < 0.9 < check["split"]["confidence"]
    assert [finding["check"] for finding in check["findings"]] == ["split"]
    assert xml.etree.ElementTree.parse(junit).getroot().find(".//failure").get("type") == "split"
    # the weights that are really set pass
    assert split(proxy, routes_file(tmp_path, 80, 20)).returncode == 0


def test_too_few_streams_are_no_verdict(proxy_with, tmp_path):
    done = split(proxy_with(90, 10), routes_file(tmp_path, 90, 10), "--streams", "30")
    assert done.returncode == 4, done.stdout
    assert re.search(r"24 new streams were answered, \d+ are needed \(--streams \d+\)", done.stdout)
    assert "passed" not in done.stdout
    enough = re.search(r"\(--streams (\d+)\)", done.stdout).group(1)
    assert split(proxy_with(90, 10), routes_file(tmp_path, 90, 10), "--streams", enough).returncode == 0


def test_one_backend_and_a_weight_of_zero_need_no_streams_more(proxy_with, tmp_path):
    done = split(proxy_with(1, 0), routes_file(tmp_path, 1, 0))
    assert done.returncode == 0 and "server-v1 6 of 6 (100 %, expected 100 %" in done.stdout, done.stdout
    assert split(proxy_with(0, 1), routes_file(tmp_path, 1, 0)).returncode == 1


def test_a_backend_of_unknown_version_is_not_checked(proxy_with, tmp_path):
    proxy = proxy_with(50, 50)
    blue = routes_file(tmp_path, 50, 50, first="blue")
    done = split(proxy, blue)
    assert done.returncode == 4 and "--backend-version blue=" in done.stdout, done.stdout
    done = split(proxy, blue, "--backend-version", "blue=v1", "--split-error", "20")
    assert done.returncode == 0 and "blue" in done.stdout, done.stdout
    done = split(proxy, routes_file(tmp_path, 50, 50), "--expect", "v1.1=v1|v2")
    assert done.returncode == 4 and "the split was not checked" in done.stdout, done.stdout


def test_two_backends_of_one_version_add_up(started, certs, pair, tmp_path):
    routes = routes_file(tmp_path, 40, 60, first="blue")
    proxy = started(Proxy(certs, [], pair[1], "--endpoints", f"blue={pair[1][0].address}", "--routes",
                          routes)).wait_ready()
    done = split(proxy, routes, "--backend-version", "blue=v2")
    assert done.returncode == 0 and "blue + server-v2 6 of 6" in done.stdout and "one version" in done.stdout, \
        done.stdout


def test_streams_that_are_held_tell_who_lives(proxy_with, tmp_path):
    done = split(proxy_with(50, 50), routes_file(tmp_path, 50, 50), "--split-error", "30", "--hold", "2s")
    assert done.returncode == 0, done.stdout + done.stderr
    new = re.search(r"Split of new streams: OK, server-v1 (\d+) of (\d+)", done.stdout)
    live = re.search(r"live streams at the end: server-v1 (\d+) of (\d+)", done.stdout)
    assert new.groups() == live.groups() and "moves only new streams" in done.stdout


def test_those_that_ended_do_not_live(started, proxy_with, pair, tmp_path):
    """A server that goes takes its share of the live streams with it, and only that."""
    proxy = proxy_with(50, 50)
    run = started(Process([BIN, "verify", "--target", proxy.target, "--cacert", proxy.certs / "ca.pem", "--versions",
                           "v1.1", "--routes", routes_file(tmp_path, 50, 50), "--split", "--split-error", "30",
                           "--streams", "100", "--hold", "8s"]))
    begun = re.compile(r"Sent pong to agent-id=(\S+)")
    wait_until(lambda: len(set(begun.findall(pair[1][0].output))) == 50, 20, "each of its streams was answered")
    pair[1][0].kill()
    assert run.wait(30) == 4
    live = re.search(r"live streams at the end: server-v1 (\d+) of (\d+) \(100 %\), server-v2 0 of", run.output)
    assert live and int(live.group(1)) > 10 and "UNAVAILABLE" in run.output, run.output


def test_who_balances_connections_is_judged_on_connections(started, pair, tmp_path):
    """All streams of a connection go where it goes: only streams with one of their own are draws of their own."""
    port = started(ReservedPort()).port
    config = tmp_path / "tcp.cfg"
    config.write_text("defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\nlisten l\n"
                      f" bind 127.0.0.1:{port}\n balance roundrobin\n server a {pair[0][0].address} weight 90\n"
                      f" server b {pair[1][0].address} weight 10\n")
    haproxy = started(Process(["haproxy", "-db", "-f", config]))
    wait_port(port, haproxy.running)
    done = grpcroute("verify", "--target", f"127.0.0.1:{port}", "--plaintext", "--versions", "v1.1,v2.1", "--routes",
                     routes_file(tmp_path, 90, 10), "--split")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Split of new streams: OK") == 2 and "on a connection of its own" in done.stdout


@pytest.mark.parametrize("args, words", [
    (["--split"], "--split: needs --routes"),
    (["--hold", "1m"], "--hold: needs --split"),
    (["--split-error", "5"], "--split-error: needs --split"),
    (["--split", "--routes", "r.yaml", "--logs", "-"], "--split does not go with --logs"),
])
def test_options_that_do_not_go_together(args, words):
    done = grpcroute("verify", *args)
    assert done.returncode == 2 and words in done.stderr


@pytest.mark.parametrize("name", ["envoy", "haproxy"])
def test_real_proxies_split_as_their_weights_say(started, certs, pair, tmp_path, name):
    said = routes_file(tmp_path, 90, 10)
    proxy = started(REAL_PROXIES[name](certs, tmp_path, *pair, "--routes", said))
    done = split(proxy, said)
    if done.returncode == 1:  # it draws lots: one right run of 200 is a false alarm, as is told; not two in a row
        done = split(proxy, said)
    assert done.returncode == 0, done.stdout + done.stderr + proxy.process.output
    done = split(proxy, routes_file(tmp_path, 75, 25, name="other.yaml"))
    assert done.returncode == 1, done.stdout
