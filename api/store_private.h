/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/store.h"
#include "core/lane.h"

struct write {
        struct write *next;
        fg_store_work_fn work;
        fg_store_done_fn done;
        void *userdata; /* of both */
        struct fg_error err;
};

struct fg_store {
        struct fg_lane *lane;
        sqlite3 *db;              /* the lane's, once the daemon runs */
        struct fg_prices *prices; /* immutable */
        struct write *pending;    /* loop: writes of the next commit, in order */
        struct write **pending_last;
        unsigned commits; /* loop: under way */
        bool closing;
        uint64_t last_beat;
        uint64_t events_max; /* set before the first commit */
};

struct read_args {
        char *text, *text2; /* owned */
        uint64_t from, to;
        struct fg_taskpage page;
};

extern const char store_schema_tasks[], store_schema_ecs[]; /* store_schema.c */

/* store_events.c, on the lane */
extern const char store_schema_events[];
int store_add_event(sqlite3 *db, uint64_t time_ns, const char *body, struct fg_error *err);
int store_trim_events(sqlite3 *db, uint64_t max, struct fg_error *err);

typedef struct json_object *(*read_work_fn)(struct fg_store *s, const struct read_args *a,
                                            struct fg_error *err);
/** store_read() - run @work on the lane; takes the strings of @args. */
void store_read(struct fg_store *s, read_work_fn work, struct read_args take_args,
                fg_store_read_fn fn, void *userdata);
