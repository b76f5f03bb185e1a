"""Instructions of one process, counted by callgrind (valgrind manual). Counted are this program, nghttp2, libuv and
libssl; libcrypto and libc are not, as they choose their code by the processor.

valgrind runs one thread at a time: without --fair-sched a thread that spins until another has written (libuv does, for
an instant, when it is woken while the sender is in the middle) keeps the turn for a whole slice, and up to two million
instructions are counted."""
import collections
import os
import pathlib
import re
import subprocess

LIBRARIES = ("libnghttp2.", "libuv.", "libssl.")
ASKED_EVERY_BLOCKS = 100  # an idle program has as many in a tick, so vgdb need not ptrace it: that may be forbidden


def through(profile, *options):
    """The words before a command whose instructions go to the file `profile` at its end."""
    return ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={profile}", *options]


def by_object(path):
    """Self cost per file of code, of a profile (valgrind manual, "Callgrind Format Specification")."""
    names, costs = {}, collections.Counter()
    current, of_a_call = None, False

    def name_of(value):
        number, name = re.fullmatch(r"\((\d+)\)(?: (.*))?", value).groups()
        return names.setdefault(number, name)

    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "ob":
            current = name_of(value)
        elif key == "cob":
            name_of(value)
        elif key == "calls":
            of_a_call = True  # the next line is the cost of what was called
        elif re.match(r"[+\-*\d]", line):
            if not of_a_call:
                costs[os.path.basename(current)] += int(line.split()[1])
            of_a_call = False
    return costs


def counted(path, program):
    costs = by_object(path)
    return costs[program] + sum(cost for name, cost in costs.items() if name.startswith(LIBRARIES))


class Sections:
    """Counts while it runs: nothing before start(), then each section by itself."""

    def __init__(self, profile):
        self.profile = pathlib.Path(profile)
        self.through = through(profile, "--instr-atstart=no", f"--vgdb-poll={ASKED_EVERY_BLOCKS}")
        self._ended = 0

    def _ask(self, process, *words):
        subprocess.run(["vgdb", "--max-invoke-ms=0", f"--pid={process.pid}", *words], check=True, capture_output=True,
                       timeout=60)

    def start(self, process):
        self._ask(process, "instrumentation", "on")

    def end(self, process):
        """The instructions of this section; the next one begins."""
        self._ask(process, "dump")
        self._ended += 1
        return counted(self.profile.with_name(f"{self.profile.name}.{self._ended}"), os.path.basename(process.argv[0]))
