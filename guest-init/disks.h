/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"
#include "guest-init/loop.h"

/* Disks that hold prepared images. One may come while the guest runs; the kernel says so. */
#define FG_DISKS_MAX       3
#define FG_DISK_SERIAL_MAX 64

struct fg_disks {
        struct fg_loop *loop;
        struct fg_source events; /* of the kernel's devices; fd -1: not open */
        struct fg_timer patience;
        bool late;     /* a disk was waited for in vain */
        bool complete; /* the host has no more to give: what is not there will not come */
        char mounted[FG_DISKS_MAX][FG_DISK_SERIAL_MAX];
        size_t n_mounted;
};

/**
 * fg_disks_mount() - mount the disk of that serial number, an unpacked image, at @dir (made)
 * Once mounted, it stays so, and is told of at once.
 * Return: 1, or 0: it is not there yet, the loop will wake the caller when there is news; or -1
 */
int fg_disks_mount(struct fg_disks *d, const char *serial, const char *dir, struct fg_error *err);
