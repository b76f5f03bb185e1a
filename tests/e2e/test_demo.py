"""The demo's ends: signals at every stage, children that fail. Whatever happens, nothing is left: no process, no
key."""
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from testenv.grpcroute import BIN, grpcroute
from testenv.process import Process
from testenv.wait import wait_until

# It ends its servers within 0.5 s and kills what is left after 4.
END_S = 8


def start_demo(started, tmp_path, *args, **env):
    return started(Process([BIN, "demo", *args], env={"TMPDIR": str(tmp_path), **env}))


def children_of(pid):
    """The processes that it has started, which still run."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [int(child) for child in children.read().split()]


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as info:
            return info.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_any_moment_leaves_nothing(started, tmp_path, number):
    for delay_ms in range(0, 501, 25):
        demo = start_demo(started, tmp_path)
        time.sleep(delay_ms / 1000)  # the moment is what is tested
        code = demo.stop(number, END_S)
        # the second: it had not begun to listen, and had made nothing
        assert code == 128 + number or (code == -number and demo.output == ""), (delay_ms, code, demo.output)
        assert os.listdir(tmp_path) == [], delay_ms


def test_a_second_signal_ends_it_now(started, tmp_path):
    demo = start_demo(started, tmp_path)
    demo.wait_for("Received pong")
    children = children_of(demo.pid)
    for child in children:
        os.kill(child, signal.SIGSTOP)  # they cannot end in good order
    began = time.monotonic()
    demo.send_signal(signal.SIGINT)
    demo.wait_for("Interrupted")
    assert demo.stop(signal.SIGINT, END_S) == 130
    assert time.monotonic() - began < 4, "it waited for them"
    assert all(is_gone(child) for child in children) and os.listdir(tmp_path) == []


def test_children_die_with_a_demo_that_is_killed(started, tmp_path):
    demo = start_demo(started, tmp_path)
    demo.wait_for("Received pong")
    children = children_of(demo.pid)
    assert len(children) == 9
    demo.kill()
    wait_until(lambda: all(is_gone(child) for child in children), END_S, "all children are gone")


def test_children_have_a_session_of_their_own(started, tmp_path):
    """Ctrl-C in a terminal goes to the demo alone, which ends them in order."""
    demo = start_demo(started, tmp_path)
    demo.wait_for("Received pong")
    assert all(os.getsid(child) == child for child in children_of(demo.pid))


def test_servers_that_cannot_start_end_it(started, tmp_path):
    demo = start_demo(started, tmp_path, GRPCROUTE_LOG_LEVEL="none")
    assert demo.wait(END_S) == 1
    assert "server-v" in demo.output and "ended unexpectedly (exit code 2)" in demo.output
    assert os.listdir(tmp_path) == []


def start_with_nginx(started, tmp_path, script):
    """Through an "nginx" that is a script."""
    programs, folder = tmp_path / "bin", tmp_path / "tmp"
    folder.mkdir()
    programs.mkdir()
    nginx = programs / "nginx"
    nginx.write_text(script)
    nginx.chmod(nginx.stat().st_mode | stat.S_IXUSR)
    return start_demo(started, folder, "--proxy", "nginx", PATH=f"{programs}:/usr/bin:/bin"), folder


@pytest.mark.parametrize("script, told", [
    ("#!/bin/sh\necho no licence >&2\nexit 3\n", "nginx ended unexpectedly (exit code 3): no licence"),
    ("#!/no/such/shell\n", "nginx ended unexpectedly (exit code 127)"),
])
def test_a_proxy_that_fails_ends_it(started, tmp_path, script, told):
    demo, folder = start_with_nginx(started, tmp_path, script)
    assert demo.wait(END_S) == 1
    assert told in demo.output
    assert os.listdir(folder) == []


def test_what_a_proxy_leaves_behind_goes_too(started, tmp_path):
    """It keeps the proxy's output open, so that the end of that cannot be waited for."""
    demo, folder = start_with_nginx(started, tmp_path, "#!/bin/sh\nsleep 60 &\necho left $!\n")
    left = int(demo.wait_for(r"left (\d+)").group(1))
    assert demo.stop(signal.SIGINT, END_S) == 130
    assert os.listdir(folder) == []
    wait_until(lambda: is_gone(left), END_S, "it is gone, which its killer does not wait for")


def test_no_folder_for_the_key_is_a_usage_error(started, tmp_path):
    demo = start_demo(started, tmp_path / "none")
    assert demo.wait(END_S) == 2 and "cannot make a directory" in demo.output


def test_what_is_kept_is_whole(started, tmp_path):
    """The server that was killed for show is back, so that verify meets both."""
    demo = start_demo(started, tmp_path, "--keep")
    command = demo.wait_for(r"grpcroute (verify --target \S+ --cacert \S+)", deadline_s=30).group(1)
    killed = re.search(r"kill -9 (\S+),", demo.output).group(1)

    def meets_it():
        done = grpcroute(*command.split())
        return done.returncode == 0 and "headless" not in done.stdout and killed in done.stdout

    wait_until(meets_it, 10, "verify meets the server that was killed")
    assert demo.stop(signal.SIGINT, END_S) == 0


def is_agent(pid):
    """A child that has ended and was not waited for yet has no words."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read().split(b"\0")[1:2] == [b"agent"]
    except FileNotFoundError:
        return False


def test_agents_that_do_not_come_back_fail_it(started, tmp_path):
    """They are stopped before their server is killed, and never go on."""
    demo = start_demo(started, tmp_path)
    demo.wait_for("4. grpcroute verify")
    agents = [child for child in children_of(demo.pid) if is_agent(child)]
    assert len(agents) == 4
    for agent in agents:
        os.kill(agent, signal.SIGSTOP)
    assert demo.wait(60) == 1
    assert "6. Failover: kill -9" in demo.output and "the streams did not come back within 15s" in demo.output
    assert "Demo passed" not in demo.output and "is back after" not in demo.output
    assert all(is_gone(agent) for agent in agents) and os.listdir(tmp_path) == []


@pytest.mark.parametrize("lines", [1, 6, 20])
def test_a_reader_that_leaves_ends_it(tmp_path, lines):
    done = subprocess.run(["bash", "-c", f'"$0" demo | head -{lines}; exit "${{PIPESTATUS[0]}}"', BIN],
                          capture_output=True, timeout=60,
                          env={**os.environ, "TMPDIR": str(tmp_path)}, text=True, check=False)
    assert done.returncode == 2 and done.stdout.count("\n") == lines, done
    assert done.stderr.splitlines()[-1] == "grpcroute: cannot write to standard output: Broken pipe", done
    assert "Is a directory" not in done.stderr and os.listdir(tmp_path) == [], done
