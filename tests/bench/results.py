"""All samples and failures of a run, and where and when they were taken."""
import datetime
import os
import pathlib
import platform
import re
import time


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "kernel": f"{platform.system()} {platform.release()}",
            "cpu": model[1] if model else platform.machine(),
            "cores": os.cpu_count()}


class Results:
    """`drivers`: the first is the one whose figures count, the others confirm them. `contenders`: the first is ours,
    which the others are compared with."""

    def __init__(self, drivers, contenders, shapes, rounds, seconds):
        self.machine = machine()
        self.began = time.monotonic()
        self.drivers, self.contenders, self.shapes = drivers, contenders, shapes
        self.own = contenders[0]
        self.rounds, self.seconds = rounds, seconds
        self.versions = {contender.name: contender.version() for contender in contenders}
        self.samples = {(driver.name, contender.name, shape.name): []  # by round
                        for driver in drivers for contender in contenders for shape in shapes if driver.can(shape)}
        self.failures = {}  # by the same keys, why

    def of(self, driver, contender, shape):
        """The samples by round; None where the driver cannot do the shape, empty where it failed."""
        key = driver.name, contender.name, shape.name
        return [] if key in self.failures else self.samples.get(key)

    def ours(self, driver, shape):
        return self.of(driver, self.own, shape)

    def failure(self, driver, contender, shape):
        return self.failures.get((driver.name, contender.name, shape.name))

    @property
    def owns(self):
        """Ours, also in other settings."""
        return [self.own, *(contender for contender in self.contenders[1:] if contender.is_ours)]

    @property
    def peers(self):
        """Those that a ratio is to: others of our own kind, proxies or servers."""
        return [contender for contender in self.contenders if contender not in self.owns and
                contender.is_proxy == self.own.is_proxy and not contender.is_floor]

    def title(self, contender):
        return f"{contender.title} {self.versions[contender.name]}".strip()

    def circumstances(self, confirmed):
        m = self.machine
        minutes = (time.monotonic() - self.began) / 60
        return (f"{m['date']}; {m['cpu']}, {m['cores']} cores, {m['kernel']}; medians of {self.rounds} rounds of "
                f"{self.seconds} s of load ({confirmed} for the other drivers), memory once; {minutes:.0f} minutes "
                "in all.")
