/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/view.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"

#define SEGMENTS_MAX 4096
#define BACK_MAX     4    /* segments to go back for the beginning of a line */
#define JOIN_MS      5000 /* an event is no longer than this, as in the awslogs driver */
#define GRACE_MS     1000 /* for lines on their way from the guest */

struct part { /* of a stream's line */
        struct fg_buf bytes;
        uint64_t start_ns;
        bool apart; /* the other stream wrote in between */
};

struct fg_logview {
        struct fg_logcursor *cursor;
        struct fg_logview_options options;
        struct fg_logplace *places;
        size_t n_places;
        bool started;
        uint64_t from; /* events that end before this position are not given */

        struct part parts[FG_LOG_STREAMS];
        size_t used;        /* bytes of the cursor's record that have been looked at */
        uint64_t last_ns;   /* time of the last record */
        struct fg_buf line; /* the last one, when it was made of parts */

        bool joining;  /* `joined` holds the beginning of an event */
        bool skipping; /* to the first event that begins here */
        uint64_t skip_ms;
        struct fg_logevent event; /* what is known of `joined` */
        struct fg_buf joined, out;
};

struct fg_logview *fg_logview_open(int taskdir, const char *container,
                                   const struct fg_logview_options *options, struct fg_error *err)
{
        fg_cleanup(fg_logview_freep) struct fg_logview *v = fg_calloc(1, sizeof(*v));
        fg_autofree struct fg_logplace *places = fg_calloc(SEGMENTS_MAX, sizeof(*places));
        int n;

        v->options = *options;
        v->cursor = fg_logcursor_open(taskdir, container, err);
        if (!v->cursor)
                return NULL;
        n = fg_logcursor_places(v->cursor, places, SEGMENTS_MAX, err);
        if (n < 0)
                return NULL;
        v->places = fg_calloc((size_t)n + 1, sizeof(*places));
        memcpy(v->places, places, (size_t)n * sizeof(*places));
        v->n_places = (size_t)n;
        for (unsigned i = 0; i < FG_LOG_STREAMS; i++)
                v->parts[i].bytes = FG_BUF_INIT(FG_LOGEVENT_MAX);
        v->line = v->joined = v->out = FG_BUF_INIT(2 * FG_LOGEVENT_MAX);
        return fg_take_ptr(v);
}

void fg_logview_free(struct fg_logview *v)
{
        if (!v)
                return;
        for (unsigned i = 0; i < FG_LOG_STREAMS; i++)
                fg_buf_finish(&v->parts[i].bytes);
        fg_buf_finish(&v->line);
        fg_buf_finish(&v->joined);
        fg_buf_finish(&v->out);
        fg_logcursor_free(v->cursor);
        free(v->places);
        free(v);
}

/* ---- where to start ---- */

size_t fg_logview_segments(const struct fg_logview *v)
{
        return v->n_places;
}

uint64_t fg_logview_segment_time(const struct fg_logview *v, size_t segment)
{
        return v->options.put ? le64toh(v->places[segment].value)
                              : v->places[segment].time_ns / FG_NS_PER_MSEC;
}

size_t fg_logview_find(const struct fg_logview *v, uint64_t time_ms)
{
        size_t i = 0;

        while (i + 1 < v->n_places && fg_logview_segment_time(v, i + 1) < time_ms)
                i++;
        return i;
}

void fg_logview_start(struct fg_logview *v, size_t segment)
{
        const bool join = v->options.starts != NULL;
        size_t i = segment;

        /* The beginning of what ends in the segment may lie before it. */
        for (unsigned n = 0; i > 0 && n < BACK_MAX && !v->options.put; n++, i--)
                if (!v->places[i].partial && !(join && n == 0))
                        break;
        v->started = true;
        v->from = segment < v->n_places ? (uint64_t)v->places[segment].segment << 32 : 0;
        v->skipping = join && i > 0;
        v->skip_ms = 0;
        v->joining = false;
        v->used = 0;
        fg_buf_clear(&v->joined);
        fg_buf_clear(&v->line);
        for (unsigned k = 0; k < FG_LOG_STREAMS; k++)
                fg_buf_clear(&v->parts[k].bytes);
        if (i < v->n_places)
                fg_logcursor_seek(v->cursor, v->places[i].segment);
}

