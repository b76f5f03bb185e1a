"""Bad input gets one line that names the cause, the right exit code, and nothing half-started."""
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import time

import hpack
import pytest
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame

from testenv import zsh
from testenv.grpcroute import BIN, ROOT, Server, grpcroute
from testenv.process import Process, run

BAD = [
    (["agent"], "--version"),
    (["agent", "--version", "1 1"], "--version"),
    (["agent", "--version", "v1.1", "--interval", "5"], "--interval"),
    (["agent", "--version", "v1.1", "--interval", "-5s"], "--interval"),
    (["agent", "--version", "v1.1", "--intervall", "5s"], "--interval"),
    (["agent", "--version", "v1.1", "--target", "host:99999"], "--target"),
    (["agent", "--version", "v1.1", "--target", ":8443"], "--target"),
    (["agent", "--version", "v1.1", "--count", "0"], "--count"),
    (["agent", "--version", "v1.1", "--count"], "--count"),
    (["agent", "--version", "v1.1", "--insecure"], "--plaintext"),
    (["agent", "--version", "v1.1", "--log-format", "xml"], "text"),
    (["agent", "--version", "v1.1", "extra"], "extra"),
    (["server", "--version", "v1", "--listen", "nowhere"], "--listen"),
    (["server", "--version", "v1", "--bogus\x1b[31m"], "bogus"),
    (["proxy", "--cert", "/nonexistent.pem"], "/nonexistent.pem"),
    (["proxy", "--routes", "/nonexistent.yaml"], "/nonexistent.yaml"),
    (["proxy", "--plaintext", "--endpoints", "server-v1"], "--endpoints"),
    (["proxy", "--plaintext", "--endpoints", "server-v9=a:1"], "--endpoints"),
    (["proxy", "--plaintext", "--endpoints", "server-v1=a:1", "--endpoints", "server-v1=b:1"], "said before"),
    (["proxy", "--plaintext", "--cert", "x.pem"], "--cert does not go with --plaintext"),
    (["proxy", "--plaintext", "--key", "x.pem"], "--key does not go with --plaintext"),
    (["proxy", "--client-ca", "x.pem", "--plaintext"], "--client-ca: there are no certificates with --plaintext"),
    (["proxy", "--hash-header", "x"], "--hash-header: nothing looks at it without --lb-policy hash"),
    (["proxy", "--lb-policy", "least-request", "--hash-header", "x"], "--hash-header: "),
    (["proxy", "--move-window", "5s", "--on-removed", "keep"], "--move-window: nothing moves without --rebalance"),
    (["verify", "--versions", "v1.1,,v2"], "--versions"),
    (["verify", "--messages", "many"], "--messages"),
    (["sticky-test", "--junit-file", ""], "--junit-file"),
    (["verfy"], "verify"),
    (["--bogus"], "--bogus"),
]


@pytest.mark.parametrize("args,named", BAD, ids=[" ".join(a)[:40].replace("\x1b", "") for a, _ in BAD])
def test_bad_arguments_are_one_line_and_2(args, named):
    done = grpcroute(*args, env={"AGENT_VERSION": "", "SERVER_VERSION": ""}, timeout=20)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert named in done.stderr
    assert all(0x20 <= byte < 0x7f or byte == 0x0a for byte in done.stderr.encode()), done.stderr


BAD_ROUTES = [
    ("kind: GRPCRoute\n", ":1:", "apiVersion"),
    ("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nspec:\n  rulez: []\n", ":4:", "rulez"),
    ("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nspec:\n  rules:\n  - matches:\n"
     "    - headers:\n      - {name: a, type: Prefix, value: b}\n    backendRefs: [{name: x, port: 1}]\n",
     ":7:", "Prefix"),
    ("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nspec:\n  rules:\n  - backendRefs:\n"
     "    - {name: x, port: 70000}\n", ":6:", "port"),
    ("apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nspec:\n  rules:\n  - matches:\n"
     "    - headers:\n      - {name: a, type: RegularExpression, value: '('}\n"
     "    backendRefs: [{name: x, port: 1}]\n", ":7:", "regular expression"),
    ("a: [\n", ":2:", "YAML"),
    ("kind: Service\n", "", "no GRPCRoute"),
]


