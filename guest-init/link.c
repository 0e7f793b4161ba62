/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/link.h"

#include <string.h>
#include <sys/utsname.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/console.h"

void fg_link_say(struct fg_link *l, struct json_object *take_message)
{
        fg_autojson *m = take_message;
        struct fg_frame f = { .type = FG_FRAME_CONTROL, .data = fg_json_text(m) };
        struct fg_error err = FG_ERROR_INIT;

        f.len = strlen(f.data);
        if (fg_frame_append(&l->port.tx, &f, &err) < 0)
                fg_console("%s: %s", fg_json_str(m, "type"), err.msg);
}

static void send_hello(struct fg_link *l)
{
        struct json_object *m = json_object_new_object();
        struct utsname uts;

        (void)uname(&uts);
        fg_json_set_str(m, "type", "hello");
        fg_json_set_int(m, "version", FG_PROTO_VERSION);
        fg_json_set_str(m, "init", FG_VERSION);
        fg_json_set_str(m, "kernel", uts.release);
        fg_json_set_int(m, "uptimeNs", (int64_t)fg_mono_ns());
        fg_json_set_str(m, "task", l->task_id);
        fg_link_say(l, m);
}

static void forget_variables(struct fg_link *l)
{
        fg_json_wipe(l->variables);
        json_object_put(fg_take_ptr(l->variables));
}

static void handle_sync(struct fg_link *l, const struct fg_frame *f)
{
        l->live = false;
        forget_variables(l);
        fg_blobs_rewind(&l->blobs);
        fg_events_rewind(&l->events);
        for (size_t i = 0; i < l->output_count; i++)
                fg_output_rewind(&l->outputs[i]);
        fg_port_restart(&l->port, f);
        send_hello(l);
}

static void handle_ack(struct fg_link *l, struct json_object *m)
{
        struct json_object *list = fg_json_arr(m, "output");

        fg_events_ack(&l->events, (uint64_t)fg_json_int(m, "eventSeq", 0));
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *o = json_object_array_get_idx(list, i);
                int64_t stream = fg_json_int(o, "stream", -1);
                int64_t offset = fg_json_int(o, "offset", 0);

                if (stream >= 0 && (size_t)stream < l->output_count && offset > 0)
                        fg_output_ack(&l->outputs[stream], (uint64_t)offset);
        }
}

/* They belong to the task that follows them in the same conversation. */
static void handle_variable(struct fg_link *l, struct json_object *m)
{
        if (!l->variables)
                l->variables = json_object_new_array();
        json_object_array_add(l->variables, json_object_get(m));
}

static void handle_task(struct fg_link *l, struct json_object *m)
{
        l->live = true;
        if (l->task_id)
                return;
        if (l->variables)
                fg_json_set(m, "variables", fg_take_ptr(l->variables));
        l->handler->task(l->owner, m);
}

static void handle_resume(struct fg_link *l, struct json_object *m)
{
        l->live = true;
        handle_ack(l, m);
}

static void handle_stop(struct fg_link *l, struct json_object *m)
{
        const char *reason = fg_json_str(m, "reason");

        l->handler->stop(l->owner, reason ? reason : "");
}

static void handle_rehearse(struct fg_link *l, struct json_object *m)
{
        if (!l->task_id)
                l->handler->rehearse(l->owner, m);
}

static void handle_disks_lost(struct fg_link *l, struct json_object *m)
{
        (void)m;
        l->handler->disks_lost(l->owner);
}

static void handle_blob_error(struct fg_link *l, struct json_object *m)
{
        const char *code = fg_json_str(m, "code"), *message = fg_json_str(m, "message");

        fg_blobs_fail(&l->blobs, (uint16_t)fg_json_int(m, "id", 0), code ? code : "INTERNAL",
                      message ? message : "");
        l->handler->blob(l->owner);
}

static const struct {
        const char *type;
        void (*handle)(struct fg_link *l, struct json_object *m);
} messages[] = {
        { "variable", handle_variable }, { "task", handle_task },
        { "resume", handle_resume },     { "ack", handle_ack },
        { "stop", handle_stop },         { "blob.error", handle_blob_error },
        { "rehearse", handle_rehearse }, { "disks.lost", handle_disks_lost },
};

static void handle_control(struct fg_link *l, const struct fg_frame *f)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *m = fg_json_parse(f->data, f->len, &err);
        const char *type = m ? fg_json_str(m, "type") : NULL;

        if (!type) {
                fg_console("channel: control message without a type %s", err.msg);
                return;
        }
        for (size_t i = 0; i < FG_ARRAY_SIZE(messages); i++) {
                if (fg_streq(type, messages[i].type))
                        messages[i].handle(l, m);
        }
}

static void handle_frame(struct fg_port *p, const struct fg_frame *f)
{
        struct fg_link *l = FG_CONTAINER_OF(p, struct fg_link, port);

        switch (f->type) {
        case FG_FRAME_SYNC:
                handle_sync(l, f);
                break;
        case FG_FRAME_CONTROL:
                handle_control(l, f);
                break;
        case FG_FRAME_BLOB:
                fg_blobs_frame(&l->blobs, f);
                l->handler->blob(l->owner);
                break;
        case FG_FRAME_OUTPUT:
        case FG_FRAME_PAD:
        default:
                break;
        }
}

int fg_link_open(struct fg_link *l, struct fg_loop *loop, struct fg_error *err)
{
        l->port.frame = handle_frame;
        return fg_port_open(&l->port, loop, err);
}

/* Return: 1 when an event was serialised, 0 when there is none or output has to go first. */
static int append_event(struct fg_link *l, struct fg_error *err)
{
        struct fg_event *e = l->events.unsent;
        struct fg_frame f = { .type = FG_FRAME_CONTROL };

        if (!e)
                return 0;
        if (e->barrier >= 0 && !(fg_output_all_sent(&l->outputs[2 * e->barrier]) &&
                                 fg_output_all_sent(&l->outputs[2 * e->barrier + 1])))
                return 0;
        f.data = fg_json_text(e->body);
        f.len = strlen(f.data);
        if (fg_frame_append(&l->port.tx, &f, err) < 0)
                return -1;
        l->events.unsent = e->next;
        return 1;
}

/* One round gives each source one frame, so that none starves another. Return: frames. */
static int append_round(struct fg_link *l, struct fg_error *err)
{
        int blob = fg_blobs_append(&l->blobs, &l->port.tx, err);
        int event = blob < 0 ? -1 : append_event(l, err);
        int sum = blob + event;

        if (event < 0)
                return -1;
        for (size_t i = 0; i < l->output_count && fg_port_wants_more(&l->port); i++) {
                size_t turn = l->turn++ % l->output_count;
                int n = fg_output_append(&l->outputs[turn], &l->port.tx, err);

                if (n < 0)
                        return -1;
                sum += n;
        }
        return sum;
}

void fg_link_flush(struct fg_link *l)
{
        struct fg_error err = FG_ERROR_INIT;
        int n;

        do {
                n = 0;
                while (l->live && fg_port_wants_more(&l->port) && (n = append_round(l, &err)) > 0)
                        ;
                if (n < 0)
                        fg_console("channel: %s", err.msg);
        } while (l->port.tx.len > 0 && fg_port_write(&l->port) && n >= 0);
}

bool fg_link_settled(const struct fg_link *l)
{
        for (size_t i = 0; i < l->output_count; i++) {
                if (!fg_output_all_acked(&l->outputs[i]))
                        return false;
        }
        return !l->events.head;
}