/* ---- lines ---- */

static uint64_t to_ms(uint64_t ns)
{
        return ns / FG_NS_PER_MSEC;
}

/* Bytes of the record that end a line or fill one up: to the line, with its time. */
static int end_line(struct fg_logview *v, const struct fg_logrecord *r, const char *data,
                    size_t len, struct fg_logevent *ret, struct fg_error *err)
{
        struct part *part = &v->parts[r->stream];
        const uint64_t start = part->bytes.len > 0 && !part->apart ? part->start_ns : r->time_ns;

        *ret = (struct fg_logevent){ .time_ms = to_ms(start), .ingestion_ms = to_ms(r->time_ns) };
        if (part->bytes.len == 0) {
                ret->data = data;
                ret->len = len;
                return 1;
        }
        fg_buf_clear(&v->line);
        if (fg_buf_append(&v->line, part->bytes.data, part->bytes.len, err) < 0 ||
            fg_buf_append(&v->line, data, len, err) < 0)
                return -1;
        fg_buf_clear(&part->bytes);
        ret->data = v->line.data;
        ret->len = v->line.len;
        return 1;
}

/* What a stream had of a line, when the rest of it is missing or will not come. 1, 0: nothing. */
static int cut_line(struct fg_logview *v, unsigned stream, uint64_t position,
                    struct fg_logevent *ret, struct fg_error *err)
{
        struct part *part = &v->parts[stream];
        struct fg_logrecord r = { .stream = stream, .time_ns = v->last_ns };

        if (part->bytes.len == 0)
                return 0;
        ret->position = 0;
        if (end_line(v, &r, "", 0, ret, err) < 0)
                return -1;
        ret->position = position;
        return 1;
}

/* 1: a line (maybe an empty one); 0: the record is used up. */
static int line_in_record(struct fg_logview *v, const struct fg_logrecord *r,
                          struct fg_logevent *ret, struct fg_error *err)
{
        struct part *part = &v->parts[r->stream];
        const char *data = r->data + v->used, *end;
        const size_t left = r->len - v->used, room = FG_LOGEVENT_MAX - part->bytes.len;
        size_t len;

        if (left == 0)
                return 0;
        end = memchr(data, '\n', left);
        len = end ? (size_t)(end - data) : left;
        if (len > room || (!end && len == room)) {
                len = room;
                v->used += len;
        } else if (!end) {
                if (part->bytes.len == 0) {
                        part->start_ns = r->time_ns;
                        part->apart = false;
                }
                v->used = r->len;
                return fg_buf_append(&part->bytes, data, len, err);
        } else {
                v->used += len + 1;
        }
        if (end_line(v, r, data, len, ret, err) < 0)
                return -1;
        ret->position = fg_logcursor_position(v->cursor) + sizeof(struct fg_segment_record) +
                        v->used - 1;
        return 1;
}

/* 1: bytes are missing before the record, and it ends the line they belonged to; 0, -1. */
static int begin_record(struct fg_logview *v, const struct fg_logrecord *r, struct fg_logevent *ret,
                        struct fg_error *err)
{
        v->last_ns = r->time_ns;
        for (unsigned i = 0; i < FG_LOG_STREAMS; i++)
                if (i != r->stream)
                        v->parts[i].apart = true;
        if (r->lost == 0)
                return 0;
        return cut_line(v, r->stream, fg_logcursor_position(v->cursor), ret, err);
}

/* The log has no more: what was begun is complete when nothing can follow. */
static int last_lines(struct fg_logview *v, struct fg_logevent *ret, struct fg_error *err)
{
        const unsigned first = v->parts[0].apart; /* the other one may have its own, earlier time */
        int r;

        if (!v->options.ended)
                return 0;
        r = cut_line(v, first, fg_logcursor_position(v->cursor), ret, err);
        return r != 0 ? r : cut_line(v, !first, fg_logcursor_position(v->cursor) + 1, ret, err);
}

