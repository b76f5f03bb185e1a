#!/usr/bin/env bash
# What `make test-kind` runs: a Docker in a box, a kind cluster with enforced network policies in it, and every promise of deploy/
# with the commands that docs/cluster.md names. Needs root; nothing is left.
#
#   tests/kind/test.sh [PYTEST OPTIONS]
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" -eq 0 ] || { echo 'test.sh: the cluster needs root, for namespaces and mounts' >&2; exit 2; }
make --no-print-directory binary # judges logs
BOX_FOLDER=$(mktemp -d)
export BOX_FOLDER
state=$BOX_FOLDER/state
job=

# Whatever ends this: first what runs, then the box.
clean_up() {
    [ -z "$job" ] || kill -KILL "$job" 2>/dev/null || true
    tests/kind/down.sh "$state"
    rm -rf "$BOX_FOLDER"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Not in the foreground: bash runs a trap at once only while it waits.
in_box() {
    tests/kind/in.sh "$state" "$@" &
    job=$!
    wait "$job"
}

tests/kind/dockerd.sh "$state"
in_box tests/kind/node.sh
in_box tests/kind/image.sh
in_box "$PWD/.cache/venv/bin/python" -m pytest -q -n 0 -p no:cacheprovider --timeout 900 "$@" tests/kind
