#!/usr/bin/env bash
# Starts a machine with a Docker on it in namespaces of its own, as users have one: bridges, iptables, published ports. This
# machine's network, iptables, mounts and control groups stay as they are. The box reaches the outside through slirp4netns.
# Images stay in .cache/kind/docker for the next time. Two seconds. Needs root.
#
#   tests/kind/dockerd.sh STATE            STATE: a folder that this makes
#   tests/kind/in.sh STATE COMMAND...      runs something in the box, where localhost:30443 is the cluster's
#   tests/kind/down.sh STATE               ends everything in it
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo 'usage: dockerd.sh STATE' >&2; exit 2; }
state=$(realpath -m "$1")
. "$here/lib.sh"

# Each leads a process group of its own, so that Ctrl-C is for this script alone, and the group can be ended.
start() { # NAME COMMAND...
    set -m
    (
        remember_me "$state/$1.process"
        [ "$1" != box ] || join_cgroups
        exec "${@:2}"
    ) </dev/null >"$state/log/$1.log" 2>&1 &
    disown
    set +m
}

# Process 1 of the box, as this machine numbers it, once it has a network of its own.
find_first() {
    local outer='' first=''
    [ -e "$state/box.process" ] || return
    read -r outer _ <"$state/box.process"
    read -r first _ <"/proc/$outer/task/$outer/children" || true # it ends without a newline
    [ -n "$first" ] && [ "$(readlink "/proc/$first/ns/net")" != "$(readlink /proc/self/ns/net)" ] || return
    echo "$first" >"$state/box.pid"
}

docker_answers() { "$here/in.sh" "$state" docker version; }

[ "$(id -u)" -eq 0 ] || fail 'needs root, for namespaces and mounts'
for tool in dockerd docker debootstrap unshare nsenter slirp4netns ip iptables busybox; do
    command -v $tool >/dev/null || fail "$tool is not on PATH; run tests/tool/setup.sh cluster"
done
"$here/down.sh" "$state"
mkdir -p "$state/log" "$cache/docker"
exec 9>"$cache/docker.lock" # held by the box as long as it lives
flock --nonblock 9 || fail 'another dockerd uses .cache/kind/docker'
trap 'tail -n 3 "$state"/log/*.log >&2' ERR
trap '"$here/down.sh" "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[ -e /lib/modules ] || touch "$state/no-modules" # kind mounts that folder, and Docker makes it
make_cgroups
start box unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child --mount-proc "$here/inside.sh" "$state"
wait_for 10 'the box is there' find_first || fail 'there is no box' 1
box_pid=$(cat "$state/box.pid")
start outside slirp4netns --configure --disable-host-loopback --mtu=1400 "$box_pid" tap0
wait_for 60 'docker answers' docker_answers || { tail -n 3 "$state"/log/*.log >&2; fail 'dockerd did not start' 1; }
trap - EXIT
echo "dockerd.sh: up after $SECONDS s; tests/kind/in.sh $state COMMAND..."
