#!/usr/bin/env bash
# Brings images into the node of a cluster that up.sh started, as docker save or mkimage.sh wrote them.
#
#   tests/cluster/load.sh STATE IMAGE.tar...
set -euo pipefail
[ $# -ge 2 ] || { echo 'usage: load.sh STATE IMAGE.tar...' >&2; exit 2; }
state=$(realpath -m "$1")
. "$(dirname "$0")/lib.sh"

[ -S "$state/containerd.sock" ] || fail "there is no cluster in $state; run tests/cluster/up.sh first"
for image in "${@:2}"; do
    ctr --address "$state/containerd.sock" --namespace k8s.io images import "$image" >/dev/null ||
        fail "$image could not be loaded"
done
