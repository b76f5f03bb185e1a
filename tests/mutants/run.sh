#!/usr/bin/env bash
# Plants each fault of this folder in a copy of the tree and runs the tests that should see it: one that all of them pass is a survivor
# and fails the run. run.sh [NAME...] takes some. A fault is a patch behind the words that say what it is and who must see it:
#
#     A stream is sent again although the server may have worked on it.
#     unit: relay/retry relay/upstream
#     e2e: test_faults.py -k sent_again
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$PWD
tree=$root/build-mutants/tree
export GRPCROUTE_BIN=$tree/build/src/grpcroute PATH="$root/.cache/bin:$root/.cache/venv/bin:$PATH"

say() { printf '==> %s\n' "$*"; }

fail() {
    echo "mutants: $*" >&2
    exit 2
}

# A copy in which a fault was left, by a run that was killed, is made anew.
copy_tree() {
    [ ! -e "$tree/planted" ] || rm -rf "$tree"
    mkdir -p "$tree"
    rm -rf "${tree:?}/src" "$tree/tests"
    git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -xf - -C "$tree"
    ln -sfn "$root/.cache" "$tree/.cache"
    [ -f "$tree/build/build.ninja" ] || meson setup "$tree/build" "$tree" --werror --buildtype=debugoptimized >/dev/null
}

plant() { # PATCH
    patch -d "$tree" -p1 -s -N <"$1" || fail "$(basename "$1" .patch) no longer applies"
    touch "$tree/planted"
}

pull() { # PATCH
    patch -d "$tree" -p1 -R -s <"$1"
    rm "$tree/planted"
}

build() { ninja -C "$tree/build" >"$tree/build/compile.log" 2>&1; }

# The words behind "unit:" or "e2e:" in the head of a patch, a line each.
told() { # KIND PATCH
    sed -n -e '/^--- /q' -e "s/^$1: *//p" "$2"
}

# Runs one patch's tests, quietly; true when all pass.
tests_pass() { # PATCH
    local names line
    names=$(told unit "$1")
    if [ -n "$names" ]; then
        # shellcheck disable=SC2086  # names are words
        timeout 300 meson test -C "$tree/build" --suite unit --no-rebuild --quiet $names >"$tree/build/unit.log" 2>&1 || return 1
    fi
    while IFS= read -r line; do
        # shellcheck disable=SC2086
        (cd "$tree/tests/e2e" && timeout 300 "$root/.cache/venv/bin/python" -m pytest -q -x -n 2 $line) >"$tree/build/e2e.log" 2>&1 || return 1
    done < <(told e2e "$1")
}

patches=()
if [ $# -gt 0 ]; then
    for name in "$@"; do
        [ -r "tests/mutants/$name.patch" ] || fail "there is no tests/mutants/$name.patch"
        patches+=("$root/tests/mutants/$name.patch")
    done
else
    patches=("$root"/tests/mutants/*.patch)
fi

copy_tree
build || fail "the tree does not build: see $tree/build/compile.log"
survivors=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    [ -n "$(told unit "$patch")$(told e2e "$patch")" ] || fail "$name names no test"
    tests_pass "$patch" || fail "$name: its tests fail without it: see $tree/build/*.log"
    plant "$patch"
    build || fail "$name does not build: see $tree/build/compile.log"
    if tests_pass "$patch"; then
        say "$name SURVIVED: $(head -n 1 "$patch")"
        survivors=$((survivors + 1))
    else
        say "$name was seen"
    fi
    pull "$patch"
done
build
say "${#patches[@]} faults planted, $survivors survived"
[ "$survivors" -eq 0 ]
