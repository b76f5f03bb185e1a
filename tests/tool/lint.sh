#!/usr/bin/env bash
# One form for all: clang-format for C, ruff for Python, ShellCheck for shell. "lint.sh" fails on a difference, "lint.sh fix" makes it.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=.cache/venv/bin
mapfile -t c_files < <(find src tests -name '*.[ch]')
mapfile -t shell_files < <(find certs deploy tests .ci/run -name '*.sh' -o -name run -type f)

if [ "${1:-}" = fix ]; then
    "$tools/clang-format" -i "${c_files[@]}"
    "$tools/ruff" check --quiet --fix src tests deploy
fi
"$tools/clang-format" --dry-run -Werror --ferror-limit=1 "${c_files[@]}"
"$tools/ruff" check --quiet src tests deploy
shellcheck "${shell_files[@]}"
