/* SPDX-License-Identifier: Apache-2.0 */
#include "api/store.h"

#include <stdlib.h>

#include "api/store_private.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/str.h"

static const char schema_tasks[] =
        "CREATE TABLE tasks (\n"
        "  id TEXT PRIMARY KEY,\n"
        "  family TEXT NOT NULL,\n"
        "  status TEXT NOT NULL,\n"
        "  created_ns INTEGER NOT NULL,\n"
        "  stopped_ns INTEGER NOT NULL,\n"
        "  document TEXT NOT NULL,\n"
        "  snapshot TEXT,\n"
        "  client_token TEXT,\n"
        "  request_hash TEXT\n"
        ") STRICT;\n"
        "CREATE INDEX tasks_by_created ON tasks (created_ns);\n"
        "CREATE INDEX tasks_by_token ON tasks (client_token) WHERE client_token IS NOT NULL;\n"
        "CREATE TABLE alive (one INTEGER PRIMARY KEY CHECK (one = 1), ns INTEGER NOT NULL) "
        "STRICT;\n";

/* ---- writing, with group commit ---- */

struct commit {
        struct fg_job job;
        struct fg_store *store;
        struct write *writes;
};

static void write_free(struct write *w)
{
        struct fg_record *r = &w->record;

        free((void *)(uintptr_t)r->id);
        free((void *)(uintptr_t)r->family);
        free((void *)(uintptr_t)r->status);
        free((void *)(uintptr_t)r->document);
        free((void *)(uintptr_t)r->snapshot);
        free((void *)(uintptr_t)r->client_token);
        free((void *)(uintptr_t)r->request_hash);
        free((void *)(uintptr_t)r->event);
        free(w);
}

static int apply_meter(struct fg_store *s, const struct fg_record *r, struct fg_error *err)
{
        if (r->meter_start_ns && fg_meter_open(s->db, r->id, r->family, r->cpu_units, r->memory_mib,
                                               r->storage_gib, r->meter_start_ns, err) < 0)
                return -1;
        return r->meter_end_ns ? fg_meter_close(s->db, s->prices, r->id, r->meter_end_ns, err) : 0;
}

static int apply(struct fg_store *s, const struct fg_record *r, struct fg_error *err)
{
        static const char sql[] =
                "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)\n"
                "ON CONFLICT (id) DO UPDATE SET status = excluded.status,\n"
                "  stopped_ns = excluded.stopped_ns, document = excluded.document,\n"
                "  snapshot = excluded.snapshot";

        if (fg_db_run(s->db, err, sql, "sssiissss", r->id, r->family, r->status,
                      (int64_t)r->created_ns, (int64_t)r->stopped_ns, r->document, r->snapshot,
                      r->client_token, r->request_hash) < 0)
                return -1;
        if (r->event && store_add_event(s->db, r->event_ns, r->event, err) < 0)
                return -1;
        return apply_meter(s, r, err);
}

/* The writes from @first up to @end (not included), all or none. */
static int commit(struct fg_store *s, struct write *first, const struct write *end,
                  struct fg_error *err)
{
        int r = fg_db_exec(s->db, "BEGIN IMMEDIATE", err);

