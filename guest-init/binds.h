/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "guest-init/start.h"

/*
 * Everything of a container that is mounted below its root: device nodes, /etc/hosts and its kin,
 * volumes, tmpfs. Opened while the guest's own files can be seen, mounted when they cannot.
 */
struct fg_bind {
        int tree; /* a detached mount (open_tree(2)), or -1: a tmpfs is made */
        char *target;
        char *options; /* of a tmpfs */
        unsigned long flags;
        bool directory;
        bool read_only;
        bool fill; /* an empty volume starts with what the image has at @target */
};

struct fg_binds {
        struct fg_bind *list;
        size_t count;
};

/** fg_binds_open() - @dir: the container's own directory on the scratch disk */
int fg_binds_open(struct fg_binds *b, const struct fg_start *s, const char *dir,
                  struct fg_error *err);
/** fg_binds_mount() - after the root was changed; parents before their children */
int fg_binds_mount(struct fg_binds *b, struct fg_error *err);
void fg_binds_finish(struct fg_binds *b);

/** fg_volume_fill() - copy the directory @from to the volume at @volume, if that is empty */
int fg_volume_fill(int volume, const char *from, struct fg_error *err);
/** fg_tmpfs_options() - mount flags and data of an ECS tmpfs; the data is on the heap */
char *fg_tmpfs_options(struct json_object *tmpfs, unsigned long *ret_flags);
