#!/usr/bin/env bash
# Makes the image of the node that kind starts, from what build.sh built. In the box; three minutes, once.
#
#   tests/kind/in.sh STATE tests/kind/node.sh
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
bin=$cache/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

logged() { # WHAT COMMAND...
    "${@:2}" >"$work/log" 2>&1 || { tail -n 15 "$work/log" >&2; fail "$1 failed" 1; }
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

debian() {
    nice -n 19 debootstrap --variant=minbase bookworm "$work/debian" &&
        rm -rf "$work/debian/var/cache/apt" "$work/debian/var/lib/apt/lists" &&
        tar -C "$work/debian" -c . | docker import - debian:12-slim
}

context() {
    local name
    mkdir -p "$work/context/bin"
    cp -r node/. "$work/context"
    cp -r "$cache/files/." "$work/context/files/"
    cp -r node/files/. "$work/context/files/" # ours win
    cp -P "$bin"/{kube,kubectl,kubeadm,etcd,coredns,kube-router,crictl,ptp,loopback,host-local,portmap} "$work/context/bin/"
    for name in kubelet pause kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
        ln -s kube "$work/context/bin/$name"
    done
    printf 'v%s' $kubernetes >"$work/context/version"
}

# The names that kubeadm, containerd and our manifest know parts of the control plane by: all are one image, but for what it runs.
names() {
    "$bin/kubeadm" config images list --kubernetes-version v$kubernetes
    sed -n 's/.*sandbox_image = "\(.*\)"/\1/p' "$cache/files/etc/containerd/config.toml"
    echo local/kube-router:1
}

save_programs() {
    local name tags=()
    docker build --tag node-programs --target programs "$work/context"
    printf 'FROM node-programs\nENTRYPOINT ["coredns"]\n' | docker build --tag node-coredns -
    printf 'FROM node-programs\nUSER 65535:65535\nENTRYPOINT ["pause"]\n' | docker build --tag node-pause -
    while read -r name; do
        case $name in
            */pause:*) docker tag node-pause "$name" ;;
            */coredns:*) docker tag node-coredns "$name" ;;
            *) docker tag node-programs "$name" ;;
        esac
        tags+=("$name")
    done < <(names | sort -u)
    docker save --output "$work/context/images.tar" "${tags[@]}"
    docker rmi "${tags[@]}"
}

want=$(find "$bin/version" node.sh node -type f | sort | xargs cat | sha256sum | cut -d' ' -f1)
[ "$(docker image inspect --format '{{.Config.Labels.version}}' "$node_image" 2>/dev/null)" != "$want" ] || exit 0
echo "==> making the image of a kind node (about three minutes, once)" >&2
has_image debian:12-slim || logged 'debootstrap' debian
context
logged 'docker build of the programs' save_programs
logged 'docker build of the node' docker build --tag "$node_image" --target node --label "version=$want" "$work/context"
