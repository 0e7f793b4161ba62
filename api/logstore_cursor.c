/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logstore_cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/str.h"

#define CHUNK 65536

struct fg_logcursor {
        char *container;
        int dirfd;
        int fd;               /* the segment being read, or -1 */
        uint32_t segment;     /* its number; 0 before the first one */
        uint64_t read_to;     /* file offset up to which `window` was filled */
        struct fg_buf window; /* bytes of the segment */
        size_t at;            /* of the record at hand, in the window */
        bool begun;           /* the segment's header was read */
        bool ready;           /* `record` is whole and valid */
        bool sought;          /* what lies before the segment is not missed */
        struct fg_segment_record record;
        uint64_t expected[FG_LOG_STREAMS];
};

struct fg_logcursor *fg_logcursor_open(int taskdir, const char *container, struct fg_error *err)
{
        int dirfd = openat(taskdir, container, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct fg_logcursor *c;

        if (dirfd < 0) {
                fg_fail_errno(err, errno, "open log %s", container);
                return NULL;
        }
        c = fg_calloc(1, sizeof(*c));
        c->container = fg_strdup(container);
        c->dirfd = dirfd;
        c->fd = -1;
        c->window = FG_BUF_INIT(CHUNK + FG_LOG_MAX_RECORD + sizeof(c->record));
        return c;
}

void fg_logcursor_free(struct fg_logcursor *c)
{
        if (!c)
                return;
        fg_closep(&c->fd);
        fg_closep(&c->dirfd);
        fg_buf_finish(&c->window);
        free(c->container);
        free(c);
}

const char *fg_logcursor_container(const struct fg_logcursor *c)
{
        return c->container;
}

/* 1: the window grew, 0: end of the file, -1: error. */
static int fill(struct fg_logcursor *c, struct fg_error *err)
{
        ssize_t n;

        if (c->at > 0) {
                fg_buf_consume(&c->window, c->at);
                c->at = 0;
        }
        if (fg_buf_reserve(&c->window, CHUNK, err) < 0)
                return -1;
        do
                n = pread(c->fd, c->window.data + c->window.len, CHUNK, (off_t)c->read_to);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return fg_fail_errno(err, errno, "read log %s", c->container);
        c->window.len += (size_t)n;
        c->read_to += (uint64_t)n;
        return n > 0;
}

/*
 * What cannot be parsed yet is forgotten and read again later: a torn tail may be cut and
 * overwritten in the meantime, when its writer comes back.
 */
static void forget_tail(struct fg_logcursor *c)
{
        c->read_to -= c->window.len - c->at;
        c->window.len = c->at;
}

static int parse(struct fg_logcursor *c)
{
        struct fg_segment_header header;
        size_t len = c->window.len - c->at;

        if (!c->begun) {
                if (len < sizeof(header))
                        return 0;
                if (!fg_segment_header_parse(c->window.data + c->at, len, &header))
                        return -1;
                c->begun = true;
                if (c->sought)
                        memcpy(c->expected, header.next, sizeof(header.next));
                c->sought = false;
                c->at += sizeof(header);
                len -= sizeof(header);
        }
        return fg_segment_record_parse(c->window.data + c->at, len, &c->record);
}

/* 1: a record is ready, 0: this segment has no (valid) more for now, -1: error. */
static int next_in_segment(struct fg_logcursor *c, struct fg_error *err)
{
        int r = 0, filled = 1;

        if (c->fd < 0)
                return 0;
        while (filled > 0) {
                r = parse(c);
                if (r != 0)
                        break;
                filled = fill(c, err);
                if (filled < 0)
                        return -1;
        }
        if (r > 0)
                return 1;
        forget_tail(c);
        return 0;
}

/* 1: @n is open; 0: it was dropped meanwhile. */
static int open_segment(struct fg_logcursor *c, uint32_t n, struct fg_error *err)
{
        char name[FG_SEGMENT_NAME_MAX];

        fg_segment_name(n, name);
        fg_closep(&c->fd);
        c->fd = openat(c->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (c->fd < 0 && errno != ENOENT)
                return fg_fail_errno(err, errno, "open log segment %s/%s", c->container, name);
        c->segment = n;
        c->read_to = 0;
        c->at = 0;
        c->begun = false;
        fg_buf_clear(&c->window);
        return c->fd >= 0;
}

/*
 * A successor is looked for before the current segment is read for the last time: once it exists
 * the current one does not grow any more.
 */
static int find_record(struct fg_logcursor *c, struct fg_error *err)
{
        for (;;) {
                uint32_t successor, highest;
                int r = next_in_segment(c, err);

                if (r != 0)
                        return r;
                if (fg_segment_after(c->dirfd, c->segment, &successor, &highest, err) < 0)
                        return -1;
                r = next_in_segment(c, err);
                if (r != 0)
                        return r;
                if (!successor)
                        return 0;
                if (open_segment(c, successor, err) < 0)
                        return -1;
        }
}

int fg_logcursor_peek(struct fg_logcursor *c, struct fg_logrecord *ret, struct fg_error *err)
{
        int r = c->ready ? 1 : find_record(c, err);
        uint64_t expected;

        if (r <= 0)
                return r;
        c->ready = true;
        expected = c->expected[c->record.stream];
        *ret = (struct fg_logrecord){
                .container = c->container,
                .stream = (unsigned)c->record.stream,
                .time_ns = c->record.time_ns,
                .offset = c->record.offset,
                .lost = c->record.offset > expected ? c->record.offset - expected : 0,
                .data = c->window.data + c->at + sizeof(c->record),
                .len = c->record.len,
        };
        return 1;
}

void fg_logcursor_pop(struct fg_logcursor *c)
{
        c->expected[c->record.stream] = c->record.offset + c->record.len;
        c->at += sizeof(c->record) + c->record.len;
        c->ready = false;
}

/* ---- from the middle of a log ---- */

uint64_t fg_logcursor_position(const struct fg_logcursor *c)
{
        return (uint64_t)c->segment << 32 | (c->read_to - c->window.len + c->at);
}

void fg_logcursor_seek(struct fg_logcursor *c, uint32_t n)
{
        fg_closep(&c->fd);
        c->fd = -1;
        c->segment = n - 1;
        c->read_to = 0;
        c->at = 0;
        c->begun = c->ready = false;
        c->sought = true;
        fg_buf_clear(&c->window);
}

/* 1, 0: no record in it (or it is gone), -1. */
static int read_place(const struct fg_logcursor *c, uint32_t n, struct fg_logplace *ret,
                      struct fg_error *err)
{
        char name[FG_SEGMENT_NAME_MAX], head[sizeof(struct fg_segment_header) +
                                             sizeof(struct fg_segment_record) + FG_LOGPLACE_VALUE];
        struct fg_segment_header header;
        struct fg_segment_record record;
        fg_autoclose int fd = -1;
        ssize_t len;

        fg_segment_name(n, name);
        fd = openat(c->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "open log segment %s", name);
        len = pread(fd, head, sizeof(head), 0);
        if (len < 0)
                return fg_fail_errno(err, errno, "read log segment %s", name);
        if ((size_t)len <= sizeof(header) + sizeof(record) ||
            !fg_segment_header_parse(head, (size_t)len, &header))
                return 0;
        memcpy(&record, head + sizeof(header), sizeof(record));
        *ret = (struct fg_logplace){ .segment = n,
                                     .partial = header.partial,
                                     .time_ns = record.time_ns };
        if ((size_t)len == sizeof(head))
                memcpy(&ret->value, head + sizeof(header) + sizeof(record), FG_LOGPLACE_VALUE);
        return 1;
}

int fg_logcursor_places(struct fg_logcursor *c, struct fg_logplace *ret, size_t max,
                        struct fg_error *err)
{
        uint32_t n = 0, highest;
        size_t found = 0;

        for (;;) {
                int r;

                if (fg_segment_after(c->dirfd, n, &n, &highest, err) < 0)
                        return -1;
                if (n == 0)
                        return (int)found;
                if (found == max) {
                        memmove(ret, ret + 1, (max - 1) * sizeof(*ret));
                        found--;
                }
                r = read_place(c, n, &ret[found], err);
                if (r < 0)
                        return -1;
                found += (size_t)r;
        }
}
