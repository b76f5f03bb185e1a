#!/usr/bin/env bash
# Packs a folder as an image of one layer, in the form of docker save.
#
#   tests/kind/mkimage.sh FOLDER NAME:TAG OUT.tar ENTRYPOINT     ENTRYPOINT: a JSON list
set -euo pipefail
[ $# -eq 4 ] || { echo 'usage: mkimage.sh FOLDER NAME:TAG OUT.tar ENTRYPOINT' >&2; exit 2; }
folder=$1 name=$2 out=$3 entrypoint=$4

case $(uname -m) in
    x86_64) architecture=amd64 ;;
    aarch64) architecture=arm64 ;;
    *) architecture=$(uname -m) ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX -C "$folder" -cf "$work/layer.tar" .
layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
cat >"$work/config.json" <<END
{"os": "linux", "architecture": "$architecture", "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]},
 "config": {"Entrypoint": $entrypoint, "User": "65532:65532", "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}}
END
cat >"$work/manifest.json" <<END
[{"Config": "config.json", "RepoTags": ["$name"], "Layers": ["layer.tar"]}]
END
tar -C "$work" -cf "$out" manifest.json config.json layer.tar
