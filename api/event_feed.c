/* SPDX-License-Identifier: Apache-2.0 */
#include "api/event_feed.h"

#include <assert.h>
#include <stdlib.h>

#include "api/daemon.h"
#include "core/str.h"

#define BATCH 64

/* A read under way; it survives the feed that asked. */
struct ask {
        struct fg_event_feed *feed; /* NULL: freed */
};

struct fg_event_feed {
        struct fg_event_feed *next, **prev;
        struct fg_daemon *d;
        uint64_t after;
        fg_event_feed_fn fn;
        void *userdata;
        struct ask *ask;
        bool wanted; /* a batch was asked for and has not come */
        bool again;  /* an event became durable while a read was under way */
};

static void on_read(void *userdata, struct json_object *result, const struct fg_error *err);

static void ask(struct fg_event_feed *f)
{
        if (f->ask || !f->wanted)
                return;
        f->again = false;
        f->ask = fg_calloc(1, sizeof(*f->ask));
        f->ask->feed = f;
        fg_store_events(f->d->store, f->after, BATCH, on_read, f->ask);
}

static void deliver(struct fg_event_feed *f, struct json_object *list, uint64_t oldest)
{
        size_t n = json_object_array_length(list);
        struct fg_event events[BATCH] = { 0 };
        uint64_t lost = oldest > f->after + 1 ? oldest - f->after - 1 : 0;

        assert(n > 0 && n <= BATCH);
        for (size_t i = 0; i < n; i++) {
                struct json_object *row = json_object_array_get_idx(list, i);

                events[i].seq = (uint64_t)fg_json_int(row, "seq", 0);
                events[i].body = fg_json_str(row, "body");
        }
        f->after = events[n - 1].seq;
        f->wanted = false;
        f->fn(f->userdata, events, n, lost, NULL);
}

static void on_read(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct fg_event_feed *f = ((struct ask *)userdata)->feed;
        struct json_object *list;

        free(userdata);
        if (!f)
                return;
        f->ask = NULL;
        if (err) {
                f->wanted = false;
                f->fn(f->userdata, NULL, 0, 0, err);
                return;
        }
        if (f->after == FG_EVENTS_NEWEST)
                f->after = (uint64_t)fg_json_int(result, "newest", 0);
        list = fg_json_arr(result, "events");
        if (json_object_array_length(list) > 0)
                deliver(f, list, (uint64_t)fg_json_int(result, "oldest", 0));
        else if (f->again)
                ask(f);
}

struct fg_event_feed *fg_event_feed_new(struct fg_daemon *d, uint64_t after, fg_event_feed_fn fn,
                                        void *userdata)
{
        struct fg_event_feed *f = fg_calloc(1, sizeof(*f));

        *f = (struct fg_event_feed){ .next = d->event_feeds,
                                     .prev = &d->event_feeds,
                                     .d = d,
                                     .after = after,
                                     .fn = fn,
                                     .userdata = userdata };
        if (f->next)
                f->next->prev = &f->next;
        d->event_feeds = f;
        return f;
}

void fg_event_feed_free(struct fg_event_feed *f)
{
        if (!f)
                return;
        if (f->ask)
                f->ask->feed = NULL;
        if (f->next)
                f->next->prev = f->prev;
        *f->prev = f->next;
        free(f);
}

void fg_event_feed_read(struct fg_event_feed *f)
{
        f->wanted = true;
        ask(f);
}

void fg_event_feed_committed(struct fg_daemon *d)
{
        for (struct fg_event_feed *f = d->event_feeds; f; f = f->next) {
                f->again = true;
                ask(f);
        }
}
