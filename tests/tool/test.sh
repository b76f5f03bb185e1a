#!/usr/bin/env bash
# Everything that `make test` runs, against one build: sources, unit tests, end to end. BUILD names the build folder, TEST_SKIP files
# of end-to-end tests to leave out.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-build-test}
meson_options=${MESON_OPTIONS:---buildtype=debugoptimized}

skip=()
for file in ${TEST_SKIP:-}; do
    [ -e "tests/e2e/$file" ] || { echo "test.sh: no tests/e2e/$file to skip" >&2; exit 1; }
    skip+=("--ignore=tests/e2e/$file")
done

say() { printf '\n==> %s\n' "$*"; }

say "form and layers"
tests/tool/lint.sh
tests/tool/layers.sh

say "building in $build, warnings are errors"
if [ ! -f "$build/build.ninja" ]; then
    # shellcheck disable=SC2086  # options are words
    meson setup "$build" --werror $meson_options >/dev/null
fi
meson compile -C "$build" >"$build/compile.log" 2>&1 || { cat "$build/compile.log"; exit 1; }

say "sources and tests are all listed"
tests/tool/listed.sh "$build"

say "unit tests"
meson test -C "$build" --suite unit --print-errorlogs --no-rebuild --quiet

say "end to end, with $build/src/grpcroute"
GRPCROUTE_BIN="$PWD/$build/src/grpcroute" PATH="$PWD/.cache/bin:$PWD/.cache/venv/bin:$PATH" \
    .cache/venv/bin/python -m pytest -q -n "${TEST_WORKERS:-8}" "${skip[@]}" tests/e2e
