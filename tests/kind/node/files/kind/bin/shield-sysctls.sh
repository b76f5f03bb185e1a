#!/bin/sh
# The kubelet sets these for the whole kernel, the machine's too: it gets files to write into instead.
set -e
mkdir -p /run/shielded
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    copy=/run/shielded/$(echo "$name" | tr / -)
    [ -e "$copy" ] || { cat "/proc/sys/$name" >"$copy" && mount --bind "$copy" "/proc/sys/$name"; }
done
