/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "guest-init/layer_parts.h"
#include "guest-init/unpack_path.h"

FG_DEFINE_CLEANUP(struct archive *, archive_read_free)

static la_ssize_t on_read(struct archive *tar, void *data, const void **ret)
{
        struct fg_layer *layer = data;
        ssize_t n = fg_layer_stream_next(layer->stream, ret, &layer->read_err);

        if (n < 0)
                archive_set_error(tar, EIO, "source");
        return n < 0 ? ARCHIVE_FATAL : n;
}

int fg_layer_fail_tar(struct fg_layer *layer, struct archive *tar, struct fg_error *err)
{
        const char *text = archive_error_string(tar);
        char escaped[FG_PATH_ESCAPED];

        if (layer->read_err.code != FG_ERR_NONE) {
                *err = layer->read_err;
                return -1;
        }
        return fg_fail(err, FG_ERR_INVALID, "bad tar: %s",
                       fg_path_escape(text ? text : "unknown", escaped));
}

static int open_tar(struct fg_layer *layer, struct archive **ret, struct fg_error *err)
{
        fg_cleanup(archive_read_freep) struct archive *tar = archive_read_new();

        if (!tar || archive_read_support_format_tar(tar) != ARCHIVE_OK)
                return fg_fail(err, FG_ERR_INTERNAL, "libarchive lacks tar");
        /* "._name" is a file like any other, not metadata of "name". */
        (void)archive_read_set_format_option(tar, "tar", "mac-ext", NULL);
        if (archive_read_open(tar, layer, NULL, on_read, NULL) != ARCHIVE_OK)
                return fg_layer_fail_tar(layer, tar, err);
        *ret = fg_take_ptr(tar);
        return 0;
}

static int apply_entries(struct fg_layer *layer, struct archive *tar, struct fg_error *err)
{
        struct archive_entry *entry;
        int r;

        /* A warning is about a character set: names are then the bytes they are in the tar. */
        while ((r = archive_read_next_header(tar, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
                if (++layer->usage->entries > layer->limits->entries)
                        return fg_fail(err, FG_ERR_CAPACITY, "more than %ju entries",
                                       (uintmax_t)layer->limits->entries);
                if (fg_layer_entry_apply(layer, tar, entry, err) < 0)
                        return -1;
        }
        return r == ARCHIVE_EOF ? 0 : fg_layer_fail_tar(layer, tar, err);
}

static int finish_dir(int root_fd, const struct fg_layer_dir *dir)
{
        fg_autoclose int fd = fg_path_open(root_fd, dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct timespec times[2] = { dir->mtime, dir->mtime };
        struct stat st;

        /* The layer itself put something else there later on. */
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return -1;
        if (st.st_ino != dir->ino)
                return 0;
        return fchmod(fd, dir->mode) < 0 || futimens(fd, times) < 0 ? -1 : 0;
}

static int finish_dirs(const struct fg_layer *layer, struct fg_error *err)
{
        char escaped[FG_PATH_ESCAPED];

        for (size_t i = 0; i < layer->dir_count; i++)
                if (finish_dir(layer->root_fd, &layer->dirs[i]) < 0)
                        return fg_fail_errno(err, errno, "directory \"%s\"",
                                             fg_path_escape(layer->dirs[i].path, escaped));
        return 0;
}

static int apply(struct fg_layer *layer, const struct fg_layer_source *src, struct fg_error *err)
{
        fg_cleanup(fg_layer_stream_freep) struct fg_layer_stream *stream = NULL;
        fg_cleanup(archive_read_freep) struct archive *tar = NULL;

        stream = fg_layer_stream_new(src, layer->limits, layer->usage, err);
        if (!stream)
                return -1;
        layer->stream = stream;
        if (open_tar(layer, &tar, err) < 0 || apply_entries(layer, tar, err) < 0 ||
            finish_dirs(layer, err) < 0)
                return -1;
        return fg_layer_stream_verify(stream, err);
}

static void layer_finish(struct fg_layer *layer)
{
        for (size_t i = 0; i < layer->dir_count; i++)
                free(layer->dirs[i].path);
        free(layer->dirs);
        fg_layer_seen_finish(&layer->seen);
}

int fg_layer_apply(int root_fd, const struct fg_layer_source *src,
                   const struct fg_layer_limits *limits, struct fg_layer_usage *usage,
                   struct fg_error *err)
{
        fg_cleanup(layer_finish) struct fg_layer layer = {
                .root_fd = root_fd,
                .limits = limits,
                .usage = usage,
        };

        if (apply(&layer, src, err) < 0)
                return fg_wrap(err, "layer %.19s", src->digest);
        return 0;
}
