"""Ports and readiness."""
import socket
import ssl
import time


class ReservedPort:
    """A port that nobody else is given while this is open: neither by binding port 0 of any address nor for an outgoing
    connection. A program that sets SO_REUSEADDR, as servers do, can still listen on it, again and again: on 127.0.0.1,
    or on all addresses as Go's do."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._socket.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.bind(("", 0))
        self.port = self._socket.getsockname()[1]

    def close(self):
        self._socket.close()


def wait_port(port, running=lambda: True, cafile=None, deadline_s=20):
    """Waits until something accepts, with `cafile` until it speaks TLS and h2, as long as `running()`."""
    end = time.monotonic() + deadline_s
    while True:
        try:
            _try_port(port, cafile)
            return
        except OSError as error:
            assert running(), f"ended instead of listening on port {port}"
            assert time.monotonic() < end, f"not listening on port {port}: {error}"
            time.sleep(0.02)  # polling a program that tells its readiness in no other way


def _try_port(port, cafile):
    with socket.create_connection(("127.0.0.1", port), 1) as sock:
        if cafile is not None:
            context = ssl.create_default_context(cafile=cafile)
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                if tls.selected_alpn_protocol() != "h2":
                    raise OSError("no h2")
