"""CPU per round trip, latency and memory per idle stream of the embedded proxy and of other proxies, on the same work
in the same run.

Each proxy has one core and one worker; load and servers have another core. Rounds are interleaved, and every
measurement has a fresh proxy. The load is that of an independent driver, which shares no code with this program, and
`grpcroute bench` and h2load confirm it in the first rounds. Absolute numbers mean little on a shared machine: read the
ratios. Exit code 1: something did not work, and the table says what. GRPCROUTE_BIN names the program,
build/src/grpcroute when it is not set."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
os.environ["PATH"] = f"{os.environ['PATH']}:{ROOT}/.cache/bin:{ROOT}/.cache/venv/bin"

import table  # noqa: E402
from bare_servers import SERVERS  # noqa: E402
from contenders import OURS, PEERS, USUAL, Site, family  # noqa: E402
from drivers import DRIVERS, Failed, last_line  # noqa: E402
from measure import measure  # noqa: E402
from results import Results  # noqa: E402
from servers import DRIVER, ECHO_SERVER  # noqa: E402
from shapes import ALL, FORMS, Shape  # noqa: E402
from testenv.grpcroute import BIN  # noqa: E402
from testenv.process import DEADLINE_S, Process  # noqa: E402

FILES_PER_STREAM = 2  # nginx has a connection on each side
FILES_MORE = 500


def say(line):
    print(line, file=sys.stderr, flush=True)


def kill(pid):
    """Not a child of ours; gone when this returns."""
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], DEADLINE_S)
    finally:
        os.close(process)


def kill_all_but(kept):
    """What a failed constructor or an interruption leaves, with the workers, which would outlive a killed master."""
    for process in Process.unclosed - kept:
        workers = family(process.pid)[1:]
        process.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                kill(worker)
        Process.unclosed.discard(process)


def measure_once(site, driver, contender, shape, seconds):
    """Returns a Sample of a proxy started for it, or raises Failed."""
    kept = set(Process.unclosed)
    try:
        try:
            running = contender.start(site, shape)
        except (AssertionError, OSError) as error:
            raise Failed(f"it could not be started: {last_line(str(error))}") from None
        sample = measure(site, driver, contender, running, shape, seconds)
        try:
            running.close()
        except AssertionError as error:
            raise Failed(f"it did not end well: {last_line(str(error))}") from None
        return sample
    finally:
        kill_all_but(kept)


def run_round(site, results, driver, shape, number):
    """Every contender in turn."""
    for contender in results.contenders:
        key = driver.name, contender.name, shape.name
        if key in results.failures:
            continue
        words = f"round {number}/{results.rounds}  {shape.name:>12}  {driver.name:<9}  {contender.name:<10}"
        try:
            sample = measure_once(site, driver, contender, shape, results.seconds)
        except (Failed, AssertionError, OSError) as error:  # the load crashed; a process was gone when it was looked at
            results.failures[key] = last_line(str(error))
            say(f"{words} FAILED: {results.failures[key]}")
        else:
            results.samples[key].append(sample)
            say(f"{words} {sample.cost:8.2f}")


def run_all(results, sites, confirmed):
    """Rounds are outside, so that a shape's samples are minutes apart, whatever the machine does for a while. Memory
    does not drift: once is enough."""
    for number in range(1, 1 + results.rounds):
        for shape in results.shapes:
            for driver in filter(lambda driver, shape=shape: driver.can(shape), results.drivers):
                if number <= (results.rounds if driver is results.drivers[0] else confirmed) and \
                        (number == 1 or not shape.idle):
                    run_round(sites[driver.server], results, driver, shape, number)


@contextlib.contextmanager
def on_sites(makers, cpus):
    """Certificates, and the servers of each maker: {maker: Site}. Nothing of it is left, whatever happens."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        subprocess.run([ROOT / "certs/generate-certs.sh", "--out", folder], check=True, capture_output=True)
        sites = {}
        for maker in makers:
            servers = []
            for version, ident in (("v1", "a"), ("v1", "b"), ("v2", "c")):
                servers.append(maker(version, ident, cpus[-1:]))
                stack.callback(servers[-1].close)
            sites[maker] = Site(folder, folder, *servers, cpus)
        yield sites


def two_cores():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        refuse("two cores are needed, one for the proxy and one for load and servers")
    return cpus[:2]


def require_program():
    for path in (BIN, DRIVER, ECHO_SERVER):
        if not os.access(path, os.X_OK):
            refuse(f"there is no {path}: make binary builds it, and GRPCROUTE_BIN names the program of another build")


def allow_files(shapes):
    need = FILES_PER_STREAM * max(shape.all_streams for shape in shapes) + FILES_MORE
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
    parser.add_argument("--peers", type=peers_of, default=",".join(USUAL), metavar="LIST",
                        help=f"what to compare with, of {', '.join(PEERS)} (default %(default)s)")
    parser.add_argument("--servers", dest="contenders", action="store_const", const=SERVERS,
                        help="measure servers without a proxy instead: `grpcroute server` beside others")
    parser.add_argument("--driver", choices=["nghttp2", "grpcroute", "both"], default="both",
                        help="whose figures: the independent one's, the program's own, or both, and h2load's where it "
                             "can (default %(default)s)")
    parser.add_argument("--shapes", type=shapes_of, default=ALL, metavar="LIST",
                        help=f"{FORMS.replace('%', '%%')} (default %(default)s)")
    parser.add_argument("--rounds", type=small_number, default=5, metavar="N",
                        help="whose medians count (default %(default)s)")
    parser.add_argument("--confirm", type=small_number, default=2, metavar="N",
                        help="the rounds in which the other drivers take part, too (default %(default)s)")
    parser.add_argument("--seconds", type=small_number, default=1, metavar="N",
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
    drivers = list(DRIVERS.values()) if options.driver == "both" else [DRIVERS[options.driver]]
    confirmed = min(options.confirm, options.rounds)
    contenders = options.contenders or [OURS, *options.peers]
    results = Results(drivers, contenders, options.shapes, options.rounds, options.seconds)
    with on_sites(dict.fromkeys(driver.server for driver in drivers), two_cores()) as sites:
        run_all(results, sites, confirmed)
    print((table.markdown if options.markdown else table.text)(results, confirmed))
    if options.json is not None:
        options.json.write_text(json.dumps(table.as_json(results), indent=2) + "\n")
    return 1 if results.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
