"""verify --logs judges what deployed agents and servers logged."""
import json
import os
import re
import subprocess

import pytest

from testenv.grpcroute import BIN, ROOT
from testenv.wait import wait_until


def agent(version, server, messages=5, opened=True, pod="s"):
    front = f"[AGENT_{version}/a-{version}] "
    lines = [front + "Stream opened to proxy:8443"] if opened else []
    for _ in range(messages):
        lines.append(front + "Sent ping")
        lines.append(front + f"Received pong from server={server}/{pod} message=pong")
    return lines


def verify(lines, *options, prefix="", newline="\n"):
    text = "".join(prefix + line + newline for line in lines)
    return subprocess.run(
        [BIN, "verify", "--logs", "-", "--versions", "v1.1,v2.1", *options],
        input=text.encode(), capture_output=True, timeout=30, check=False)


GOOD = agent("v1.1", "v1") + agent("v2.1", "v2")


PREFIXES = ["", "[pod/x/agent] 2026-01-02T03:04:05.123456789Z ", "2026-01-02T03:04:05.123456789Z stdout F ",
            "2026/11/25 15:14:10 ", "2026/11/25 15:14:10.123456 main.go:7: ", "agent-v1-1-7d75-nk7bn agent ",
            "\x1b[36magent-v1-1-nk7bn\x1b[0m \x1b[36;1magent\x1b[0m ", "agent-v1-1-1  | ",
            "Nov 25 15:14:10 host agent[7]: ",
            '2026-11-25T15:14:10Z {app="agent"} ', "    "]
CARRIERS = {
    "docker": lambda line: json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-01-02T03:04:05Z"}),
    "journald": lambda line: json.dumps({"MESSAGE": line, "_PID": "7"}),
    "journald, coloured": lambda line: json.dumps({"MESSAGE": list(f"\x1b[32m{line}\x1b[0m".encode())}),
    "loki": lambda line: json.dumps({"labels": {"app": "x"}, "line": line, "timestamp": "1"}),
    "logfmt": lambda line: f'level=info msg="{line}" pod=x',
    "parts": lambda line: "\n".join(f"2026-01-02T03:04:05.123456789Z stdout {tag} {part}"
                                    for tag, part in (("P", line[:20]), ("F", line[20:]))),
}
CARRIERS["a query in one line"] = lambda line: json.dumps({"data": {"result": [{"values": [["1", "x" * 100000],
                                                                                           ["2", line]]}]}})
CARRIERS["docker, cut"] = lambda line: "\n".join(
    json.dumps({"log": part, "stream": "stdout", "time": "t"}) for part in (line[:20], line[20:] + "\n"))
CARRIERS["fluent-bit, cut"] = lambda line: "\n".join(
    json.dumps({"stream": "stdout", "logtag": tag, "log": part}) for tag, part in (("P", line[:20]), ("F", line[20:])))
CARRIERS["pretty"] = lambda line: json.dumps({"textPayload": f"2026/11/25 15:14:10 {line}\n", "insertId": "x"},
                                             indent=2)
CARRIERS["csv"] = lambda line: f'1764083650,"{line}",pod-1'
THIEF = "Received pong from server=v1/thief message=pong"


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_right_servers_pass(prefix, newline):
    done = verify(GOOD, prefix=prefix, newline=newline)
    assert done.returncode == 0, done
    assert b"Routing verification passed!" in done.stdout
    assert b"v1.1" in done.stdout and b"OK" in done.stdout


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_wrong_server_shows_behind_every_prefix(prefix):
    done = verify(GOOD + agent("v2.1", "v1", 1, pod="thief"), prefix=prefix)
    assert done.returncode == 1 and THIEF.encode() in done.stdout, done


@pytest.mark.parametrize("carrier", CARRIERS)
def test_carriers_of_lines_are_read(carrier):
    carry = CARRIERS[carrier]
    assert verify([carry(line) for line in GOOD]).returncode == 0
    done = verify(GOOD + [carry("[AGENT_v2.1/a-v2.1] " + THIEF)])
    assert done.returncode == 1 and (carrier == "pretty" or b"not understood" not in done.stderr), done