@pytest.mark.parametrize("text,line,named", BAD_ROUTES)
def test_bad_routes_name_line_and_field(tmp_path, text, line, named):
    routes = tmp_path / "routes.yaml"
    routes.write_text(text)
    done = grpcroute("proxy", "--plaintext", "--routes", routes)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert line in done.stderr and named in done.stderr


def test_key_of_another_certificate_is_named(certs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run([ROOT / "certs/generate-certs.sh", "--out", other], check=True, capture_output=True)
    done = grpcroute("proxy", "--cert", certs / "cert.pem", "--key", other / "key.pem")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "key.pem" in done.stderr


def test_certificates_are_never_overwritten_silently(tmp_path):
    make = [ROOT / "certs/generate-certs.sh", "--out", tmp_path]
    subprocess.run(make, check=True, capture_output=True)
    before = (tmp_path / "key.pem").read_bytes()
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    again = subprocess.run(make, capture_output=True, text=True, check=False)
    assert again.returncode == 2 and "--force" in again.stderr
    assert (tmp_path / "key.pem").read_bytes() == before
    subprocess.run([*make, "--force"], check=True, capture_output=True)
    assert (tmp_path / "key.pem").read_bytes() != before


def test_address_in_use_is_2_with_the_address(certs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for args in (["server", "--version", "v1", "--listen", f"127.0.0.1:{port}"],
                     ["proxy", "--cert", certs / "cert.pem", "--key", certs / "key.pem", "--listen",
                      f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"],
                     ["proxy", "--cert", certs / "cert.pem", "--key", certs / "key.pem", "--listen",
                      "127.0.0.1:0", "--admin", f"127.0.0.1:{port}"]):
            done = grpcroute(*args)
            assert done.returncode == 2, done
            assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr
            assert done.stderr.count("\n") == 1


def test_help_of_every_command_shows_every_option():
    overview = grpcroute("--help").stdout
    for command in ("agent", "server", "proxy", "verify", "sticky-test", "demo"):
        assert f"  {command}" in overview
        text = grpcroute(command, "--help").stdout
        assert text == grpcroute("help", command).stdout
        assert "Examples:" in text and "Exit codes:" in text
    assert grpcroute("--version").stdout.startswith("grpcroute 0.")


def test_completion_is_valid_shell(tmp_path):
    script = tmp_path / "completion"
    script.write_text(grpcroute("completion", "bash").stdout)
    subprocess.run(["bash", "-n", script], check=True)
    asked = f"source {script}; COMP_WORDS=(grpcroute ver); COMP_CWORD=1; " \
            "$(complete -p grpcroute | sed 's/.*-F \\([^ ]*\\).*/\\1/') grpcroute ver grpcroute; " \
            "echo ${COMPREPLY[@]}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert "verify" in done.stdout


@pytest.mark.skipif(not zsh.AVAILABLE, reason="there is no zsh: tests/tool/setup.sh installs it")
def test_a_real_zsh_completes_commands_options_and_values(started, tmp_path):
    script = tmp_path / "completion"
    script.write_text(grpcroute("completion", "zsh").stdout)
    (tmp_path / "routes.yaml").write_text("")
    shell = started(zsh.Zsh(tmp_path, script))
    for words, pattern in (
            ("grpcroute ver", r"verify +-- Check that every agent version(?s:.*)version +-- Show the versions"),
            ("grpcroute stic", r"grpcroute sticky-test "), ("grpcroute help ren", r"grpcroute help render "),
            ("grpcroute completion ", r"bash +fish +zsh|bash +zsh +fish"),
            ("grpcroute render ", r"envoy +haproxy +nginx +traefik"),
            ("grpcroute bench ", r"compare +merge|merge(?s:.*)compare"), ("grpcroute verify --bound", r"--boundary "),
            ("grpcroute verify -o ", r"json +markdown +text"),
            ("grpcroute verify --output=mark", r"--output=markdown "),
            ("grpcroute verify --routes ro", r"--routes routes\.yaml "),
            ("grpcroute verify --logs kub", r"--logs kubectl "),
            ("grpcroute verify --logs ro", r"--logs routes\.yaml "),
            ("grpcroute proxy --lb-pol", r"--lb-policy="), ("grpcroute demo --proxy ha", r"--proxy haproxy ")):
        shown = shell.complete(words, pattern)
        assert "command not found" not in shown and "_arguments" not in shown and "bad" not in shown, (words, shown)


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish: tests/tool/setup.sh installs it")
def test_a_real_fish_completes_commands_options_and_values(tmp_path):
    script = tmp_path / "completion.fish"
    script.write_text(grpcroute("completion", "fish").stdout)
    (tmp_path / "routes.yaml").write_text("")
    for words, offered in (
            ("grpcroute ver", ["verify\tCheck that every agent", "version\tShow the versions"]),
            ("grpcroute help ren", ["render"]),
            ("grpcroute man stic", ["sticky-test"]), ("grpcroute completion ", ["bash", "fish", "zsh"]),
            ("grpcroute render ", ["envoy", "haproxy", "nginx", "traefik"]), ("grpcroute render envoy ", []),
            ("grpcroute bench com", ["compare"]), ("grpcroute verify --bound", ["--boundary\tAlso try"]),
            ("grpcroute verify -o ", ["json\t", "markdown\t", "text\t"]),
            ("grpcroute verify --output=mark", ["--output=markdown\t"]),
            ("grpcroute verify --routes ro", ["routes.yaml"]), ("grpcroute verify --logs kub", ["kubectl\t"]),
            ("grpcroute verify --logs ro", ["routes.yaml"]), ("grpcroute verify --target ", []),
            ("grpcroute help verify --bound", []),
            ("grpcroute demo --proxy ha", ["haproxy\t"])):
        done = run(["fish", "--no-config", "-c", f"cd {tmp_path}; source {script}; complete -C '{words}'"],
                   env={**os.environ, "HOME": str(tmp_path)})
        shown = done.stdout.splitlines()
        assert done.returncode == 0 and done.stderr == "", done
        assert len(shown) == len(offered) and all(a.startswith(b) for a, b in zip(shown, offered)), (words, shown)


def commands():
    """The program's commands, as its help lists them."""
    listed = grpcroute("--help").stdout.split("\nCommands:\n")[1].split("\n\n")[0]
    names = re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE)
    return [name for name in names if name not in ("help", "man", "completion", "version")]


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="there is no mandoc: tests/tool/setup.sh installs it")
@pytest.mark.parametrize("command", [None, *commands()])
def test_the_manual_page_is_right_and_says_what_the_help_says(command, tmp_path):
    page = tmp_path / "page.1"
    page.write_text(grpcroute("man", *([command] if command else [])).stdout)
    lint = run(["mandoc", "-T", "lint", "-W", "warning", page])
    # a build says the same on each day
    wrong = [line for line in lint.stdout.splitlines() if "missing date" not in line]
    assert wrong == [] and lint.stderr == "", lint
    shown = re.sub(r".\x08", "", run(["mandoc", "-T", "ascii", "-O", "width=1000", page]).stdout)
    help_text = grpcroute(*([command] if command else []), "--help").stdout
    for word in re.findall(r"(?<!\S)--[a-z][a-z-]+", help_text):
        assert word in shown, word
    examples = help_text.split("Examples:\n")[1].split("\n\n")[0]
    for line in examples.splitlines():
        assert line.strip() in shown, line
    assert "EXIT STATUS" in shown and "Not enough evidence" in shown and "SEE ALSO" in shown


def test_a_page_of_no_command_is_an_error():
    done = grpcroute("man", "verfy")
    assert done.returncode == 2 and done.stdout == "" and "did you mean verify?" in done.stderr
    assert grpcroute("man", "verify", "proxy").returncode == 2
    assert grpcroute("man", "--help").stdout.startswith("Usage: grpcroute man")


def test_an_installation_has_all_pages_and_completions(tmp_path):
    build = pathlib.Path(BIN).parents[1]
    if not (build / "build.ninja").exists():
        pytest.skip("the program is not in a build folder")
    done = run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", tmp_path])
    assert done.returncode == 0, done
    found = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(found) == {"grpcroute", "grpcroute.1", "grpcroute.bash", "grpcroute.fish", "_grpcroute",
                          *(f"grpcroute-{command}.1" for command in commands())}
    assert found["grpcroute-verify.1"].read_text() == grpcroute("man", "verify").stdout
    assert found["grpcroute.fish"].read_text() == grpcroute("completion", "fish").stdout


def test_environment_fills_in_and_flags_win(started):
    server = started(Server("v1", "s"))
    env = {"AGENT_VERSION": "v1.7", "AGENT_ID": "from-env", "SERVER_ADDRESS": server.address,
           "USE_TLS": "false"}
    done = grpcroute("agent", "--messages", "1", env=env)
    assert done.stdout.startswith(f"[AGENT_v1.7/from-env] Stream opened to {server.address}\n")
    done = grpcroute("agent", "--messages", "1", "--id", "from-flag", env=env)
    assert done.stdout.startswith("[AGENT_v1.7/from-flag] ")


def test_bytes_of_a_peer_never_reach_a_log_raw(started):
    server = started(Server("v1", "s"))
    headers = hpack.Encoder().encode([
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/ping.PingService/PingPong"),
        (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers"),
        (b"agent-id", b"ev\til\xe2\x80\xae\xff"), (b"agent-version", b"v1.1")])
    begin = HeadersFrame(1, headers)
    begin.flags.add("END_HEADERS")
    end = DataFrame(1, b"\0\0\0\0\x06\n\x04a\x1b[m")
    end.flags.add("END_STREAM")
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize() +
                     begin.serialize() + end.serialize())
        server.wait_for("Stream closed")
    assert "ev\\x09il\\xe2\\x80\\xae\\xff" in server.output
    assert "a\\x1b[m" in server.output
    for line in server.lines:
        assert all(0x20 <= ord(c) < 0x7f for c in line), line


def test_an_id_that_is_no_metadata_is_a_usage_error():
    done = grpcroute("agent", "--version", "v1.1", "--id", "evil\x7f")
    assert done.returncode == 2 and "--id" in done.stderr


def test_ctrl_c_ends_the_demo_and_leaves_nothing(started):
    demo = started(Process([BIN, "demo"]))
    demo.wait_for("Received pong")
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(demo.pid)], capture_output=True,
                              text=True, check=False).stdout.split()
    assert children
    assert demo.stop(signal.SIGINT) == 130
    for pid in children:
        assert not os.path.exists(f"/proc/{pid}") or "Z" in open(f"/proc/{pid}/stat").read()


