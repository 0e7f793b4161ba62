#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Creates the unprivileged user that libvirt runs QEMU as, when it is missing: the same name and
# ids as Debian's libvirt-daemon-system, which would also bring a running daemon and a network.
set -eu

exists() {
        getent "$1" "$2" >/dev/null
}

[ "$(id -u)" = 0 ] || exit 0 # without root, QEMU runs as the caller
exists group kvm || groupadd --system kvm
exists group libvirt-qemu || groupadd --system --gid 64055 libvirt-qemu
exists passwd libvirt-qemu ||
        useradd --system --uid 64055 --gid kvm --groups libvirt-qemu --no-create-home \
                --home-dir /var/lib/libvirt --shell /usr/sbin/nologin libvirt-qemu
