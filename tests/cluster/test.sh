#!/usr/bin/env bash
# What `make test-cluster` runs: the images, a Kubernetes, and every promise of deploy/ on it. Needs root; nothing is left.
#
#   tests/cluster/test.sh [PYTEST OPTIONS]
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" -eq 0 ] || { echo 'test.sh: the cluster needs root, for namespaces and mounts' >&2; exit 2; }
make --no-print-directory binary # judges logs
tests/cluster/image.sh
exec .cache/venv/bin/python -m pytest -q -n 0 -p no:cacheprovider --timeout 600 "$@" tests/cluster
