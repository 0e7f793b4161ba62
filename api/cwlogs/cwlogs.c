/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/cwlogs.h"

#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/private.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define RETAIN_SECONDS 600

static const char schema[] =
        "CREATE TABLE log_group (\n"
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        "  name TEXT NOT NULL UNIQUE,\n"
        "  created_ms INTEGER NOT NULL,\n"
        "  retention_days INTEGER NOT NULL DEFAULT 0\n" /* 0: for ever */
        ") STRICT;\n"
        "CREATE TABLE log_tag (\n"
        "  group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,\n"
        "  key TEXT NOT NULL,\n"
        "  value TEXT NOT NULL,\n"
        "  PRIMARY KEY (group_id, key)\n"
        ") STRICT, WITHOUT ROWID;\n"
        "CREATE TABLE log_stream (\n"
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        "  group_id INTEGER NOT NULL REFERENCES log_group (id) ON DELETE CASCADE,\n"
        "  name TEXT NOT NULL,\n"
        "  created_ms INTEGER NOT NULL,\n"
        "  key TEXT NOT NULL,\n" /* of the log in the log store: a task's id, or one of its own */
        "  container TEXT NOT NULL,\n"
        "  put INTEGER NOT NULL,\n" /* 1: made by CreateLogStream */
        "  starts TEXT NOT NULL DEFAULT '',\n"
        "  datetime INTEGER NOT NULL DEFAULT 0,\n"
        "  unordered INTEGER NOT NULL DEFAULT 0,\n"
        "  ended INTEGER NOT NULL DEFAULT 0,\n"
        "  expired INTEGER NOT NULL DEFAULT 0,\n"  /* the task's record is gone */
        "  first_ms INTEGER NOT NULL DEFAULT 0,\n" /* 0: no event is known of */
        "  last_ms INTEGER NOT NULL DEFAULT 0,\n"
        "  ingested_ms INTEGER NOT NULL DEFAULT 0,\n"
        "  bytes INTEGER NOT NULL DEFAULT 0,\n"
        "  UNIQUE (group_id, name)\n"
        ") STRICT;\n"
        "CREATE INDEX log_stream_by_key ON log_stream (key);\n"
        "CREATE INDEX log_stream_by_time ON log_stream (group_id, last_ms);\n";

static const char *const migrations[] = { schema, NULL };

int fg_cwlogs_new(sd_event *event, const struct fg_cwlogs_options *options, struct fg_cwlogs **ret,
                  struct fg_error *err)
{
        /* The last events of tasks that ran with the former fgd may be as late as now. */
        static const char ended[] = "UPDATE log_stream SET ended = 1, last_ms = ?,\n"
                                    "first_ms = CASE WHEN first_ms = 0 THEN created_ms "
                                    "ELSE first_ms END\n"
                                    "WHERE ended = 0 AND put = 0";
        fg_cleanup(fg_cwlogs_freep) struct fg_cwlogs *logs = fg_calloc(1, sizeof(*logs));

        logs->event = sd_event_ref(event);
        logs->store = options->logs;
        logs->dir = fg_strdup(options->logs_dir);
        logs->db.region = fg_strdup(options->region);
        logs->db.account = fg_strdup(options->account);
        if (fg_db_open(options->database, migrations, &logs->db.db, err) < 0 ||
            fg_db_run(logs->db.db, err, ended, "i", cwlogs_now_ms()) < 0 ||
            fg_lane_new(event, "logs-db", 1, &logs->db_lane, err) < 0 ||
            fg_lane_new(event, "logs-read", 1, &logs->read_lane, err) < 0)
                return fg_wrap(err, "log groups");
        *ret = fg_take_ptr(logs);
        return 0;
}

void fg_cwlogs_free(struct fg_cwlogs *logs)
{
        if (!logs)
                return;
        if (logs->db_lane)
                cwlogs_live_save(logs);
        logs->closing = true;
        fg_lane_free(logs->db_lane); /* its answers may begin a search */
        fg_lane_free(logs->read_lane);
        cwlogs_writers_close(logs, NULL);
        cwlogs_live_free(logs);
        fg_db_close(logs->db.db);
        sd_event_unref(logs->event);
        free(logs->db.region);
        free(logs->db.account);
        free(logs->dir);
        free(logs);
}

int64_t cwlogs_now_ms(void)
{
        return (int64_t)(fg_now_ns() / FG_NS_PER_MSEC);
}

/* ---- queries ---- */

struct query {
        struct fg_job job;
        struct cwlogs_db *db; /* for the lane */
        cwlogs_work_fn work;
        const void *in;
        struct json_object *args; /* the same, when it is ours */
        fg_cwlogs_fn fn;
        void *userdata;
        struct json_object *result;
        struct fg_error err;
};

static struct json_object *in_transaction(struct query *q)
{
        fg_autojson *result = NULL;

