/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * Reading stored events in their order, and waiting for the next. Events are read back from the
 * database: whoever waits sees what is durable, and costs nothing while nothing happens. Loop only.
 */
struct fg_daemon;
struct fg_event_feed;

#define FG_EVENTS_NEWEST UINT64_MAX /* only those still to come */

struct fg_event {
        uint64_t seq;
        const char *body; /* JSON on one line */
};

/**
 * A batch, called once per fg_event_feed_read(). @events are borrowed for the call.
 * @lost: so many before them were removed by retention unread. @err: nothing could be read.
 */
typedef void (*fg_event_feed_fn)(void *userdata, const struct fg_event *events, size_t n,
                                 uint64_t lost, const struct fg_error *err);

struct fg_event_feed *fg_event_feed_new(struct fg_daemon *d, uint64_t after, fg_event_feed_fn fn,
                                        void *userdata);
void fg_event_feed_free(struct fg_event_feed *f); /* also from its callback */
FG_DEFINE_CLEANUP(struct fg_event_feed *, fg_event_feed_free)
/** fg_event_feed_read() - ask for the next batch; it comes when there is at least one event. */
void fg_event_feed_read(struct fg_event_feed *f);
/** fg_event_feed_committed() - wakes those who wait: an event has become durable. */
void fg_event_feed_committed(struct fg_daemon *d);
