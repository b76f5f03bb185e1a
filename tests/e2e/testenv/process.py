"""Child processes whose output is read as lines, and which never outlive the test."""
import ctypes
import os
import re
import signal
import subprocess
import threading
import time

DEADLINE_S = 20
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|UndefinedBehavior")


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """A running program; `lines` holds what it printed so far, standard error included."""

    def __init__(self, argv, env=None, cwd=None, preexec=None):
        def prepare():
            _die_with_parent()
            if preexec is not None:
                preexec()

        self.argv = [str(arg) for arg in argv]
        self.lines = []
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, cwd=cwd, preexec_fn=prepare)
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

    def send_signal(self, number):
        if self.running():
            self._popen.send_signal(number)

    def wait(self, deadline_s=DEADLINE_S):
        """Waits for the end by itself; returns the exit code."""
        code = self._popen.wait(deadline_s)
        self._reader.join(deadline_s)
        assert not SANITIZER.search(self.output), self.output[-8000:]
        return code

    def stop(self, number=signal.SIGTERM, deadline_s=DEADLINE_S):
        """Ends it and checks that it ended cleanly by itself."""
        self.send_signal(number)
        try:
            return self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise AssertionError(f"{self.argv[:3]} did not end within {deadline_s} s of signal "
                                 f"{number}\n{self.output[-3000:]}")

    def close(self):
        """For the end of a test: gone, whatever state it was in; a sanitizer report still fails."""
        if self.running():
            self._popen.terminate()
            try:
                self._popen.wait(8)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._reader.join(5)
        assert not SANITIZER.search(self.output), self.output[-8000:]


def run(argv, env=None, timeout=60, stdin=None, preexec=None):
    """Runs a program to its end; returns subprocess.CompletedProcess with text."""
    def prepare():
        _die_with_parent()
        if preexec is not None:
            preexec()

    done = subprocess.run([str(arg) for arg in argv], env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL if stdin is None else None, input=stdin,
                          capture_output=True, timeout=timeout, preexec_fn=prepare)
    done.stdout = done.stdout.decode("utf-8", "replace")
    done.stderr = done.stderr.decode("utf-8", "replace")
    assert not SANITIZER.search(done.stdout + done.stderr), (done.stdout + done.stderr)[-8000:]
    return done
