/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* Names that come from an image, and opening them so that nothing leads out of its root. */

/* A name as if below "/": no leading, doubled or trailing slash, no "." and no "..". */
struct fg_path {
        char *text_;      /* both members' memory */
        const char *dir;  /* "." for a name at the top */
        const char *base; /* "" for the root itself */
};

#define FG_PATH_INIT ((struct fg_path){ 0 })

/**
 * fg_path_parse() - clean @name; ".." never climbs over the root
 * Return: 0, or -1: INVALID (empty name), CAPACITY (over @max_len bytes or @max_depth components)
 */
int fg_path_parse(struct fg_path *ret, const char *name, size_t max_len, size_t max_depth,
                  struct fg_error *err);
void fg_path_finish(struct fg_path *path);

/** fg_path_open() - open(2) with @root_fd as "/" for every link and ".."; -1: errno is set. */
int fg_path_open(int root_fd, const char *path, int flags);
/** fg_path_open_dir() - an O_PATH descriptor of a directory; missing ones are made (0755, root). */
int fg_path_open_dir(int root_fd, const char *dir, struct fg_error *err);

#define FG_PATH_ESCAPED 256
/** fg_path_escape() - @name for a message: unprintable bytes as \xHH, a long end as "...". */
const char *fg_path_escape(const char *name, char ret[FG_PATH_ESCAPED]);
