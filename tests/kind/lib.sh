# shellcheck shell=bash disable=SC2034,SC2154
# What the scripts of the test cluster share. Those that deal with a box have set $state.
kubernetes=1.33.13
node_image=kindest/node:v$kubernetes
cache=$(realpath -m "$(dirname "${BASH_SOURCE[0]}")/../../.cache/kind")

fail() {
    echo "$(basename "$0"): $1" >&2
    exit "${2:-2}"
}

# When a process started, in ticks since boot: with its id, this names it for ever.
started_at() { # PID
    local stat words
    read -r stat <"/proc/$1/stat" || return
    read -ra words <<<"${stat##*) }"
    echo "${words[19]}"
} 2>/dev/null

# To be called by a process that is about to exec something long-lived in a session of its own.
remember_me() { # FILE
    local pid=$BASHPID # another one inside of $()
    echo "$pid $(started_at "$pid")" >"$1"
}

# Ends the session that remember_me wrote down, unless the id has come to name another process.
end_remembered() { # FILE
    local pid start
    read -r pid start <"$1" || return 0
    [ "$(started_at "$pid")" = "$start" ] || return 0
    kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
}

# Calls a command until it succeeds, as long as the box lives.
wait_for() { # SECONDS WHAT COMMAND...
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] && kill -0 "${box_pid:-$$}" 2>/dev/null || return 1
        sleep 0.1
    done
    printf '%s: %s\n' "$(basename "$0")" "$what"
}

# ---- control groups ----------------------------------------------------------------------------

# One below our own in every hierarchy: "CONTROLLERS FOLDER", and "-" for version 2.
list_cgroups() {
    local name=grpcroute-$$ controllers path mount
    while IFS=: read -r _ controllers path; do
        mount=/sys/fs/cgroup/${controllers#name=}
        if [ -z "$controllers" ]; then
            controllers=-
            mount=/sys/fs/cgroup/unified
            # Where there is nothing but version 2, processes live in leaves only: beside us, then.
            [ -d $mount ] || { mount=/sys/fs/cgroup path=; }
        fi
        [ -d "$mount$path" ] || path=
        [ ! -d "$mount" ] || echo "$controllers ${mount%/}${path%/}/$name"
    done </proc/self/cgroup
}

make_cgroups() { # in $state
    local folder file
    list_cgroups >"$state/cgroups"
    while read -r _ folder; do
        mkdir "$folder"
        for file in cpuset.cpus cpuset.mems; do # version 1 leaves them empty, and lets no process in
            [ ! -e "$folder/tasks" ] || [ ! -e "$folder/$file" ] || cat "$folder/../$file" >"$folder/$file"
        done
    done <"$state/cgroups"
}

join_cgroups() {
    local folder
    while read -r _ folder; do
        echo "$BASHPID" >"$folder/cgroup.procs"
    done <"$state/cgroups"
}

# Shows a process in mount and control group namespaces of its own nothing but the groups it was put into.
mount_cgroups() { # LINES OF list_cgroups
    local controllers mount
    if [ "$(wc -l <<<"$1")" -eq 1 ]; then # version 2 alone; untried
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        mkdir /sys/fs/cgroup/box
        echo $$ >/sys/fs/cgroup/box/cgroup.procs
        sed 's/[^ ]*/+&/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
        return
    fi
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    while read -r controllers _; do
        mount=/sys/fs/cgroup/${controllers#name=}
        [ "$controllers" != - ] || mount=/sys/fs/cgroup/unified
        mkdir "$mount"
        if [ "$controllers" = - ]; then
            mount -t cgroup2 cgroup2 "$mount"
        else
            mount -t cgroup -o "$controllers" cgroup "$mount"
        fi
    done <<<"$1"
}
