/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "core/error.h"

/**
 * fg_kvm_device_unhide() - a /dev/kvm that QEMU's group may open, for this process only
 * @node: path for the second device node; created or replaced
 * libvirt probes QEMU with root's rights, finds KVM, and then calls the result stale whenever
 * QEMU's user cannot open the device: every start of a VM waits 9 s for a new probe. So the
 * calling thread gets a mount namespace in which /dev/kvm is another node of the same device, of
 * group @gid. Threads created later are born in it. The host's /dev stays as it is.
 * Errors: DENIED (no CAP_SYS_ADMIN or CAP_MKNOD).
 */
int fg_kvm_device_unhide(const char *node, gid_t gid, struct fg_error *err);
