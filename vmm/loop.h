/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"

struct fg_loop_disk {
        int fd; /* keeps it, until something has mounted it */
        unsigned minor;
        char path[32]; /* "/dev/loop7" */
};

/**
 * fg_loop_disk_open() - a loop device over a file, which the kernel takes away with its last user
 * So nothing of it is left, whoever dies when. Needs root. Blocks.
 */
int fg_loop_disk_open(struct fg_loop_disk *ret, const char *file, bool read_only,
                      struct fg_error *err);
