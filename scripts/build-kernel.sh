#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the guest kernel (an uncompressed, stripped PVH vmlinux) from Debian's linux-source
# package into a cache outside the tree, keyed by everything that goes into it. Prints its path
# on stdout; all else goes to stderr.
#   build-kernel.sh [--path]        --path: only print where it is or would be
set -euo pipefail
export LC_ALL=C

package=linux-source-6.1
tarball=/usr/src/$package.tar.xz
expected_steps=1590 # compiler steps of one build, for the progress line only
here=$(cd "$(dirname "$0")" && pwd)
fragment=$here/../guest-init/kernel.config
cache=${FGRUN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fgrun}/kernel
jobs=${JOBS:-$(nproc)}

die() {
        echo "build-kernel: $*" >&2
        exit 1
}

version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) && [ -r "$tarball" ] ||
        die "no $tarball: apt-get install $package"
key=$({
        cat "$fragment" "$0"
        echo "$version"
        gcc --version | head -n 1
} | sha256sum | cut -d ' ' -f 1)
vmlinux=$cache/$key/vmlinux

if [ "${1-}" = --path ]; then
        echo "$vmlinux"
        exit 0
fi
[ $# = 0 ] || die "usage: build-kernel.sh [--path]"

# Counts the build's output lines: one line that changes on a terminal, one per 10 % elsewhere.
progress() {
        local n=0 percent last=0 line
        while IFS= read -r line; do
                n=$((n + 1))
                percent=$((n * 100 / expected_steps))
                [ $percent -lt 100 ] || percent=99
                [ $percent -gt $last ] || continue
                if [ -t 2 ]; then
                        printf '\rguest kernel: %d %%' $percent >&2
                elif [ $((percent / 10)) -gt $((last / 10)) ]; then
                        echo "guest kernel: $percent %" >&2
                fi
                last=$percent
        done
        [ ! -t 2 ] || printf '\r%20s\r' '' >&2
        echo "guest kernel: built in $SECONDS s ($n steps)" >&2
}

# Every line of the fragment must be in the final configuration; kconfig drops what it cannot
# have without a word.
check_config() {
        local tree=$1 line symbol bad=0
        find "$tree" -name 'Kconfig*' -exec grep -hoE '^[[:space:]]*(menu)?config [A-Z0-9_]+' {} + |
                awk '{ print $2 }' | sort -u >"$tree/.symbols"
        while IFS= read -r line; do
                symbol=$(sed -nE 's/^(# )?CONFIG_([A-Z0-9_]+)(=.*| is not set)$/\2/p' <<<"$line")
                [ -n "$symbol" ] || continue
                if ! grep -qx "$symbol" "$tree/.symbols"; then
                        echo "build-kernel: no such symbol: $symbol" >&2
                elif [ "${line#\#}" = "$line" ] && ! grep -qxF "$line" "$tree/.config"; then
                        echo "build-kernel: asked for $line, got" \
                                "$(grep -w "CONFIG_$symbol" "$tree/.config" || echo nothing)" >&2
                elif [ "${line#\#}" != "$line" ] && grep -q "^CONFIG_$symbol=" "$tree/.config"; then
                        echo "build-kernel: $symbol is on although the fragment forbids it" >&2
                else
                        continue
                fi
                bad=1
        done <"$fragment"
        [ $bad = 0 ] || die "the configuration is not the one asked for"
}

mkdir -p "$cache"
exec 9>"$cache/$key.lock"
flock 9 # a second build waits for the first and then finds its result
if [ ! -e "$vmlinux" ]; then
        build=$(mktemp -d "$cache/.build.XXXXXX")
        trap 'rm -rf "$build"' EXIT
        echo "guest kernel: unpacking $package $version" >&2
        tar -C "$build" -xJf "$tarball" --exclude="$package/arch/*/boot/dts/*" \
                --exclude="$package/tools/testing/*"
        tree=$build/$package
        make=(make -C "$tree" ARCH=x86_64 "KBUILD_BUILD_TIMESTAMP=1970-01-01 00:00:00 UTC"
                KBUILD_BUILD_USER=fgrun KBUILD_BUILD_HOST=fgrun)
        "${make[@]}" -s KCONFIG_ALLCONFIG="$(realpath "$fragment")" allnoconfig >/dev/null
        check_config "$tree"
        "${make[@]}" -j "$jobs" vmlinux 2>"$build/errors" | progress ||
                die "make failed: $(tail -n 20 "$build/errors")"
        mkdir "$build/out"
        strip -s -o "$build/out/vmlinux" "$tree/vmlinux"
        readelf -n "$build/out/vmlinux" | grep -q Xen || die "the image has no PVH entry note"
        cp "$tree/.config" "$build/out/config"
        mv -T "$build/out" "$cache/$key"
fi
echo "$vmlinux"
