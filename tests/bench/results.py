"""All samples and failures of a run, and where and when they were taken."""
import datetime
import os
import pathlib
import platform
import re

import table
from contenders import OURS


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "kernel": f"{platform.system()} {platform.release()}",
            "cpu": model[1] if model else platform.machine(),
            "cores": os.cpu_count()}


class Results:
    def __init__(self, contenders, shapes, rounds, seconds):
        self.machine = machine()
        self.contenders, self.shapes = contenders, shapes
        self.rounds, self.seconds = rounds, seconds
        self.versions = {contender.name: contender.version() for contender in contenders}
        self.samples = {(contender.name, shape.name): [] for contender in contenders for shape in shapes}  # by round
        self.failures = {}  # by the same keys, why

    @property
    def rows(self):
        """(contender, [(shape, cell), ...]) in order."""
        return [(contender, [(shape, self._cell(contender, shape)) for shape in self.shapes])
                for contender in self.contenders]

    def _cell(self, contender, shape):
        key, ours = (contender.name, shape.name), (OURS.name, shape.name)
        return table.cell(self.samples[key], [] if ours in self.failures else self.samples[ours],
                          self.failures.get(key))

    def title(self, contender):
        return f"{contender.title} {self.versions[contender.name]}".strip()

    def circumstances(self):
        m = self.machine
        return (f"{m['date']}; {m['cpu']}, {m['cores']} cores, {m['kernel']}; medians of {self.rounds} rounds of "
                f"{self.seconds} s "
                "of load, memory once.")
