# Fresh roots of Debian to try something in, as root: sourced. They are made by debootstrap once and kept, packed, in .cache/roots.
# shellcheck shell=bash
[ "$(id -u)" -eq 0 ] || { echo "${0##*/}: roots are made and entered by root" >&2; exit 2; }

roots=$PWD/.cache/roots
mkdir -p "$roots"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n==> %s\n' "$*" >&2; }

root_of() { # SUITE NAME: unpacks a fresh root
    local packed=$roots/$1.tar.gz
    if [ ! -s "$packed" ]; then
        say "making a root of $1 with debootstrap, once"
        debootstrap --variant=minbase "$1" "$work/new" >"$roots/$1.log" 2>&1 || { tail "$roots/$1.log" >&2; exit 1; }
        tar -C "$work/new" -czf "$packed.part" . && mv "$packed.part" "$packed"
        rm -rf "$work/new"
    fi
    mkdir "$work/$2"
    tar -C "$work/$2" -xzf "$packed"
    cp /etc/resolv.conf "$work/$2/etc/resolv.conf"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$work/$2/etc/hosts"
    printf '#!/bin/sh\nexit 101\n' >"$work/$2/usr/sbin/policy-rc.d"
    chmod 755 "$work/$2/usr/sbin/policy-rc.d"
}

# Whatever is started in a root ends with it: a process namespace of its own. So are its terminals. `namespaces`: further options of unshare.
namespaces=()
inside() { # NAME COMMAND...
    local root=$work/$1
    shift
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare "${namespaces[@]}" --fork --pid --mount --kill-child sh -c 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$0/dev/pts" && exec chroot "$0" "$@"' \
        "$root" env DEBIAN_FRONTEND=noninteractive "$@"
}

apt_install() { # NAME PACKAGE...
    inside "$1" sh -c 'apt-get -q update && apt-get -q -y install --no-install-recommends "$@"' apt "${@:2}" >"$work/apt.log" 2>&1 ||
        { tail -n 20 "$work/apt.log" >&2; exit 1; }
}
