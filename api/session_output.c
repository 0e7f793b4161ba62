/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/awslogs.h"
#include "api/session_private.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define TIME_BYTES 8

static void add_offsets(struct json_object *array, const struct output *o)
{
        for (unsigned i = 0; i < FG_LOG_STREAMS; i++) {
                struct json_object *entry = json_object_new_object();

                fg_json_set_int(entry, "stream", o->index * FG_LOG_STREAMS + i);
                fg_json_set_int(entry, "offset", (int64_t)o->stored[i]);
                json_object_array_add(array, entry);
        }
}

struct json_object *outputs_offsets(const struct fg_session *s)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < s->task->n_containers; i++)
                add_offsets(array, &s->outputs[i]);
        return array;
}

bool outputs_stored(const struct fg_session *s)
{
        for (size_t i = 0; i < s->task->n_containers; i++)
                for (unsigned k = 0; k < FG_LOG_STREAMS; k++)
                        if (s->outputs[i].received[k] > s->outputs[i].stored[k])
                                return false;
        return true;
}

static void acknowledge(struct output *o)
{
        struct json_object *message = json_object_new_object(), *array = json_object_new_array();
        struct fg_error err = FG_ERROR_INIT;

        fg_json_set_str(message, "type", "ack");
        add_offsets(array, o);
        fg_json_set(message, "output", array);
        if (session_send_json(o->session, message, &err) < 0)
                (void)session_fail(o->session, &err);
}

static void on_stored(void *userdata, const uint64_t next[FG_LOG_STREAMS])
{
        struct output *o = userdata;
        bool first = !o->opened;

        memcpy(o->stored, next, sizeof(o->stored));
        o->opened = true;
        if (o->session->dead)
                return;
        if (first) {
                memcpy(o->received, next, sizeof(o->received));
        } else {
                acknowledge(o);
        }
        session_progress(o->session);
}

static void on_drained(void *userdata)
{
        struct output *o = userdata;

        if (--o->session->full == 0 && !o->session->dead)
                fg_channel_pause(o->session->channel, false);
}

static void on_failed(void *userdata, const struct fg_error *err)
{
        struct output *o = userdata;

        (void)session_fail(o->session, err);
}

int outputs_open(struct fg_session *s, struct fg_error *err)
{
        static const struct fg_logwriter_events events = { .stored = on_stored,
                                                           .drained = on_drained,
                                                           .failed = on_failed };

        fg_cwlogs_task_resume(s->parts.cwlogs, s->task);
        s->outputs = fg_calloc(s->task->n_containers, sizeof(*s->outputs));
        for (size_t i = 0; i < s->task->n_containers; i++) {
                const struct fg_container_def *def = s->task->containers[i].def;
                struct output *o = &s->outputs[i];
                struct fg_awslogs logs;

                o->session = s;
                o->index = (unsigned)i;
                if (fg_logwriter_new(s->parts.logs, s->task->id, def->name, &events, o, &o->writer,
                                     err) < 0)
                        return -1;
                o->lossy = fg_awslogs_get(def->log_configuration, &logs) && logs.non_blocking;
                if (o->lossy)
                        fg_logwriter_lossy(o->writer);
        }
        return 0;
}

void outputs_close(struct fg_session *s)
{
        for (size_t i = 0; s->outputs && i < s->task->n_containers; i++) {
                struct output *o = &s->outputs[i];

                if (o->lost > 0)
                        fg_log_warn("task=%s container=%s lost %llu bytes of output (mode "
                                    "non-blocking)",
                                    s->task->id, s->task->containers[i].def->name,
                                    (unsigned long long)o->lost);
                fg_logwriter_free(o->writer);
        }
        free(s->outputs);
        s->outputs = NULL;
}

/* A guest may not write into the future, which would hide later lines from readers by time. */
static uint64_t read_time(const struct fg_frame *f)
{
        uint64_t time, now = fg_now_ns();

        memcpy(&time, f->data, sizeof(time));
        time = le64toh(time);
        return time < now ? time : now;
}

static void note_lost(struct output *o, uint64_t bytes)
{
        o->lost += bytes;
        fg_log_debug("task=%s container=%s %llu bytes of output were dropped, the buffer was full",
                     o->session->task->id, o->session->task->containers[o->index].def->name,
                     (unsigned long long)bytes);
}

int outputs_frame(struct fg_session *s, const struct fg_frame *f, struct fg_error *err)
{
        unsigned index = f->stream / FG_LOG_STREAMS, stream = f->stream % FG_LOG_STREAMS;
        struct output *o;
        uint64_t time, end;
        int r;

        if (index >= s->task->n_containers || f->len < TIME_BYTES || !s->ready)
                return fg_fail(err, FG_ERR_INVALID, "output of stream %u", f->stream);
        o = &s->outputs[index];
        end = f->offset + (f->len - TIME_BYTES);
        if (end < f->offset || (f->offset > o->received[stream] && !o->lossy))
                return fg_fail(err, FG_ERR_INVALID, "output with a gap in stream %u", f->stream);
        if (f->offset > o->received[stream])
                note_lost(o, f->offset - o->received[stream]);
        if (end <= o->stored[stream] || f->len == TIME_BYTES)
                return 0; /* repeated, or only the end mark */
        time = read_time(f);
        if (!s->output_seen) {
                s->output_seen = true;
                s->ops->first_output(s->userdata, time);
        }
        if (end > o->received[stream])
                o->received[stream] = end;
        fg_cwlogs_task_output(s->parts.cwlogs, s->task->id, s->task->containers[index].def->name,
                              time, o->received[FG_LOG_STDOUT] + o->received[FG_LOG_STDERR]);
        r = fg_logwriter_append(o->writer, stream, f->offset, time, f->data + TIME_BYTES,
                                f->len - TIME_BYTES, err);
        if (r > 0 && s->full++ == 0)
                fg_channel_pause(s->channel, true);
        return r < 0 ? -1 : 0;
}
