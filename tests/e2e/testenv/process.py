"""Child processes whose output is read as lines, and which never outlive the test."""
import os
import re
import signal
import subprocess
import threading
import time

DEADLINE_S = 20
SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")


# Goes before a command so that it dies with this process. Not preexec_fn: that means fork(), and gRPC's handlers for it
# can abort the child.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


def crash_report(code, sent, output):
    """Why this end of a program is a defect, or None: a sanitizer's report, or a signal that nobody sent."""
    if SANITIZER.search(output):
        return f"a sanitizer complains\n{output[-8000:]}"
    if code is not None and code < 0 and -code not in sent:
        return f"died of {signal.Signals(-code).name}\n{output[-3000:]}"
    return None


class Process:
    """A running program; `lines` holds what it printed so far, standard error included. `through` are the words of a
    command that becomes it, such as prlimit or taskset with their options."""

    unclosed = set()  # every process that no test has closed yet
    exit_codes = None  # what it may say after SIGTERM; None: anything but a crash

    def __init__(self, argv, env=None, cwd=None, through=()):
        self.argv = [str(arg) for arg in argv]
        self.lines = []
        self._sent = set()  # signals
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            [*DIE_WITH_PARENT, *through, *self.argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, cwd=cwd)
        Process.unclosed.add(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for raw in self._popen.stdout:
            with self._changed:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self):
        return self._popen.pid

    @property
    def output(self):
        """What it has said; when it has ended, its last words, too, which the reader may still be reading."""
        if not self.running():
            self._reader.join(1)  # no longer, as a child of its own may keep the pipe open
        with self._changed:
            return "\n".join(self.lines)

    def running(self):
        return self._popen.poll() is None

    def wait_for(self, pattern, count=1, deadline_s=DEADLINE_S, after=0):
        """Waits until `count` lines from index `after` on match; returns the last match."""
        regex = re.compile(pattern)
        end = time.monotonic() + deadline_s
        with self._changed:
            while True:
                found = [m for m in map(regex.search, self.lines[after:]) if m]
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                if left <= 0 or (not self._reader.is_alive() and self._popen.poll() is not None):
                    shown = "\n".join(self.lines[-30:])
                    raise AssertionError(
                        f"{self.argv[:3]}: {len(found)} of {count} lines match {pattern!r}\n{shown}")
                self._changed.wait(min(left, 0.5))

    def wait_for_start(self, pattern):
        """wait_for() in a constructor: nothing is left when it fails."""
        try:
            return self.wait_for(pattern)
        except AssertionError:
            self.kill()
            Process.unclosed.discard(self)
            raise

    def expect_signal(self, number):
        """Somebody else sends it: to die of it is no defect."""
        self._sent.add(number)

    def send_signal(self, number):
        self._sent.add(number)
        if self.running():
            self._popen.send_signal(number)

    def wait(self, deadline_s=DEADLINE_S):
        """Waits for the end by itself; returns the exit code."""
        code = self._popen.wait(deadline_s)
        self._reader.join(deadline_s)
        report = crash_report(code, self._sent, self.output)
        assert report is None, f"{self.argv[:3]} {report}"
        return code

    def stop(self, number=signal.SIGTERM, deadline_s=DEADLINE_S):
        """Ends it and checks that it ended cleanly by itself."""
        self.send_signal(number)
        try:
            return self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[:3]} did not end within {deadline_s} s of signal "
                                 f"{number}\n{self.output[-3000:]}") from None

    def kill(self):
        """Gone at once, without a look at how it was."""
        self.send_signal(signal.SIGKILL)
        self._popen.wait()
        self._reader.join(5)

    def close(self):
        """For the end of a test: gone, whatever state it was in. A crash or a sanitizer's report before, a hang or
        a wrong exit code now fail the test."""
        Process.unclosed.discard(self)
        ended_by_itself = not self.running()
        code = self.wait() if ended_by_itself else self.stop()
        if not self._reader.is_alive():
            self._popen.stdout.close()
        if not ended_by_itself and self.exit_codes is not None:
            assert code in self.exit_codes, f"{self.argv[:3]}: exit code {code}\n{self.output[-3000:]}"


def run(argv, env=None, timeout=60, stdin=None):
    """Runs a program to its end; returns subprocess.CompletedProcess with text."""
    argv = [str(arg) for arg in argv]
    done = subprocess.run([*DIE_WITH_PARENT, *argv], env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL if stdin is None else None, input=stdin,
                          capture_output=True, timeout=timeout, check=False)
    done.stdout = done.stdout.decode("utf-8", "replace")
    done.stderr = done.stderr.decode("utf-8", "replace")
    report = crash_report(done.returncode, (), done.stdout + done.stderr)
    assert report is None, f"{argv[:3]} {report}"
    return done
