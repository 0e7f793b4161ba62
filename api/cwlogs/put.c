/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/ops.h"
#include "api/field_row.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "core/str.h"

#define BATCH_EVENTS   10000
#define BATCH_BYTES    (1024 * 1024) /* with FG_LOGPAGE_EXTRA for each event */
#define DAY_MS         INT64_C(86400000)
#define FUTURE_MS      INT64_C(7200000)
#define PAST_MS        (14 * DAY_MS)
#define WRITER_SECONDS 60 /* an idle log is closed after that */

/*
 * PutLogEvents. First the row of the stream is made to know of the events, so that nobody looks for
 * them in vain; then they are appended to the stream's log; when they are in its file, the call is
 * answered.
 */
struct put_event {
        int64_t timestamp;
        char *message;
};

struct put_input {
        char *group, *stream, *sequence;
        FG_LIST(struct put_event) events;
};

static const struct fg_field event_fields[] = {
        FG_ROW_INT(put_event, timestamp, "timestamp", .required = true, .min = 0, .max = INT64_MAX),
        FG_ROW_STRING(put_event, message, "message", .required = true, .min = 1),
};
static const struct fg_object event_object = FG_OBJECT(put_event, event_fields);
static const struct fg_field put_fields[] = {
        FG_ROW_STRING(put_input, group, "logGroupName", .required = true,
                      .check = logs_check_group),
        FG_ROW_STRING(put_input, stream, "logStreamName", .required = true,
                      .check = logs_check_stream),
        FG_ROW_STRING(put_input, sequence, "sequenceToken"),
        FG_ROW_OBJECTS(put_input, events, "logEvents", &event_object, .required = true, .min = 1,
                       .max = BATCH_EVENTS),
};

const struct fg_object logs_put_log_events_input = FG_OBJECT(put_input, put_fields);

/* ---- writers: the logs that are open ---- */

struct cwlogs_writer {
        UT_hash_handle hh;
        struct fg_cwlogs *logs;
        char key[FG_ID_LEN + 1];
        struct fg_logwriter *log;
        bool opened;
        uint64_t next;    /* offset of the next byte */
        uint64_t used_ns; /* CLOCK_MONOTONIC */
        struct put *puts; /* in order */
};

struct put { /* one call */
        struct put *next;
        struct fg_aws_call *call;
        int64_t now_ms;
        size_t too_old;    /* events that are older than any may be */
        size_t first, end; /* the events that are taken; those between are expired */
        uint64_t until;    /* stored when the log is, up to here; 0: not appended yet */
};

static void put_answer(struct put *p, const struct fg_error *err)
{
        const struct put_input *in = p->call->in;
        struct json_object *output, *rejected;

        if (err) {
                struct fg_error told = *err;

                /* Whatever is wrong with the disk, the client may try again. */
                told.code = FG_ERR_INTERNAL;
                fg_aws_fail_error(p->call, &told);
                free(p);
                return;
        }
        output = json_object_new_object();
        fg_json_set_str(output, "nextSequenceToken", in->sequence ? in->sequence : "1");
        rejected = json_object_new_object();
        if (p->too_old > 0)
                fg_json_set_int(rejected, "tooOldLogEventEndIndex", (int64_t)p->too_old);
        if (p->first > p->too_old)
                fg_json_set_int(rejected, "expiredLogEventEndIndex", (int64_t)p->first);
        if (p->end < in->events.n)
                fg_json_set_int(rejected, "tooNewLogEventStartIndex", (int64_t)p->end);
        if (json_object_object_length(rejected) > 0)
                fg_json_set(output, "rejectedLogEventsInfo", rejected);
        else
                json_object_put(rejected);
        fg_aws_reply(p->call, output);
        free(p);
}

static void writer_close(struct cwlogs_writer *w, const struct fg_error *err)
{
        struct put *p;

        HASH_DEL(w->logs->writers, w);
        fg_logwriter_free(w->log);
        while ((p = w->puts)) {
                w->puts = p->next;
                put_answer(p, err);
        }
        free(w);
}

static int append_event(struct cwlogs_writer *w, const struct put_event *e, uint64_t now_ns,
                        struct fg_error *err)
{
        const uint64_t time = htole64((uint64_t)e->timestamp);
        const size_t len = FG_LOGPUT_HEAD + strlen(e->message);
        fg_autofree char *record = fg_calloc(1, len + 1);

