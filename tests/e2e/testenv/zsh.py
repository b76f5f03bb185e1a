"""A real zsh on a terminal of its own, with completion as `compinit` sets it up."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

from testenv.process import DIE_WITH_PARENT

AVAILABLE = shutil.which("zsh") is not None
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
PROMPT = "ready> "


class Zsh:
    def __init__(self, folder, script):
        master, slave = pty.openpty()
        self._fd = master
        rc = folder / ".zshrc"
        rc.write_text(f"PROMPT='{PROMPT}'\nPS2=''\nunsetopt prompt_sp\nLISTMAX=0\nautoload -Uz compinit\ncompinit -u "
                      f"-d {folder}/dump\n"
                      f"zstyle ':completion:*' list-colors ''\nsource {script}\nstty columns 200 rows 100\n")
        self._popen = subprocess.Popen([*DIE_WITH_PARENT, "zsh", "-i"], stdin=slave, stdout=slave, stderr=slave,
                                       cwd=folder,
                                       start_new_session=True, env={**os.environ, "ZDOTDIR": str(folder),
                                                                    "TERM": "xterm"})
        os.close(slave)
        self.read(PROMPT)

    def read(self, pattern, deadline_s=20):
        """What it shows until `pattern` is there."""
        shown = ""
        end = time.monotonic() + deadline_s
        while not re.search(pattern, CONTROL.sub("", shown)):
            left = end - time.monotonic()
            assert left > 0 and select.select([self._fd], [], [], left)[0], \
                f"no {pattern!r} in {CONTROL.sub('', shown)!r}"
            shown += os.read(self._fd, 65536).decode("utf-8", "replace")
        return CONTROL.sub("", shown)

    def complete(self, words, pattern):
        """Types the words and a tab; returns what is shown then, which matches `pattern`, and begins anew."""
        os.write(self._fd, words.encode() + b"\t\t")
        shown = self.read(pattern)
        os.write(self._fd, b"\x15echo an-end\n")  # ^U: away with the line
        self.read(r"\nan-end\n(?s:.*)" + PROMPT)
        return shown

    def close(self):
        os.close(self._fd)  # the terminal hangs up
        try:
            self._popen.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
