/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

/* Who a container's process is: ids from the image's own /etc/passwd and /etc/group. */
struct fg_user {
        uid_t uid;
        gid_t gid;
        gid_t *groups; /* for setgroups(); the first is gid */
        size_t group_count;
        char *home; /* "/" when the image does not know the user */
};

#define FG_USER_INIT ((struct fg_user){ 0 })

/**
 * fg_user_resolve() - look up "", name, uid, name:group, name:gid, uid:group or uid:gid
 * @root_fd: the container's root directory
 * @spec:    a number is always an id; "" and a missing user part are uid 0
 * @ret:     for fg_user_finish()
 * Return: 0, or -1: INVALID (unknown name, or id out of 0..2147483647), CAPACITY (file too long).
 *
 * As with Docker: an id that is in no file is taken as it is, with group 0; supplementary groups
 * come from the group file when no group was given, and only for a user the image knows.
 */
int fg_user_resolve(int root_fd, const char *spec, struct fg_user *ret, struct fg_error *err);
void fg_user_finish(struct fg_user *user);
