#!/usr/bin/env bash
# The end-to-end tests that `make test` leaves out because they take minutes, and those that take longer, or more of something, here
# (tests/e2e/testenv/slow.py); with the program that `make test` has built.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-build-test}
[ -x "$build/src/grpcroute" ] || { echo "slow.sh: there is no $build/src/grpcroute; make test builds it" >&2; exit 1; }

export SLOW_TESTS=1 GRPCROUTE_BIN="$PWD/$build/src/grpcroute" PATH="$PWD/.cache/bin:$PWD/.cache/venv/bin:$PATH"
.cache/venv/bin/python -m pytest -q -n 4 -o faulthandler_timeout=0 -m "slow or sized" --ignore=tests/e2e/test_scale.py tests/e2e
.cache/venv/bin/python -m pytest -q -n 0 tests/e2e/test_scale.py # alone: it measures
