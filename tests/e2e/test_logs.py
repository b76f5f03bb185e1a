"""verify --logs judges what deployed agents and servers logged."""
import os
import subprocess

import pytest

BIN = os.environ.get("GRPCROUTE_BIN", "grpcroute")


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


@pytest.mark.parametrize("prefix", ["", "[pod/x/agent] 2026-01-02T03:04:05.123456789Z ",
                                    "2026-01-02T03:04:05.123456789Z stdout F "])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_right_servers_pass(prefix, newline):
    done = verify(GOOD, prefix=prefix, newline=newline)
    assert done.returncode == 0, done
    assert b"Routing verification passed!" in done.stdout
    assert b"v1.1" in done.stdout and b"OK" in done.stdout


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
