"""Which limit of a proxy ended a stream: what is named is what did it, and what cannot have done it is not. Each limit
is set to 2 s in the real proxy; what the client did on the stream decides what may be named."""
import re

import h2.events
import pytest

from testenv.grpcroute import Server, grpcroute
from testenv.h2_server import PONG, H2Server
from testenv.proxies import REAL_PROXIES
from testenv.slow import slow


def swap(old, new):
    def change(text):
        if "route-1:" in text or "providers:" in text:  # Traefik has two files, and one of them has it
            return text.replace(old, new)
        assert old in text, old
        return text.replace(old, new)
    return change


def common(option):
    return swap("          stream_idle_timeout: 0s", f"          common_http_protocol_options: {{{option}: 2s}}\n"
                                                   "          stream_idle_timeout: 0s")


def envoy_idle(text):
    return re.sub(r"\n *idle_timeout: 0s #[^\n]*", "", text).replace("stream_idle_timeout: 0s",
                                                                     "stream_idle_timeout: 2s")


CHANGES = {
    "route timeout": ("envoy", swap(" timeout: 0s      #", " timeout: 2s      #")),
    "stream_idle_timeout": ("envoy", envoy_idle),
    "max_stream_duration": ("envoy", common("max_stream_duration")),
    "idle_timeout": ("envoy", common("idle_timeout")),
    "timeout server": ("haproxy", swap("timeout server 24d", "timeout server 2s")),
    "timeout client": ("haproxy", swap("timeout client 24d", "timeout client 2s")),
    "timeout tunnel": ("haproxy", swap("timeout tunnel 24d", "timeout tunnel 2s")),
    "timeout http-request": ("haproxy", swap("timeout http-request 10s", "timeout http-request 2s")),
    "grpc_read_timeout": ("nginx", swap("grpc_read_timeout 24d", "grpc_read_timeout 2s")),
    "grpc_send_timeout": ("nginx", swap("grpc_send_timeout 24d", "grpc_send_timeout 2s")),
    "client_body_timeout": ("nginx", swap("client_body_timeout 24d", "client_body_timeout 2s")),
    "keepalive_time": ("nginx", swap("        keepalive_requests",
                                     "        keepalive_time 2s;\n        keepalive_requests")),
    "readTimeout": ("traefik", swap("readTimeout: 0s", "readTimeout: 2s")),
    "writeTimeout": ("traefik", swap("writeTimeout: 0s", "writeTimeout: 2s")),
    "idleTimeout": ("traefik", swap("idleTimeout: 3600s", "idleTimeout: 2s")),
}
USED = ["verify", "--versions", "v1.1", "-s", "1", "--messages", "20", "--interval", "200ms", "--timeout", "15s"]
SILENT = ["verify", "--versions", "v1.1", "-s", "1", "--messages", "3", "--interval", "4s", "--timeout", "15s"]
HALF_CLOSED = ["agent", "--version", "v1.1", "--id", "a", "-n", "1", "--log-format", "text"]

# setting, what the client does, what ended it (None: nothing did)
ROWS = [
    ("route timeout", "used", None), ("route timeout", "half-closed", "route timeout"),
    ("stream_idle_timeout", "silent", "stream_idle_timeout"), ("max_stream_duration", "used", "max_stream_duration"),
    ("timeout server", "silent", "timeout server"), ("timeout client", "silent", None),
    ("grpc_read_timeout", "silent", "grpc_read_timeout"), ("client_body_timeout", "silent", "client_body_timeout"),
    ("grpc_send_timeout", "silent", None), ("readTimeout", "used", "readTimeout"),
    ("writeTimeout", "used", "writeTimeout"),
]
SLOW_ROWS = [
    ("route timeout", "silent", None), ("stream_idle_timeout", "used", None), ("stream_idle_timeout", "half-closed",
                                                                            "stream_idle_timeout"),
    ("max_stream_duration", "silent", "one on a stream's age"), ("idle_timeout", "silent", None),
    ("timeout server", "used", None),
    ("timeout server", "half-closed", "timeout server"), ("timeout client", "used", None),
    ("timeout tunnel", "silent", None),
    ("timeout http-request", "silent", None), ("grpc_read_timeout", "used", None),
    ("grpc_read_timeout", "half-closed", "grpc_read_timeout"), ("client_body_timeout", "used", None),
    ("grpc_send_timeout", "used", None), ("keepalive_time", "silent", None), ("readTimeout", "half-closed", None),
    ("writeTimeout", "half-closed", "one on a stream's age"), ("idleTimeout", "silent", None),
]
# What no such stream was ever ended by.
NEVER = {"used": ["route timeout", "idle", "grpc_", "client_body", "timeout server", "timeout client"],
         "silent": ["route timeout", "timeout client", "grpc_send_timeout", "readTimeout"],
         "half-closed": ["readTimeout", "client_body", "timeout client", "grpc_send_timeout"]}


def never_ends(peer, event):
    """Answers a ping, and leaves the stream open after the client's end."""
    if isinstance(event, h2.events.RequestReceived):
        peer.respond(event.stream_id)
    elif isinstance(event, h2.events.DataReceived):
        peer.h2.send_data(event.stream_id, PONG)


def check(started, certs, folder, setting, shape, named):
    name, change = CHANGES[setting]
    backend = started(H2Server(never_ends) if shape == "half-closed" else Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES[name](certs, folder, [backend], [backend], "--no-health-checks", change=change))
    command, *args = {"used": USED, "silent": SILENT, "half-closed": HALF_CLOSED}[shape]
    done = grpcroute(command, "--target", proxy.target, "--cacert", certs / "ca.pem", *args)
    said = done.stdout + done.stderr
    cuts = re.findall(r"\([^()]*(?:cut off|that is)[^()]*\)", said)
    if named is None:
        assert not cuts and (shape == "half-closed" or done.returncode == 0), said
        return
    assert cuts and named in cuts[0], said
    for other in NEVER[shape]:
        assert other not in cuts[0], said


@pytest.mark.parametrize("setting, shape, named", ROWS)
def test_what_ended_a_stream_is_named(started, certs, tmp_path, setting, shape, named):
    check(started, certs, tmp_path, setting, shape, named)


@slow
@pytest.mark.parametrize("setting, shape, named", SLOW_ROWS)
def test_what_ended_a_stream_is_named_in_every_shape(started, certs, tmp_path, setting, shape, named):
    check(started, certs, tmp_path, setting, shape, named)
