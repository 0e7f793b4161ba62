/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"
#include "vmm/qemu_user.h"

/*
 * libvirt's QEMU driver inside this process: no daemon to install, and everything it keeps lies
 * below one directory, its root.
 */

/**
 * fg_embed_prepare() - make @root with the driver's configuration
 * @limits: use memory cgroups
 *
 * Removes state from before a reboot, and what a driver killed at the wrong moment left of VMs that
 * it had not begun to know. Before the driver is opened.
 */
int fg_embed_prepare(const char *root, const struct fg_qemu_user *user, bool limits,
                     struct fg_error *err);
/**
 * fg_embed_forget() - remove everything the driver keeps about a VM that has ended
 * libvirt does this itself, except where it was killed in the middle of a start or an end, and
 * except for the log.
 */
int fg_embed_forget(const char *root, const char *id, struct fg_error *err);
/**
 * fg_embed_forget_ended() - the same of all VMs of which @ended says so
 * For the end of the driver's life, when it may be about to write of VMs that it has seen end.
 */
void fg_embed_forget_ended(const char *root, bool (*ended)(void *userdata, const char *id),
                           void *userdata);
/** fg_embed_uri() - heap string */
char *fg_embed_uri(const char *root);

/**
 * fg_cgroup_usable() - whether libvirt can limit a VM through a controller, "memory" or "cpu"
 * @root: "/sys/fs/cgroup"; version 1, 2, and both together are understood
 */
bool fg_cgroup_usable(const char *root, const char *controller);
