#!/usr/bin/env bash
# Fails when an include points up or sideways, a library's header is seen outside its folder, or a banned function is called.
set -euo pipefail
cd "$(dirname "$0")/../../src"

layers=(base net h2 rpc route cli) # bottom to top
roles=(agent server proxy check bench demo render)
failed=0

complain() { echo "layers: $*" >&2; failed=1; }

# What a folder may include, as words.
allowed() {
    case $1 in
    base | cli) echo "base $1" ;;
    h2) echo "base h2" ;;
    *)
        local layer below=""
        for layer in "${layers[@]}"; do
            below="$below $layer"
            [ "$layer" = "$1" ] && break
        done
        echo "$below $1"
        ;;
    esac
}

for folder in "${layers[@]}" "${roles[@]}"; do
    ls "$folder"/*.[ch] >/dev/null 2>&1 || continue
    may=" $(allowed "$folder") "
    while IFS=: read -r file included; do
        case "$may" in
        *" $included "*) ;;
        *) complain "$file includes $included/" ;;
        esac
    done < <(grep -HoE '^#include "[a-z0-9]+/' "$folder"/*.[ch] | sed -E 's/:#include "([a-z0-9]+)\//:\1/')
done

only_in() { # PATTERN FOLDERS
    local hits
    hits=$(grep -lE "^#include [<\"]$1" ./*/*.[ch] ./*.c | grep -vE "^\./($2)/" || true)
    [ -z "$hits" ] || complain "$1 is included by $hits"
}
only_in 'nghttp2/' h2
only_in 'openssl/' net
only_in 'sys/socket' 'net|proxy'
only_in 'protobuf-c' rpc
only_in '[a-z_]*\.pb-c\.h' rpc
only_in 'microhttpd' net
only_in 'yaml\.h' route
only_in 'pcre2' route

banned='\b(atoi|atol|strcpy|strcat|sprintf|vsprintf|strtok|gets|system|exit)\('
hits=$(grep -nE "$banned" ./*/*.[ch] ./*.c | grep -vE '^\./[^:]*:[0-9]+:\s*(/?\*|//)' || true)
[ -z "$hits" ] || complain "banned function:"$'\n'"$hits"

exit "$failed"
