/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/session_private.h"
#include "core/str.h"

#define RANGE_MAX (4u << 20)

struct blob_read {
        struct fg_job job;
        struct fg_session *session; /* NULL: nobody waits any more; loop only */
        int fd;                     /* its own duplicate */
        uint64_t offset;
        size_t len;
        char *data;
        int sys; /* errno of a failed read */
};

static int send_blob_error(struct fg_session *s, int64_t id, const struct fg_error *cause,
                           struct fg_error *err)
{
        struct json_object *message = json_object_new_object();

        fg_json_set_str(message, "type", "blob.error");
        fg_json_set_int(message, "id", id);
        fg_json_set_str(message, "code", fg_err_name(cause->code));
        fg_json_set_str(message, "message", cause->msg);
        return session_send_json(s, message, err);
}

static void pop_request(struct blobs *b)
{
        (void)close(b->queue[0].fd);
        b->n--;
        memmove(&b->queue[0], &b->queue[1], b->n * sizeof(b->queue[0]));
}

static void pump(struct fg_session *s);

static void read_work(struct fg_job *job)
{
        struct blob_read *r = FG_CONTAINER_OF(job, struct blob_read, job);
        size_t done = 0;

        while (done < r->len) {
                ssize_t n = pread(r->fd, r->data + done, r->len - done, (off_t)(r->offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        r->sys = n < 0 ? errno : EIO;
                        return;
                }
                done += (size_t)n;
        }
}

static int deliver(struct fg_session *s, const struct blob_read *r, struct fg_error *err)
{
        struct blob_request *q = &s->blobs.queue[0];
        struct fg_frame f = { .type = FG_FRAME_BLOB,
                              .stream = q->id,
                              .offset = r->offset,
                              .data = r->data,
                              .len = r->len };
        int sent;

        if (r->sys) {
                struct fg_error cause = FG_ERROR_INIT;

                fg_fail_errno(&cause, r->sys, "read blob");
                sent = send_blob_error(s, q->id, &cause, err);
                pop_request(&s->blobs);
                return sent;
        }
        q->offset += r->len;
        if (q->offset == q->end) {
                f.flags = FG_FRAME_LAST;
                pop_request(&s->blobs);
        }
        sent = session_send(s, &f, err);
        s->blobs.blocked = sent == 0;
        return sent;
}

static void read_done(struct fg_job *job)
{
        struct blob_read *r = FG_CONTAINER_OF(job, struct blob_read, job);
        struct fg_session *s = r->session;
        struct fg_error err = FG_ERROR_INIT;

        if (s) {
                s->blobs.reading = NULL;
                if (deliver(s, r, &err) < 0)
                        (void)session_fail(s, &err);
                else
                        pump(s);
        }
        (void)close(r->fd);
        free(r->data);
        free(r);
}

/* One piece at a time: the next is read while the channel sends this one. */
static void pump(struct fg_session *s)
{
        struct blobs *b = &s->blobs;
        struct blob_read *r;
        uint64_t left;

        if (b->reading || b->blocked || b->n == 0 || s->dead)
                return;
        left = b->queue[0].end - b->queue[0].offset;
        r = fg_calloc(1, sizeof(*r));
        r->job = (struct fg_job){ .work = read_work, .done = read_done };
        r->session = s;
        r->fd = fcntl(b->queue[0].fd, F_DUPFD_CLOEXEC, 0);
        r->offset = b->queue[0].offset;
        r->len = left < FG_PROTO_MAX_PAYLOAD ? (size_t)left : FG_PROTO_MAX_PAYLOAD;
        r->data = fg_calloc(1, r->len);
        b->reading = r;
        fg_lane_submit(s->parts.io, &r->job);
}

void blobs_writable(struct fg_session *s)
{
        s->blobs.blocked = false;
        pump(s);
}

void blobs_reset(struct fg_session *s)
{
        if (s->blobs.reading)
                s->blobs.reading->session = NULL;
        s->blobs.reading = NULL;
        s->blobs.blocked = false;
        while (s->blobs.n > 0)
                pop_request(&s->blobs);
}

static bool may_read(const struct fg_session *s, const char *digest)
{
        for (size_t i = 0; i < s->task->n_containers; i++)
                if (fg_images_has_blob(s->parts.images, s->task->containers[i].manifest, digest))
                        return true;
        return false;
}

int blobs_request(struct fg_session *s, struct json_object *message, struct fg_error *err)
{
        int64_t id = fg_json_int(message, "id", 0), offset = fg_json_int(message, "offset", -1);
        int64_t length = fg_json_int(message, "length", 0);
        const char *digest = fg_json_str(message, "digest");
        struct fg_error cause = FG_ERROR_INIT;
        struct blobs *b = &s->blobs;
        uint64_t size = 0;
        int fd;

        if (id < 1 || id > UINT16_MAX || offset < 0 || length < 1 || length > RANGE_MAX ||
            !digest || !fg_digest_valid(digest))
                return fg_fail(err, FG_ERR_INVALID, "blob.read with a bad member");
        if (b->n == BLOB_REQUESTS)
                return fg_fail(err, FG_ERR_INVALID, "more than %d blob.read at once",
                               BLOB_REQUESTS);
        if (!may_read(s, digest)) {
                fg_fail(&cause, FG_ERR_DENIED, "%s is not part of this task's images", digest);
                return send_blob_error(s, id, &cause, err);
        }
        fd = fg_images_open_blob(s->parts.images, digest, &size, &cause);
        if (fd < 0)
                return send_blob_error(s, id, &cause, err);
        if ((uint64_t)offset >= size) {
                (void)close(fd);
                fg_fail(&cause, FG_ERR_INVALID, "offset %lld is past the end of %s",
                        (long long)offset, digest);
                return send_blob_error(s, id, &cause, err);
        }
        b->queue[b->n++] = (struct blob_request){
                .id = (uint16_t)id,
                .fd = fd,
                .offset = (uint64_t)offset,
                .end = (uint64_t)offset + (uint64_t)length < size ? (uint64_t)(offset + length)
                                                                  : size,
        };
        pump(s);
        return 0;
}
