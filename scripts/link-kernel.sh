#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure that the guest kernel is built and links it into a build directory.
#   link-kernel.sh BUILD-DIRECTORY
set -euo pipefail
build=${1:?usage: link-kernel.sh BUILD-DIRECTORY}
vmlinux=$("$(dirname "$0")"/build-kernel.sh)
mkdir -p "$build/guest-init"
ln -sfn "$vmlinux" "$build/guest-init/vmlinux"
