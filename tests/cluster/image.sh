#!/usr/bin/env bash
# Makes the images that the manifests name, as tars for load.sh, without pulling anything. grpcroute's is built from the
# Dockerfile; Envoy's and Traefik's are packed from the programs that tests/tool/setup.sh installed, with their libraries.
#
#   tests/cluster/image.sh [grpcroute] [envoy] [traefik]      all three without a name; into .cache/cluster/images
#
# grpcroute: 40 s, the first time 2 minutes; with the docker of DOCKER_HOST, or one of its own that ends with this script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
images=$PWD/.cache/cluster/images
version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)
work=$(mktemp -d)
state=$work/docker
. "$here/lib.sh"

own_docker() {
    "$here/dockerd.sh" "$state" >&2
    export DOCKER_HOST=unix://$state/docker.sock
}

grpcroute() {
    [ -n "${DOCKER_HOST:-}" ] || own_docker
    docker build --network host --tag "grpcroute:$version" . >"$work/build.log" 2>&1 || {
        tail -n 20 "$work/build.log" >&2
        fail 'docker build failed' 1
    }
    docker save "grpcroute:$version" >"$images/grpcroute.tar"
}

# A program under /usr/local/bin, with the libraries and the loader that it names.
pack() { # NAME IMAGE PROGRAM
    local root=$work/$1 library
    [ -x "$3" ] || fail "there is no $3; run tests/tool/setup.sh test"
    mkdir -p "$root/usr/local/bin" "$root/etc" "$root/tmp"
    cp "$3" "$root/usr/local/bin/$1"
    for library in $(ldd "$3" 2>/dev/null | grep -o '/[^ ]*'); do
        cp --parents --dereference "$library" "$root"
    done
    echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
    "$here/mkimage.sh" "$root" "$2" "$images/$1.tar" "[\"/usr/local/bin/$1\"]"
}

envoy() { pack envoy envoyproxy/envoy:v1.40.0 "$(echo .cache/venv/lib/python3*/site-packages/envoy/_bin/envoy)"; }
traefik() { pack traefik traefik:v3.6.12 .cache/bin/traefik; }

for name in "$@"; do
    case $name in
        grpcroute | envoy | traefik) ;;
        *) fail "'$name' is none of grpcroute, envoy and traefik" ;;
    esac
done
trap '"$here/down.sh" "$state"; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$images"
[ $# -gt 0 ] || set -- grpcroute envoy traefik
for name in "$@"; do
    "$name"
    echo "image.sh: $images/$name.tar, $(($(stat -c %s "$images/$name.tar") / 1000000)) MB"
done
