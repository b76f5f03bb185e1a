#!/usr/bin/env bash
# Builds kind, kubectl and the programs of a node from Go modules into .cache/kind/bin. Quick when nothing changed.
#
#   tests/kind/build.sh        ten minutes on two cores the first time; Go 1.25 or newer on PATH
set -euo pipefail
cd "$(dirname "$0")"
. ./lib.sh
bin=$cache/bin
log=$cache/build.log
kind=0.33.0 kube_router=2.1.0 crictl=1.34.0 gateway_api=1.4.0

want=$(cat build.sh lib.sh ./*/go.mod ./*/go.sum ./*/main.go | sha256sum | cut -d' ' -f1)
[ "$(cat "$bin/version" 2>/dev/null)" = "$want" ] && exit
mkdir -p "$bin"
echo "==> building kind $kind and Kubernetes $kubernetes in .cache/kind (about ten minutes, once)" >&2
export CGO_ENABLED=0

run() { # COMMAND...
    nice -n 19 "$@" >"$log" 2>&1 || {
        tail -n 8 "$log" >&2
        fail "${*:1:2} failed (${*: -1}); the whole output is in .cache/kind/build.log"
    }
}

build() { # FOLDER OUTPUT LDFLAGS PACKAGE...
    (cd "$1" && GOFLAGS='-buildvcs=false -trimpath -mod=readonly' run go build -o "$2" -ldflags "-s -w $3" "${@:4}")
}

install() { # PACKAGE@VERSION
    (cd / && GOBIN=$bin GOFLAGS='-buildvcs=false -trimpath' run go install -ldflags '-s -w' "$1")
}

copy() { # MODULE@VERSION FOLDER TO
    local module
    module=$(cd / && GOFLAGS='' go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    rm -rf "${cache:?}/$3"
    cp -r "$module/$2" "$cache/$3"
    chmod -R u+w "$cache/$3"
}

version=k8s.io/component-base/version
build kube "$bin/kube" "-X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=33 \
-X $version.gitTreeState=clean" .
ln -sf kube "$bin/kubectl"
ln -sf kube "$bin/kubeadm"
build kube "$bin/etcd" '' go.etcd.io/etcd/server/v3
plugins=github.com/containernetworking/plugins/plugins
build kube "$bin/" '' $plugins/main/ptp $plugins/main/loopback $plugins/ipam/host-local $plugins/meta/portmap
build coredns "$bin/coredns" '' .
install github.com/cloudnativelabs/kube-router/v2/cmd/kube-router@v$kube_router
install sigs.k8s.io/cri-tools/cmd/crictl@v$crictl
install sigs.k8s.io/kind@v$kind
copy "sigs.k8s.io/kind@v$kind" images/base/files files # of kind's own node image, which is Debian with them
copy "sigs.k8s.io/gateway-api@v$gateway_api" config/crd/standard gateway-api
echo "$want" >"$bin/version"
