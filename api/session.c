/* SPDX-License-Identifier: Apache-2.0 */
#include "api/session.h"

#include <stdlib.h>

#include "api/session_private.h"
#include "core/clock.h"
#include "core/str.h"

/*
 * Each event is a commit, so a guest may not have many of them. Ten containers need less than a
 * hundred to start and to end; their health and their restarts make a few in a second at most.
 */
#define EVENTS_MAX    1000                 /* at once */
#define EVENT_COST_NS (FG_NS_PER_SEC / 10) /* one more in this time */

int session_fail(struct fg_session *s, const struct fg_error *err)
{
        if (!s->dead) {
                s->dead = true;
                s->ops->down(s->userdata, err);
        }
        return -1;
}

int session_send(struct fg_session *s, const struct fg_frame *f, struct fg_error *err)
{
        if (s->dead)
                return fg_fail(err, FG_ERR_CONFLICT, "the guest's channel is down");
        return fg_channel_send(s->channel, f, err);
}

int session_send_json(struct fg_session *s, struct json_object *take_message, struct fg_error *err)
{
        fg_autojson *message = take_message;
        const char *text = fg_json_text(message);
        struct fg_frame f = { .type = FG_FRAME_CONTROL, .data = text, .len = strlen(text) };

        if (session_send(s, &f, err) < 0)
                return fg_wrap(err, "message %s", fg_json_str(message, "type"));
        return 0;
}

static struct json_object *message_new(const char *type)
{
        struct json_object *message = json_object_new_object();

        fg_json_set_str(message, "type", type);
        return message;
}

/* ---- what the guest says ---- */

static void check_ready(struct fg_session *s)
{
        if (s->ready || !s->hello)
                return;
        for (size_t i = 0; i < s->task->n_containers; i++)
                if (!s->outputs[i].opened)
                        return;
        s->ready = true;
        s->ops->ready(s->userdata, s->has_task);
}

static void deliver_final(struct fg_session *s)
{
        fg_autojson *event = NULL;

        if (!s->final || !outputs_stored(s))
                return;
        event = fg_take_ptr(s->final);
        s->ops->event(s->userdata, s->seq, event);
}

void session_progress(struct fg_session *s)
{
        check_ready(s);
        if (!s->dead)
                deliver_final(s);
}

static int on_hello(struct fg_session *s, struct json_object *message, struct fg_error *err)
{
        const char *task = fg_json_str(message, "task");

        if (s->hello)
                return fg_fail(err, FG_ERR_INVALID, "hello twice");
        if (fg_json_int(message, "version", 0) != FG_PROTO_VERSION)
                return fg_fail(err, FG_ERR_INVALID, "the guest speaks another protocol version");
        if (task && !fg_streq(task, s->task->id))
                return fg_fail(err, FG_ERR_INVALID, "the guest has another task");
        s->hello = true;
        s->has_task = task != NULL;
        check_ready(s);
        return 0;
}

static bool has_too_many_events(struct fg_session *s)
{
        const uint64_t now = fg_mono_ns();

        s->events_paid = (s->events_paid > now ? s->events_paid : now) + EVENT_COST_NS;
        return s->events_paid - now > EVENTS_MAX * EVENT_COST_NS;
}

static int on_event(struct fg_session *s, struct json_object *message, struct fg_error *err)
{
        int64_t seq = fg_json_int(message, "seq", 0);
        const char *event = fg_json_str(message, "event");

        if (seq <= 0 || !event)
                return fg_fail(err, FG_ERR_INVALID, "an event without seq or name");
        if ((uint64_t)seq <= s->seq)
                return 0; /* repeated after a reconnect */
        if (has_too_many_events(s))
                return fg_fail(err, FG_ERR_INVALID, "more than %d events at once", EVENTS_MAX);
        if ((uint64_t)seq != s->seq + 1 || s->final)
                return fg_fail(err, FG_ERR_INVALID, "event %lld out of order", (long long)seq);
        s->seq = (uint64_t)seq;
        if (fg_streq(event, "task.stopped")) {
                s->final = json_object_get(message);
                deliver_final(s);
        } else {
                s->ops->event(s->userdata, s->seq, message);
        }
        return 0;
}

static const struct {
        const char *type;
        int (*handle)(struct fg_session *s, struct json_object *message, struct fg_error *err);
} messages[] = {
        { "hello", on_hello },
        { "event", on_event },
        { "blob.read", blobs_request },
};

