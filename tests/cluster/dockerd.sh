#!/usr/bin/env bash
# Starts a Docker of our own, in namespaces of its own, whose debian:12-slim is made by debootstrap: nothing is pulled.
# Images and layers stay in .cache/cluster/docker for the next time. Three seconds; forty more the first time. Needs root.
#
#   tests/cluster/dockerd.sh STATE     STATE: a folder that this makes
#   export DOCKER_HOST=unix://STATE/docker.sock
#   docker build --network host ...    it has no bridge, and leaves iptables alone
#   tests/cluster/down.sh STATE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo 'usage: dockerd.sh STATE' >&2; exit 2; }
state=$(realpath -m "$1")
. "$here/lib.sh"
cache=$(realpath -m "$here/../../.cache/cluster")
base=debian:12-slim

# Runs in the new namespaces, as their process 1.
# shellcheck disable=SC2016  # expanded in there
inside='state=$2; . "$1/lib.sh"; mount --make-rprivate /; mount_cgroups "$(cat "$state/cgroups")"
exec dockerd --data-root "$3/docker" --exec-root "$state/exec" --pidfile "$state/docker.pid" \
    --host "unix://$state/docker.sock" --bridge=none --iptables=false --ip-forward=false'

start() {
    set -m
    (
        remember_me "$state/dockerd.process"
        join_cgroups
        exec unshare --mount --pid --cgroup --fork --kill-child --mount-proc \
            bash -euc "$inside" bash "$here" "$state" "$cache"
    ) </dev/null >"$state/log/dockerd.log" 2>&1 &
    box_pid=$!
    disown
    set +m
}

make_base() {
    [ -z "$(docker image ls --quiet $base)" ] || return 0
    echo "dockerd.sh: making $base with debootstrap, once" >&2
    nice -n 19 debootstrap --variant=minbase bookworm "$state/base" >"$state/log/debootstrap.log" 2>&1 &&
        rm -rf "$state/base/var/cache/apt" "$state/base/var/lib/apt/lists" &&
        tar -C "$state/base" -c . | docker import - $base >/dev/null
}

[ "$(id -u)" -eq 0 ] || fail 'needs root, for namespaces and mounts'
for tool in dockerd docker debootstrap unshare; do
    command -v $tool >/dev/null || fail "$tool is not on PATH; run tests/tool/setup.sh cluster"
done
"$here/down.sh" "$state"
mkdir -p "$state/log" "$cache/docker"
exec 9>"$cache/docker.lock" # held by dockerd as long as it lives
flock --nonblock 9 || fail 'another dockerd uses .cache/cluster/docker'
trap 'tail -n 3 "$state"/log/*.log >&2' ERR
trap '"$here/down.sh" "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export DOCKER_HOST=unix://$state/docker.sock
make_cgroups
start
wait_for 60 'docker answers' docker version || { tail -n 3 "$state/log/dockerd.log" >&2; fail 'dockerd did not start' 1; }
make_base
trap - EXIT
echo "dockerd.sh: up after $SECONDS s; export DOCKER_HOST=$DOCKER_HOST"
