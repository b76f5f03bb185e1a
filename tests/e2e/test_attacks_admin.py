"""Hostile clients of the admin port."""
import contextlib
import random
import selectors
import socket
import threading
import urllib.request

import pytest

from testenv import raw
from testenv.raw import setting
from testenv.wait import wait_until

ADMIN = {
    "noise": random.Random(6).randbytes(4096),
    "http-2": raw.PREFACE + setting(),
    "long-line": b"GET /" + b"x" * 200000 + b" HTTP/1.1\r\n\r\n",
    "long-headers": b"GET /ready HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    "endless-body": b"POST /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n" + bytes(1000000),
    "negative-length": b"POST /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n" + bytes(1000),
    "pipeline": b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5000,
}


@pytest.mark.parametrize("name", ADMIN)
def test_hostile_client_of_the_admin_port(world, name):
    with world.unhurt(), socket.create_connection(("127.0.0.1", world.proxy.admin_port), 5) as sock:
        sock.settimeout(2)
        with contextlib.suppress(OSError):
            sock.sendall(ADMIN[name])
        with urllib.request.urlopen(world.proxy.admin + "/ready", timeout=5) as answer:
            assert answer.status == 200
    assert world.proxy.running()


class Pipeline:
    """Asks for the same without an end on forty connections, and reads what comes."""

    def __init__(self, port, path, request, connections=40):
        self.port, self.requests, self.answers = port, request % path.encode() * 50, 0
        self.selector = selectors.DefaultSelector()
        self.ended = threading.Event()
        for _ in range(connections):
            self.connect()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def run(self):
        while not self.ended.wait(0.002):
            for key, what in self.selector.select(0.1):
                try:
                    if what & selectors.EVENT_WRITE:
                        key.fileobj.send(self.requests)
                    if what & selectors.EVENT_READ and not key.fileobj.recv(1 << 20):
                        raise ConnectionResetError
                    self.answers += what & selectors.EVENT_READ
                except BlockingIOError:
                    pass
                except OSError:  # the end of a request that was refused: another one
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self.connect()

    def close(self):
        self.ended.set()
        self.thread.join(20)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def answered(admin, path):
    """Within seconds: alone it takes milliseconds, and this machine may have much to do."""
    with urllib.request.urlopen(admin + path, timeout=5) as answer:
        return answer.status == 200 and answer.read()


@pytest.mark.parametrize("path", ["/streams?q=", "/streams?q=nobody", "/metrics", "/clusters?format=json", "/history",
                                  "/events", "/dashboard", "/ready", "/", "/none", "/reload"])
def test_a_client_that_asks_too_much_of_the_admin_port_pays_alone(world, started, path):
    method = b"POST" if path == "/reload" else b"GET"
    attack = started(Pipeline(world.proxy.admin_port, path,
                              method + b" %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"))
    wait_until(lambda: attack.answers > 20, 20, "it has begun")
    for probe in ["/ready", "/metrics", "/server_info", "/ready"] * 3:
        assert answered(world.proxy.admin, probe)


@pytest.mark.parametrize("request_", [b"", b"GET /ready HTTP/1.1\r\nHost: lo",
                                      b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                      b"GET /streams HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50],
                         ids=["silent", "half", "events", "unread"])
def test_connections_to_the_admin_port_keep_nobody_out(world, request_):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", world.proxy.admin_port), 5))
            with contextlib.suppress(OSError):
                sock.sendall(request_)
        for probe in ["/ready", "/metrics", "/streams", "/ready"]:
            assert answered(world.proxy.admin, probe)
