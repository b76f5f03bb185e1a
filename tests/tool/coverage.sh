#!/usr/bin/env bash
# What all tests together run of src/, by folder: tests/tool/coverage.py judges. The page with each line is $BUILD/coverage/index.html.
set -euo pipefail
cd "$(dirname "$0")/../.."

export BUILD=${BUILD:-build-coverage}
gcovr=8.3
tools=.cache/gcovr-$gcovr

if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools"
    .cache/venv/bin/pip install -q --disable-pip-version-check --target "$tools" "gcovr==$gcovr"
    touch "$tools/complete"
fi
if [ -d "$BUILD" ]; then
    find "$BUILD" -name '*.gcda' -delete
fi
MESON_OPTIONS="--buildtype=debug -Db_coverage=true" tests/tool/test.sh
mkdir -p "$BUILD/coverage"
PYTHONPATH=$tools .cache/venv/bin/python -m gcovr --root . --object-directory "$BUILD" --filter src/ --gcov-ignore-errors all \
    --exclude-unreachable-branches --exclude-throw-branches --json-summary "$BUILD/coverage.json" \
    --html-details "$BUILD/coverage/index.html" --print-summary >/dev/null
.cache/venv/bin/python tests/tool/coverage.py "$BUILD/coverage.json"
