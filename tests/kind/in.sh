#!/usr/bin/env bash
# Runs a command in the box of dockerd.sh, in the current folder.
#
#   tests/kind/in.sh STATE COMMAND...
set -euo pipefail
[ $# -ge 2 ] || { echo 'usage: in.sh STATE COMMAND...' >&2; exit 2; }
exec nsenter --target "$(cat "$1/box.pid")" --mount --net --pid --uts --ipc --cgroup --wdns="$PWD" -- "${@:2}"
