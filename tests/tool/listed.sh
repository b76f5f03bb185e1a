#!/usr/bin/env bash
# Fails when a source or a test is there that no build takes and nothing runs: forgotten in a meson.build, without cmocka, or one
# Python function hidden by another of its name. The argument is a build folder that is up to date.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$1
failed=0

complain() { echo "listed: $*" >&2; failed=1; }

# Not in a pipe: its exit code counts.
run=$(meson test -C "$build" --list --no-rebuild --suite unit 2>/dev/null)
run=" ${run//$'\n'/ } "
files=0

for file in tests/unit/*/test_*.c; do
    name=${file#tests/unit/}
    name=${name%.c}
    files=$((files + 1))
    case $run in
    *" ${name/test_/} "*) ;;
    *) complain "$file is no test of $build: name it in tests/unit/${name%%/*}/meson.build (is cmocka there?)" ;;
    esac
done
[ "$files" -gt 30 ] || complain "only $files unit tests were found: is this the right folder?"

# Sources: each in the meson.build beside it.
while IFS= read -r file; do
    case $file in
    src/main.c) continue ;;
    esac
    grep -qs "'${file##*/}'" "${file%/*}/meson.build" || complain "$file is in no ${file%/*}/meson.build"
done < <(find src -name '*.c')

for file in tests/fuzz/fuzz_*.c; do
    name=${file##*/fuzz_}
    name=${name%.c}
    grep -q "^  '$name': " tests/fuzz/meson.build || complain "$file is no target of tests/fuzz/meson.build"
    [ -n "$(ls -A "tests/fuzz/corpus/$name" 2>/dev/null)" ] || complain "$file has no seeds in tests/fuzz/corpus/$name"
done

# In Python the last of two functions of one name is the only one.
for file in tests/e2e/test_*.py; do
    twice=$(grep -oE '^def [a-z0-9_]+' "$file" | sort | uniq -d)
    [ -z "$twice" ] || complain "$file: given twice: $twice"
done

# A fault that cannot be planted any more is seen by no test.
for fault in tests/mutants/*.patch; do
    patch -p1 --dry-run --silent --force <"$fault" >/dev/null 2>&1 || complain "$fault no longer applies"
done

exit "$failed"
