#!/usr/bin/env bash
# clang-tidy over src/, with the checks of .clang-tidy and the flags of a build: tidy.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:?usage: tests/tool/tidy.sh BUILD}
# Compiler headers are those of the clang that is installed; gcc's own warnings are nothing to it.
out=$(git ls-files -z 'src/*.c' | xargs -0 -P "$(nproc)" -n 8 .cache/venv/bin/clang-tidy -p "$build" --quiet \
    --extra-arg=-resource-dir="$(clang -print-resource-dir)" --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-cast-qual 2>&1) || {
    grep -v ' generated\.$' <<<"$out" >&2
    exit 1
}
