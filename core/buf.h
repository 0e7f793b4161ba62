/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/error.h"

/*
 * A growing byte buffer with a hard cap given at birth. data[len] is always '\0' once anything was
 * appended, so text may be used as a C string; data is NULL while the buffer is empty and new.
 */
struct fg_buf {
        char *data;
        size_t len;
        size_t cap;
        bool wipe;  /* no copy of the bytes is left in memory that was given up */
        size_t max; /* bytes; an append that would pass it fails with CAPACITY and changes nothing
                     */
};

#define FG_BUF_INIT(limit)        ((struct fg_buf){ .max = (limit) })
#define FG_BUF_INIT_SECRET(limit) ((struct fg_buf){ .max = (limit), .wipe = true })

void fg_buf_finish(
        struct fg_buf *b); /* frees the bytes; safe on a zeroed buffer; for fg_cleanup() */
void fg_buf_clear(struct fg_buf *b); /* len = 0, memory kept */
int fg_buf_append(struct fg_buf *b, const void *data, size_t len, struct fg_error *err);
int fg_buf_puts(struct fg_buf *b, const char *s, struct fg_error *err);
int fg_buf_printf(struct fg_buf *b, struct fg_error *err, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/** fg_buf_reserve() - room for @len more bytes at data + len, for a direct read(); -1: CAPACITY. */
int fg_buf_reserve(struct fg_buf *b, size_t len, struct fg_error *err);
void fg_buf_consume(struct fg_buf *b, size_t len); /* drop @len bytes from the front */
/** fg_buf_read_file() - append a whole file; -1: errno's code, CAPACITY when over the cap. */
int fg_buf_read_file(struct fg_buf *b, const char *path, struct fg_error *err);
int fg_buf_read_fd(struct fg_buf *b, int fd, struct fg_error *err); /* until end of file */
/** fg_buf_take() - the bytes as a heap string the caller frees; the buffer is empty afterwards. */
char *fg_buf_take(struct fg_buf *b);
