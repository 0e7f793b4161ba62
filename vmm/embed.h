/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"
#include "vmm/qemu_user.h"

/*
 * libvirt's QEMU driver inside this process: no daemon to install, and everything it keeps lies
 * below one directory, its root.
 */

/** fg_embed_prepare() - make @root with the driver's configuration, and without state from before
    a reboot; @limits: use memory cgroups. */
int fg_embed_prepare(const char *root, const struct fg_qemu_user *user, bool limits,
                     struct fg_error *err);
/** fg_embed_uri() - heap string */
char *fg_embed_uri(const char *root);

/**
 * fg_memory_cgroup_usable() - whether libvirt can limit a VM's memory through cgroups
 * @root: "/sys/fs/cgroup"; version 1, 2, and both together are understood
 */
bool fg_memory_cgroup_usable(const char *root);
