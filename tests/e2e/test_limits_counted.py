"""`grpcroute limits`: counts and sizes. Limits that real proxies and fake ones are given are found, with what they are;
straight to the server nothing is found, and what is merely gentle tries none of it."""
import contextlib
import json
import re
import signal
import subprocess

import pytest

from testenv import faulty
from testenv.frame_relay import CLIENT, SERVER
from testenv.grpcroute import BIN, Proxy, Server
from testenv.limits import limits
from testenv.process import DIE_WITH_PARENT
from testenv.proxies import REAL_PROXIES
from testenv.slow import slow, slow_but

WALL, SLOW_READER = "streams_per_connection", "slow_reader"
MESSAGES = ["message_up", "message_down"]
METADATA = ["metadata_up", "metadata_down"]
FIELDS = ["metadata_fields_up", "metadata_fields_down"]
COUNTED = [WALL, *MESSAGES, *METADATA, *FIELDS]
KIB = 1024


def value(finding):
    assert finding["state"] == "found", finding
    return finding["value_bytes" if finding["kind"] == "bytes" else "value"]


def assert_none(finding, looked):
    assert finding["state"] == "none_within", finding
    assert finding["looked_bytes" if finding["kind"] == "bytes" else "looked"] == looked, finding


# ---- the server itself -----------------------------------------------------------------------------------------------

LOOKED = {WALL: 2000, **dict.fromkeys(MESSAGES, 4096 * KIB), **dict.fromkeys(METADATA, 64 * KIB),
          **dict.fromkeys(FIELDS, 200)}


def test_straight_to_the_server_nothing_is_found(started):
    server = started(Server())
    found = limits(server.address, shapes=COUNTED)
    for shape, looked in LOOKED.items():
        assert_none(found[shape], looked)


def test_the_server_s_own_limit_is_found(started):
    server = started(Server("v1", "s", "--max-streams", "300"))
    finding = limits(server.address, shapes=[WALL])[WALL]
    assert value(finding) == 300 and "SETTINGS allow 300 streams at once" in finding["look"], finding
    assert finding["ended_by"] == "server_no_hop", finding
    named, = finding["settings"]
    assert (named["program"], named["name"]) == ("grpcroute server", "--max-streams"), named
    proxy = started(faulty.faulty(server, faulty.FaultyLink))
    finding = limits(proxy.address, shapes=[WALL])[WALL]
    assert value(finding) == 300 and finding["ended_by"] == "client_hop", finding  # of a hop that has that number
    assert all(named["program"] != "grpcroute server" for named in finding["settings"]), finding


def test_the_wall_is_tried_with_2000_streams_and_no_more(started):
    server = started(Server())
    counted = []
    proxy = started(faulty.faulty(server, faulty.CountsStreams, links=[], counted=counted))
    finding = limits(proxy.address, shapes=[WALL])[WALL]
    assert_none(finding, 2000)
    assert max(counted) == 2000, max(counted)  # the questions to the server are among them


@slow
def test_straight_to_the_server_nobody_is_hurt_and_nothing_is_held(started):
    server = started(Server())
    found = limits(server.address, shapes=[SLOW_READER, "buffered"])
    assert found[SLOW_READER]["holds"], found[SLOW_READER]
    assert value(found["buffered"]) <= 64 * KIB, found["buffered"]


def test_gentle_tries_no_wall_no_sizes_and_no_slow_reader(started):
    server = started(Server())
    found = limits(server.address, "--gentle")
    for shape in (SLOW_READER, "buffered", "goaway", "grace", *COUNTED):
        assert found[shape]["state"] == "not_measured" and "left out by --gentle" in found[shape]["why"], found[shape]
    assert found["status"]["holds"] and found["idle"]["state"] == "none_within", found


# ---- fake proxies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault, settings, said, ended_by", [
    (faulty.AnnouncesStreams, {"streams_allowed": 20}, "SETTINGS allow 20 streams at once", "client_hop"),
    (faulty.RefusesStreams, {"streams_allowed": 10}, "stream 11 of 50: stream reset with REFUSED_STREAM", "client_hop"),
    (faulty.QueuesStreams, {"streams_allowed": 30}, "stream 31 of 50 waits: in ", "unknown")],
    ids=lambda value: getattr(value, "__name__", None))
def test_a_wall_is_told_as_what_it_is(started, fault, settings, said, ended_by):
    server = started(Server())
    proxy = started(faulty.faulty(server, fault, **settings))
    finding = limits(proxy.address, shapes=[WALL])[WALL]
    assert value(finding) == settings["streams_allowed"], finding
    assert said in finding["look"] and finding["ended_by"] == ended_by, finding
    if fault is faulty.QueuesStreams:
        assert "the one that waits it has not seen" in finding["samples"][0]["server_saw"], finding


