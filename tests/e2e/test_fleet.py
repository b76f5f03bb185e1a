"""Thousands of streams that begin in one moment: none waits for the others until a limit is over that is meant for
silence."""
import json
import re
import socket
import threading

import pytest

from testenv.grpcroute import BIN, Proxy, Server, grpcroute
from testenv.process import Process
from testenv.sanitizers import is_sanitized
from testenv.wait import wait_until

AT_ONCE = 128


class Silent:
    """Accepts connections and says nothing on them."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self._listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                self.sockets.append(self._listener.accept()[0])
        except OSError:
            pass  # closed

    def close(self):
        self._listener.close()
        for sock in self.sockets:
            sock.close()


COMMANDS = {
    "failover-test": ["--fault", "true", "--agents", "400"],
    "bench": ["-c", "400"],
    "agent": ["--version", "v1.1", "--count", "400"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("tls", [["-k"], ["--plaintext"]], ids=["tls", "plaintext"])
def test_a_few_connections_are_made_at_a_time(started, command, tls):
    silent = started(Silent())
    client = started(Process([BIN, command, "--target", f"127.0.0.1:{silent.port}", *tls, *COMMANDS[command]]))
    wait_until(lambda: len(silent.sockets) >= AT_ONCE, 10, "the first connections")
    with socket.create_connection(("127.0.0.1", silent.port)) as last:
        wait_until(lambda: any(sock.getpeername() == last.getsockname() for sock in list(silent.sockets)), 10,
                   "ours is accepted")
    client.stop()
    assert len(silent.sockets) == AT_ONCE + 1


def test_2000_agents_behind_a_proxy_that_ends_tls(started, certs, backends):
    proxy = started(Proxy(certs, *backends)).wait_ready()
    if is_sanitized(proxy):
        pytest.skip("instrumented, 128 handshakes at a time take seconds of processor time, and each has 5 s")
    for command in (["failover-test", "--fault", "true", "--settle", "100ms", "--agents", "2000", "--interval", "1s"],
                    ["bench", "-c", "2000", "-r", "100", "-z", "200ms", "--warmup", "0"]):
        done = grpcroute(*command, "--target", proxy.target, "--cacert", certs / "ca.pem", "-o", "json", timeout=120)
        report = json.loads(done.stdout)
        assert report["result"] == "passed" or "driver" in report.get("invalid_because", ""), \
            done.stdout[:2000] + done.stderr
    assert not re.search(r"handshake|refused", proxy.output), proxy.output[-2000:]


def test_a_fleet_that_is_stuck_half_way_is_told_with_its_numbers(started):
    """Some streams are answered, then no other: the limit counts from the last that was."""
    server = started(Server("v1", "s", "--max-streams", "2"))
    done = grpcroute("bench", "--target", server.address, "--plaintext", "--versions", "v1.1", "-c", "1", "-s", "4",
                     "-z", "200ms", "--warmup", "0", "-r", "10")
    assert done.returncode == 1 and "2 of 4 opened" in done.stdout, done.stdout + done.stderr
