#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the named sections of packages.txt that are missing.
# usage: scripts/packages.sh SECTION...
set -eu

list=$(dirname "$0")/../packages.txt

fail() {
        echo "packages: $*" >&2
        exit 1
}

# The names in [$1], one per line.
section() {
        awk -v want="[$1]" '
                { sub(/#.*/, ""); gsub(/[ \t]/, "") }
                /^\[/ { inside = $0 == want; found = found || inside; next }
                inside && length { print }
                END { exit !found }' "$list" || fail "packages.txt has no section [$1]"
}

# Of the names on stdin, those that are not installed.
missing() {
        while read -r name; do
                status=$(dpkg-query -W -f '${db:Status-Status} ' "$name" 2>/dev/null) || status=
                case " $status" in
                *" installed "*) ;;
                *) echo "$name" ;;
                esac
        done
}

install() {
        DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" \
                -o Dpkg::Use-Pty=0 --no-install-recommends install $need
}

[ $# -gt 0 ] || fail "usage: $0 SECTION..."
command -v dpkg-query >/dev/null || fail "this needs Debian's dpkg; install by hand: $list"

names=
for s in "$@"; do
        names="$names $(section "$s")"
done
need=$(printf '%s\n' $names | sort -u | missing)
if [ -z "$need" ]; then
        echo "packages: nothing missing ($*)"
        exit 0
fi

echo "packages: installing" $need
[ "$(id -u)" = 0 ] || fail "not root; run as root:  apt-get install" $need
command -v apt-get >/dev/null || fail "apt-get not found; install by hand:" $need

# The lists of available packages may be empty (fresh container) or too old (404 on download).
if ! install -s >/dev/null 2>&1 || ! install; then
        apt-get -q update || fail "apt-get update failed"
        install || fail "could not install:" $need
fi
