#!/usr/bin/env bash
# The unit tests of another architecture, cross-built in a fresh root of Debian 12: i386 has pointers of 32 bits, s390x is big-endian
# and runs in qemu. foreign.sh ARCH
set -euo pipefail
cd "$(dirname "$0")/../.."
arch=${1:?usage: tests/packages/foreign.sh i386 | s390x}
case $arch in
i386) runner=() ;;
s390x) runner=(qemu-user-static locales) ;;
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
# shellcheck disable=SC2016 # the inner shell expands it
inside foreign sh -ec 'cd /root/tree
    /usr/share/meson/debcrossgen --arch "$1" -o cross.txt >/dev/null
    [ "$1" != s390x ] || sed -i "s|^\[binaries\]|&\nexe_wrapper = '\''/usr/bin/qemu-s390x-static'\''|" cross.txt
    meson setup build --cross-file cross.txt # -Wconversion has a word for each uint64_t that becomes a size_t of 32 bits
    meson compile -C build' \
    foreign "$arch" >"$work/build.log" 2>&1 || { grep -vE '^\[' "$work/build.log" | tail -n 60 >&2; exit 1; }

# Programs of s390x that start programs of s390x need a kernel that hands these to qemu: one of this root's own (Linux 6.7). Its locales
# have another order of bytes than the ones at hand. What qemu makes up of /proc/self has no memory in it.
# shellcheck disable=SC2016 # likewise
run_tests='cd /root/tree
    leave_out="no test"
    if [ "$1" = s390x ]; then
        localedef --big-endian --no-archive -c -i C -f UTF-8 /root/C.utf8
        export LOCPATH=/root
        leave_out=base/process
        magic="\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16"
        mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff"
        { mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc &&
            printf "%s" ":s390x:M::$magic:$mask:/usr/bin/qemu-s390x-static:" >/proc/sys/fs/binfmt_misc/register; } ||
            leave_out="$leave_out|base/log_stuck|role/child"
        echo "Left out: $leave_out"
    fi
    # What looks at the tree itself was looked at already.
    tests=$(meson test -C build --no-rebuild --list --suite unit --no-suite tree 2>/dev/null | sed "s|.* / ||" | grep -vxE "$leave_out")
    meson test -C build --no-rebuild --timeout-multiplier 10 $tests'
[ "$arch" != s390x ] || namespaces=(--user --map-root-user)
inside foreign sh -ec "$run_tests" foreign "$arch" >"$work/test.log" 2>&1 ||
    { grep -vE '^ +[0-9]+/.* OK ' "$work/test.log" | tail -n 60 >&2; exit 1; }
grep -E '^(Ok|Fail|Left out):' "$work/test.log"
