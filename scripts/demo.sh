#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demonstration: a small real image, run in a microVM of its own.
#   demo.sh BUILD-DIRECTORY
set -euo pipefail
build=${1:?usage: demo.sh BUILD-DIRECTORY}
cd "$(dirname "$0")/.."
[ -e "$build/demo/hello/index.json" ] || scripts/demo-image.sh "$build/demo/hello"
echo "host kernel: $(uname -r)"
exec "$build/cli/fgrun" run --phases examples/hello.json
