"""CPU per round trip, latency and memory per idle stream of the embedded proxy and of other proxies, on the same work
in the same run.

Each proxy has one core and one worker; load and servers have another core. Rounds are interleaved, and every
measurement has a fresh proxy. Absolute numbers mean little on a shared machine: read the ratios. Exit code 1:
something did not work, and the table says what. GRPCROUTE_BIN names the program, build/src/grpcroute when it is not
set."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
os.environ["PATH"] = f"{os.environ['PATH']}:{ROOT}/.cache/bin:{ROOT}/.cache/venv/bin"

import table  # noqa: E402
from contenders import OURS, PEERS, Backend, Site, family  # noqa: E402
from measure import Failed, Shape, last_line, measure  # noqa: E402
from results import Results  # noqa: E402
from testenv.grpcroute import BIN  # noqa: E402
from testenv.process import Process  # noqa: E402

FILES_PER_STREAM = 2  # nginx has a connection on each side
FILES_MORE = 500


def say(line):
    print(line, file=sys.stderr, flush=True)


def kill_all_but(kept):
    """What a failed constructor or an interruption leaves, with the workers, which would outlive a killed master."""
    for process in Process.unclosed - kept:
        workers = family(process.pid)[1:]
        process.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        Process.unclosed.discard(process)


def measure_once(site, contender, shape, seconds):
    """Returns a Sample of a proxy started for it, or raises Failed."""
    kept = set(Process.unclosed)
    try:
        try:
            running = contender.start(site)
        except (AssertionError, OSError) as error:
            raise Failed(f"it could not be started: {last_line(str(error))}") from None
        sample = measure(site, contender, running, shape, seconds)
        try:
            running.close()
        except AssertionError as error:
            raise Failed(f"it did not end well: {last_line(str(error))}") from None
        return sample
    finally:
        kill_all_but(kept)


def run_round(site, results, shape, number):
    for contender in results.contenders:
        key = contender.name, shape.name
        if key in results.failures:
            continue
        words = f"round {number}/{results.rounds}  {shape.name:>8}  {contender.name:<10}"
        try:
            sample = measure_once(site, contender, shape, results.seconds)
        except (Failed, AssertionError, OSError) as error:  # the load crashed; a process was gone when it was looked at
            results.failures[key] = last_line(str(error))
            say(f"{words} FAILED: {results.failures[key]}")
        else:
            results.samples[key].append(sample)
            say(f"{words} {sample.cost:8.2f}")


@contextlib.contextmanager
def on_site(proxy_cpu, load_cpu):
    """Certificates and servers; nothing of it is left, whatever happens."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        subprocess.run([ROOT / "certs/generate-certs.sh", "--out", folder], check=True, capture_output=True)
        servers = []
        for version, ident in (("v1", "a"), ("v1", "b"), ("v2", "c")):
            servers.append(Backend(version, ident, load_cpu))
            stack.callback(servers[-1].close)
        yield Site(folder, folder, *servers, proxy_cpu, load_cpu)


def two_cores():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        refuse("two cores are needed, one for the proxy and one for load and servers")
    return cpus[:2]


def require_program():
    if not os.access(BIN, os.X_OK):
        refuse(f"there is no {BIN}: make binary builds build/src/grpcroute, and GRPCROUTE_BIN names another")


def allow_files(shapes):
    need = FILES_PER_STREAM * max(shape.connections * shape.streams for shape in shapes) + FILES_MORE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < need:
        refuse(f"{need} open files are needed and {hard} allowed: raise the hard limit (ulimit -Hn) or choose smaller "
               f"--shapes")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))


# ---- options -----------------------------------------------------------------------------------


def refuse(reason):
    say(f"bench-peers: {reason}")
    sys.exit(2)


def small_number(word):
    if not re.fullmatch("[1-9][0-9]?", word):
        raise argparse.ArgumentTypeError(f"{word!r} is not between 1 and 99")
    return int(word)


def peers_of(value):
    names = value.split(",") if value else []
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return [PEERS[name] for name in names]


def shapes_of(value):
    try:
        return [Shape.parse(word) for word in value.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_options():
    parser = argparse.ArgumentParser(prog="bench-peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=peers_of, default=",".join(PEERS), metavar="LIST",
                        help="what to compare with (default %(default)s)")
    parser.add_argument("--shapes", type=shapes_of, default="4x1,50x1,1000x1,10x50,3000idle", metavar="LIST",
                        help="connections x streams, or idle streams (default %(default)s)")
    parser.add_argument("--rounds", type=small_number, default=3, metavar="N",
                        help="whose medians count (default %(default)s)")
    parser.add_argument("--seconds", type=small_number, default=3, metavar="N",
                        help="of load, each time (default %(default)s)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write all figures of all rounds")
    return parser.parse_args()


def main():
    options = parse_options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    require_program()
    allow_files(options.shapes)
    results = Results([OURS, *options.peers], options.shapes, options.rounds, options.seconds)
    with on_site(*two_cores()) as site:
        for shape in results.shapes:
            for number in range(1, 1 + (1 if shape.idle else results.rounds)):  # memory does not drift
                run_round(site, results, shape, number)
    print(table.markdown(results) if options.markdown else table.text(results))
    if options.json is not None:
        options.json.write_text(json.dumps(table.as_json(results), indent=2) + "\n")
    return 1 if results.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
