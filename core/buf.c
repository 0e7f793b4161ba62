/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"

#define READ_CHUNK 65536

/* Overwrites what lies behind the first @keep bytes of those that were used. */
static void wipe(struct fg_buf *b, size_t keep, size_t used)
{
        if (b->wipe && b->data && used > keep)
                explicit_bzero(b->data + keep, used - keep);
}

void fg_buf_finish(struct fg_buf *b)
{
        wipe(b, 0, b->len);
        free(b->data);
        b->data = NULL;
        b->len = b->cap = 0;
}

void fg_buf_clear(struct fg_buf *b)
{
        wipe(b, 0, b->len);
        b->len = 0;
        if (b->data)
                b->data[0] = '\0';
}

static char *grow(struct fg_buf *b, size_t cap)
{
        char *data;

        if (!b->wipe || !b->data)
                return realloc(b->data, cap);
        data = malloc(cap);
        if (!data)
                return NULL;
        memcpy(data, b->data, b->len);
        wipe(b, 0, b->len);
        free(b->data);
        return data;
}

int fg_buf_reserve(struct fg_buf *b, size_t len, struct fg_error *err)
{
        size_t need, cap;
        char *data;

        if (len > b->max || b->len > b->max - len)
                return fg_fail(err, FG_ERR_CAPACITY, "more than %zu bytes", b->max);
        need = b->len + len + 1;
        if (need <= b->cap)
                return 0;
        cap = b->cap ? b->cap : 64;
        while (cap < need)
                cap *= 2;
        data = grow(b, cap);
        if (!data)
                return fg_fail(err, FG_ERR_CAPACITY, "out of memory for %zu bytes", cap);
        b->data = data;
        b->cap = cap;
        b->data[b->len] = '\0';
        return 0;
}

int fg_buf_append(struct fg_buf *b, const void *data, size_t len, struct fg_error *err)
{
        if (fg_buf_reserve(b, len, err) < 0)
                return -1;
        if (len)
                memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
        return 0;
}

int fg_buf_puts(struct fg_buf *b, const char *s, struct fg_error *err)
{
        return fg_buf_append(b, s, strlen(s), err);
}

int fg_buf_printf(struct fg_buf *b, struct fg_error *err, const char *fmt, ...)
{
        va_list ap, again;
        int n;

        va_start(ap, fmt);
        va_copy(again, ap);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0 || fg_buf_reserve(b, (size_t)n, err) < 0) {
                va_end(again);
                return n < 0 ? fg_fail(err, FG_ERR_INTERNAL, "bad format") : -1;
        }
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        va_end(again);
        b->len += (size_t)n;
        return 0;
}

void fg_buf_consume(struct fg_buf *b, size_t len)
{
        if (len >= b->len) {
                fg_buf_clear(b);
                return;
        }
        b->len -= len;
        memmove(b->data, b->data + len, b->len + 1);
        wipe(b, b->len + 1, b->len + len);
}

static ssize_t read_some(int fd, void *data, size_t len)
{
        ssize_t n;

        do
                n = read(fd, data, len);
        while (n < 0 && errno == EINTR);
        return n;
}

int fg_buf_read_fd(struct fg_buf *b, int fd, struct fg_error *err)
{
        for (;;) {
                const size_t left = b->max - b->len;
                const size_t room = left < READ_CHUNK ? left : READ_CHUNK;
                char probe;
                ssize_t n;

                if (fg_buf_reserve(b, room, err) < 0)
                        return -1;
                /* A full buffer is fine if the input ends exactly here. */
                n = room > 0 ? read_some(fd, b->data + b->len, room) : read_some(fd, &probe, 1);
                if (n < 0)
                        return fg_fail_errno(err, errno, "read");
                if (n == 0)
                        return 0;
                if (room == 0)
                        return fg_fail(err, FG_ERR_CAPACITY, "more than %zu bytes", b->max);
                b->len += (size_t)n;
                b->data[b->len] = '\0';
        }
}

int fg_buf_read_file(struct fg_buf *b, const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return fg_fail_errno(err, errno, "%s", path);
        if (fg_buf_read_fd(b, fd, err) < 0)
                return fg_wrap(err, "%s", path);
        return 0;
}

char *fg_buf_take(struct fg_buf *b)
{
        char *data = b->data ? fg_take_ptr(b->data) : calloc(1, 1);

        b->len = b->cap = 0;
        return data;
}