        memcpy(record, &time, sizeof(time));
        memcpy(record + FG_LOGPUT_HEAD, e->message, len - FG_LOGPUT_HEAD);
        if (fg_logwriter_append(w->log, FG_LOG_STDOUT, w->next, now_ns, record, len, err) < 0)
                return -1;
        w->next += len;
        return 0;
}

/* A batch that does not fit in the log's queue fails, and may be there in part: as after a crash.
 */
static int append_put(struct cwlogs_writer *w, struct put *p, struct fg_error *err)
{
        const struct put_input *in = p->call->in;

        for (size_t i = p->first; i < p->end; i++)
                if (append_event(w, &in->events.v[i], (uint64_t)p->now_ms * FG_NS_PER_MSEC, err) <
                    0)
                        return -1;
        p->until = w->next;
        return 0;
}

static void append_waiting(struct cwlogs_writer *w)
{
        struct fg_error err = FG_ERROR_INIT;

        for (struct put **at = &w->puts, *p; (p = *at);) {
                if (p->until == 0 && append_put(w, p, &err) < 0) {
                        *at = p->next;
                        put_answer(p, &err);
                } else {
                        at = &p->next;
                }
        }
}

static void on_stored(void *userdata, const uint64_t next[FG_LOG_STREAMS])
{
        struct cwlogs_writer *w = userdata;
        struct put *p;

        if (!w->opened) {
                w->opened = true;
                w->next = next[FG_LOG_STDOUT];
                append_waiting(w);
                return;
        }
        while ((p = w->puts) && p->until > 0 && p->until <= next[FG_LOG_STDOUT]) {
                w->puts = p->next;
                put_answer(p, NULL);
        }
}

static void on_drained(void *userdata)
{
        (void)userdata;
}

static void on_failed(void *userdata, const struct fg_error *err)
{
        struct cwlogs_writer *w = userdata;

        fg_log_error("log events cannot be stored: %s", err->msg);
        writer_close(w, err);
}

static struct cwlogs_writer *writer_get(struct fg_cwlogs *logs, const char *key,
                                        struct fg_error *err)
{
        static const struct fg_logwriter_events events = { .stored = on_stored,
                                                           .drained = on_drained,
                                                           .failed = on_failed };
        struct cwlogs_writer *w;

        HASH_FIND_STR(logs->writers, key, w);
        if (w)
                return w;
        w = fg_calloc(1, sizeof(*w));
        w->logs = logs;
        (void)snprintf(w->key, sizeof(w->key), "%s", key);
        if (fg_logwriter_new(logs->store, key, "events", &events, w, &w->log, err) < 0) {
                free(w);
                return NULL;
        }
        HASH_ADD_STR(logs->writers, key, w);
        return w;
}

void cwlogs_writers_tick(struct fg_cwlogs *logs)
{
        const uint64_t now = fg_mono_ns();
        struct cwlogs_writer *w, *next;

        HASH_ITER (hh, logs->writers, w, next)
                if (!w->puts && now - w->used_ns > WRITER_SECONDS * FG_NS_PER_SEC)
                        writer_close(w, NULL);
}

void cwlogs_writers_close(struct fg_cwlogs *logs, const char *key)
{
        struct cwlogs_writer *w, *next;
        struct fg_error err = FG_ERROR_INIT;

        fg_fail(&err, FG_ERR_CONFLICT, "The log stream is being closed; try again.");
        HASH_ITER (hh, logs->writers, w, next)
                if (!key || fg_streq(w->key, key))
                        writer_close(w, &err);
}

/* ---- the row ---- */

static int find_stream(struct cwlogs_db *db, const struct put_input *in, sqlite3_stmt **ret,
                       struct fg_error *err)
{
        static const char sql[] =
                "SELECT s.id, s.put, s.last_ms, s.key, g.retention_days FROM log_stream s\n"
                "JOIN log_group g ON g.id = s.group_id WHERE s.group_id = ? AND s.name = ?";
        const int64_t group = cwlogs_find_group(db, in->group, err);
        int r;

        if (group < 0 || fg_db_prepare(db->db, ret, err, sql, "is", group, in->stream) < 0)
                return -1;
        r = fg_db_step(*ret, err);
        if (r == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "The specified log stream does not exist.");
        if (r > 0 && !sqlite3_column_int(*ret, 1))
                return fg_fail(err, FG_ERR_INVALID,
                               "The log stream holds what a task writes; fgrun puts nothing else "
                               "into it.");
        return r;
}

