/* SPDX-License-Identifier: Apache-2.0 */
#include "api/store.h"

#include <stdlib.h>

#include "api/store_private.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/str.h"

/* ---- writing, with group commit ---- */

struct commit {
        struct fg_job job;
        struct fg_store *store;
        struct write *writes;
};

/* A script whose changes are undone when it fails, without harm to the others'. */
static int apply(sqlite3 *db, struct write *w)
{
        struct fg_error err = FG_ERROR_INIT;
        int r;

        if (fg_db_run(db, &w->err, "SAVEPOINT script", "") < 0)
                return -1;
        r = w->work(db, w->userdata, &w->err);
        if (r < 0 && sqlite3_get_autocommit(db))
                return -1; /* so bad that SQLite has undone it all */
        if (r < 0 && fg_db_exec(db, "ROLLBACK TO script", &err) < 0)
                return -1;
        return fg_db_run(db, &err, "RELEASE script", "") < 0 ? -1 : 0;
}

/* The writes from @first up to @end (not included); -1: none is stored. */
static int commit(struct fg_store *s, struct write *first, const struct write *end,
                  struct fg_error *err)
{
        int r = fg_db_run(s->db, err, "BEGIN IMMEDIATE", "");

        for (struct write *w = first; r >= 0 && w != end; w = w->next) {
                w->err = FG_ERROR_INIT;
                r = apply(s->db, w);
                if (r < 0)
                        *err = w->err;
        }
        if (r >= 0)
                r = store_trim_events(s->db, s->events_max, err);
        if (r >= 0)
                r = fg_db_run(s->db, err, "COMMIT", "");
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
        /* One that cannot be stored must not keep the others out. */
        for (struct write *w = c->writes; w; w = w->next) {
                err = FG_ERROR_INIT;
                if (commit(c->store, w, w->next, &err) < 0)
                        w->err = err;
        }
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
                free(w);
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

void fg_store_write(struct fg_store *s, fg_store_work_fn work, fg_store_done_fn done,
                    void *userdata)
{
        struct write *w = fg_calloc(1, sizeof(*w));

        *w = (struct write){ .work = work, .done = done, .userdata = userdata };
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

struct script {
        struct fg_job job;
        struct fg_store *store;
        fg_store_work_fn work;
        fg_store_done_fn done;
        void *userdata;
        struct fg_error err;
        int r;
};

static void script_work(struct fg_job *job)
{
        struct script *script = FG_CONTAINER_OF(job, struct script, job);

        script->r = script->work(script->store->db, script->userdata, &script->err);
}

static void script_done(struct fg_job *job)
{
        struct script *script = FG_CONTAINER_OF(job, struct script, job);

        if (script->store->closing)
                script->r = fg_fail(&script->err, FG_ERR_CAPACITY, "fgd is shutting down");
        script->done(script->userdata, script->r < 0 ? &script->err : NULL);
        free(script);
}

void fg_store_read(struct fg_store *s, fg_store_work_fn work, fg_store_done_fn done, void *userdata)
{
        struct script *script = fg_calloc(1, sizeof(*script));

        *script = (struct script){ .job = { .work = script_work, .done = script_done },
                                   .store = s,
                                   .work = work,
                                   .done = done,
                                   .userdata = userdata };
        fg_lane_submit(s->lane, &script->job);
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
        const char *const migrations[] = { store_schema_tasks, fg_billing_schema,
                                           store_schema_events, store_schema_ecs, NULL };
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
        fg_db_close(s->db);
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
