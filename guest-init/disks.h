/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"
#include "guest-init/loop.h"

/* Disks that hold prepared images. One may come while the guest runs; the kernel says so. */
struct fg_disks {
        struct fg_loop *loop;
        struct fg_source events; /* of the kernel's devices; fd -1: not open */
        struct fg_timer patience;
        bool late; /* a disk was waited for in vain */
};

/**
 * fg_disks_mount() - mount the disk of that serial number, an unpacked image, at @dir (made)
 * Return: 1, or 0: it is not there yet, the loop will wake the caller when there is news; or -1
 */
int fg_disks_mount(struct fg_disks *d, const char *serial, const char *dir, struct fg_error *err);
