/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/events.h"

#include "core/str.h"

struct json_object *fg_events_new(struct fg_events *e, const char *event, uint64_t at, int barrier)
{
        struct fg_event *n = fg_calloc(1, sizeof(*n));

        n->seq = ++e->seq;
        n->barrier = barrier;
        n->body = json_object_new_object();
        fg_json_set_str(n->body, "type", "event");
        fg_json_set_int(n->body, "seq", (int64_t)n->seq);
        fg_json_set_int(n->body, "at", (int64_t)at);
        fg_json_set_str(n->body, "event", event);
        if (e->tail)
                e->tail->next = n;
        else
                e->head = n;
        e->tail = n;
        if (!e->unsent)
                e->unsent = n;
        return n->body;
}

void fg_events_ack(struct fg_events *e, uint64_t seq)
{
        while (e->head && e->head->seq <= seq) {
                struct fg_event *done = e->head;

                if (e->unsent == done)
                        e->unsent = done->next;
                e->head = done->next;
                if (!e->head)
                        e->tail = NULL;
                json_object_put(done->body);
                free(done);
        }
}

void fg_events_rewind(struct fg_events *e)
{
        e->unsent = e->head;
}
