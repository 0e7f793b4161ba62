/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/store_private.h"
#include "api/store_tables.h"
#include "core/clock.h"
#include "core/db.h"
#include "core/str.h"

/* Definitions stay to be looked at for a while. */
#define DELETE_NS (UINT64_C(3600) * FG_NS_PER_SEC)
#define DELETABLE                                                                                  \
        "status = 'DELETE_IN_PROGRESS' AND delete_ns < ?1 AND NOT EXISTS (\n"                      \
        "  SELECT 1 FROM tasks WHERE definition = task_definitions.family || ':' || revision\n"    \
        "  AND tasks.status <> 'STOPPED')"
#define TOKEN_NS    (UINT64_C(24) * 3600 * FG_NS_PER_SEC)
#define SECONDS_MAX 1e10 /* what nanoseconds have room for */

/* What a row has to say of its task. */
#define ROW                                                                                        \
        "document, ours, 'task/' || cluster || '/' || id, id, family, status, created_ns, cluster"
enum { DOCUMENT, OURS, RESOURCE, ID, FAMILY, STATUS, CREATED, CLUSTER, ROW_COLUMNS };

void fg_store_spell_times(struct json_object *doc)
{
        static const char *const times[] = { "createdAt",          "connectivityAt",
                                             "pullStartedAt",      "pullStoppedAt",
                                             "startedAt",          "stoppingAt",
                                             "executionStoppedAt", "stoppedAt" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(times); i++) {
                double seconds = json_object_get_double(fg_json_get(doc, times[i]));
                char text[FG_RFC3339_MAX];

                if (!(seconds > 0 && seconds < SECONDS_MAX))
                        continue;
                fg_rfc3339((uint64_t)(seconds * 1000 + 0.5) * FG_NS_PER_MSEC, text);
                fg_json_set_str(doc, times[i], text);
        }
}

static struct json_object *row_object(sqlite3_stmt *stmt, int column, struct fg_error *err)
{
        const char *text = fg_db_text(stmt, column);
        fg_autojson *json = fg_json_parse(text, strlen(text), err);

        if (json && !json_object_is_type(json, json_type_object)) {
                fg_fail(err, FG_ERR_INTERNAL, "not a JSON object");
                return NULL;
        }
        return fg_take_ptr(json);
}

/*
 * The task as it is stored, and what ECS has no name for. A damaged one must not keep the others
 * from being listed: other columns know the most important things as well.
 */
static void read_row(sqlite3_stmt *stmt, struct json_object **ret_doc,
                     struct json_object **ret_ours)
{
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *doc = row_object(stmt, DOCUMENT, &err);
        struct json_object *ours = row_object(stmt, OURS, &err);
        double created = (double)sqlite3_column_int64(stmt, CREATED) / (double)FG_NS_PER_SEC;

        if (!doc) {
                doc = json_object_new_object();
                fg_json_set(doc, "createdAt", json_object_new_double(created));
        }
        if (!ours)
                ours = json_object_new_object();
        if (err.code)
                fg_json_set_str(ours, "damaged", err.msg);
        fg_json_set_str(doc, "lastStatus", fg_db_text(stmt, STATUS));
        fg_json_set_str(ours, "id", fg_db_text(stmt, ID));
        fg_json_set_str(ours, "family", fg_db_text(stmt, FAMILY));
        *ret_doc = doc;
        *ret_ours = ours;
}

/* The task as docs/api.md has it: with its tags, and what the ledger says about it right now. */
static struct json_object *document(struct fg_store *s, sqlite3_stmt *stmt, struct fg_error *err)
{
        fg_autojson *doc = NULL;
        struct json_object *usage, *ours, *tags;

        read_row(stmt, &doc, &ours);
        fg_json_set(doc, "fgrun", ours);
        fg_store_spell_times(doc);
        tags = fg_tags_get(s->db, fg_db_text(stmt, RESOURCE), err);
        if (!tags)
                return NULL;
        fg_json_set(doc, "tags", tags);
        usage = fg_meter_task(s->db, s->prices, fg_db_text(stmt, ID), fg_now_ns(), err);
        if (usage)
                fg_json_set(ours, "usage", usage);
        return fg_take_ptr(doc);
}

/* "abc" to "abd": the first string that does not start with it any more. */
static char *prefix_end(const char *prefix)
{
        char *end = fg_strdup(prefix);

        end[strlen(end) - 1]++;
        return end;
}