static int on_control(struct fg_session *s, const struct fg_frame *f, struct fg_error *err)
{
        fg_autojson *message = fg_json_parse(f->data, f->len, err);
        const char *type = message ? fg_json_str(message, "type") : NULL;

        if (!message)
                return -1;
        for (size_t i = 0; type && i < FG_ARRAY_SIZE(messages); i++)
                if (fg_streq(messages[i].type, type))
                        return messages[i].handle(s, message, err);
        return fg_fail(err, FG_ERR_INVALID, "an unknown message");
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        struct fg_session *s = userdata;
        struct fg_error err = FG_ERROR_INIT;
        int r;

        if (s->dead)
                return;
        if (f->type == FG_FRAME_CONTROL)
                r = on_control(s, f, &err);
        else if (f->type == FG_FRAME_OUTPUT)
                r = outputs_frame(s, f, &err);
        else
                r = fg_fail(&err, FG_ERR_INVALID, "a frame of type %d", (int)f->type);
        if (r < 0) {
                fg_wrap(&err, "guest protocol");
                (void)session_fail(s, &err);
        }
}

static void on_up(void *userdata)
{
        blobs_reset(userdata);
}

static void on_down(void *userdata, const struct fg_error *err)
{
        (void)session_fail(userdata, err);
}

static void on_writable(void *userdata)
{
        struct fg_session *s = userdata;

        if (!s->dead)
                blobs_writable(s);
}

/* ---- what fgd says ---- */

int fg_session_send_task(struct fg_session *s, struct json_object *task, struct fg_error *err)
{
        return session_send_json(s, json_object_get(task), err);
}

int fg_session_send_variables(struct fg_session *s, const struct fg_secret *lines,
                              struct fg_error *err)
{
        for (size_t start = 0; start < lines->len;) {
                const char *line = lines->data + start;
                struct fg_frame f = { .type = FG_FRAME_CONTROL,
                                      .data = line,
                                      .len = (size_t)(strchrnul(line, '\n') - line) };

                if (session_send(s, &f, err) < 0)
                        return fg_wrap(err, "message variable");
                start += f.len + 1;
        }
        return 0;
}

int fg_session_resume(struct fg_session *s, struct fg_error *err)
{
        struct json_object *message = message_new("resume");

        fg_json_set_int(message, "eventSeq", (int64_t)s->seq);
        fg_json_set(message, "output", outputs_offsets(s));
        return session_send_json(s, message, err);
}

int fg_session_disks_lost(struct fg_session *s, struct fg_error *err)
{
        return session_send_json(s, message_new("disks.lost"), err);
}

int fg_session_stop(struct fg_session *s, const char *reason, struct fg_error *err)
{
        struct json_object *message = message_new("stop");

        fg_json_set_str(message, "reason", reason);
        return session_send_json(s, message, err);
}

void fg_session_ack(struct fg_session *s, uint64_t seq)
{
        struct json_object *message = message_new("ack");
        struct fg_error err = FG_ERROR_INIT;

        fg_json_set_int(message, "eventSeq", (int64_t)seq);
        if (session_send_json(s, message, &err) < 0 && !s->dead)
                (void)session_fail(s, &err);
}

/* ---- life ---- */

int fg_session_new(const struct fg_session_parts *parts, const struct fg_task *task,
                   const struct fg_session_ops *ops, void *userdata, struct fg_session **ret,
                   struct fg_error *err)
{
        static const struct fg_channel_ops channel_ops = {
                .up = on_up, .frame = on_frame, .down = on_down, .writable = on_writable
        };
        fg_cleanup(fg_session_freep) struct fg_session *s = fg_calloc(1, sizeof(*s));

        s->parts = *parts;
        s->task = task;
        s->ops = ops;
        s->userdata = userdata;
        s->seq = task->event_seq;
        if (outputs_open(s, err) < 0)
                return -1;
        if (fg_channel_new(parts->vmm, task->id, &channel_ops, s, &s->channel, err) < 0)
                return -1;
        *ret = fg_take_ptr(s);
        return 0;
}

void fg_session_free(struct fg_session *s)
{
        if (!s)
                return;
        s->dead = true;
        fg_channel_free(s->channel);
        blobs_reset(s);
        outputs_close(s);
        json_object_put(s->final);
        free(s);
}
