#!/usr/bin/env bash
# Ends the box of a state folder, however far it came: its processes, its control groups and the
# folder. A second or less.
#
#   tests/kind/down.sh STATE        nothing there is fine too
set -euo pipefail
[ $# -eq 1 ] || { echo 'usage: down.sh STATE' >&2; exit 2; }
state=$(realpath -m "$1")
. "$(dirname "$0")/lib.sh"

# Processes still on their way out keep a group busy.
remove_cgroup() { # FOLDER
    local deadline=$((SECONDS + 10))
    while [ -d "$1" ]; do
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ ! -d "$1" ] || sleep 0.05
        [ "$SECONDS" -lt "$deadline" ] || fail "$1 is still in use" 1
    done
}

[ -e "$state" ] || exit 0
[ -d "$state/log" ] || fail "$state is no folder of dockerd.sh"
for file in "$state"/*.process; do
    [ ! -e "$file" ] || end_remembered "$file"
done
if [ -e "$state/cgroups" ]; then
    while read -r _ folder; do
        remove_cgroup "$folder"
    done <"$state/cgroups"
fi
[ ! -e "$state/no-modules" ] || rmdir /lib/modules 2>/dev/null || true
rm -rf "$state"
