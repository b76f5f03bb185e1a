#!/usr/bin/env bash
# The Debian package: lintian has nothing to say, and in fresh roots of Debian 12 and 13 it installs, works, and goes without a trace.
# The source builds and passes its unit tests on Debian 13.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=./root.sh
. tests/packages/root.sh
version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)

installed_and_run() { # SUITE
    say "$1: install, run, remove"
    root_of "$1" "$1"
    cp dist/grpcroute_"$version"_*.deb "$work/$1/root/grpcroute.deb"
    apt_install "$1" /root/grpcroute.deb
    inside "$1" grpcroute --version
    inside "$1" sh -c 'cd /root && grpcroute demo >/root/demo.log 2>&1' || { tail "$work/$1/root/demo.log" >&2; exit 1; }
    apt_install "$1" systemd
    inside "$1" sh -c 'cd /lib/systemd/system && systemd-analyze verify --man=no ./grpcroute-proxy.service ./grpcroute-server@v1.service ./grpcroute-agent@v1.1.service'
    inside "$1" getent passwd grpcroute >/dev/null
    inside "$1" apt-get -q -y purge grpcroute >/dev/null 2>&1
    [ ! -e "$work/$1/usr/bin/grpcroute" ] && [ ! -e "$work/$1/usr/share/doc/grpcroute" ]
}

# Each library of Debian 13 is newer than what the package was linked with: the tests say whether the source knows them.
built_on() { # SUITE
    say "$1: build the source, run its unit tests"
    root_of "$1" build
    apt_install build gcc libc6-dev meson ninja-build pkg-config python3 openssl protobuf-compiler protobuf-c-compiler libprotobuf-c-dev \
        libnghttp2-dev libuv1-dev libssl-dev libcjson-dev libyaml-dev libpcre2-dev libevent-dev libcmocka-dev binutils procps zsh
    tar -xzf "dist/grpcroute-$version.tar.gz" -C "$work/build/root"
    # shellcheck disable=SC2016 # the inner shell expands it
    inside build sh -c 'cd "/root/$1" && meson setup build --werror && meson compile -C build && meson test -C build --suite unit --print-errorlogs' \
        build "grpcroute-$version" >"$work/build.log" 2>&1 || { grep -vE '^\[|^ *[0-9]+/.* OK ' "$work/build.log" | tail -n 60 >&2; exit 1; }
    grep -E '^(Ok|Fail):' "$work/build.log"
}

say 'make dist and make deb, twice: the files are the same'
made=("grpcroute-$version.tar.gz" "grpcroute_${version}_$(dpkg --print-architecture).deb" "grpcroute-$version.spdx.json")
make --no-print-directory dist deb
mkdir "$work/first"
cp "${made[@]/#/dist/}" "$work/first"
make --no-print-directory dist deb
for file in "${made[@]}"; do
    cmp "$work/first/$file" "dist/$file"
done
say 'lintian'
lintian --fail-on error,warning --allow-root dist/grpcroute_"$version"_*.deb
say 'bill of materials'
python3 tests/packages/bill.py "dist/grpcroute-$version.spdx.json"
for suite in bookworm trixie; do
    installed_and_run "$suite"
done
built_on trixie
say 'the packages are good'
