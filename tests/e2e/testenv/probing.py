"""Foreign clients of the probe service: grpcio with stubs made of proto/probe.proto."""
import contextlib
import importlib
import queue
import secrets
import sys

import grpc

from testenv.grpcroute import ROOT
from testenv.wait import wait_until


def generate(folder):
    """The modules probe_pb2 and probe_pb2_grpc."""
    from grpc_tools import protoc

    source = ROOT / "proto"
    assert protoc.main(["protoc", f"-I{source}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                        str(source / "probe.proto")]) == 0
    sys.path.insert(0, str(folder))
    return importlib.import_module("probe_pb2"), importlib.import_module("probe_pb2_grpc")


class Prober:
    """A channel with connections of its own."""

    def __init__(self, pb, pb_grpc, address, options=()):
        self.pb = pb
        self.channel = grpc.insecure_channel(address, [
            ("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 8 << 20),
            ("grpc.max_send_message_length", 8 << 20), ("grpc.max_metadata_size", 128 << 10),
            ("grpc.absolute_max_metadata_size", 128 << 10), *options])
        self._stub = pb_grpc.ProbeServiceStub(self.channel)

    def close(self):
        self.channel.close()

    def run(self, *requests, half_close=False, probe_id=None, metadata=(), timeout=20, **script):
        """A call that runs the script; `requests` are its first ones, and its `outgoing` takes more."""
        probe_id = probe_id or secrets.token_hex(8)
        more = [("probe-id", probe_id)]
        if script:
            more.append(("probe-script-bin", self.pb.Script(**script).SerializeToString()))
        outgoing = Requests()
        outgoing.send(*requests)
        if half_close:
            outgoing.half_close()
        call = self._stub.Run(iter(outgoing), timeout=timeout, metadata=(*more, *metadata))
        call.add_callback(outgoing.half_close)
        call.probe_id, call.outgoing = probe_id, outgoing
        return call

    def request(self, sequence, size=0):
        return self.pb.RunRequest(sequence=sequence, payload=bytes(size))

    def seen(self, probe_id):
        return self._stub.Seen(self.pb.SeenRequest(probe_id=probe_id), timeout=10)

    def wait_ended(self, probe_id):
        """What the server saw, once it saw the end."""
        wait_until(lambda: self.seen(probe_id).ended, 10, "the server saw the end")
        return self.seen(probe_id)


class Requests:
    """What a call sends, one after the other; it half-closes only when told to, or when the call is over."""

    def __init__(self):
        self._queue = queue.SimpleQueue()

    def send(self, *messages):
        for message in messages:
            self._queue.put(message)

    def half_close(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(self._queue.get, None)


def drained(call):
    """The messages of a call until its end, however that is; then its code() and details() are known."""
    messages = []
    with contextlib.suppress(grpc.RpcError):
        for message in call:
            messages.append(message)
    return messages
