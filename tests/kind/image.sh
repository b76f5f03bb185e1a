#!/usr/bin/env bash
# Brings the proxies' images, which users' kind pulls, into Docker: packed from the programs that tests/tool/setup.sh installed,
# with their libraries, under the names that the manifests have. In the box; ten seconds.
#
#   tests/kind/in.sh STATE tests/kind/image.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
. "$here/lib.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A program under /usr/local/bin, with the libraries and the loader that it names.
pack() { # NAME PROGRAM
    local root=$work/$1 image library
    [ -x "$2" ] || fail "there is no $2; run tests/tool/setup.sh test"
    image=$(sed -n "s/^ *image: \(.*$1:.*\)/\1/p" "deploy/$1/proxy.yaml")
    mkdir -p "$root/usr/local/bin" "$root/etc" "$root/tmp"
    cp "$2" "$root/usr/local/bin/$1"
    for library in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
        cp --parents --dereference "$library" "$root"
    done
    echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
    "$here/mkimage.sh" "$root" "$image" "$work/$1.tar" "[\"/usr/local/bin/$1\"]"
    docker load --quiet --input "$work/$1.tar"
}

pack envoy "$(echo .cache/venv/lib/python3*/site-packages/envoy/_bin/envoy)"
pack traefik .cache/bin/traefik