def test_the_help_names_every_carrier():
    said = subprocess.run([BIN, "verify", "--help"], capture_output=True, timeout=30, check=True).stdout.decode()
    for name in ("kubectl", "stern", "compose", "journald", "syslog", "containerd", "docker", "Loki", "Elasticsearch",
                 "Fluent Bit",
                 "Fluentd", "promtail", "Vector", "Go's log", "logfmt", "CSV", "pretty-printed"):
        assert name in said, name


def test_lines_of_several_carriers_may_stand_in_one_file():
    lines = [prefix + line for prefix, line in zip(PREFIXES * len(GOOD), GOOD)]
    assert verify(lines).returncode == 0
    assert verify(lines + [CARRIERS["docker"]("[AGENT_v2.1/a-v2.1] " + THIEF)]).returncode == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding):
    for lines, code in ((GOOD, 0), (GOOD + agent("v2.1", "v1", 1, pod="thief"), 1)):
        text = "".join(line + "\r\n" for line in lines)
        done = subprocess.run([BIN, "verify", "--logs", "-", "--versions", "v1.1,v2.1"], input=text.encode(encoding),
                              capture_output=True, timeout=30, check=False)
        assert done.returncode == code, done


def test_one_misroute_of_ten_thousand_lines_is_found_in_every_carrier():
    for name, carry in CARRIERS.items():
        text = [carry(line) for line in GOOD] * (1 if name == "a query in one line" else 250)
        done = verify(text + [carry("[AGENT_v2.1/a-v2.1] " + THIEF)] + text)
        assert done.returncode == 1 and b"v1/thief" in done.stdout, (name, done)