        if (fg_db_exec(q->db->db, "BEGIN IMMEDIATE", &q->err) < 0)
                return NULL;
        result = q->work(q->db, q->in, &q->err);
        if (result && fg_db_exec(q->db->db, "COMMIT", &q->err) == 0)
                return fg_take_ptr(result);
        if (!sqlite3_get_autocommit(q->db->db))
                (void)sqlite3_exec(q->db->db, "ROLLBACK", NULL, NULL, NULL);
        return NULL;
}

static void query_work(struct fg_job *job)
{
        struct query *q = FG_CONTAINER_OF(job, struct query, job);

        q->result = in_transaction(q);
}

static void query_done(struct fg_job *job)
{
        struct query *q = FG_CONTAINER_OF(job, struct query, job);

        if (q->fn)
                q->fn(q->userdata, q->result, q->result ? NULL : &q->err);
        else if (!q->result)
                fg_log_error("log groups: %s", q->err.msg);
        json_object_put(q->result);
        json_object_put(q->args);
        free(q);
}

static struct query *query_new(struct fg_cwlogs *logs, cwlogs_work_fn work, fg_cwlogs_fn fn,
                               void *userdata)
{
        struct query *q = fg_calloc(1, sizeof(*q));

        q->job = (struct fg_job){ .work = query_work, .done = query_done };
        q->db = &logs->db;
        q->work = work;
        q->fn = fn;
        q->userdata = userdata;
        return q;
}

void cwlogs_query(struct fg_cwlogs *logs, cwlogs_work_fn work, const void *in, fg_cwlogs_fn fn,
                  void *userdata)
{
        struct query *q = query_new(logs, work, fn, userdata);

        q->in = in;
        fg_lane_submit(logs->db_lane, &q->job);
}

void cwlogs_query_json(struct fg_cwlogs *logs, cwlogs_work_fn work, struct json_object *take_in,
                       fg_cwlogs_fn fn, void *userdata)
{
        struct query *q = query_new(logs, work, fn, userdata);

        q->in = q->args = take_in;
        fg_lane_submit(logs->db_lane, &q->job);
}

/* ---- searches ---- */

struct search_job {
        struct fg_job job;
        struct fg_cwlogs *logs; /* for the loop: outlives its lanes' jobs */
        struct fg_logsearch *search;
        cwlogs_render_fn render;
        const void *in;
        fg_cwlogs_fn fn;
        void *userdata;
        int more;
        struct json_object *result;
        struct fg_error err;
};

static void search_work(struct fg_job *job)
{
        struct search_job *j = FG_CONTAINER_OF(job, struct search_job, job);

        j->more = fg_logsearch_step(j->search, &j->err);
        if (j->more == 0)
                j->result = j->render(j->search, j->in);
}

static void search_done(struct fg_job *job)
{
        struct search_job *j = FG_CONTAINER_OF(job, struct search_job, job);

        if (j->more > 0 && !j->logs->closing) {
                fg_lane_submit(j->logs->read_lane, &j->job);
                return;
        }
        if (j->more > 0)
                j->more = fg_fail(&j->err, FG_ERR_INTERNAL, "fgd is ending");
        j->fn(j->userdata, j->result, j->more < 0 ? &j->err : NULL);
        json_object_put(j->result);
        fg_logsearch_free(j->search);
        free(j);
}

void cwlogs_search(struct fg_cwlogs *logs, struct fg_logsearch *take_s, cwlogs_render_fn render,
                   const void *in, fg_cwlogs_fn fn, void *userdata)
{
        struct search_job *j = fg_calloc(1, sizeof(*j));

        *j = (struct search_job){ .job = { .work = search_work, .done = search_done },
                                  .logs = logs,
                                  .search = take_s,
                                  .render = render,
                                  .in = in,
                                  .fn = fn,
                                  .userdata = userdata };
        j->search->dir = fg_strdup(logs->dir);
        fg_lane_submit(logs->read_lane, &j->job);
}

/* ---- names ---- */

int64_t cwlogs_find_group(struct cwlogs_db *db, const char *name, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db->db, &stmt, err, "SELECT id FROM log_group WHERE name = ?", "s",
                          name) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r < 0)
                return -1;
        if (r == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "The specified log group does not exist.");
        return sqlite3_column_int64(stmt, 0);
}

char *cwlogs_group_arn(const struct cwlogs_db *db, const char *group)
{
        return fg_asprintf("arn:aws:logs:%s:%s:log-group:%s", db->region, db->account, group);
}

bool cwlogs_arn_is_group(const char *arn)
{
        return fg_starts_with(arn, "arn:aws:logs:") && strstr(arn, ":log-group:");
}

