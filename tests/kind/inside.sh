#!/usr/bin/env bash
# Process 1 of the box that dockerd.sh makes: all that it mounts, listens on, or writes into iptables goes when it goes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=$1
. "$here/lib.sh"

# Docker's --privileged asks for it.
may_set_resources() {
    local bounds
    bounds=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
    ((16#$bounds >> 24 & 1))
}

has_way_out() { ip route | grep -q '^default'; }

cgroups=$(cat "$state/cgroups")
mount --make-rprivate /
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys # of this network
mount_cgroups "$cgroups"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
ip link set lo up
wait_for 30 'the way out is there' has_way_out
runtime=()
may_set_resources || runtime=(--add-runtime "bounded=$here/runc.sh" --default-runtime bounded)
dockerd --data-root "$cache/docker" "${runtime[@]}" & # and bash goes on reaping what containers leave behind
wait $!
