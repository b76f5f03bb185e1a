#!/bin/sh
# Makes a private CA and a server certificate signed by it, for the proxy in front of the servers.
set -eu
umask 077

program=$(basename "$0")
out=$(dirname "$0")
days=825 # the longest that common TLS clients accept of a server certificate
force=no
names='DNS:localhost,IP:127.0.0.1,IP:::1,DNS:proxy-ingress'
names="$names,DNS:proxy-ingress.grpc-routing-poc"
names="$names,DNS:proxy-ingress.grpc-routing-poc.svc"
names="$names,DNS:proxy-ingress.grpc-routing-poc.svc.cluster.local"

usage() {
    cat <<EOF
Usage: $program [--out DIR] [--force] [--days N] [--san NAME]...

Makes ca.pem, ca-key.pem, cert.pem and key.pem (ECDSA P-256; keys have mode 0600).
The certificate is for localhost, 127.0.0.1, ::1 and proxy-ingress with its cluster names.

  --out DIR    where the files go (default: the directory of this script)
  --force      replace files that exist
  --days N     how long the certificates are valid (default: $days)
  --san NAME   one more DNS name or IP address; may be repeated
  --help       this text
EOF
}

fail() {
    echo "$program: $1" >&2
    exit 2
}

# An address becomes IP:..., a name DNS:...; anything else would end up in OpenSSL's configuration.
add_name() {
    case $1 in
        '') fail '--san needs a DNS name or an IP address' ;;
        *[!A-Za-z0-9.:*-]*) fail "--san '$1': expected a DNS name or an IP address" ;;
        *:*) names="$names,IP:$1" ;;
        *[!0-9.]*) names="$names,DNS:$1" ;;
        *) names="$names,IP:$1" ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
        --force) force=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        --out | --days | --san)
            [ $# -ge 2 ] || fail "$1 needs a value; see --help"
            case $1 in
                --out) out=$2 ;;
                --days) days=$2 ;;
                --san) add_name "$2" ;;
            esac
            shift
            ;;
        *) fail "unknown argument '$1'; see --help" ;;
    esac
    shift
done

case $days in
    '' | *[!0-9]* | 0* | ??????*) fail "--days '$days': expected a number from 1 to 99999" ;;
esac
[ -n "$out" ] || fail '--out needs a directory'
case $out in
    -*) out=./$out ;;
esac
command -v openssl >/dev/null 2>&1 || fail 'openssl is missing: install the package openssl'
if [ "$force" = no ]; then
    for file in ca.pem ca-key.pem cert.pem key.pem; do
        # -L: a dangling link would be overwritten, too
        if [ -e "$out/$file" ] || [ -L "$out/$file" ]; then
            fail "$out/$file exists; --force replaces it"
        fi
    done
fi

# Readable by others unless it existed; only the keys are secret.
[ -d "$out" ] || (umask 022 && mkdir -p "$out" 2>/dev/null) || fail "cannot make the directory $out"
# Beside the target, so that mv only renames.
work=$(mktemp -d "$out/.generate-certs.XXXXXX" 2>/dev/null) || fail "cannot write to $out"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

run() {
    openssl "$@" 2>"$work/log" || fail "openssl $1: $(tail -n 1 "$work/log")"
}

new_key() {
    run genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

# Without a system configuration: only what stands here goes into the certificates.
cat >"$work/config" <<EOF
[req]
distinguished_name = name
prompt = no
[name]
CN = \${ENV::CERT_CN}
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $names
EOF

new_key "$work/ca-key.pem"
new_key "$work/key.pem"
export CERT_CN='grpcroute CA'
run req -x509 -new -sha256 -config "$work/config" -extensions ca -key "$work/ca-key.pem" \
    -days "$days" -out "$work/ca.pem"
export CERT_CN='proxy-ingress'
run req -new -sha256 -config "$work/config" -key "$work/key.pem" -out "$work/request.pem"
openssl x509 -req -sha256 -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca-key.pem" \
    -CAcreateserial -extfile "$work/config" -extensions server -days "$days" \
    -out "$work/cert.pem" 2>"$work/log" || fail "OpenSSL does not accept the names $names"
run verify -CAfile "$work/ca.pem" "$work/cert.pem" >"$work/verified"

chmod 644 "$work/ca.pem" "$work/cert.pem"
for file in ca-key.pem ca.pem key.pem cert.pem; do
    mv -f "$work/$file" "$out/$file"
done
echo "Wrote ca.pem, ca-key.pem, cert.pem and key.pem to $out (valid for $days days)"
