#!/usr/bin/env bash
# What `make test-cluster` runs: the images, a Kubernetes, and every promise of deploy/ on it. Needs root; nothing is left.
#
#   tests/cluster/test.sh [PYTEST OPTIONS]
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" -eq 0 ] || { echo 'test.sh: the cluster needs root, for namespaces and mounts' >&2; exit 2; }
make --no-print-directory binary # judges logs
tests/cluster/image.sh

CLUSTER_FOLDER=$(mktemp -d)
export CLUSTER_FOLDER
pytest=

# Whatever ends this: first the tests, then what they brought up.
clean_up() {
    local state
    [ -z "$pytest" ] || kill -KILL "$pytest" 2>/dev/null || true
    for state in "$CLUSTER_FOLDER"/*/state; do
        [ ! -e "$state" ] || tests/cluster/down.sh "$state"
    done
    rm -rf "$CLUSTER_FOLDER"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# Not in the foreground: bash runs a trap at once only while it waits.
.cache/venv/bin/python -m pytest -q -n 0 -p no:cacheprovider --timeout 600 "$@" tests/cluster &
pytest=$!
wait "$pytest"
