/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "guest-init/blobs.h"
#include "guest-init/events.h"
#include "guest-init/output.h"
#include "guest-init/port.h"

struct json_object;

/* What the conversation means to the task. Objects are borrowed for the call. */
struct fg_link_handler {
        void (*task)(void *owner, struct json_object *message);
        void (*stop)(void *owner, const char *reason);
        void (*rehearse)(void *owner, struct json_object *message); /* only before the task */
        void (*disks_lost)(void *owner);
        void (*blob)(void *owner); /* bytes or an error of the blob being read have come */
};

/*
 * The conversation of docs/protocol.md: answers SYNC, keeps what the host has not stored, and
 * sends in the order in which things may be believed (a container's output before its end).
 */
struct fg_link {
        struct fg_port port;
        struct fg_events events;
        struct fg_blobs blobs;
        struct fg_output *outputs; /* stdout and stderr of each container, or NULL */
        size_t output_count;
        size_t turn;                   /* whose output is next */
        const char *task_id;           /* NULL before a task was given */
        struct json_object *variables; /* `variable` messages since SYNC; an array, or NULL */
        bool live;                     /* the host has said where it stands */
        const struct fg_link_handler *handler;
        void *owner;
};

/** fg_link_say() - a message that is not kept: lost if the host vanishes now */
void fg_link_say(struct fg_link *l, struct json_object *take_message);
int fg_link_open(struct fg_link *l, struct fg_loop *loop, struct fg_error *err);
/** fg_link_flush() - send whatever may be sent now; called after every step of the loop */
void fg_link_flush(struct fg_link *l);
/** fg_link_settled() - the host has stored every event and every byte of output */
bool fg_link_settled(const struct fg_link *l);
