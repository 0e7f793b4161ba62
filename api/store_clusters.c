/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/store_tables.h"
#include "core/db.h"
#include "core/json.h"

int fg_cluster_get(sqlite3 *db, const char *name, struct json_object **ret, struct fg_error *err)
{
        fg_autojson *cluster = json_object_new_object();
        struct json_object *document;
        fg_autostmt *stmt = NULL;
        const char *text;
        int r;

        if (fg_db_prepare(db, &stmt, err, "SELECT status, document FROM clusters WHERE name = ?",
                          "s", name) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r <= 0)
                return r;
        text = fg_db_text(stmt, 1);
        document = fg_json_parse(text, strlen(text), err);
        if (!document)
                return fg_wrap(err, "stored cluster %s", name);
        fg_json_set_str(cluster, "name", name);
        fg_json_set_str(cluster, "status", fg_db_text(stmt, 0));
        fg_json_set(cluster, "document", document);
        *ret = fg_take_ptr(cluster);
        return 1;
}

int fg_cluster_put(sqlite3 *db, const char *name, const char *status, struct json_object *document,
                   struct fg_error *err)
{
        return fg_db_run(db, err, "INSERT OR REPLACE INTO clusters VALUES (?, ?, ?)", "sss", name,
                         status, fg_json_text(document)) < 0
                       ? -1
                       : 0;
}

struct json_object *fg_cluster_list(sqlite3 *db, const char *after, int64_t limit,
                                    struct fg_error *err)
{
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT name FROM clusters WHERE name > ? AND status = 'ACTIVE'\n"
                          "ORDER BY name LIMIT ?",
                          "si", after, limit) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, json_object_new_string(fg_db_text(stmt, 0)));
        return r < 0 ? NULL : fg_take_ptr(list);
}

int fg_cluster_count(sqlite3 *db, const char *name, int64_t *ret_running, int64_t *ret_pending,
                     struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        /* What ends already is neither. */
        if (fg_db_prepare(db, &stmt, err,
                          "SELECT count(*) FILTER (WHERE status = 'RUNNING'),\n"
                          "  count(*) FILTER (WHERE status IN ('PROVISIONING', 'PENDING',\n"
                          "                                    'ACTIVATING'))\n"
                          "FROM tasks WHERE cluster = ? AND status <> 'STOPPED'",
                          "s", name) < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        *ret_running = sqlite3_column_int64(stmt, 0);
        *ret_pending = sqlite3_column_int64(stmt, 1);
        return 0;
}
