/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"
#include "guest-init/start.h"

/**
 * fg_rootfs_enter() - make the container's root and every mount in it, and make it this process's
 * Called in the container's namespaces. Names in an image are only ever resolved after the root
 * has been changed, so none of them leads out: what comes from outside is opened before.
 */
int fg_rootfs_enter(const struct fg_start *s, struct fg_error *err);
/** fg_rootfs_finish() - in it, when the task is known: working directory, read-only root */
int fg_rootfs_finish(const struct fg_start *s, struct fg_error *err);
