"""Fixtures: certificates, generated stubs, and a register of everything a test starts."""
import contextlib
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # nothing here forks with gRPC in it
for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:  # nohup and & do that, and what is started here would inherit it
        signal.signal(number, action)

from testenv import attack  # noqa: E402
from testenv.grpcroute import ROOT, Agent, Proxy, Server  # noqa: E402
from testenv.process import Process  # noqa: E402
from testenv.sanitizers import Reports  # noqa: E402
from testenv.slow import SLOW  # noqa: E402
from testenv.wait import wait_until  # noqa: E402


def pytest_collection_modifyitems(config, items):
    left_out = {item for item in items if not SLOW and item.get_closest_marker("slow")}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


@pytest.fixture(autouse=True)
def nothing_left():
    """Whatever a test starts, it closes: nothing runs on, and no crash goes unseen. What ran before belongs to a
    fixture of wider scope."""
    before = set(Process.unclosed)
    yield
    forgotten = list(Process.unclosed - before)
    for process in forgotten:
        process.kill()
        Process.unclosed.discard(process)
    assert not forgotten, f"never closed: {[process.argv for process in forgotten]}"


@pytest.fixture(scope="session")
def sanitizer_reports(tmp_path_factory):
    return Reports(tmp_path_factory.mktemp("sanitizers"))


@pytest.fixture(autouse=True)
def no_sanitizer_complains(sanitizer_reports):
    yield
    said = sanitizer_reports.take()
    assert said == "", f"a sanitizer complains\n{said[-8000:]}"


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_the_tests():
    """Not even what a child of theirs began: all of it has the environment of this process."""
    mark = f"GRPCROUTE_TESTS={uuid.uuid4()}"
    name, value = mark.split("=")
    os.environ[name] = value
    yield
    wait_until(lambda: not marked(mark), 10, "every process has ended", lambda: "\n".join(marked(mark)))


def marked(mark):
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_text("latin-1").split("\0"):
                found.append(f"{process.name}: " + (process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """A folder with ca.pem, cert.pem and key.pem for localhost."""
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run([ROOT / "certs/generate-certs.sh", "--out", folder], check=True,
                   capture_output=True)
    return folder


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """The modules ping_pb2 and ping_pb2_grpc, and plain_pb2*, which know only fields 1 to 3."""
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("stubs")
    ping = (ROOT / "proto/ping.proto").read_text()
    (folder / "ping.proto").write_text(ping)
    plain = """
syntax = "proto3";
package plain;
service PingService { rpc PingPong(stream PingRequest) returns (stream PingResponse); }
message PingRequest { string message = 1; }
message PingResponse { string message = 1; string server_version = 2; string server_id = 3; }
"""
    (folder / "plain.proto").write_text(plain)
    for name in ("ping", "plain"):
        assert protoc.main(["protoc", f"-I{folder}", f"--python_out={folder}",
                            f"--grpc_python_out={folder}", str(folder / f"{name}.proto")]) == 0
    sys.path.insert(0, str(folder))
    return {name: importlib.import_module(name)
            for name in ("ping_pb2", "ping_pb2_grpc", "plain_pb2", "plain_pb2_grpc")}


@pytest.fixture
def started():
    """Call with anything that has close(); closed at the end of the test, in reverse order."""
    with contextlib.ExitStack() as stack:
        def register(thing):
            stack.callback(thing.close)
            return thing
        yield register


@pytest.fixture
def backends(started):
    """Two servers each of v1 and v2."""
    return ([started(Server("v1", f"server-v1-{c}")) for c in "ab"],
            [started(Server("v2", f"server-v2-{c}")) for c in "ab"])


@pytest.fixture
def proxy(started, certs, backends):
    """The embedded proxy in front of four servers, ready."""
    return started(Proxy(certs, *backends)).wait_ready()


@pytest.fixture
def agent(started):
    def start(*args, **kwargs):
        return started(Agent(*args, **kwargs))
    return start


@pytest.fixture(scope="module")
def world(certs):
    with contextlib.ExitStack() as stack:
        yield attack.World(certs, stack)
