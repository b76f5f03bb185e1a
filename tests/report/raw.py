"""Results as files, one for each proxy and try, so that the page can be made again without measuring."""
import json
import re


class Raw:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _file(self, subject, name):
        return self.folder / f"{subject}.{name}.json"

    def write(self, subject, name, result):
        file = self._file(subject, name)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(result, indent=1) + "\n")
        new.replace(file)

    def read(self, subject, name):
        """None where it was not run."""
        file = self._file(subject, name)
        return json.loads(file.read_text()) if file.exists() else None


def duration_s(text):
    """\"90s\" or \"10m\"; raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})(s|m)", text)
    if not found:
        raise ValueError(f"{text!r} is no duration as 90s or 10m")
    return int(found[1]) * {"s": 1, "m": 60}[found[2]]
