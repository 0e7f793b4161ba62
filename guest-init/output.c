/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/output.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/protocol.h"

#define TIMESTAMP_LEN  8
#define PAYLOAD_MAX    (64u * 1024)
#define READ_MAX       (64u * 1024)
#define SAME_CHUNK_NS  FG_NS_PER_MSEC /* reads closer than this share a timestamp */
#define RING_POS(o, x) ((size_t)((x) % (o)->size))

static struct fg_chunk *chunk_at(const struct fg_output *o, size_t i)
{
        return &o->chunks[(o->first + i) % o->n_chunks];
}

static size_t room(const struct fg_output *o)
{
        return o->count < o->n_chunks ? o->size - (size_t)(o->end - o->acked) : 0;
}

static void close_pipe(struct fg_output *o)
{
        if (o->watched)
                fg_loop_del(o->loop, &o->source);
        o->watched = false;
        fg_closep(&o->source.fd);
        o->source.fd = -1;
        o->eof = true;
}

static void add_chunk(struct fg_output *o, size_t len)
{
        const uint64_t now = fg_now_ns();
        const struct fg_chunk *last = o->count > 0 ? chunk_at(o, o->count - 1) : NULL;

        /* Never into a chunk that was sent in part: its frame carries its time already. */
        if (!last || last->offset < o->sent || now - last->at > SAME_CHUNK_NS ||
            last->skipped < o->dropped) {
                *chunk_at(o, o->count) = (struct fg_chunk){ .offset = o->end,
                                                            .at = now,
                                                            .skipped = o->dropped };
                o->count++;
        }
        o->end += len;
}

/* The writers of a lossy stream are not kept waiting while they live. */
static bool drops(const struct fg_output *o)
{
        return o->lossy && !o->exited;
}

static ssize_t drop(struct fg_output *o)
{
        static char waste[READ_MAX];
        ssize_t n;

        do
                n = read(o->source.fd, waste, sizeof(waste));
        while (n < 0 && errno == EINTR);
        if (n > 0)
                o->dropped += (uint64_t)n;
        return n;
}

/* Return: as read(2); EAGAIN also when there is no room. */
static ssize_t read_pipe(struct fg_output *o)
{
        const size_t pos = RING_POS(o, o->end);
        size_t len = room(o) < READ_MAX ? room(o) : READ_MAX;
        size_t head = len < o->size - pos ? len : o->size - pos;
        struct iovec iov[2] = { { .iov_base = o->ring + pos, .iov_len = head },
                                { .iov_base = o->ring, .iov_len = len - head } };
        ssize_t n;

        if (len == 0 && drops(o))
                return drop(o);
        if (len == 0) {
                errno = EAGAIN;
                return -1;
        }
        do
                n = readv(o->source.fd, iov, 2);
        while (n < 0 && errno == EINTR);
        if (n > 0)
                add_chunk(o, (size_t)n);
        return n;
}

/* A closed pipe reports EPOLLHUP for ever, whatever is asked for: a full ring leaves the loop. */
static void watch(struct fg_output *o)
{
        const bool want = o->source.fd >= 0 && (room(o) > 0 || drops(o));
        struct fg_error err = FG_ERROR_INIT;

        if (want == o->watched)
                return;
        if (want && fg_loop_add(o->loop, &o->source, EPOLLIN, &err) < 0)
                close_pipe(o);
        else if (!want)
                fg_loop_del(o->loop, &o->source);
        o->watched = want && o->source.fd >= 0;
}

static void ready(struct fg_source *s, uint32_t events)
{
        struct fg_output *o = FG_CONTAINER_OF(s, struct fg_output, source);
        ssize_t n = read_pipe(o);

        if (n == 0 || (n < 0 && errno != EAGAIN))
                close_pipe(o);
        watch(o);
}

/* Memory that is never written to costs nothing: a large ring is as large as it was needed. */
static int make_ring(struct fg_output *o, size_t bytes, struct fg_error *err)
{
        free(o->ring);
        free(o->chunks);
        o->size = bytes;
        o->n_chunks = (bytes + FG_OUTPUT_RING - 1) / FG_OUTPUT_RING * FG_OUTPUT_CHUNKS;
        o->ring = malloc(o->size);
        o->chunks = reallocarray(NULL, o->n_chunks, sizeof(*o->chunks));
        if (!o->ring || !o->chunks)
                return fg_fail(err, FG_ERR_CAPACITY, "no memory for output");
        return 0;
}

int fg_output_lossy(struct fg_output *o, size_t bytes, struct fg_error *err)
{
        if (bytes == 0 || bytes > FG_OUTPUT_RING_MAX)
                return fg_fail(err, FG_ERR_INVALID, "an output buffer of %zu bytes", bytes);
        o->lossy = true;
        return make_ring(o, bytes, err);
}

int fg_output_init(struct fg_output *o, struct fg_loop *loop, uint16_t stream, int take_fd,
                   struct fg_error *err)
{
        *o = (struct fg_output){ .source.fd = take_fd, .loop = loop, .stream = stream };
        if (make_ring(o, FG_OUTPUT_RING, err) < 0) {
                close_pipe(o);
                return -1;
        }
        return fg_output_reopen(o, take_fd, err);
}