def test_a_wall_that_moved_between_the_samples_is_unsteady(started):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.RefusesStreams, streams_allowed=10, later_allowed=40))
    finding = limits(proxy.address, shapes=[WALL])[WALL]
    assert finding["state"] == "unsteady", finding
    assert sorted(sample["value"] for sample in finding["samples"]) == [10, 40], finding


@pytest.mark.parametrize("side, shape, most, look", [
    (CLIENT, "message_up", 100_000, "RESOURCE_EXHAUSTED: too large"),
    (SERVER, "message_down", 700_000, "stream reset with ENHANCE_YOUR_CALM")])
def test_a_limit_on_messages_is_found_with_its_end(started, side, shape, most, look):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.LimitsMessages, side=side, most=most))
    other, = set(MESSAGES) - {shape}
    found = limits(proxy.address, shapes=MESSAGES)
    finding = found[shape]
    assert most - 100 - finding["resolution_bytes"] <= value(finding) <= most, finding
    assert finding["resolution_bytes"] <= max(256, most / 60), finding
    assert look in finding["look"] and finding["ended_by"] == "both_hops", finding
    assert_none(found[other], 4096 * KIB)


@pytest.mark.parametrize("side, shape", [(CLIENT, "metadata_up"), (SERVER, "metadata_down")])
def test_a_limit_on_metadata_is_found_with_its_status(started, side, shape):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.LimitsMetadata, side=side, most_bytes=20_000))
    found = limits(proxy.address, shapes=[*METADATA, *FIELDS])
    assert 20_000 - 600 - found[shape]["resolution_bytes"] <= value(found[shape]) <= 20_000, found[shape]
    assert f"HTTP status {431 if side == CLIENT else 502}" in found[shape]["look"], found[shape]
    assert found[shape]["ended_by"] == ("client_hop" if side == CLIENT else "both_hops"), found[shape]
    for other in {*METADATA, *FIELDS} - {shape}:
        assert_none(found[other], LOOKED[other])


def test_metadata_that_is_dropped_did_not_arrive(started):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.DropsMetadata, most_bytes=20_000))
    finding = limits(proxy.address, shapes=["metadata_up"])["metadata_up"]
    assert 20_000 - finding["resolution_bytes"] <= value(finding) <= 21_000, finding
    assert "arrives, but not with all of it" in finding["look"] and finding["ended_by"] == "unknown", finding


@pytest.mark.parametrize("side, shape", [(CLIENT, "metadata_fields_up"), (SERVER, "metadata_fields_down")])
def test_a_limit_on_fields_is_found(started, side, shape):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.LimitsMetadata, side=side, most_fields=60))
    found = limits(proxy.address, shapes=[*METADATA, *FIELDS])
    assert 60 - 12 <= value(found[shape]) <= 60 and found[shape]["resolution"] == 1, found[shape]
    for other in {*METADATA, *FIELDS} - {shape}:
        assert_none(found[other], LOOKED[other])


def test_a_neighbour_that_starves_is_told(started):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.StarvesTheQuick))
    finding = limits(proxy.address, shapes=[SLOW_READER])[SLOW_READER]
    assert finding["state"] == "found" and not finding["holds"], finding
    assert "no answer within 4000 ms while its neighbour was not read, and had it once that was" in finding["look"]


def test_a_path_that_holds_all_that_is_sent_is_told(started):
    server = started(Server())
    proxy = started(faulty.faulty(server, faulty.BuffersWithoutBound))
    finding = limits(proxy.address, shapes=["buffered"])["buffered"]
    assert_none(finding, 16 * KIB * KIB)
    assert "the server got rid of all 16.0 MiB while the client read nothing" in finding["look"], finding


# ---- real proxies, with a limit each ---------------------------------------------------------------------------------


def swap(old, new, count=1):
    def change(text):
        assert re.search(old, text) or "providers:" in text or "route-1:" in text, old
        return re.sub(old, new, text, count=count)
    return change


