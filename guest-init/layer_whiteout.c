/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/str.h"
#include "guest-init/unpack_path.h"

#define PREFIX ".wh."
#define META   PREFIX PREFIX
#define OPAQUE META ".opq"

/* The image format reserves the prefix, so it can name neither a file nor a directory. */
static int parse_dir(const char *dir, struct fg_error *err)
{
        for (; dir; dir = strchr(dir, '/')) {
                dir += *dir == '/';
                if (fg_starts_with(dir, META))
                        return FG_WHITEOUT_IGNORED;
                if (fg_starts_with(dir, PREFIX))
                        return fg_fail(err, FG_ERR_INVALID, "below a whiteout");
        }
        return FG_WHITEOUT_NONE;
}

int fg_whiteout_parse(const char *dir, const char *base, struct fg_error *err)
{
        int kind = parse_dir(dir, err);
        const char *hidden = base + strlen(PREFIX);

        if (kind != FG_WHITEOUT_NONE || !fg_starts_with(base, PREFIX))
                return kind;
        if (fg_streq(base, OPAQUE))
                return FG_WHITEOUT_OPAQUE;
        if (fg_starts_with(base, META))
                return FG_WHITEOUT_IGNORED;
        if (!*hidden || fg_streq(hidden, ".") || fg_streq(hidden, ".."))
                return fg_fail(err, FG_ERR_INVALID, "whiteout of no file");
        return FG_WHITEOUT_FILE;
}

static int hide_all(int dir_fd, const struct fg_layer_seen *seen, struct fg_error *err)
{
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fg_cleanup(closedirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *child;

        if (!dir) {
                fg_fail_errno(err, errno, "read directory");
                if (fd >= 0)
                        (void)close(fd);
                return -1;
        }
        while ((errno = 0, child = readdir(dir))) {
                if (fg_streq(child->d_name, ".") || fg_streq(child->d_name, ".."))
                        continue;
                if (fg_layer_tree_remove(fd, child->d_name, seen, err) < 0)
                        return -1;
        }
        if (errno != 0)
                return fg_fail_errno(err, errno, "read directory");
        return 0;
}

int fg_whiteout_apply(struct fg_layer *layer, enum fg_whiteout kind, const char *dir,
                      const char *base, struct fg_error *err)
{
        fg_autoclose int fd = fg_path_open(layer->root_fd, dir, O_PATH | O_DIRECTORY);

        /* Nothing there is nothing to hide. */
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (fd < 0)
                return fg_fail_errno(err, errno, "its directory");
        if (kind == FG_WHITEOUT_OPAQUE)
                return hide_all(fd, &layer->seen, err);
        return fg_layer_tree_remove(fd, base + strlen(PREFIX), &layer->seen, err);
}
