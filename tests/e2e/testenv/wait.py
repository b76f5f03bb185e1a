"""Waiting for what tells of itself in no other way than by being asked."""
import time


def wait_until(condition, deadline_s=20, what="the condition", show=lambda: ""):
    """Polls; returns what `condition` found."""
    end = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}\n{show()}"
        time.sleep(0.02)
