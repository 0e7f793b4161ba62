/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/* The guest's own mounts; a container's are in rootfs.h. */

#define FG_SCRATCH_DEVICE     "/dev/vda"
#define FG_SCRATCH            "/run/scratch"
#define FG_SCRATCH_IMAGES     FG_SCRATCH "/images"
#define FG_SCRATCH_CONTAINERS FG_SCRATCH "/containers"
#define FG_SCRATCH_VOLUMES    FG_SCRATCH "/volumes"
#define FG_SCRATCH_ETC        FG_SCRATCH "/etc"

/**
 * fg_mounts_init() - leave the initramfs for a tmpfs and mount the kernel's file systems
 * pivot_root(2), which containers need, refuses to work on the initramfs itself.
 */
int fg_mounts_init(struct fg_error *err);
/** fg_mounts_scratch() - mount the task's disk at FG_SCRATCH and make its directories */
int fg_mounts_scratch(const char *device, struct fg_error *err);
/** fg_mounts_loopback() - bring the loopback interface up */
int fg_mounts_loopback(struct fg_error *err);
