#!/usr/bin/env bash
# Makes a CA and a server certificate for the proxy: ca.pem, ca-key.pem, cert.pem, key.pem (ECDSA P-256).
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: generate-certs.sh [--out DIR] [--days N] [--san NAME]... [--force]

Makes a CA and a server certificate with the names localhost, 127.0.0.1, ::1, proxy-ingress and its names in the
cluster, and any further --san (a DNS name or an address). Keys get mode 0600. Existing files are kept unless
--force is given.
TEXT
}

fail() { echo "generate-certs: $*" >&2; exit 2; }

out=$(dirname "$0")
days=365
force=no
names=(localhost proxy-ingress proxy-ingress.grpc-routing-poc proxy-ingress.grpc-routing-poc.svc
    proxy-ingress.grpc-routing-poc.svc.cluster.local 127.0.0.1 ::1)
while [ $# -gt 0 ]; do
    case $1 in
    --out) [ $# -gt 1 ] || fail "--out needs a directory"; out=$2; shift ;;
    --days) [ $# -gt 1 ] || fail "--days needs a number"; days=$2; shift ;;
    --san) [ $# -gt 1 ] || fail "--san needs a name"; names+=("$2"); shift ;;
    --force) force=yes ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown argument $1; see --help" ;;
    esac
    shift
done
[[ $days =~ ^[1-9][0-9]{0,3}$ ]] || fail "--days: \"$days\" is not a number from 1 to 9999"
command -v openssl >/dev/null || fail "openssl is not installed (Debian package openssl)"
[ -d "$out" ] || fail "$out is not a directory"

files=(ca.pem ca-key.pem cert.pem key.pem)
if [ "$force" = no ]; then
    for file in "${files[@]}"; do
        [ ! -e "$out/$file" ] || fail "$out/$file exists; --force overwrites it"
    done
fi

san=
for name in "${names[@]}"; do
    if [[ $name == *:* || $name =~ ^[0-9]+(\.[0-9]+){3}$ ]]; then
        san+="${san:+,}IP:$name"
    elif [[ $name =~ ^[A-Za-z0-9*]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
        san+="${san:+,}DNS:$name"
    else
        fail "--san: \"$name\" is neither a DNS name nor an address"
    fi
done

umask 077
work=$(mktemp -d "$out/.certs.XXXXXX")
trap 'rm -rf "$work"' EXIT

new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>"$work/log" ||
    openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

new_key "$work/ca-key.pem"
openssl req -x509 -new -key "$work/ca-key.pem" -days "$days" -subj "/CN=grpcroute CA" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$work/ca.pem"
new_key "$work/key.pem"
openssl req -new -key "$work/key.pem" -subj "/CN=proxy-ingress" -out "$work/request.pem"
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$san" >"$work/extensions"
openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca-key.pem" -CAcreateserial \
    -days "$days" -sha256 -extfile "$work/extensions" -out "$work/cert.pem" 2>"$work/log"

chmod 0644 "$work/ca.pem" "$work/cert.pem"
for file in "${files[@]}"; do
    mv -f "$work/$file" "$out/$file"
done
echo "Wrote ${files[*]} into $out, valid for $days days, for $san"
