/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/json.h"

#define FG_EVENT_NO_BARRIER (-1)

/* What the host has to be told, in order, kept until it says that it has stored it. */
struct fg_event {
        struct fg_event *next;
        uint64_t seq;
        int barrier; /* index of the container whose output must have been sent before, or none */
        struct json_object *body;
};

struct fg_events {
        struct fg_event *head, *tail;
        struct fg_event *unsent; /* the first that was not sent since the last SYNC */
        uint64_t seq;            /* of the newest */
};

/**
 * fg_events_new() - append an event with "type", "seq", "at" and "event" set
 * Return: its object, borrowed, for the members of that event
 */
struct json_object *fg_events_new(struct fg_events *e, const char *event, uint64_t at, int barrier);
void fg_events_ack(struct fg_events *e, uint64_t seq);
void fg_events_rewind(struct fg_events *e);