int fg_output_reopen(struct fg_output *o, int take_fd, struct fg_error *err)
{
        o->source = (struct fg_source){ .fd = take_fd, .ready = ready };
        o->exited = o->eof = o->held = o->last_sent = false;
        if (fcntl(take_fd, F_SETFL, O_NONBLOCK) < 0)
                return fg_fail_errno(err, errno, "fcntl");
        watch(o);
        return 0;
}

void fg_output_finish(struct fg_output *o)
{
        close_pipe(o);
        free(o->ring);
        free(o->chunks);
        *o = (struct fg_output){ .source.fd = -1, .eof = true };
}

/* Reads all that the dead writers left, as far as there is room. */
static void drain(struct fg_output *o)
{
        while (o->source.fd >= 0 && room(o) > 0) {
                /* Another container may have been handed the pipe and keep it open: EAGAIN ends. */
                if (read_pipe(o) <= 0)
                        close_pipe(o);
        }
}

void fg_output_exited(struct fg_output *o)
{
        o->exited = true;
        drain(o);
        watch(o);
}

/* An offset of the stream, as it is on the wire, in bytes that were taken. */
static uint64_t taken(const struct fg_output *o, uint64_t offset)
{
        for (size_t i = 0; i < o->count; i++) {
                const struct fg_chunk *c = chunk_at(o, i);
                const uint64_t next = i + 1 < o->count ? chunk_at(o, i + 1)->offset : o->end;

                if (offset <= c->offset + c->skipped)
                        return c->offset;
                if (offset <= next + c->skipped)
                        return offset - c->skipped;
        }
        return o->end;
}

void fg_output_ack(struct fg_output *o, uint64_t offset)
{
        offset = taken(o, offset);
        if (offset <= o->acked)
                return;
        o->acked = offset;
        if (o->sent < offset)
                o->sent = offset;
        while (o->count > 0 && (o->count > 1 ? chunk_at(o, 1)->offset : o->end) <= offset) {
                o->first = (o->first + 1) % o->n_chunks;
                o->count--;
        }
        if (o->exited)
                drain(o);
        watch(o);
}

void fg_output_rewind(struct fg_output *o)
{
        if (!o->chunks) /* never opened: it has nothing to send, not even its end */
                return;
        o->sent = o->acked;
        o->last_sent = false;
}

/* The chunk that holds the byte @offset < end. */
static size_t find_chunk(const struct fg_output *o, uint64_t offset)
{
        size_t low = 0, high = o->count;

        while (high - low > 1) {
                size_t mid = low + (high - low) / 2;

                if (chunk_at(o, mid)->offset <= offset)
                        low = mid;
                else
                        high = mid;
        }
        return low;
}

static int append_frame(struct fg_output *o, size_t len, const struct fg_chunk *c, bool last,
                        struct fg_buf *out, struct fg_error *err)
{
        char payload[TIMESTAMP_LEN + PAYLOAD_MAX];
        const uint64_t stamp = htole64(c->at);
        const size_t pos = RING_POS(o, o->sent);
        const size_t head = len < o->size - pos ? len : o->size - pos;
        const struct fg_frame f = { .type = FG_FRAME_OUTPUT,
                                    .flags = last ? FG_FRAME_LAST : 0,
                                    .stream = o->stream,
                                    .offset = o->sent + c->skipped,
                                    .data = payload,
                                    .len = TIMESTAMP_LEN + len };

        assert(len <= PAYLOAD_MAX);
        memcpy(payload, &stamp, TIMESTAMP_LEN);
        memcpy(payload + TIMESTAMP_LEN, o->ring + pos, head);
        memcpy(payload + TIMESTAMP_LEN + head, o->ring, len - head);
        return fg_frame_append(out, &f, err);
}

int fg_output_append(struct fg_output *o, struct fg_buf *out, struct fg_error *err)
{
        const struct fg_chunk end = { .at = fg_now_ns(), .skipped = o->dropped };
        uint64_t limit;
        size_t i, len;

        if (o->sent == o->end) {
                if (!o->eof || o->held || o->last_sent)
                        return 0;
                if (append_frame(o, 0, &end, true, out, err) < 0)
                        return -1;
                o->last_sent = true;
                return 1;
        }
        i = find_chunk(o, o->sent);
        limit = i + 1 < o->count ? chunk_at(o, i + 1)->offset : o->end;
        len = limit - o->sent < PAYLOAD_MAX ? (size_t)(limit - o->sent) : PAYLOAD_MAX;
        if (append_frame(o, len, chunk_at(o, i), false, out, err) < 0)
                return -1;
        o->sent += len;
        return 1;
}

bool fg_output_all_sent(const struct fg_output *o)
{
        return o->eof && !o->held && o->last_sent && o->sent == o->end;
}

bool fg_output_all_acked(const struct fg_output *o)
{
        return o->eof && o->acked == o->end;
}