# proxy, setting, shape, least and most of the value, how it looks, who ended it, the setting that is named
REAL = {
    "envoy-streams": ("envoy", swap(r"max_concurrent_streams: \d+", "max_concurrent_streams: 10"), WALL, 10, 10,
                      "SETTINGS allow 10 streams at once", "client_hop", "max_concurrent_streams"),
    "haproxy-streams": ("haproxy", swap(r"max-concurrent-streams \d+", "max-concurrent-streams 10"), WALL, 10, 10,
                        "SETTINGS allow 10 streams at once", "client_hop", "max-concurrent-streams"),
    "nginx-streams": ("nginx", swap(r"http2_max_concurrent_streams \d+", "http2_max_concurrent_streams 10"), WALL, 10,
                      10, "SETTINGS allow 10 streams at once", "client_hop", "http2_max_concurrent_streams"),
    "traefik-streams": ("traefik", swap(r"maxConcurrentStreams: \d+", "maxConcurrentStreams: 10"), WALL, 10, 10,
                        "SETTINGS allow 10 streams at once", "client_hop", "maxConcurrentStreams"),
    "nginx-message": ("nginx", swap(r"client_max_body_size [^;]*;", "client_max_body_size 200k;"), "message_up",
                      190_000, 204_800, "stream reset with INTERNAL_ERROR", "both_hops", "client_max_body_size"),
    "haproxy-fields": ("haproxy", swap(r"\nglobal\n", "\nglobal\n    tune.http.maxhdr 50\n"), "metadata_fields_up", 36,
                       50, "stream reset with REFUSED_STREAM", "client_hop", "tune.http.maxhdr"),
    "haproxy-metadata": ("haproxy", swap(r"\nglobal\n", "\nglobal\n    tune.bufsize 32768\n"), "metadata_up", 28_000,
                         32_768, "stream reset with ", "client_hop", "tune.bufsize"),
    "envoy-fields": ("envoy", None, "metadata_fields_up", 85, 100, "stream reset with ", "client_hop",
                     "max_headers_count"),
    "nginx-metadata": ("nginx", None, "metadata_up", 14_000, 26_000, "GOAWAY ENHANCE_YOUR_CALM", "client_hop",
                       "large_client_header_buffers"),
}


# The same for what a path holds: proxy, its setting made larger, the least that is held then, the setting's name.
HELD = {
    "envoy": (swap(r"initial_stream_window_size: \d+", "initial_stream_window_size: 1048576", count=0), 1 << 20,
              "initial_stream_window_size"),
    "haproxy": (swap(r"\nglobal\n", "\nglobal\n    tune.h2.initial-window-size 1048576\n"), 1 << 20,
                "tune.h2.initial-window-size"),
    "nginx": (swap(r"grpc_buffer_size [^;]*;", "grpc_buffer_size 8m;"), 8 << 20, "grpc_buffer_size"),
}


@pytest.mark.parametrize("name", slow_but(["haproxy"], HELD))
def test_what_a_real_proxy_holds_for_a_slow_reader_follows_its_setting(started, certs, tmp_path, name):
    change, least, setting = HELD[name]
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES[name](certs, tmp_path, [backend], [backend], "--no-health-checks", change=change))
    finding = limits(proxy.target, cacert=certs / "ca.pem", shapes=["buffered"])["buffered"]
    assert value(finding) >= least, finding
    assert any(setting in named["name"] for named in finding["settings"]), finding


@pytest.mark.parametrize("row", REAL)
def test_the_limit_of_a_real_proxy_is_found_and_named(started, certs, tmp_path, row):
    name, change, shape, least, most, look, ended_by, setting = REAL[row]
    backend = started(Server("v1", "server-v1-a"))
    proxy = started(REAL_PROXIES[name](certs, tmp_path, [backend], [backend], "--no-health-checks",
                                       change=change or (lambda text: text)))
    finding = limits(proxy.target, cacert=certs / "ca.pem", shapes=[shape])[shape]
    assert least <= value(finding) <= most, finding
    assert look in finding["look"] and finding["ended_by"] == ended_by, finding
    assert any(setting in named["name"] for named in finding["settings"]), finding


# ---- what is stopped, and who answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [0.3, 1.5, 4, 7])
def test_what_is_stopped_tells_what_it_knows(started, after_s):
    """In each of the turns in which shapes come alone."""
    server = started(Server())
    shapes = ["status", "grace", *COUNTED, SLOW_READER]
    run = subprocess.Popen([*DIE_WITH_PARENT, BIN, "limits", "--target", server.address, "--plaintext", "--shapes",
                            ",".join(shapes), "-o", "json"], stdout=subprocess.PIPE, text=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(after_s)
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=20)
    found = {finding["shape"]: finding for finding in json.loads(said)["limits"]}
    assert set(found) == set(shapes), said
    for finding in found.values():
        assert finding["state"] != "unsteady", finding
        assert finding["state"] != "not_measured" or finding["why"], finding


def test_with_two_pods_of_a_version_all_is_found_as_with_one(started, certs):
    """A question to a pod that knows nothing is asked again."""
    backends = [started(Server("v1", f"server-v1-{name}")) for name in "ab"]
    proxy = started(Proxy(certs, backends, [started(Server("v2", "server-v2-a"))])).wait_ready()
    found = limits(proxy.target, cacert=certs / "ca.pem",
                   shapes=["cancel", "deadline", "binary_metadata", "message_up", "metadata_fields_up", WALL])
    for shape in ("cancel", "deadline", "binary_metadata"):
        assert found[shape]["holds"], found[shape]
    assert_none(found["message_up"], 4096 * KIB)
    assert 85 <= value(found["metadata_fields_up"]) <= 100, found["metadata_fields_up"]
    assert value(found[WALL]) == 100 and "on 2 connections" in found[WALL]["samples"][0]["server_saw"], found[WALL]