static struct json_object *get_work(struct fg_store *s, const struct read_args *a,
                                    struct fg_error *err)
{
        fg_autofree char *end = prefix_end(a->text);
        fg_autojson *doc = NULL;
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(s->db, &stmt, err,
                          "SELECT " ROW " FROM tasks WHERE id >= ? AND id < ? LIMIT 2", "ss",
                          a->text, end) < 0)
                return NULL;
        r = fg_db_step(stmt, err);
        if (r == 0)
                fg_fail(err, FG_ERR_NOT_FOUND, "no task %s", a->text);
        if (r <= 0)
                return NULL;
        doc = document(s, stmt, err);
        if (fg_db_step(stmt, err) > 0) {
                fg_fail(err, FG_ERR_CONFLICT, "several tasks start with %s; give more digits",
                        a->text);
                return NULL;
        }
        return fg_take_ptr(doc);
}

void fg_store_get(struct fg_store *s, const char *id, fg_store_read_fn fn, void *userdata)
{
        store_read(s, get_work, (struct read_args){ .text = fg_strdup(id) }, fn, userdata);
}

/* The rows of a page; the one beyond its limit only tells that there is a next page. */
static int list_rows(struct fg_store *s, sqlite3_stmt *stmt, unsigned limit,
                     struct json_object *answer, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(answer, "tasks");
        char next[FG_TASKPAGE_CURSOR_LEN + 1] = "";
        int r;

        while ((r = fg_db_step(stmt, err)) > 0) {
                struct json_object *doc;

                if (json_object_array_length(list) == limit) {
                        fg_json_set_str(answer, "next", next);
                        return 0;
                }
                doc = document(s, stmt, err);
                if (!doc)
                        return -1;
                json_object_array_add(list, doc);
                fg_taskpage_cursor((uint64_t)sqlite3_column_int64(stmt, CREATED),
                                   fg_db_text(stmt, ID), next);
        }
        return r;
}

static struct json_object *list_work(struct fg_store *s, const struct read_args *a,
                                     struct fg_error *err)
{
        static const char sql[] = "SELECT " ROW " FROM tasks\n"
                                  "WHERE (?1 IS NULL OR status = ?1\n"
                                  "       OR (?1 = 'ACTIVE' AND status <> 'STOPPED'))\n"
                                  "  AND (?2 IS NULL OR family = ?2)\n"
                                  "  AND created_ns <= ?3 AND (created_ns < ?3 OR id > ?4)\n"
                                  "ORDER BY created_ns DESC, id LIMIT ?5";
        fg_autojson *answer = json_object_new_object();
        fg_autostmt *stmt = NULL;

        fg_json_set(answer, "tasks", json_object_new_array());
        if (fg_db_prepare(s->db, &stmt, err, sql, "ssisi", a->text, a->text2, (int64_t)a->page.ns,
                          a->page.id, (int64_t)a->page.limit + 1) < 0 ||
            list_rows(s, stmt, a->page.limit, answer, err) < 0)
                return NULL;
        return fg_take_ptr(answer);
}

void fg_store_list(struct fg_store *s, const char *status, const char *family,
                   const struct fg_taskpage *page, fg_store_read_fn fn, void *userdata)
{
        struct read_args args = { .text = fg_strdup(status),
                                  .text2 = fg_strdup(family),
                                  .page = *page };

        store_read(s, list_work, args, fn, userdata);
}

static struct json_object *token_work(struct fg_store *s, const struct read_args *a,
                                      struct fg_error *err)
{
        fg_autojson *found = json_object_new_object();
        fg_autofree char *hash = NULL;
        struct json_object *ids = NULL;
        int r = fg_token_find(s->db, a->text, a->from, &ids, &hash, err);

        if (r < 0)
                return NULL;
        if (r > 0) {
                fg_json_set(found, "ids", ids);
                fg_json_set_str(found, "hash", hash);
        }
        return fg_take_ptr(found);
}

void fg_store_find_token(struct fg_store *s, const char *token, fg_store_read_fn fn, void *userdata)
{
        struct read_args args = { .text = fg_strdup(token), .from = fg_now_ns() - TOKEN_NS };

        store_read(s, token_work, args, fn, userdata);
}

static struct json_object *usage_work(struct fg_store *s, const struct read_args *a,
                                      struct fg_error *err)
{
        return fg_meter_report(s->db, s->prices, a->text, a->from, a->to, fg_now_ns(), err);
}

void fg_store_usage(struct fg_store *s, const char *by, uint64_t since_ns, uint64_t until_ns,
                    fg_store_read_fn fn, void *userdata)
{
        struct read_args args = { .text = fg_strdup(by), .from = since_ns, .to = until_ns };

        store_read(s, usage_work, args, fn, userdata);
}

