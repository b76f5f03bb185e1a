"""What sanitizers say of any process of a test, also of a child's child, or of one that was killed or whose output
nobody reads: they write it to files, and the test at whose end there is one fails."""
import os

OPTIONS = ["ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"]


class Reports:
    def __init__(self, folder):
        self.folder = folder
        for name in OPTIONS:
            if name in os.environ:
                os.environ[name] += f":log_path={folder}/report"

    def take(self):
        """The text of those that came since the last call."""
        texts = []
        for path in sorted(self.folder.iterdir()):
            texts.append(path.read_text(errors="replace"))
            path.unlink()
        return "\n".join(texts)


def is_sanitized(process):
    """Freed memory stays with AddressSanitizer for a while."""
    return "libasan" in open(f"/proc/{process.pid}/maps").read()
