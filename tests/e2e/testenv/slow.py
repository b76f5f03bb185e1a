"""What takes long: it is left out, or done with less, unless SLOW_TESTS is set, as in .ci/run."""
import os

import pytest

SLOW = "SLOW_TESTS" in os.environ
slow = pytest.mark.slow  # not at all without SLOW_TESTS
sized = pytest.mark.sized  # larger or longer with it


def slow_but(quick, params):
    """Of the parameters of a test, all that are not quick are slow."""
    assert set(quick) <= set(params), quick
    return [param if param in quick else pytest.param(param, marks=slow) for param in params]