/* Tokens that have lost their meaning; definitions to be deleted that no task needs. */
static int expire_rest(sqlite3 *db, struct fg_error *err)
{
        uint64_t now = fg_now_ns();

        if (fg_db_run(db, err, "DELETE FROM client_tokens WHERE created_ns < ?", "i",
                      (int64_t)(now - TOKEN_NS)) < 0 ||
            fg_db_run(db, err,
                      "DELETE FROM tags WHERE resource IN (\n"
                      "  SELECT 'task-definition/' || family || ':' || revision\n"
                      "  FROM task_definitions WHERE " DELETABLE ")",
                      "i", (int64_t)(now - DELETE_NS)) < 0)
                return -1;
        return fg_db_run(db, err, "DELETE FROM task_definitions WHERE " DELETABLE, "i",
                         (int64_t)(now - DELETE_NS));
}

static struct json_object *expire_work(struct fg_store *s, const struct read_args *a,
                                       struct fg_error *err)
{
        fg_autojson *ids = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(s->db, &stmt, err,
                          "DELETE FROM tasks WHERE status = 'STOPPED' AND stopped_ns < ?\n"
                          "RETURNING id",
                          "i", (int64_t)a->from) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(ids, json_object_new_string(fg_db_text(stmt, 0)));
        return r < 0 || expire_rest(s->db, err) < 0 ? NULL : fg_take_ptr(ids);
}

void fg_store_expire(struct fg_store *s, uint64_t before_ns, fg_store_read_fn fn, void *userdata)
{
        store_read(s, expire_work, (struct read_args){ .from = before_ns }, fn, userdata);
}

static struct json_object *ping_work(struct fg_store *s, const struct read_args *a,
                                     struct fg_error *err)
{
        (void)a;
        return fg_db_exec(s->db, "SELECT count(*) FROM alive", err) < 0 ? NULL
                                                                        : json_object_new_object();
}

void fg_store_ping(struct fg_store *s, fg_store_read_fn fn, void *userdata)
{
        store_read(s, ping_work, (struct read_args){ 0 }, fn, userdata);
}

static struct json_object *beat_work(struct fg_store *s, const struct read_args *a,
                                     struct fg_error *err)
{
        if (fg_db_run(s->db, err, "INSERT OR REPLACE INTO alive VALUES (1, ?)", "i",
                      (int64_t)a->from) < 0)
                return NULL;
        return json_object_new_object();
}

void fg_store_beat(struct fg_store *s, uint64_t now_ns)
{
        store_read(s, beat_work, (struct read_args){ .from = now_ns }, NULL, NULL);
}

/* A row of fg_store_load(), whatever is in it. */
static struct json_object *stored_task(sqlite3_stmt *stmt)
{
        struct json_object *stored = json_object_new_object(), *doc, *ours, *snapshot;
        struct fg_error err = FG_ERROR_INIT;

        read_row(stmt, &doc, &ours);
        snapshot = row_object(stmt, ROW_COLUMNS, &err);
        fg_json_set_str(stored, "id", fg_db_text(stmt, ID));
        fg_json_set_str(stored, "cluster", fg_db_text(stmt, CLUSTER));
        fg_json_set_str(stored, "family", fg_db_text(stmt, FAMILY));
        fg_json_set(stored, "document", doc);
        fg_json_set(stored, "ours", ours);
        if (snapshot)
                fg_json_set(stored, "snapshot", snapshot);
        else
                fg_json_set_str(stored, "problem", err.msg);
        return stored;
}

struct json_object *fg_store_load(struct fg_store *s, struct fg_error *err)
{
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(s->db, &stmt, err,
                          "SELECT " ROW ", snapshot FROM tasks WHERE snapshot IS NOT NULL\n"
                          "ORDER BY created_ns",
                          "") < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, stored_task(stmt));
        return r < 0 ? NULL : fg_take_ptr(list);
}

bool fg_store_has(struct fg_store *s, const char *id)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autostmt *stmt = NULL;

        /* When in doubt it is: the answer decides what is deleted. */
        return fg_db_prepare(s->db, &stmt, &err, "SELECT 1 FROM tasks WHERE id = ?", "s", id) < 0 ||
               fg_db_step(stmt, &err) != 0;
}

int fg_store_own_cluster(struct fg_store *s, const char *name, struct fg_error *err)
{
        static const char sql[] =
                "INSERT INTO clusters VALUES (?, 'ACTIVE', json_object('settings', json_array(\n"
                "  json_object('name', 'containerInsights', 'value', 'disabled')),\n"
                "  'capacityProviders', json_array('FARGATE', 'FARGATE_SPOT'),\n"
                "  'defaultCapacityProviderStrategy', json_array()))\n"
                "ON CONFLICT (name) DO UPDATE SET status = 'ACTIVE'";

        return fg_db_run(s->db, err, sql, "s", name) < 0 ? -1 : 0;
}
