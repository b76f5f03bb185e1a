#!/usr/bin/env bash
# Makes what is handed out, in dist/: `package.sh dist` the source, `package.sh deb` a Debian package with its bill of materials.
# Made twice from the same commit, the files are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)
name=grpcroute-$version
out=$PWD/dist

fail() {
    echo "package: $1" >&2
    exit 2
}

commit_of() { git rev-parse --short=12 HEAD 2>/dev/null || fail "this is no clone of the repository: packages are made of what is committed"; }

make_dist() {
    commit_of >/dev/null
    [ -z "$(git status --porcelain --untracked-files=no)" ] || echo 'package: changes that are not committed are left out' >&2
    mkdir -p "$out"
    git archive --format=tar --prefix="$name/" HEAD | gzip -9n >"$out/$name.tar.gz.part"
    mv "$out/$name.tar.gz.part" "$out/$name.tar.gz"
    echo "==> ${out#"$PWD"/}/$name.tar.gz" >&2
}

# dpkg-buildpackage wants debian/ in the root, and a changelog: a line that leads to ours.
prepare_source() {
    local work=$1
    tar -xzf "$out/$name.tar.gz" -C "$work"
    mv "$work/$name/deploy/debian" "$work/$name/debian"
    printf 'grpcroute (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- The grpcroute authors <grpcroute@example.org>  %s\n' \
        "$version" "$(git log -1 --format=%cD)" >"$work/$name/debian/changelog"
}

make_deb() {
    local tool work
    for tool in dpkg-buildpackage dh fakeroot; do
        command -v "$tool" >/dev/null || fail "$tool is not there: apt-get install dpkg-dev debhelper fakeroot"
    done
    make_dist
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT
    prepare_source "$work"
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) # for the package and its bill
    export SOURCE_DATE_EPOCH
    (cd "$work/$name" && COMMIT=$(git -C "$out/.." rev-parse --short=12 HEAD) \
        DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage --build=binary --unsigned-changes --no-check-builddeps) \
        >"$out/deb.log" 2>&1 || { tail -n 20 "$out/deb.log" >&2; fail 'dpkg-buildpackage failed; the whole output is in dist/deb.log'; }
    deploy/sbom.py "$work/$name/debian/grpcroute/usr/bin/grpcroute" --version "$version" >"$work/$name.spdx.json"
    mv "$work"/*.deb "$work/$name.spdx.json" "$out/"
    for tool in "$out"/grpcroute_"$version"_*.deb "$out/$name.spdx.json"; do
        echo "==> ${tool#"$PWD"/}" >&2
    done
}

case ${1:-} in
dist) make_dist ;;
deb) make_deb ;;
*) fail "'${1:-}' is none of dist and deb" ;;
esac
