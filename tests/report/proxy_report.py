"""What proxies do to long-lived gRPC streams, from real runs: docs/what-proxies-do.md.

Each try has a proxy and servers of its own on loopback, and at most --jobs of them run at once. Results are kept in
--work, so that --no-measure makes the page again, and --resume measures only what is missing there. Exit code 1: a try
gave no result, which the page says. GRPCROUTE_BIN names the program, build/src/grpcroute when it is not set."""
import argparse
import concurrent.futures
import contextlib
import datetime
import functools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
os.environ["PATH"] = f"{os.environ['PATH']}:{ROOT}/.cache/bin:{ROOT}/.cache/venv/bin"

import page  # noqa: E402
from raw import Raw, duration_s  # noqa: E402
from subjects import Minimal, Site, subjects  # noqa: E402
from testenv.grpcroute import BIN  # noqa: E402
from testenv.process import Process  # noqa: E402
from tries import TRIES, Failed, attempt, last_line  # noqa: E402

QUICK_TRIES = "limits,boundary,reload"
WAIT_S = 0.2


def say(line):
    print(line, file=sys.stderr, flush=True)


def refuse(reason):
    say(f"proxy-report: {reason}")
    sys.exit(2)


# ---- measuring -------------------------------------------------------------------------------------------------------


def measure(raw, site, folder, stopping, subject, name, options):
    """One try; returns whether it gave a result."""
    if stopping.is_set():
        return True
    result = {"subject": subject.name, "try": name, "version": subject.version(),
              "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")}
    try:
        result |= attempt(site, subject, name, folder, options)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        result["failed"] = last_line(error)
    if stopping.is_set():  # what it was cut off in is no result
        return True
    raw.write(subject.name, name, result)
    say(f"{subject.name:<22} {name:<9} {result.get('failed') or result['report']['message']}")
    return "failed" not in result


def children(pid):
    said = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], check=False, capture_output=True, text=True).stdout
    return [int(word) for word in said.split()]


def kill_family(pid, signal_it):
    """With the workers, which would outlive a killed master, and keep its output open. It stands still meanwhile, so
    that none comes that nobody sees."""
    signal_it(signal.SIGSTOP)
    for child in children(pid):
        kill_family(child, functools.partial(signal_child, child))
    signal_it(signal.SIGKILL)


def signal_child(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_all():
    for process in list(Process.unclosed):
        if process.running():
            kill_family(process.pid, process.send_signal)


def measure_all(raw, site, folder, work, options):
    """Returns how many tries gave no result. Threads stay until all is over, since what they start dies with them."""
    stopping = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(measure, raw, site, folder, stopping, subject, name, options) for subject, name in work]
        try:
            pending, missing = futures, 0
            while pending:  # not for good: of a signal that another thread gets, one that waits hears nothing
                done, pending = concurrent.futures.wait(pending, WAIT_S, concurrent.futures.FIRST_COMPLETED)
                missing += sum(not future.result() for future in done)
            return missing
        except BaseException:
            stopping.set()
            for future in futures:
                future.cancel()
            while not all(future.done() for future in futures):
                kill_all()
                time.sleep(0.1)  # what a try starts while it is stopped goes, too
            raise


# ---- options ---------------------------------------------------------------------------------------------------------


def names_of(known, what):
    def parse(value):
        for name in value.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is no {what}; there are {', '.join(known)}")
        return value.split(",")
    return parse


def duration(value):
    try:
        duration_s(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def parse_options():
    parser = argparse.ArgumentParser(prog="proxy-report", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_of(subjects(), "row"), metavar="LIST", help="these rows")
    parser.add_argument("--tries", type=names_of(TRIES, "try"), metavar="LIST", help=f"of {','.join(TRIES)}")
    parser.add_argument("--within", type=duration, metavar="DURATION", help="for limits (default 90s)")
    parser.add_argument("--quick", action="store_true",
                        help=f"limits of time within 6s, and no more than {QUICK_TRIES}")
    parser.add_argument("--jobs", type=int, choices=(1, 2, 3), default=2, help="proxies at once (default %(default)s)")
    parser.add_argument("--resume", action="store_true", help="measure only what is missing in --work")
    parser.add_argument("--no-measure", action="store_true", help="make the page from what is in --work")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/proxy-report", metavar="FOLDER",
                        help="where results are kept")
    parser.add_argument("--minimal", type=pathlib.Path, default=Minimal.templates, metavar="FOLDER",
                        help="minimal configurations (default tests/report/minimal)")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs/what-proxies-do.md", metavar="FILE")
    options = parser.parse_args()
    options.within = options.within or ("6s" if options.quick else "90s")
    options.within_s = duration_s(options.within)
    options.tries = options.tries or (QUICK_TRIES.split(",") if options.quick else list(TRIES))
    return options


def main():
    options = parse_options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too, which & and nohup have ignored
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    if not os.access(BIN, os.X_OK):
        refuse(f"there is no {BIN}: make binary builds build/src/grpcroute, and GRPCROUTE_BIN names another")
    Minimal.templates = options.minimal
    raw, rows = Raw(options.work), subjects()
    chosen = [rows[name] for name in options.only] if options.only else list(rows.values())
    work = [(subject, name) for name in options.tries for subject in chosen
            if not (options.resume and raw.read(subject.name, name))]
    missing = 0
    if work and not options.no_measure:
        with tempfile.TemporaryDirectory() as folder:
            missing = measure_all(raw, Site(pathlib.Path(folder)), pathlib.Path(folder), work, options)
    shown = [subject for subject in rows.values() if subject in chosen or not options.quick]
    options.page.write_text(page.make(raw, shown, list(TRIES)))
    say(f"==> {options.page}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