        for (struct write *w = first; r >= 0 && w != end; w = w->next)
                r = apply(s, &w->record, err);
        if (r >= 0)
                r = store_trim_events(s->db, s->events_max, err);
        if (r >= 0)
                r = fg_db_exec(s->db, "COMMIT", err);
        if (r < 0 && !sqlite3_get_autocommit(s->db))
                (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

static void commit_work(struct fg_job *job)
{
        struct commit *c = FG_CONTAINER_OF(job, struct commit, job);
        struct fg_error err = FG_ERROR_INIT;

        if (commit(c->store, c->writes, NULL, &err) >= 0)
                return;
        /* One record that cannot be stored must not keep the others out. */
        for (struct write *w = c->writes; w; w = w->next)
                (void)commit(c->store, w, w->next, &w->err);
}

static void flush(struct fg_store *s);

static void commit_done(struct fg_job *job)
{
        struct commit *c = FG_CONTAINER_OF(job, struct commit, job);
        struct fg_store *s = c->store;
        struct write *next;

        s->commits--;
        for (struct write *w = c->writes; w; w = next) {
                next = w->next;
                if (w->done)
                        w->done(w->userdata, w->err.code ? &w->err : NULL);
                write_free(w);
        }
        free(c);
        flush(s);
}

static void flush(struct fg_store *s)
{
        struct commit *c;

        if (!s->pending)
                return;
        c = fg_calloc(1, sizeof(*c));
        *c = (struct commit){ .job = { .work = commit_work, .done = commit_done },
                              .store = s,
                              .writes = fg_take_ptr(s->pending) };
        s->pending_last = &s->pending;
        s->commits++;
        fg_lane_submit(s->lane, &c->job);
}

void fg_store_save(struct fg_store *s, const struct fg_record *record, fg_store_done_fn done,
                   void *userdata)
{
        struct write *w = fg_calloc(1, sizeof(*w));
        struct fg_record *r = &w->record;

        *r = *record;
        r->id = fg_strdup(record->id);
        r->family = fg_strdup(record->family);
        r->status = fg_strdup(record->status);
        r->document = fg_strdup(record->document);
        r->snapshot = fg_strdup(record->snapshot);
        r->client_token = fg_strdup(record->client_token);
        r->request_hash = fg_strdup(record->request_hash);
        r->event = fg_strdup(record->event);
        w->done = done;
        w->userdata = userdata;
        *s->pending_last = w;
        s->pending_last = &w->next;
        if (s->commits == 0)
                flush(s);
}

/* ---- reading ---- */

struct read {
        struct fg_job job;
        struct fg_store *store;
        read_work_fn work;
        struct read_args args;
        fg_store_read_fn fn;
        void *userdata;
        struct json_object *result;
        struct fg_error err;
};

static void read_work(struct fg_job *job)
{
        struct read *r = FG_CONTAINER_OF(job, struct read, job);

        r->result = r->work(r->store, &r->args, &r->err);
}

static void read_done(struct fg_job *job)
{
        struct read *r = FG_CONTAINER_OF(job, struct read, job);

        /* Whoever goes on from the answer may need what is gone already. */
        if (r->store->closing && r->result) {
                json_object_put(fg_take_ptr(r->result));
                fg_fail(&r->err, FG_ERR_CAPACITY, "fgd is shutting down");
        }
        if (r->fn)
                r->fn(r->userdata, r->result, r->result ? NULL : &r->err);
        json_object_put(r->result);
        free(r->args.text);
        free(r->args.text2);
        free(r);
}

void store_read(struct fg_store *s, read_work_fn work, struct read_args take_args,
                fg_store_read_fn fn, void *userdata)
{
        struct read *r = fg_calloc(1, sizeof(*r));

        *r = (struct read){ .job = { .work = read_work, .done = read_done },
                            .store = s,
                            .work = work,
                            .args = take_args,
                            .fn = fn,
                            .userdata = userdata };
        flush(s); /* a read must not overtake the writes before it */
        fg_lane_submit(s->lane, &r->job);
}

/* ---- life ---- */

static uint64_t read_beat(sqlite3 *db, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(db, &stmt, err, "SELECT ns FROM alive", "") < 0 ||
            fg_db_step(stmt, err) <= 0)
                return 0;
        return (uint64_t)sqlite3_column_int64(stmt, 0);
}

int fg_store_new(sd_event *event, const char *path, struct fg_prices *take_prices,
                 struct fg_store **ret, struct fg_error *err)
{
        const char *const migrations[] = { schema_tasks, fg_billing_schema, store_schema_events,
                                           NULL };
        fg_cleanup(fg_store_freep) struct fg_store *s = fg_calloc(1, sizeof(*s));

        s->prices = take_prices;
        s->pending_last = &s->pending;
        s->events_max = INT64_MAX;
        if (fg_db_open(path, migrations, &s->db, err) < 0)
                return -1;
        s->last_beat = read_beat(s->db, err);
        if (fg_lane_new(event, "db", 1, &s->lane, err) < 0)
                return -1;
        *ret = fg_take_ptr(s);
        return 0;
}

void fg_store_free(struct fg_store *s)
{
        if (!s)
                return;
        s->closing = true;
        fg_lane_free(s->lane);
        sqlite3_close_v2(s->db);
        fg_prices_free(s->prices);
        free(s);
}

void fg_store_keep_events(struct fg_store *s, uint64_t max)
{
        s->events_max = max;
}

uint64_t fg_store_last_beat(const struct fg_store *s)
{
        return s->last_beat;
}
