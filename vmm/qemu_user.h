/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "core/error.h"

#define FG_QEMU_USER "libvirt-qemu" /* built into libvirt, which fails without it */

/* Whom QEMU runs as: FG_QEMU_USER when we are root, else ourselves. */
struct fg_qemu_user {
        bool separate; /* not ourselves: files must be made reachable */
        uid_t uid;
        gid_t gid;     /* the group of that name; nobody else is in it */
        gid_t kvm_gid; /* the user's login group, on Debian kvm */
};

/** fg_qemu_user_get() - NOT_FOUND when we are root and there is no such user. */
int fg_qemu_user_get(struct fg_qemu_user *ret, struct fg_error *err);
/** fg_qemu_user_reaches() - DENIED, naming the directory, when QEMU cannot get to @path. */
int fg_qemu_user_reaches(const struct fg_qemu_user *user, const char *path, struct fg_error *err);
/** fg_qemu_user_mkdir() - make @path, searchable by QEMU and by nobody else but us. */
int fg_qemu_user_mkdir(const struct fg_qemu_user *user, const char *path, struct fg_error *err);
