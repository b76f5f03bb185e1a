#!/usr/bin/env bash
# Plants each fault of this folder in a copy of the tree and runs the tests that should see it: one that all of them pass is a survivor
# and fails the run. run.sh [NAME...] takes some. A fault is a patch behind the words that say what it is and who must see it:
#
#     A stream is sent again although the server may have worked on it.
#     unit: relay/retry relay/upstream
#     e2e: test_faults.py -k sent_again
#
# MUTANTS_JOBS=2 builds two files at a time.
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

# A copy in which a fault was left, by a run that was killed, is made anew. Files are as old as the copy: one that changed while it was
# made must not look older than what was built of the one before.
copy_tree() {
    [ ! -e "$tree/planted" ] || rm -rf "$tree"
    rm -rf "$tree.new"
    mkdir -p "$tree" "$tree.new"
    git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -xmf - -C "$tree.new"
    keep_equal
    rm -rf "${tree:?}/src" "$tree/tests"
    cp -a "$tree.new/." "$tree"
    rm -rf "$tree.new"
    ln -sfn "$root/.cache" "$tree/.cache"
    [ -f "$tree/build/build.ninja" ] || meson setup "$tree/build" "$tree" --werror --buildtype=debugoptimized >/dev/null
}

# What did not change need not be built again.
keep_equal() {
    python3 -c '
import filecmp, os, sys
old, new = sys.argv[1:]
for folder, _, names in os.walk(new):
    for name in names:
        path = os.path.join(folder, name)
        was = os.path.join(old, os.path.relpath(path, new))
        if os.path.isfile(was) and not os.path.islink(path) and filecmp.cmp(was, path, shallow=False):
            time_ns = os.stat(was).st_mtime_ns
            os.utime(path, ns=(time_ns, time_ns))' "$tree" "$tree.new"
}

plant() { # PATCH
    patch -d "$tree" -p1 -s -N --dry-run <"$1" || fail "$(basename "$1" .patch) no longer applies"
    touch "$tree/planted"
    patch -d "$tree" -p1 -s -N <"$1"
}

pull() { # PATCH
    patch -d "$tree" -p1 -R -s <"$1"
    rm "$tree/planted"
}

# The words behind "unit:" or "e2e:" in the head of a patch, a line each.
told() { # KIND PATCH
    sed -n -e '/^--- /q' -e "s/^$1: *//p" "$2"
}

# The programs of the unit tests of these names, a line each.
programs() { # NAME...
    meson introspect --tests "$tree/build" | python3 -c '
import json, os, sys
build, names = sys.argv[1], sys.argv[2:]
tests = {test["name"]: test["cmd"][0] for test in json.load(sys.stdin)}
for name in names:
    if name not in tests:
        sys.exit(f"mutants: there is no unit test {name}")
    program = os.path.relpath(tests[name], build)
    print("all" if program.startswith("..") else program)' "$tree/build" "$@"
}

# Builds what a patch's tests run, and no more: a fault far down is part of everything.
build() { # PATCH
    local targets
    # shellcheck disable=SC2046  # names are words
    targets=$(programs $(told unit "$1")) || exit 2
    [ -z "$(told e2e "$1")" ] || targets+=" src/grpcroute"
    # shellcheck disable=SC2086
    ninja ${MUTANTS_JOBS:+-j"$MUTANTS_JOBS"} -C "$tree/build" $targets >"$tree/build/compile.log" 2>&1
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
survivors=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    [ -n "$(told unit "$patch")$(told e2e "$patch")" ] || fail "$name names no test"
    build "$patch" || fail "the tree does not build: see $tree/build/compile.log"
    tests_pass "$patch" || fail "$name: its tests fail without it: see $tree/build/*.log"
    plant "$patch"
    build "$patch" || fail "$name does not build: see $tree/build/compile.log"
    if tests_pass "$patch"; then
        say "$name SURVIVED: $(head -n 1 "$patch")"
        survivors=$((survivors + 1))
    else
        say "$name was seen"
    fi
    pull "$patch"
done
say "${#patches[@]} faults planted, $survivors survived"
[ "$survivors" -eq 0 ]