@pytest.mark.parametrize("packed", [b"\x1f\x8b\x08\0rest", b"\x28\xb5\x2f\xfdrest", b"BZh91AY"])
def test_what_is_packed_is_said(packed):
    done = subprocess.run([BIN, "verify", "--logs", "-"], input=packed, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2 and b"unpack it" in done.stderr and done.stderr.count(b"\n") == 1, done


def test_a_line_of_any_length_is_searched():
    long = "x" * 9_000_000
    assert verify(GOOD + [long] + GOOD).returncode == 0
    done = verify(GOOD + [long + " [AGENT_v2.1/a-v2.1] " + THIEF + long] + GOOD)
    assert done.returncode == 4 and b"may be evidence" in done.stdout, done


UNREADABLE = ["Received pong from server=v1/thief message=pong", "AGENT_v2.1 got pong from v1",
              "[AGENT_v2.1/a] Received po",
              '{"msg": "Received pong", "server": "v1"}', "[LOG] 12 log lines were dropped: standard output is slow",
              "error: the node is gone", "unable to retrieve container logs for containerd://12"]


@pytest.mark.parametrize("line", UNREADABLE)
def test_what_may_be_evidence_and_is_not_understood_keeps_the_verdict_open(line):
    done = verify(GOOD + [line] * 20 + GOOD, "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] == 4, done
    assert report["logs"]["may_be_evidence"] == 20 and report["logs"]["first_not_understood"] == line
    assert b"20 of 64 lines were not understood" in done.stderr
    held = sticky(agent("v1.1", "v1", 20) + [line] + GOOD)
    assert held.returncode == 4 and b"not understood" in held.stdout, held
    assert verify(GOOD + [line] + agent("v2.1", "v1", 1)).returncode == 1  # a fault is one all the same


def test_each_member_that_the_documentation_names_carries_lines():
    row = next(line for line in (ROOT / "docs/logs.md").read_text().splitlines() if line.startswith("| `log` "))
    names = re.findall(r"`([^`]+)`", row.split("|")[1])
    assert len(names) > 15
    for name in names:
        value = (lambda line, name=name: [line]) if name.endswith("lines") else (lambda line: line)
        assert verify([json.dumps({name: value(line)}) for line in GOOD]).returncode == 0, name
        assert verify([json.dumps({name + "x": value(line)}) for line in GOOD]).returncode == 4, name


FORGED = {  # a client's header as other programs log it
    "json": lambda line: json.dumps({"status": 200, "method": "POST", "user_agent": line}),
    "headers": lambda line: json.dumps({"msg": "request", "headers": {"message": line}}),
    "json of its own names": lambda line: json.dumps({"request": {"log": line}, "level": "info"}),
    "pretty": lambda line: json.dumps({"user_agent": line}, indent=2),
    "access log": lambda line: f'10.0.0.1 - - [26/Nov/2026:15:14:10 +0000] "POST / HTTP/2.0" 200 12 "-" '
                               f'{json.dumps(line)}',
    "error log": lambda line: f"2026/11/26 15:14:10 [error] 7#7: *1 client sent invalid header: {line}",
    "kubectl": lambda line: f"[pod/nginx-x/nginx] 2026-01-02T03:04:05.1Z rejected {line}",
    "logfmt": lambda line: f"level=info ua={json.dumps(line)}",
    "zap": lambda line: "2026-01-02T03:04:05Z\tINFO\trefused\t" + json.dumps({"message": line}),
    "page breaks": lambda line: f"GET / ua=x\f{line}",
    "parts": lambda line: "\n".join(f"GET ua=2026-01-02T03:04:05.123456789Z stdout {tag} {part}"
                                    for tag, part in (("P", line[:20]), ("F", line[20:]))),
}


@pytest.mark.parametrize("log", FORGED)
def test_what_other_programs_log_of_a_client_is_no_evidence(log):
    carry = FORGED[log]
    done = verify(GOOD + [carry("[AGENT_v2.1/a-v2.1] " + THIEF)] + GOOD, "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 4 and report["logs"]["unknown_carrier"] >= 1, done  # no fault, and no pass
    assert b"no known carrier writes" in done.stderr and b"docs/logs.md" in done.stderr
    assert [check["messages_answered"] for check in report["checks"]] == [10, 10]
    text = verify(GOOD + [carry("[AGENT_v2.1/a-v2.1] " + THIEF)] + GOOD).stdout.decode()
    assert "of them within a text that no known carrier writes, which may be a client's)" in text
    # nor does a client make a version pass
    done = verify(agent("v1.1", "v1") + [carry(line) for line in agent("v2.1", "v2")], "-o", "json")
    assert done.returncode == 4 and json.loads(done.stdout)["checks"][1]["messages_answered"] == 0, done
    held = sticky([carry(line) for line in agent("v1.1", "v1", 20)])
    assert held.returncode == 4, held


def test_lines_without_their_beginning_are_said():
    text = "".join(line + "\n" for line in GOOD)
    old, new, newest = text[:400], text[400:900], text[900:]
    for order, code in ((old + new + newest, 0), (newest + new + old, 4)):
        done = subprocess.run([BIN, "verify", "--logs", "-", "--versions", "v1.1,v2.1", "--messages", "3", "-o",
                               "json"],
                              input=order.encode(), capture_output=True, timeout=30, check=False)
        assert done.returncode == code and (b"lack their beginning: rotated files belong in the order"
                                            in done.stderr) == (code == 4), done
        assert (json.loads(done.stdout)["logs"]["without_beginning"] > 0) == (code == 4)


def test_other_lines_are_counted_and_quoted():
    done = verify(GOOD + ["panic: \x1b]0;x\x07 no"] * 3, "-o", "json")
    assert done.returncode == 0 and json.loads(done.stdout)["logs"]["not_understood"] == 3, done
    assert b"3 of 25 lines were not understood and not judged, first: panic: \\x1b]0;x\\x07 no" in done.stderr


def test_a_wrong_server_fails_and_shows_the_line():
    done = verify(GOOD + agent("v2.1", "v1", 1, pod="thief"))
    assert done.returncode == 1, done
    assert b"expected server v2" in done.stdout
    assert b"Received pong from server=v1/thief" in done.stdout


def test_a_moved_stream_fails():
    done = verify(GOOD + agent("v2.1", "v2", 1, opened=False, pod="other"))
    assert done.returncode == 1, done
    assert b"moved between pods" in done.stdout


def test_a_new_stream_may_reach_another_pod():
    assert verify(GOOD + agent("v2.1", "v2", 1, pod="other")).returncode == 0


def test_an_agent_id_with_another_version_fails():
    seen = "[SERVER_v2/s] Stream opened from agent-id=a-v1.1 agent-version=v2.1"
    done = verify(GOOD + [seen])
    assert done.returncode == 1, done
    assert b"two versions" in done.stdout


@pytest.mark.parametrize("lines", [[], ["nothing of ours"], agent("v1.1", "v1"),
                                   agent("v1.1", "v1") + agent("v2.1", "v2", opened=False),
                                   agent("v1.1", "v1") + agent("v2.1", "v2", 4)])
def test_missing_evidence_is_no_pass(lines):
    done = verify(lines)
    assert done.returncode == 4, done
    assert b"not enough evidence" in done.stdout


def test_a_server_log_alone_is_judged_by_what_servers_saw():
    lines = []
    for major in "12":
        front = f"[SERVER_v{major}/s] "
        who = f"agent-id=a{major} agent-version=v{major}.1"
        lines += [front + "Stream opened from " + who]
        lines += [front + f"Received ping from {who} message=ping"] * 5
    done = verify(lines)
    assert done.returncode == 0 and b"Not checked" in done.stdout, done
    wrong = verify([line.replace("SERVER_v2", "SERVER_v1") for line in lines])
    assert wrong.returncode == 1, wrong


def test_a_missing_file_is_one_line():
    done = subprocess.run([BIN, "verify", "--logs", "/nonexistent"], capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


# ---- stickiness, isolation, kubectl, real logs ----------------------------------------------------


def sticky(lines, *options):
    return subprocess.run([BIN, "sticky-test", "--logs", "-", "--id", "a-", *options],
                          input="".join(line + "\n" for line in lines).encode(), capture_output=True, timeout=30,
                          check=False)


def test_twenty_messages_on_one_pod_are_sticky():
    done = sticky(agent("v1.1", "v1", 20, pod="server-v1-x"))
    assert done.returncode == 0, done
    assert "All 20 messages routed to same pod: server-v1-x" in done.stdout.decode()
    assert b"Sticky routing works correctly!" in done.stdout


def test_too_few_messages_prove_no_stickiness():
    done = sticky(agent("v1.1", "v1", 19))
    assert done.returncode == 4 and b"19 messages on one stream (20 needed)" in done.stdout
    reconnected = sticky(agent("v1.1", "v1", 15) + agent("v1.1", "v1", 15))
    assert reconnected.returncode == 4


def test_a_stream_that_moves_is_not_sticky_even_without_its_begin():
    done = sticky(agent("v1.1", "v1", 20, opened=False) + agent("v1.1", "v1", 1, opened=False, pod="other"))
    assert done.returncode == 1, done
    assert b"moved between pods" in done.stdout and b"works correctly" not in done.stdout


def test_agents_of_other_names_are_no_evidence():
    done = sticky(agent("v1.1", "v1", 30), "--id", "b-")
    assert done.returncode == 4 and b"begins with b-" in done.stderr


@pytest.mark.parametrize("servers_first", [True, False])
def test_isolation_does_not_depend_on_the_order_of_the_logs(servers_first):
    seen = ["[SERVER_v2/s] Stream opened from agent-id=a-v1.1 agent-version=v2.1"]
    done = verify(seen + GOOD if servers_first else GOOD + seen)
    assert done.returncode == 1 and b"two versions" in done.stdout


def test_versions_that_nobody_asked_for_are_judged_too():
    assert verify(GOOD + agent("v2.7", "v1", 1)).returncode == 1
    assert verify(GOOD + agent("v2.7", "v2", 1)).returncode == 0
    assert verify(GOOD + ["[AGENT_v2.7/a] Stream opened to p:1"]).returncode == 4  # nobody answered


def test_an_agent_without_a_log_is_told():
    seen = "[SERVER_v2/s] Stream opened from agent-id=ghost agent-version=v2.1"
    done = verify(GOOD + [seen])
    assert done.returncode == 0 and b"1 agents that have no log" in done.stderr


def test_probes_of_others_do_not_spoil_the_logs_of_our_agents():
    seen = ["[SERVER_v1/s] Stream opened from agent-id=verify-1 agent-version=v10.0",
            "[SERVER_v2/s] Stream opened from agent-id=verify-2 agent-version=v1.1"]
    assert verify(seen + GOOD + seen).returncode == 0
    alone = verify(seen)  # servers' logs alone: what they say is all there is
    assert alone.returncode == 1 and b"expected server v1" in alone.stdout and b"answered by ;" not in alone.stdout


def test_one_of_our_agents_at_a_wrong_server_fails_whichever_log_comes_first():
    seen = ["[SERVER_v2/s] Stream opened from agent-id=a-v1.1 agent-version=v1.1"]
    for lines in (seen + GOOD, GOOD + seen):
        done = verify(lines)
        assert done.returncode == 1 and b"expected server v1" in done.stdout


def test_a_nul_hides_nothing():
    done = verify(GOOD + ["[AGENT_v2.1/a-v2.1] Received pong from server=v1/thi\0ef message=pong"])
    assert done.returncode == 1 and b"\\x01" in done.stdout


def test_rotated_and_split_logs(tmp_path):
    text = "".join(line + "\n" for line in GOOD)
    front, back = tmp_path / "agent.log.1", tmp_path / "agent.log"
    cut = text.index("Received pong", 300)
    front.write_text(text[:cut])
    back.write_text(text[cut:])
    done = subprocess.run([BIN, "verify", "--logs", front, "--logs", back, "--versions", "v1.1,v2.1", "--messages",
                           "4"],
                          capture_output=True, timeout=30, check=False)
    assert done.returncode == 0 and b"1 of " in done.stderr, done


def verify_files(*files, stdin=None, messages=4):
    args = [part for file in files for part in ("--logs", file)]
    return subprocess.run([BIN, "verify", *args, "--versions", "v1.1", "--messages", str(messages)], stdin=stdin,
                          capture_output=True, timeout=30, check=False, cwd=os.path.dirname(files[0]) or None)


def test_what_is_named_twice_is_no_further_evidence(tmp_path):
    log, server = tmp_path / "a.log", tmp_path / "s.log"
    log.write_text("".join(line + "\n" for line in agent("v1.1", "v1", 2)))
    server.write_text("[SERVER_v1/s] Stream opened from agent=v1.1/a-v1.1\n")
    soft, hard = tmp_path / "soft.log", tmp_path / "hard.log"
    soft.symlink_to(log)
    hard.hardlink_to(log)
    assert verify_files(log, server).returncode == 4
    assert verify_files(log, server, messages=2).returncode == 0
    for other in (log, "a.log", soft, hard):
        done = verify_files(log, server, other, messages=2)
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and not done.stdout, done
        assert f"{log} and {other} are one source".encode() in done.stderr, done
    with open(log) as stdin:
        assert b"a.log and - are one source" in verify_files(log, "-", stdin=stdin).stderr
    done = verify([], "--logs", "-")
    assert done.returncode == 2 and b"- and - are one source" in done.stderr, done


def test_a_copy_is_no_further_evidence(tmp_path):
    log, copy = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text("".join(line + "\n" for line in agent("v1.1", "v1", 2)))
    copy.write_bytes(log.read_bytes())
    done = verify_files(log, copy)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and not done.stdout, done
    assert f"{copy} is a copy of {log}".encode() in done.stderr, done
    copy.write_text("".join(line + "\n" for line in agent("v1.1", "v1", 2, pod="other")))
    assert verify_files(log, copy).returncode != 2


def test_files_that_say_nothing_may_be_alike(tmp_path):
    log, noise, more = tmp_path / "a.log", tmp_path / "b.log", tmp_path / "c.log"
    log.write_text("".join(line + "\n" for line in agent("v1.1", "v1", 4)))
    for text in ("", "another program began\n"):
        noise.write_text(text)
        more.write_text(text)
        assert verify_files(log, noise, more).returncode == 0
    assert verify_files(log, "/dev/null", "/dev/stdin", stdin=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("swapped", [False, True])
def test_what_real_agents_and_servers_log(log_format, swapped, started, certs, tmp_path):
    """Through the real proxy, with right and with swapped routes."""
    from testenv.grpcroute import Agent, Proxy, Server

    v1 = [started(Server("v1", f"v1-{i}", "--log-format", log_format)) for i in range(2)]
    v2 = [started(Server("v2", f"v2-{i}", "--log-format", log_format)) for i in range(2)]
    proxy = started(Proxy(certs, *((v2, v1) if swapped else (v1, v2)))).wait_ready()
    agents = [started(Agent(version, f"a-{version}", proxy.target, "--messages", "6", "--interval", "20ms",
                            "--log-format",
                            log_format, cacert=certs / "ca.pem")) for version in ("v1.1", "v1.2", "v2.1", "v2.2")]
    for one in agents:
        one.wait()
    wait_until(lambda: sum(server.output.count("Stream closed by") for server in (*v1, *v2)) >= len(agents), 20,
               "servers told of all")
    files = []
    for index, process in enumerate([*agents, *v1, *v2]):
        files.append(tmp_path / f"{index}.log")
        files[-1].write_text(process.output + "\n")
    sources = [word for file in files for word in ("--logs", file)]
    report = tmp_path / "out.xml"
    done = subprocess.run([BIN, "verify", *sources, "--junit-file", report, "-o", "json"], capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == (1 if swapped else 0), done
    assert ("<failure" in report.read_text()) == swapped
    held = subprocess.run([BIN, "sticky-test", *sources, "--id", "a-", "--messages", "6", "-o", "json"],
                          capture_output=True, timeout=30, check=False)
    assert held.returncode == 0, held


@pytest.fixture
def kubectl(tmp_path):
    """Puts a program of that name and text in front of PATH."""
    def make(script):
        program = tmp_path / "kubectl"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    return make


def test_kubectl_is_asked_for_agents_and_servers(kubectl, tmp_path):
    (tmp_path / "log").write_text("".join(f"[pod/x/agent] 2026-01-02T03:04:05.1Z {line}\n" for line in GOOD))
    env = kubectl(f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/log')
    done = subprocess.run([BIN, "verify", "--logs", "kubectl", "--versions", "v1.1,v2.1", "--context", "c",
                           "--namespace", "n"], capture_output=True, timeout=30, env=env, check=False)
    assert done.returncode == 0, done
    asked = (tmp_path / "asked").read_text()
    assert "--ignore-errors" in asked and "logs --namespace n --selector app in (agent, server)" in asked and \
        "--context c" in asked


def test_a_pod_that_has_not_begun_does_not_throw_the_others_away(kubectl, tmp_path):
    (tmp_path / "log").write_text("".join(f"[pod/x/agent] {line}\n" for line in GOOD))
    waiting = 'container "agent" in pod "x" is waiting to start: ContainerCreating'
    ask = [BIN, "verify", "--logs", "kubectl", "--versions", "v1.1,v2.1"]
    for script in (f"echo '[pod/x/agent] error: {waiting}'; cat {tmp_path}/log",
                   f"cat {tmp_path}/log; echo 'Error from server (BadRequest): {waiting}' >&2; exit 1"):
        done = subprocess.run(ask, capture_output=True, timeout=30, env=kubectl(script), check=False)
        assert done.returncode == 0 and b"ContainerCreating" in done.stderr, done


def test_a_kubectl_that_breaks_off_leaves_no_pass(kubectl, tmp_path):
    (tmp_path / "log").write_text("".join(line + "\n" for line in GOOD))
    env = kubectl(f"cat {tmp_path}/log; echo 'the server is gone' >&2; exit 1")
    done = subprocess.run([BIN, "verify", "--logs", "kubectl", "--versions", "v1.1,v2.1"], capture_output=True,
                          timeout=30, env=env, check=False)
    assert done.returncode == 4 and b"the server is gone" in done.stderr and \
        b"not all logs could be read" in done.stdout


def test_what_kubectl_says_of_nothing_is_passed_on(kubectl):
    env = kubectl('echo "No resources found in x namespace." >&2')
    for command in ("verify", "sticky-test"):
        done = subprocess.run([BIN, command, "--logs", "kubectl"], capture_output=True, timeout=30, env=env,
                              check=False)
        assert done.returncode == 4 and b"No resources found in x namespace." in done.stderr, done


def test_a_kubectl_that_fails_is_told(kubectl):
    env = kubectl('echo first >&2; echo "the server is gone" >&2; exit 1')
    for command in ("verify", "sticky-test"):
        done = subprocess.run([BIN, command, "--logs", "kubectl"], capture_output=True, timeout=30, env=env,
                              check=False)
        assert done.returncode == 3 and done.stderr.count(b"\n") == 1 and b"the server is gone" in done.stderr, done


def test_no_kubectl_is_told(tmp_path):
    done = subprocess.run([BIN, "verify", "--logs", "kubectl"], capture_output=True, timeout=30,
                          env={**os.environ, "PATH": str(tmp_path)}, check=False)
    assert done.returncode == 3 and done.stderr.count(b"\n") == 1 and b"PATH" in done.stderr
