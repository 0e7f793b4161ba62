#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole suite: ordinary build, sanitizer builds, and that nothing is left behind afterwards.
# The last line is "N passed, N failed, N skipped".
#   check.sh BUILD-DIRECTORY
set -uo pipefail
build=${1:?usage: check.sh BUILD-DIRECTORY}
cd "$(dirname "$0")/.."
exec 9>"/tmp/fgrun-check.lock"
flock 9 # two suites at once would see each other's processes as left over

logs=()
failed_steps=0

step() { # NAME COMMAND...: something that has to work before tests can run
        echo "== $1"
        "${@:2}" && return
        echo "check: $1 failed" >&2
        failed_steps=$((failed_steps + 1))
        return 1
}

tests() { # BUILD SUITE...: run suites, remember where meson keeps the results
        local dir=$1 suites=()
        shift
        for suite in "$@"; do suites+=(--suite "$suite"); done
        echo "== $dir: $*"
        rm -f "$dir/meson-logs/testlog.json"
        # Address space randomisation beyond 28 bits breaks the shadow memory of gcc 12's sanitizers.
        setarch -R meson test -C "$dir" --no-rebuild --print-errorlogs "${suites[@]}" --num-processes 2
        logs+=("$dir/meson-logs/testlog.json")
}

# What needs only CPU takes it where tests that run alone leave a core idle.
declare -A aside aside_log
beside() { # NAME COMMAND...: start it; its output is seen where it is waited for
        aside_log[$1]=$(mktemp)
        (
                renice -n 19 -p "$BASHPID" >/dev/null
                "${@:2}"
        ) >"${aside_log[$1]}" 2>&1 &
        aside[$1]=$!
}

finished() { # NAME: wait for what runs beside
        local pid=${aside[$1]:?}
        unset "aside[$1]"
        wait "$pid"
        local status=$?
        cat "${aside_log[$1]}"
        return $status
}

configure() { # BUILD OPTION...
        [ -e "$1/build.ninja" ] || meson setup "$@" >"/tmp/fgrun-setup.$$" ||
                { cat "/tmp/fgrun-setup.$$"; rm -f "/tmp/fgrun-setup.$$"; return 1; }
        rm -f "/tmp/fgrun-setup.$$"
        meson compile -C "$1"
}

sanitizers() {
        configure "$build-asan" -Db_sanitize=address,undefined -Db_lundef=false -Dguest=false &&
                configure "$build-tsan" -Db_sanitize=thread -Db_lundef=false -Dguest=false
}

tidy() {
        meson test -C "$build" --no-rebuild --print-errorlogs --suite tidy --logbase tidylog
}

before=$(mktemp)
trap 'rm -f "$before" "${aside_log[@]}"; [ ${#aside[@]} = 0 ] || kill "${aside[@]}" 2>/dev/null' EXIT
/usr/bin/python3 tests/leftovers.py snapshot >"$before"

step "build" configure "$build" && beside sanitizers sanitizers && beside tidy tidy &&
        step "guest kernel" scripts/link-kernel.sh "$build" &&
        step "demo image" scripts/demo-image.sh "$build/demo/hello" &&
        tests "$build" unit golden fuzz lint component vm e2e kvm
if [ -n "${aside[sanitizers]:-}" ]; then
        if step "build with sanitizers" finished sanitizers; then
                tests "$build-asan" unit golden fuzz component
                tests "$build-tsan" unit component
        fi
        echo "== $build: tidy"
        finished tidy
        logs+=("$build/meson-logs/tidylog.json")
fi

echo "== left behind"
/usr/bin/python3 tests/leftovers.py compare "$before" || failed_steps=$((failed_steps + 1))
/usr/bin/python3 tests/summary.py "$failed_steps" "${logs[@]}"
