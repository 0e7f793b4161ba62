/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/digest.h"
#include "guest-init/protocol.h"

#define FG_BLOB_SLOTS   8
#define FG_BLOB_REQUEST (512u * 1024)
#define FG_BLOB_SMALL   (4u * 1024 * 1024) /* the most that is read of a blob of unknown size */

/* One range of the blob: data holds what has come of it, of which taken bytes were handed on. */
struct fg_blob_range {
        uint16_t id; /* 0: to be asked for */
        uint64_t base;
        uint32_t length;
        uint32_t taken;
        bool done;
        struct fg_buf data;
};

/*
 * Reads one blob at a time through the channel, with a window of ranges outstanding. The bytes are
 * what the host sent: whoever takes them verifies the digest.
 */
struct fg_blobs {
        char digest[FG_DIGEST_LEN + 1];
        bool active;
        bool sized;    /* the size is known; otherwise one short range is asked for */
        uint64_t size; /* the size, or FG_BLOB_SMALL */
        uint64_t next; /* offset of the first byte that no range covers */
        struct fg_blob_range ranges[FG_BLOB_SLOTS];
        unsigned first, count; /* a ring */
        uint16_t last_id;
        char error[512]; /* not "": the blob cannot be had */
};

void fg_blobs_begin(struct fg_blobs *b, const char *digest, bool sized, uint64_t size);
void fg_blobs_stop(struct fg_blobs *b);
/** fg_blobs_append() - serialise the next blob.read. Return: 1, or 0 when there is none. */
int fg_blobs_append(struct fg_blobs *b, struct fg_buf *out, struct fg_error *err);
void fg_blobs_frame(struct fg_blobs *b, const struct fg_frame *f);
void fg_blobs_fail(struct fg_blobs *b, uint16_t id, const char *code, const char *message);
/** fg_blobs_rewind() - a new host knows of no request: what has not come is asked for again */
void fg_blobs_rewind(struct fg_blobs *b);
/** fg_blobs_peek() - bytes that have come and are next. Return: their number; 0: none yet */
size_t fg_blobs_peek(const struct fg_blobs *b, const char **ret);
void fg_blobs_take(struct fg_blobs *b, size_t len);
bool fg_blobs_at_end(const struct fg_blobs *b); /* everything has been taken */