/* The events' number in order, their sum, their span: AWS's rules for a batch. */
static int check_batch(const struct put_input *in, struct fg_error *err)
{
        const struct put_event *e = in->events.v;
        size_t bytes = 0;

        for (size_t i = 0; i < in->events.n; i++) {
                bytes += strlen(e[i].message) + FG_LOGPAGE_EXTRA;
                if (i > 0 && e[i].timestamp < e[i - 1].timestamp)
                        return fg_fail(err, FG_ERR_INVALID,
                                       "Log events in a single PutLogEvents request must be in "
                                       "chronological order.");
        }
        if (bytes > BATCH_BYTES)
                return fg_fail(err, FG_ERR_INVALID,
                               "Upload too large: %zu bytes exceeds limit of %d", bytes,
                               BATCH_BYTES);
        if (e[in->events.n - 1].timestamp - e[0].timestamp > DAY_MS)
                return fg_fail(err, FG_ERR_INVALID,
                               "The batch of log events in a single PutLogEvents request cannot "
                               "span more than 24 hours.");
        return 0;
}

static int note_events(struct cwlogs_db *db, sqlite3_stmt *row, const struct put_input *in,
                       const struct put *p, struct fg_error *err)
{
        static const char sql[] =
                "UPDATE log_stream SET unordered = unordered OR ?1 < last_ms,\n"
                "  first_ms = CASE WHEN first_ms = 0 OR ?1 < first_ms THEN ?1 ELSE first_ms END,\n"
                "  last_ms = max(last_ms, ?2), ingested_ms = ?3, bytes = bytes + ?4 WHERE id = ?5";
        int64_t bytes = 0;

        for (size_t i = p->first; i < p->end; i++)
                bytes += (int64_t)strlen(in->events.v[i].message) + FG_LOGPAGE_EXTRA;
        return fg_db_run(db->db, err, sql, "iiiii", in->events.v[p->first].timestamp,
                         in->events.v[p->end - 1].timestamp, p->now_ms, bytes,
                         sqlite3_column_int64(row, 0));
}

/* The first event from @i on that is not older; they are in order. */
static size_t first_since(const struct put_input *in, size_t i, int64_t oldest)
{
        while (i < in->events.n && in->events.v[i].timestamp < oldest)
                i++;
        return i;
}

static struct json_object *prepare(struct cwlogs_db *db, const void *userdata, struct fg_error *err)
{
        struct put *p = (struct put *)(uintptr_t)userdata;
        const struct put_input *in = p->call->in;
        struct json_object *result;
        fg_autostmt *row = NULL;
        int64_t kept;

        if (find_stream(db, in, &row, err) < 0 || check_batch(in, err) < 0)
                return NULL;
        kept = sqlite3_column_int64(row, 4) * DAY_MS;
        p->end = in->events.n;
        p->too_old = first_since(in, 0, p->now_ms - PAST_MS);
        p->first = kept > 0 ? first_since(in, p->too_old, p->now_ms - kept) : p->too_old;
        while (p->end > p->first && in->events.v[p->end - 1].timestamp > p->now_ms + FUTURE_MS)
                p->end--;
        if (p->first < p->end && note_events(db, row, in, p, err) < 0)
                return NULL;
        result = json_object_new_object();
        fg_json_set_str(result, "key", fg_db_text(row, 3));
        return result;
}

/* ---- the call ---- */

static void on_prepared(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct put *p = userdata, **last;
        struct fg_cwlogs *logs = p->call->d->cwlogs;
        struct fg_error wrong = FG_ERROR_INIT;
        struct cwlogs_writer *w;

        if (err) {
                fg_aws_fail_error(p->call, err);
                free(p);
                return;
        }
        if (p->first == p->end) {
                put_answer(p, NULL);
                return;
        }
        w = writer_get(logs, fg_json_str(result, "key"), &wrong);
        if (!w) {
                put_answer(p, &wrong);
                return;
        }
        w->used_ns = fg_mono_ns();
        for (last = &w->puts; *last; last = &(*last)->next)
                ;
        *last = p;
        if (w->opened)
                append_waiting(w);
}

void logs_put_log_events(struct fg_aws_call *call)
{
        struct put *p = fg_calloc(1, sizeof(*p));

        p->call = call;
        p->now_ms = cwlogs_now_ms();
        cwlogs_query(call->d->cwlogs, prepare, p, on_prepared, p);
}