static int next_line(struct fg_logview *v, struct fg_logevent *ret, struct fg_error *err)
{
        for (;;) {
                struct fg_logrecord record = { 0 };
                int r = fg_logcursor_peek(v->cursor, &record, err);

                if (r <= 0)
                        return r < 0 ? -1 : last_lines(v, ret, err);
                r = v->used == 0 ? begin_record(v, &record, ret, err) : 0;
                if (r == 0)
                        r = line_in_record(v, &record, ret, err);
                if (r != 0)
                        return r;
                if (v->used == record.len) {
                        fg_logcursor_pop(v->cursor);
                        v->used = 0;
                }
        }
}

/* ---- events ---- */

static int next_put(struct fg_logview *v, struct fg_logevent *ret, struct fg_error *err)
{
        struct fg_logrecord record = { 0 };
        uint64_t time;
        int r;

        if (v->used > 0)
                fg_logcursor_pop(v->cursor);
        v->used = 0;
        r = fg_logcursor_peek(v->cursor, &record, err);
        if (r <= 0)
                return r;
        v->used = record.len;
        if (record.len < FG_LOGPUT_HEAD)
                return fg_fail(err, FG_ERR_INTERNAL, "a log of events holds something else");
        memcpy(&time, record.data, sizeof(time));
        *ret = (struct fg_logevent){ .time_ms = le64toh(time),
                                     .ingestion_ms = to_ms(record.time_ns),
                                     .position = fg_logcursor_position(v->cursor),
                                     .data = record.data + FG_LOGPUT_HEAD,
                                     .len = record.len - FG_LOGPUT_HEAD };
        return 1;
}

static bool begins_event(struct fg_logview *v, const struct fg_logevent *line)
{
        if (fg_pattern_matches(v->options.starts, line->data, line->len))
                return true;
        if (v->skipping) {
                if (v->skip_ms == 0)
                        v->skip_ms = line->time_ms + JOIN_MS;
                return line->time_ms >= v->skip_ms;
        }
        return !v->joining || line->time_ms >= v->event.time_ms + JOIN_MS ||
               v->joined.len + 1 + line->len > FG_LOGEVENT_MAX;
}

/* The event that was being joined, as the answer. */
static void give_joined(struct fg_logview *v, struct fg_logevent *ret)
{
        struct fg_buf out = v->out;

        v->out = v->joined;
        v->joined = out;
        fg_buf_clear(&v->joined);
        *ret = v->event;
        ret->data = v->out.data;
        ret->len = v->out.len;
        v->joining = false;
}

static int append_line(struct fg_logview *v, const struct fg_logevent *line, struct fg_error *err)
{
        if (!v->joining) {
                v->event = *line;
                v->joining = true;
                return fg_buf_append(&v->joined, line->data, line->len, err);
        }
        v->event.position = line->position;
        v->event.ingestion_ms = line->ingestion_ms;
        return fg_buf_append(&v->joined, "\n", 1, err) < 0
                       ? -1
                       : fg_buf_append(&v->joined, line->data, line->len, err);
}

static int next_joined(struct fg_logview *v, struct fg_logevent *ret, struct fg_error *err)
{
        struct fg_logevent line = { 0 };
        int r;

        while ((r = next_line(v, &line, err)) > 0) {
                const bool begins = begins_event(v, &line);
                const bool full = begins && v->joining;

                if (v->skipping && !begins)
                        continue;
                v->skipping = false;
                if (full)
                        give_joined(v, ret);
                if (append_line(v, &line, err) < 0)
                        return -1;
                if (full)
                        return 1;
        }
        if (r < 0 || !v->joining)
                return r;
        if (!v->options.ended && v->options.now_ms < v->event.time_ms + JOIN_MS + GRACE_MS)
                return 0;
        give_joined(v, ret);
        return 1;
}

int fg_logview_next(struct fg_logview *v, struct fg_logevent *ret, struct fg_error *err)
{
        int r;

        if (v->n_places == 0)
                return 0;
        if (!v->started)
                fg_logview_start(v, 0);
        if (v->options.put)
                return next_put(v, ret, err);
        do
                r = v->options.starts ? next_joined(v, ret, err) : next_line(v, ret, err);
        while (r > 0 && (ret->len == 0 || ret->position < v->from));
        return r;
}
