#!/usr/bin/env bash
# Fails when the binary lacks what makes a fault in it harder to use: position independence, tables that are read-only once it runs,
# a stack that holds no code and is guarded, checked calls of the C library; or when it names the folder it was built in.
set -euo pipefail

binary=$1
source=$(cd "$(dirname "$0")/../.." && pwd)
failed=0

# WHAT PATTERN COMMAND...: the output of the command has to have the pattern.
has() {
    local what=$1 pattern=$2
    shift 2
    "$@" >"$output"
    grep -qE "$pattern" "$output" || { echo "hardening: $binary has no $what" >&2; failed=1; }
}

output=$(mktemp)
trap 'rm -f "$output"' EXIT

has 'position independence' 'Type: +DYN' readelf -hW "$binary"
has 'relocations that are read-only' 'GNU_RELRO' readelf -lW "$binary"
has 'stack without code' 'GNU_STACK.* RW ' readelf -lW "$binary"
has 'binding at start' 'BIND_NOW|FLAGS_1.*NOW' readelf -dW "$binary"
has 'guard of its stack' '__stack_chk_fail' readelf -sW "$binary"
has 'checked calls of the C library' '__(memcpy|snprintf|vsnprintf|fprintf|read)_chk' readelf -sW "$binary"
if grep -qaF "$source/" "$binary"; then
    echo "hardening: $binary names the folder it was built in" >&2
    failed=1
fi
exit "$failed"