char *cwlogs_group_name(const struct cwlogs_db *db, const char *identifier, struct fg_error *err)
{
        fg_autofree char *ours = cwlogs_group_arn(db, "");
        fg_autofree char *copy = NULL;

        if (!fg_starts_with(identifier, "arn:"))
                return fg_strdup(identifier);
        if (!cwlogs_arn_is_group(identifier)) {
                fg_fail(err, FG_ERR_INVALID, "'%.64s' is not the ARN of a log group", identifier);
                return NULL;
        }
        if (!fg_starts_with(identifier, ours)) {
                fg_fail(err, FG_ERR_NOT_FOUND,
                        "The specified log group does not exist. (This fgd is region %s and "
                        "account %s.)",
                        db->region, db->account);
                return NULL;
        }
        copy = fg_strdup(identifier + strlen(ours));
        if (fg_ends_with(copy, ":*"))
                copy[strlen(copy) - 2] = '\0';
        return fg_take_ptr(copy);
}

/* ---- logs that go ---- */

static void on_removed(void *userdata, uint64_t bytes)
{
        (void)userdata;
        fg_log_debug("a log was removed, %llu bytes", (unsigned long long)bytes);
}

void cwlogs_forget(struct fg_cwlogs *logs, struct json_object *result)
{
        struct json_object *list = fg_json_arr(result, "logs");

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *key = json_object_get_string(json_object_array_get_idx(list, i));

                cwlogs_writers_close(logs, key);
                fg_logstore_remove(logs->store, key, on_removed, NULL);
        }
}

bool fg_cwlogs_holds(struct fg_cwlogs *logs, const char *key)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autostmt *stmt = NULL;

        /* When in doubt it stays. */
        return fg_db_prepare(logs->db.db, &stmt, &err, "SELECT 1 FROM log_stream WHERE key = ?",
                             "s", key) < 0 ||
               fg_db_step(stmt, &err) != 0;
}

/* ---- retention ---- */

static int add_keys(sqlite3_stmt *stmt, struct json_object *list, struct fg_error *err)
{
        int r;

        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, json_object_new_string(fg_db_text(stmt, 0)));
        return r;
}

/*
 * Streams all of whose events are too old lose their logs. A stream of a task that nobody knows any
 * more goes with it; one that somebody has made stays, and is empty.
 */
static struct json_object *retain(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        static const char old[] =
                "SELECT s.id FROM log_stream s JOIN log_group g ON g.id = s.group_id\n"
                "WHERE g.retention_days > 0 AND (s.put AND s.last_ms > 0 OR s.expired)\n"
                "AND max(s.last_ms, s.created_ms) < ? - g.retention_days * 86400000";
        static const char *const steps[] = {
                "CREATE TEMP TABLE IF NOT EXISTS freed (key TEXT PRIMARY KEY)",
                "DELETE FROM freed",
                "INSERT OR IGNORE INTO freed SELECT key FROM log_stream WHERE id IN (SELECT id "
                "FROM old)",
                "DELETE FROM log_stream WHERE put = 0 AND id IN (SELECT id FROM old)",
                "UPDATE log_stream SET first_ms = 0, last_ms = 0, bytes = 0, unordered = 0\n"
                "WHERE put = 1 AND id IN (SELECT id FROM old)",
                "DELETE FROM freed WHERE key IN (SELECT key FROM log_stream WHERE put = 0)",
                "DROP TABLE old",
        };
        fg_autojson *result = json_object_new_object(), *list = json_object_new_array();
        fg_autofree char *make = fg_asprintf("CREATE TEMP TABLE old AS %s", old);
        fg_autostmt *stmt = NULL;

        (void)in;
        if (fg_db_run(db->db, err, make, "i", cwlogs_now_ms()) < 0)
                return NULL;
        for (size_t i = 0; i < FG_ARRAY_SIZE(steps); i++)
                if (fg_db_exec(db->db, steps[i], err) < 0)
                        return NULL;
        if (fg_db_prepare(db->db, &stmt, err, "SELECT key FROM freed", "") < 0 ||
            add_keys(stmt, list, err) < 0)
                return NULL;
        fg_json_set(result, "logs", fg_take_ptr(list));
        return fg_take_ptr(result);
}

static void on_retained(void *userdata, struct json_object *result, const struct fg_error *err)
{
        if (err)
                fg_log_error("old log events cannot be removed: %s", err->msg);
        else
                cwlogs_forget(userdata, result);
}

void fg_cwlogs_tick(struct fg_cwlogs *logs)
{
        const uint64_t now = fg_mono_ns();

        cwlogs_live_save(logs);
        cwlogs_writers_tick(logs);
        if (logs->retained_ns && now - logs->retained_ns < RETAIN_SECONDS * FG_NS_PER_SEC)
                return;
        logs->retained_ns = now;
        cwlogs_query_json(logs, retain, NULL, on_retained, logs);
}
