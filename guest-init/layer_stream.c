/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/layer_parts.h"

#include <archive.h>
#include <errno.h>
#include <string.h>

#include "core/digest.h"
#include "core/str.h"
#include "guest-init/unpack_path.h"

#define CHUNK (128u * 1024)

FG_DEFINE_CLEANUP(struct archive *, archive_read_free)

/*
 * libarchive hides what lies between its filters and its tar reader, and the diff_id is the digest
 * of just that. So there are two of its readers: this one undoes the compression, as if the layer
 * were one raw file, and hands the tar to the one in layer.c.
 */
struct fg_layer_stream {
        const struct fg_layer_source *src;
        const struct fg_layer_limits *limits;
        struct fg_layer_usage *usage;
        struct archive *raw;
        struct fg_sha256 *outer; /* of the source's bytes; NULL: verified before */
        struct fg_sha256 *inner; /* of the tar's bytes */
        uint64_t received;       /* source's bytes so far */
        bool ended;              /* the tar's bytes */
        struct fg_error err;     /* why read_source() failed, libarchive cannot carry it */
        char chunk[CHUNK];
};

static ssize_t read_source(struct fg_layer_stream *stream, struct fg_error *err)
{
        ssize_t n = stream->src->read(stream->src->data, stream->chunk, CHUNK, err);

        if (n < 0)
                return -1;
        stream->received += (uint64_t)n;
        if (stream->received > stream->src->size)
                return fg_fail(err, FG_ERR_UPSTREAM, "longer than its %ju bytes",
                               (uintmax_t)stream->src->size);
        if (stream->outer)
                fg_sha256_update(stream->outer, stream->chunk, (size_t)n);
        return n;
}

static la_ssize_t on_read(struct archive *raw, void *data, const void **ret)
{
        struct fg_layer_stream *stream = data;
        ssize_t n = read_source(stream, &stream->err);

        if (n < 0)
                archive_set_error(raw, EIO, "source");
        *ret = stream->chunk;
        return n < 0 ? ARCHIVE_FATAL : n;
}

static int fail_raw(struct fg_layer_stream *stream, struct fg_error *err)
{
        const char *text = archive_error_string(stream->raw);
        char escaped[FG_PATH_ESCAPED];

        if (stream->err.code != FG_ERR_NONE) {
                *err = stream->err;
                return -1;
        }
        return fg_fail(err, FG_ERR_UPSTREAM, "damaged or cut short at byte %ju: %s",
                       (uintmax_t)stream->received,
                       fg_path_escape(text ? text : "unknown", escaped));
}

static int open_raw(struct fg_layer_stream *stream, struct fg_error *err)
{
        struct archive_entry *entry;
        struct archive *raw = archive_read_new();

        stream->raw = raw;
        if (!raw || archive_read_support_filter_gzip(raw) != ARCHIVE_OK ||
            archive_read_support_filter_zstd(raw) != ARCHIVE_OK ||
            archive_read_support_format_raw(raw) != ARCHIVE_OK)
                return fg_fail(err, FG_ERR_INTERNAL, "libarchive lacks a filter");
        if (archive_read_open(raw, stream, NULL, on_read, NULL) != ARCHIVE_OK ||
            archive_read_next_header(raw, &entry) != ARCHIVE_OK)
                return fail_raw(stream, err);
        /* libarchive would peel up to 25 of them. */
        if (archive_filter_count(raw) > 2)
                return fg_fail(err, FG_ERR_INVALID, "compressed more than once");
        return 0;
}

struct fg_layer_stream *fg_layer_stream_new(const struct fg_layer_source *src,
                                            const struct fg_layer_limits *limits,
                                            struct fg_layer_usage *usage, struct fg_error *err)
{
        fg_cleanup(fg_layer_stream_freep) struct fg_layer_stream *stream = fg_calloc(
                1, sizeof(*stream));

        stream->src = src;
        stream->limits = limits;
        stream->usage = usage;
        stream->outer = src->verified ? NULL : fg_sha256_new();
        stream->inner = fg_sha256_new();
        if (open_raw(stream, err) < 0)
                return NULL;
        return fg_take_ptr(stream);
}

void fg_layer_stream_free(struct fg_layer_stream *stream)
{
        if (!stream)
                return;
        archive_read_freep(&stream->raw);
        fg_sha256_free(stream->outer);
        fg_sha256_free(stream->inner);
        free(stream);
}

ssize_t fg_layer_stream_next(struct fg_layer_stream *stream, const void **ret, struct fg_error *err)
{
        la_int64_t offset;
        size_t len = 0;
        int r = ARCHIVE_OK;

        while (!stream->ended && len == 0 && r == ARCHIVE_OK)
                r = archive_read_data_block(stream->raw, ret, &len, &offset);
        if (r == ARCHIVE_EOF)
                stream->ended = true;
        else if (r != ARCHIVE_OK)
                return fail_raw(stream, err);

        stream->usage->bytes += len;
        if (stream->usage->bytes > stream->limits->bytes)
                return fg_fail(err, FG_ERR_CAPACITY, "unpacks to more than %ju bytes",
                               (uintmax_t)stream->limits->bytes);
        fg_sha256_update(stream->inner, *ret, len);
        return (ssize_t)len;
}

static int compare(struct fg_sha256 *hash, const char *want, const char *what, struct fg_error *err)
{
        char is[FG_DIGEST_LEN + 1];

        fg_sha256_final(hash, is);
        if (fg_streq(is, want))
                return 0;
        return fg_fail(err, FG_ERR_UPSTREAM, "%s is %s, expected %s", what, is, want);
}

int fg_layer_stream_verify(struct fg_layer_stream *stream, struct fg_error *err)
{
        const void *block = NULL;
        ssize_t n;

        while ((n = fg_layer_stream_next(stream, &block, err)) != 0)
                if (n < 0)
                        return -1;
        while ((n = read_source(stream, err)) != 0)
                if (n < 0)
                        return -1;
        if (stream->received != stream->src->size)
                return fg_fail(err, FG_ERR_UPSTREAM, "cut short: %ju of %ju bytes",
                               (uintmax_t)stream->received, (uintmax_t)stream->src->size);
        if (stream->outer && compare(stream->outer, stream->src->digest, "digest", err) < 0)
                return -1;
        return compare(stream->inner, stream->src->diff_id, "diff_id", err);
}