def test_demo_passes_and_shows_what_it_did():
    demo = grpcroute("demo", "--interval", "300ms")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for shown in ("🎉 Routing verification passed!", "Sticky routing works correctly!",
                  "is back after", "Demo passed"):
        assert shown in demo.stdout


def test_colours_only_on_a_terminal():
    assert "\x1b[" not in grpcroute("--help").stdout
    controller, terminal = pty.openpty()
    subprocess.run([BIN, "agent", "--help"], stdout=terminal, check=True,
                   env={**os.environ, "TERM": "xterm", "NO_COLOR": ""})
    os.close(terminal)
    assert b"\x1b[" in os.read(controller, 4096)
    os.close(controller)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_crash(started, closed):
    """Nothing else may get their numbers: a connection would be written what is meant for a terminal."""
    server = started(Server("v1", "s"))
    target = ["--target", server.address, "--plaintext"]
    for args in (["agent", "--version", "v1.1", *target, "--messages", "1"], ["verify", "--versions", "v1.1", *target],
                 ["bench", "--versions", "v1.1", *target, "-z", "100ms", "-r", "50"],
                 ["failover-test", "--versions", "v1.1", *target, "--fault", "true", "--settle", "100ms"], ["--help"]):
        done = run(["bash", "-c", f'exec "$@" {closed}', "bash", BIN, *args])
        assert done.returncode in ((2, 4) if ">&-" in closed.split() and args[0] != "agent" else (0, 4)), \
            (args, done.stdout + done.stderr)
    for args in (["server", "--version", "v1", "--listen", "127.0.0.1:0"],
                 ["proxy", "--plaintext", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]):
        role = started(Process(["bash", "-c", f'exec "$@" {closed}', "bash", BIN, *args]))
        time.sleep(0.5)  # nothing is heard of it
        assert role.running(), (args, role.output)
        role.stop()
