#!/usr/bin/env bash
# Builds the programs of a one-node Kubernetes from Go modules into .cache/cluster/bin: kubectl, API server, controller
# manager, scheduler, kubelet, kube-proxy, etcd, the CNI plugins and CoreDNS. Quick when nothing changed.
#
#   tests/cluster/build.sh        five minutes on two cores the first time; Go 1.25 or newer on PATH
set -euo pipefail
cd "$(dirname "$0")"

bin=$PWD/../../.cache/cluster/bin
stamp=$bin/version
log=$bin/../build.log
kubernetes=1.33.13

want=$(cat build.sh ./*/go.mod ./*/go.sum ./*/main.go | sha256sum | cut -d' ' -f1)
[ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && exit
mkdir -p "$bin"
bin=$(realpath "$bin")
echo "==> building Kubernetes $kubernetes in .cache/cluster (about five minutes, once)" >&2

build() { # FOLDER OUTPUT LDFLAGS PACKAGE...
    (cd "$1" && CGO_ENABLED=0 GOFLAGS='-buildvcs=false -trimpath -mod=readonly' \
        nice -n 19 go build -o "$2" -ldflags "-s -w $3" "${@:4}") >"$log" 2>&1 || {
        tail -n 8 "$log" >&2
        echo "build.sh: building ${*:4} failed; the whole output is in .cache/cluster/build.log" >&2
        exit 2
    }
}

version=k8s.io/component-base/version
build kubernetes "$bin/kube" "-X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 \
-X $version.gitMinor=33 -X $version.gitTreeState=clean" .
for name in kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
    ln -sf kube "$bin/$name"
done
build kubernetes "$bin/etcd" '' go.etcd.io/etcd/server/v3
plugins=github.com/containernetworking/plugins/plugins
build kubernetes "$bin/" '' $plugins/main/bridge $plugins/main/loopback $plugins/ipam/host-local
build coredns "$bin/coredns" '' .
echo "$want" >"$stamp"
