/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/store_tables.h"
#include "core/buf.h"
#include "core/db.h"
#include "core/json.h"
#include "core/str.h"

int fg_task_find(sqlite3 *db, const char *cluster, const char *id, char **ret_document,
                 struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err, "SELECT document FROM tasks WHERE id = ? AND cluster = ?",
                          "ss", id, cluster) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r > 0)
                *ret_document = fg_strdup(fg_db_text(stmt, 0));
        return r;
}

int fg_task_cluster(sqlite3 *db, const char *id, char **ret, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err, "SELECT cluster FROM tasks WHERE id = ?", "s", id) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r > 0)
                *ret = fg_strdup(fg_db_text(stmt, 0));
        return r;
}

/* A condition for what is asked for; what is not must not keep SQLite from its index. */
static int add_filter(struct fg_buf *sql, const char *value, const char *condition, int number,
                      struct fg_error *err)
{
        return value ? fg_buf_printf(sql, err, "  AND %s\n", condition)
                     : fg_buf_printf(sql, err, "  AND ?%d IS NULL\n", number);
}

static int make_sql(struct fg_buf *sql, const struct fg_task_filter *f, struct fg_error *err)
{
        if (fg_buf_puts(sql,
                        "SELECT id, created_ns FROM tasks\n"
                        "WHERE cluster = ?1 AND wants_stop = ?2\n"
                        "  AND (created_ns, id) > (?6, ?7)\n",
                        err) < 0 ||
            add_filter(sql, f->family, "family = ?3", 3, err) < 0 ||
            add_filter(sql, f->started_by, "started_by = ?4", 4, err) < 0 ||
            add_filter(sql, f->group, "task_group = ?5", 5, err) < 0)
                return -1;
        return fg_buf_puts(sql, "ORDER BY created_ns, id LIMIT ?8", err);
}

/* "NS:ID", the cursor of a list of tasks. */
static bool parse_cursor(const char *cursor, int64_t *ret_ns, const char **ret_id)
{
        const char *colon = strchr(cursor, ':');
        fg_autofree char *number = NULL;
        uint64_t ns;

        *ret_ns = 0;
        *ret_id = "";
        if (!*cursor)
                return true;
        number = colon ? fg_asprintf("%.*s", (int)(colon - cursor), cursor) : NULL;
        if (!number || !fg_parse_u64(number, &ns) || ns > INT64_MAX)
                return false;
        *ret_ns = (int64_t)ns;
        *ret_id = colon + 1;
        return true;
}

struct json_object *fg_task_list(sqlite3 *db, const struct fg_task_filter *f, char **ret_next,
                                 struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf sql = FG_BUF_INIT(4096);
        fg_autojson *ids = json_object_new_array();
        fg_autostmt *stmt = NULL;
        const char *after;
        int64_t ns;
        int r;

        if (!parse_cursor(f->cursor, &ns, &after)) {
                fg_fail(err, FG_ERR_INVALID, "Invalid token.");
                return NULL;
        }
        if (make_sql(&sql, f, err) < 0 ||
            fg_db_prepare(db, &stmt, err, sql.data, "sisssisi", f->cluster, (int64_t)f->wants_stop,
                          f->family, f->started_by, f->group, ns, after, f->limit + 1) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0) {
                if (json_object_array_length(ids) == (size_t)f->limit) {
                        struct json_object *last = json_object_array_get_idx(ids,
                                                                             (size_t)f->limit - 1);

                        *ret_next = fg_asprintf("%" PRId64 ":%s", ns, json_object_get_string(last));
                        break;
                }
                ns = sqlite3_column_int64(stmt, 1);
                json_object_array_add(ids, json_object_new_string(fg_db_text(stmt, 0)));
        }
        return r < 0 ? NULL : fg_take_ptr(ids);
}

/* ---- client tokens ---- */

int fg_token_find(sqlite3 *db, const char *token, uint64_t since_ns, struct json_object **ret_ids,
                  char **ret_hash, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        const char *text;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT tasks, hash FROM client_tokens\n"
                          "WHERE token = ? AND created_ns >= ?",
                          "si", token, (int64_t)since_ns) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r <= 0)
                return r;
        text = fg_db_text(stmt, 0);
        *ret_ids = fg_json_parse(text, strlen(text), err);
        if (!*ret_ids)
                return fg_wrap(err, "stored client token");
        *ret_hash = fg_strdup(fg_db_text(stmt, 1));
        return 1;
}

/* ---- task protection ---- */

int fg_protection_put(sqlite3 *db, const char *task, uint64_t until_ns, struct fg_error *err)
{
        if (until_ns == 0)
                return fg_db_run(db, err, "DELETE FROM task_protection WHERE task = ?", "s", task) <
                                       0
                               ? -1
                               : 0;
        return fg_db_run(db, err, "INSERT OR REPLACE INTO task_protection VALUES (?, ?)", "si",
                         task, (int64_t)until_ns) < 0
                       ? -1
                       : 0;
}

int fg_protection_get(sqlite3 *db, const char *task, uint64_t now_ns, uint64_t *ret_until_ns,
                      struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        *ret_until_ns = 0;
        if (fg_db_prepare(db, &stmt, err,
                          "SELECT until_ns FROM task_protection WHERE task = ? AND until_ns > ?",
                          "si", task, (int64_t)now_ns) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r > 0)
                *ret_until_ns = (uint64_t)sqlite3_column_int64(stmt, 0);
        return r;
}

struct json_object *fg_protection_list(sqlite3 *db, const char *cluster, uint64_t now_ns,
                                       struct fg_error *err)
{
        fg_autojson *ids = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT id FROM task_protection JOIN tasks ON id = task\n"
                          "WHERE cluster = ? AND until_ns > ? AND status <> 'STOPPED'\n"
                          "ORDER BY id LIMIT 100",
                          "si", cluster, (int64_t)now_ns) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(ids, json_object_new_string(fg_db_text(stmt, 0)));
        return r < 0 ? NULL : fg_take_ptr(ids);
}
