/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake-guest/guest.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <utlist.h>

#include "core/clock.h"
#include "core/str.h"

#define OUT_ENOUGH (256u * 1024) /* queued bytes at which no more is serialised */
#define OUTPUT_MAX (32u * 1024)  /* bytes of output in a frame */

static void put_frame(struct guest *g, const struct fg_frame *f)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fg_frame_append(&g->out, f, &err) < 0) {
                (void)fprintf(stderr, "fake guest: %s\n", err.msg);
                abort();
        }
}

void wire_control(struct guest *g, struct json_object *take_msg)
{
        const char *text = fg_json_text(take_msg);
        const struct fg_frame f = {
                .type = FG_FRAME_CONTROL,
                .data = text,
                .len = strlen(text),
        };

        put_frame(g, &f);
        (void)json_object_put(take_msg);
}

void wire_hello(struct guest *g)
{
        struct json_object *msg = json_object_new_object();
        struct utsname uts;

        (void)uname(&uts);
        fg_json_set_str(msg, "type", "hello");
        fg_json_set_int(msg, "version", FG_PROTO_VERSION);
        fg_json_set_str(msg, "init", "fake");
        fg_json_set_str(msg, "kernel", uts.release);
        fg_json_set_int(msg, "uptimeNs", (int64_t)fg_mono_ns());
        fg_json_set_str(msg, "task", g->task ? fg_json_str(g->task, "id") : NULL);
        wire_control(g, msg);
}

void wire_event(struct guest *g, const char *event, struct json_object *take_body)
{
        struct event *e = fg_calloc(1, sizeof(*e));

        e->body = take_body ? take_body : json_object_new_object();
        e->seq = ++g->last_seq;
        fg_json_set_str(e->body, "type", "event");
        fg_json_set_int(e->body, "seq", (int64_t)e->seq);
        fg_json_set_int(e->body, "at", (int64_t)fg_now_ns());
        fg_json_set_str(e->body, "event", event);
        LL_APPEND(g->events, e);
}

/* One OUTPUT frame of what @s has not sent yet. Return: there was one. */
static bool send_output(struct guest *g, struct stream *s, size_t index)
{
        const uint64_t now = htole64(fg_now_ns());
        const char *unsent = s->ring.data + (s->sent - s->acked);
        size_t len = (size_t)(s->acked + s->ring.len - s->sent);
        char payload[sizeof(now) + OUTPUT_MAX];
        struct fg_frame f = { .type = FG_FRAME_OUTPUT, .stream = (uint16_t)index };

        if (len == 0 && (!s->closed || s->last_sent))
                return false;
        if (len > OUTPUT_MAX)
                len = OUTPUT_MAX;
        memcpy(payload, &now, sizeof(now));
        if (len > 0)
                memcpy(payload + sizeof(now), unsent, len);
        f.offset = s->sent;
        f.data = payload;
        f.len = sizeof(now) + len;
        s->sent += len;
        if (s->closed && s->sent == s->acked + s->ring.len) {
                f.flags = FG_FRAME_LAST;
                s->last_sent = true;
        }
        put_frame(g, &f);
        return true;
}

void wire_pump(struct guest *g)
{
        bool more = true;
        struct event *e;

        if (g->host < 0 || !g->talking)
                return;
        /* Output first, in turns: an exit must come after all output of its container. */
        while (more && g->out.len < OUT_ENOUGH) {
                more = false;
                for (size_t i = 0; i < 2 * g->n_containers; i++)
                        more |= send_output(g, &g->containers[i / 2].streams[i % 2], i);
        }
        LL_FOREACH (g->events, e) {
                if (more || g->out.len >= OUT_ENOUGH)
                        return;
                if (e->seq <= g->sent_seq)
                        continue;
                wire_control(g, json_object_get(e->body));
                g->sent_seq = e->seq;
        }
}

static void events_stored(struct guest *g, uint64_t seq)
{
        struct event *e, *next;

        LL_FOREACH_SAFE(g->events, e, next)
        {
                if (e->seq > seq)
                        break;
                LL_DELETE(g->events, e);
                (void)json_object_put(e->body);
                free(e);
        }
}

void wire_stored(struct guest *g, struct json_object *msg, bool again)
{
        struct json_object *output = fg_json_arr(msg, "output");
        const size_t n = output ? json_object_array_length(output) : 0;

        events_stored(g, (uint64_t)fg_json_int(msg, "eventSeq", 0));
        for (size_t i = 0; i < n; i++) {
                struct json_object *at = json_object_array_get_idx(output, i);
                const int64_t index = fg_json_int(at, "stream", -1);

                if (index >= 0 && (size_t)index < 2 * g->n_containers)
                        stream_stored(&g->containers[index / 2].streams[index % 2],
                                      (uint64_t)fg_json_int(at, "offset", 0));
        }
        if (!again)
                return;
        g->sent_seq = 0;
        for (size_t i = 0; i < 2 * g->n_containers; i++) {
                struct stream *s = &g->containers[i / 2].streams[i % 2];

                s->sent = s->acked;
                s->last_sent = false;
        }
}

bool wire_all_acked(const struct guest *g)
{
        for (size_t i = 0; i < 2 * g->n_containers; i++)
                if (g->containers[i / 2].streams[i % 2].ring.len > 0)
                        return false;
        return !g->events;
}

static void handle_sync(struct guest *g, const struct fg_frame *f)
{
        struct fg_error err = FG_ERROR_INIT;

        g->talking = false;
        json_object_put(fg_take_ptr(g->variables));
        image_forget(g);
        if (fg_sync_append(&g->out, (const uint8_t *)f->data, false, &err) < 0)
                abort();
        wire_hello(g);
}

static void handle_control(struct guest *g, const struct fg_frame *f)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *msg = fg_json_parse(f->data, f->len, &err);
        const char *type = msg ? fg_json_str(msg, "type") : NULL;

        if (!type) {
                (void)fprintf(stderr, "fake guest: bad control frame: %s\n", err.msg);
        } else if (fg_streq(type, "variable") && !g->task) {
                if (!g->variables)
                        g->variables = json_object_new_array();
                json_object_array_add(g->variables, json_object_get(msg));
        } else if (fg_streq(type, "task") && !g->task) {
                if (g->variables)
                        fg_json_set(msg, "variables", fg_take_ptr(g->variables));
                g->talking = true;
                task_begin(g, msg);
        } else if (fg_streq(type, "resume")) {
                g->talking = true;
                wire_stored(g, msg, true);
                image_request(g);
        } else if (fg_streq(type, "ack")) {
                wire_stored(g, msg, false);
        } else if (fg_streq(type, "stop")) {
                task_stop(g, "UserInitiated", fg_json_str(msg, "reason"));
        } else if (fg_streq(type, "rehearse") && !g->task) {
                struct json_object *answer = json_object_new_object();

                fg_json_set_str(answer, "type", "rehearsed");
                wire_control(g, answer);
        } else if (fg_streq(type, "disks.lost")) {
                g->disks_lost = true;
        } else if (fg_streq(type, "blob.error")) {
                image_error(g, msg);
        } else {
                (void)fprintf(stderr, "fake guest: unexpected '%s'\n", type);
        }
}

void wire_frame(struct guest *g, const struct fg_frame *f)
{
        if (f->type == FG_FRAME_SYNC)
                handle_sync(g, f);
        else if (f->type == FG_FRAME_CONTROL)
                handle_control(g, f);
        else if (f->type == FG_FRAME_BLOB)
                image_blob(g, f);
}
