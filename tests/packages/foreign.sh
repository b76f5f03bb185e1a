#!/usr/bin/env bash
# The unit tests of another architecture, cross-built in a fresh root of Debian 12: i386 has pointers of 32 bits, s390x is big-endian
# and runs in qemu. foreign.sh ARCH
set -euo pipefail
cd "$(dirname "$0")/../.."
arch=${1:?usage: tests/packages/foreign.sh i386 | s390x}
case $arch in
i386) runner=() ;;
s390x) runner=(qemu-user-static) ;;
*) echo "foreign.sh: $arch is not i386 or s390x" >&2; exit 2 ;;
esac
# shellcheck source=./root.sh
. tests/packages/root.sh

say "$arch: build the tree, run its unit tests"
root_of bookworm foreign
inside foreign dpkg --add-architecture "$arch"
apt_install foreign "crossbuild-essential-$arch" meson ninja-build pkg-config python3 openssl protobuf-compiler protobuf-c-compiler \
    "${runner[@]}" {libprotobuf-c,libnghttp2,libuv1,libssl,libcjson,libyaml,libpcre2,libevent,libcmocka}-dev:"$arch"
mkdir "$work/foreign/root/tree"
git ls-files -z --cached | tar --null -T - -cf - | tar -xf - -C "$work/foreign/root/tree"
# What looks at the tree itself was looked at already.
# shellcheck disable=SC2016 # the inner shell expands it
inside foreign sh -ec 'cd /root/tree
    /usr/share/meson/debcrossgen --arch "$1" -o cross.txt >/dev/null
    [ "$1" != s390x ] || sed -i "s|^\[binaries\]|&\nexe_wrapper = \"/usr/bin/qemu-s390x-static\"|" cross.txt
    meson setup build --cross-file cross.txt # -Wconversion has a word for each uint64_t that becomes a size_t of 32 bits
    meson compile -C build
    meson test -C build --suite unit --no-suite tree --timeout-multiplier 10' \
    foreign "$arch" >"$work/build.log" 2>&1 || { grep -vE '^\[|^ +[0-9]+/' "$work/build.log" | tail -n 60 >&2; exit 1; }
grep -E '^(Ok|Fail):' "$work/build.log"
