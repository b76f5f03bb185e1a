#!/usr/bin/env bash
# Fails when an include points up or sideways, a library's header is seen outside its folder, or a banned function is called.
set -euo pipefail
cd "${1:-$(dirname "$0")/../../src}"

layers=(base net h2 rpc route cli role) # bottom to top
proxies=(relay admin)                    # above these, below the proxy
roles=(agent server proxy check bench demo failover limits render)
failed=0

complain() { echo "layers: $*" >&2; failed=1; }

# What a folder may include, as words.
allowed() {
    case $1 in
    base | cli) echo "base $1" ;;
    h2) echo "base h2" ;;
    relay) echo "base net h2 rpc route relay" ;;
    admin) echo "base net h2 rpc route relay admin" ;;
    proxy) echo "${layers[*]} relay admin proxy" ;;
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

# Every include between quotes is "folder/file.h", with a folder from the list above.
while IFS=: read -r file line; do
    folder=${file#./} included=${line#*\"}
    folder=${folder%%/*} included=${included%%\"*}
    case $included in
    [a-z]*/*) included=${included%%/*} ;;
    *.pb-c.h) continue ;; # generated; where it may be seen is checked below
    *) complain "$file includes \"$included\", which is not \"folder/file.h\"" && continue ;;
    esac
    case " ${layers[*]} ${proxies[*]} ${roles[*]} " in
    *" $folder "*) ;;
    *) complain "$file is in a folder that has no place among the layers" && continue ;;
    esac
    case " $(allowed "$folder") " in
    *" $included "*) ;;
    *) complain "$file includes $included/" ;;
    esac
done < <(grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' ./*/*.[ch])

only_in() { # PATTERN FOLDERS
    local hits
    hits=$(grep -lE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$1" ./*/*.[ch] ./*.c |
        grep -vE "^\./($2)/" || true)
    [ -z "$hits" ] || complain "$1 is included by $hits"
}
only_in 'nghttp2/' h2
only_in 'openssl/' net
only_in '(uv\.h|uv/)' 'net|rpc|role|agent|server|relay|admin|proxy|check|bench|demo|failover|limits|render'
only_in 'sys/socket' 'net|relay|proxy'
only_in 'protobuf-c' rpc
only_in '[a-z_]*\.pb-c\.h' rpc
only_in 'event2/' net
only_in 'yaml\.h' route
only_in 'pcre2' route
only_in '(cjson/)?cJSON' 'cli|role|agent|server|admin|check|bench|demo|failover|limits|render'

# Unsafe with a peer's bytes, or the end of a program that main alone decides on.
banned='(^|[^a-zA-Z0-9_])(atoi|atol|atof|strcpy|strcat|sprintf|vsprintf|strtok|gets|scanf|system|exit)[ \t]*\('
hits=$(awk -v banned="${banned//\\/\\\\}" '{
    code = $0
    gsub(/\/\*.*\*\//, "", code)
    sub(/\/\/.*/, "", code)
    if (code !~ /^[ \t]*\/?\*/ && code ~ banned)
        print FILENAME ":" FNR ":" $0
}' ./*/*.[ch] ./*.c)
[ -z "$hits" ] || complain "banned function:"$'\n'"$hits"

exit "$failed"
