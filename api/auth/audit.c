/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/lane.h"
#include "core/str.h"

#define TEXT_MAX 512 /* bytes of one member */
#define LINE_MAX 8192

struct fg_audit {
        struct fg_lane *lane;
        char *path;          /* of audit.log */
        uint64_t file_max;   /* bytes of one file */
        int fd;              /* the lane's, as is what follows: */
        uint64_t written;    /* bytes in the file */
        struct fg_buf queue; /* the loop's, as is what follows */
        struct fg_buf line;
        unsigned queued; /* lines in the queue */
        bool writing;
        uint64_t lost, lost_untold;
};

struct batch {
        struct fg_job job;
        struct fg_audit *audit;
        struct fg_buf text;
        unsigned lines;
        struct fg_error err;
};

/* ---- on the lane ---- */

/* audit.log.6 becomes audit.log.7 and so on; what was .7 is gone. */
static int rotate(struct fg_audit *a, struct fg_error *err)
{
        for (int i = FG_AUDIT_FILES - 1; i > 0; i--) {
                fg_autofree char *to = fg_asprintf("%s.%d", a->path, i);
                fg_autofree char *from = i > 1 ? fg_asprintf("%s.%d", a->path, i - 1)
                                               : fg_strdup(a->path);

                if (rename(from, to) < 0 && errno != ENOENT)
                        return fg_fail_errno(err, errno, "rename %s", from);
        }
        (void)close(fg_take_fd(a->fd));
        return 0;
}

static int open_log(struct fg_audit *a, struct fg_error *err)
{
        struct stat st;

        a->fd = open(a->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (a->fd < 0 || fstat(a->fd, &st) < 0)
                return fg_fail_errno(err, errno, "%s", a->path);
        a->written = (uint64_t)st.st_size;
        return 0;
}

/* How much of @text still fits into the file: whole lines. */
static size_t fitting(const struct fg_audit *a, const char *text, size_t len)
{
        uint64_t room = a->file_max > a->written ? a->file_max - a->written : 0;
        const char *end;

        if (len <= room)
                return len;
        end = memrchr(text, '\n', (size_t)room);
        return end ? (size_t)(end - text) + 1 : 0;
}

static void batch_work(struct fg_job *job)
{
        struct batch *b = FG_CONTAINER_OF(job, struct batch, job);
        struct fg_audit *a = b->audit;

        while (b->text.len > 0) {
                size_t n;

                if (a->fd < 0 && open_log(a, &b->err) < 0)
                        return;
                n = fitting(a, b->text.data, b->text.len);
                if (n == 0) {
                        if (rotate(a, &b->err) < 0)
                                return;
                        continue;
                }
                if (fg_write_all(a->fd, b->text.data, n, &b->err) < 0)
                        return;
                a->written += n;
                fg_buf_consume(&b->text, n);
        }
}

/* ---- on the loop ---- */

static void flush(struct fg_audit *a);

static void batch_done(struct fg_job *job)
{
        struct batch *b = FG_CONTAINER_OF(job, struct batch, job);
        struct fg_audit *a = b->audit;

        a->writing = false;
        if (b->err.code) {
                a->lost += b->lines;
                a->lost_untold += b->lines;
        }
        fg_buf_finish(&b->text);
        free(b);
        flush(a);
}

static void flush(struct fg_audit *a)
{
        struct batch *b;

        if (a->writing || a->queue.len == 0)
                return;
        b = fg_calloc(1, sizeof(*b));
        *b = (struct batch){ .job = { .work = batch_work, .done = batch_done },
                             .audit = a,
                             .text = a->queue,
                             .lines = a->queued };
        a->queue = FG_BUF_INIT(FG_AUDIT_QUEUE_MAX);
        a->queued = 0;
        a->writing = true;
        fg_lane_submit(a->lane, &b->job);
}

int fg_audit_new(sd_event *event, const char *dir, uint64_t max_bytes, struct fg_audit **ret,
                 struct fg_error *err)
{
        fg_cleanup(fg_audit_freep) struct fg_audit *a = NULL;

        *ret = NULL;
        if (max_bytes == 0)
                return 0;
        a = fg_calloc(1, sizeof(*a));
        a->fd = -1;
        a->file_max = max_bytes / FG_AUDIT_FILES;
        a->path = fg_asprintf("%s/audit.log", dir);
        a->queue = FG_BUF_INIT(FG_AUDIT_QUEUE_MAX);
        a->line = FG_BUF_INIT(LINE_MAX);
        if (fg_mkdir_p(dir, 0700, err) < 0 || open_log(a, err) < 0 ||
            fg_lane_new(event, "audit", 1, &a->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(a);
        return 0;
}

void fg_audit_free(struct fg_audit *a)
{
        if (!a)
                return;
        fg_lane_free(a->lane);
        fg_buf_finish(&a->queue);
        fg_buf_finish(&a->line);
        if (a->fd >= 0)
                (void)close(a->fd);
        free(a->path);
        free(a);
}

static size_t plain_length(const char *s, size_t max)
{
        size_t n = 0;

        while (n < max && s[n] >= ' ' && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
                n++;
        return n;
}

/* A JSON string; what a client wrote is cut, and what is not plain text escaped. */
static int append_member(struct fg_buf *out, const char *name, const char *value,
                         struct fg_error *err)
{
        size_t left = TEXT_MAX;

        if (!value)
                return 0;
        if (fg_buf_printf(out, err, ",\"%s\":\"", name) < 0)
                return -1;
        while (*value && left > 0) {
                size_t n = plain_length(value, left);

                if (n > 0 && fg_buf_append(out, value, n, err) < 0)
                        return -1;
                value += n;
                left -= n;
                if (left == 0 || !*value)
                        break;
                if (fg_buf_printf(out, err, "\\u%04x", (unsigned char)*value++) < 0)
                        return -1;
                left--;
        }
        return fg_buf_append(out, "\"", 1, err);
}

static int make_line(struct fg_audit *a, const struct fg_audit_entry *e, struct fg_error *err)
{
        const char *const members[][2] = {
                { "request", e->request },   { "who", e->who },     { "peer", e->peer },
                { "method", e->method },     { "path", e->path },   { "action", e->action },
                { "resource", e->resource }, { "error", e->error },
        };
        char time[FG_RFC3339_MAX];

        fg_rfc3339(e->time_ns, time);
        fg_buf_clear(&a->line);
        if (fg_buf_printf(&a->line, err, "{\"time\":\"%s\"", time) < 0)
                return -1;
        for (size_t i = 0; i < FG_ARRAY_SIZE(members); i++)
                if (append_member(&a->line, members[i][0], members[i][1], err) < 0)
                        return -1;
        if (a->lost_untold > 0 && fg_buf_printf(&a->line, err, ",\"lostBefore\":%llu",
                                                (unsigned long long)a->lost_untold) < 0)
                return -1;
        return fg_buf_printf(&a->line, err, ",\"status\":%d}\n", e->status);
}

void fg_audit_write(struct fg_audit *a, const struct fg_audit_entry *entry)
{
        struct fg_error err = FG_ERROR_INIT;

        if (!a)
                return;
        if (make_line(a, entry, &err) < 0 ||
            fg_buf_append(&a->queue, a->line.data, a->line.len, &err) < 0) {
                a->lost++;
                a->lost_untold++;
                return;
        }
        a->lost_untold = 0;
        a->queued++;
        flush(a);
}

uint64_t fg_audit_lost(const struct fg_audit *a)
{
        return a ? a->lost : 0;
}
