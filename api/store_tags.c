/* SPDX-License-Identifier: Apache-2.0 */
#include "api/store_tables.h"
#include "core/db.h"
#include "core/json.h"

int fg_tags_put(sqlite3 *db, const char *resource, const char *tags, struct fg_error *err)
{
        /* "WHERE true": or SQLite would read ON as part of the join. */
        static const char sql[] =
                "INSERT INTO tags (resource, key, value)\n"
                "SELECT ?1, json_extract(value, '$.key'),\n"
                "  coalesce(json_extract(value, '$.value'), '') FROM json_each(?2) WHERE true\n"
                "ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value";

        return fg_db_run(db, err, sql, "ss", resource, tags) < 0 ? -1 : 0;
}

int fg_tags_remove(sqlite3 *db, const char *resource, const struct fg_strings *keys,
                   struct fg_error *err)
{
        for (size_t i = 0; i < keys->n; i++)
                if (fg_db_run(db, err, "DELETE FROM tags WHERE resource = ? AND key = ?", "ss",
                              resource, keys->v[i]) < 0)
                        return -1;
        return 0;
}

int fg_tags_clear(sqlite3 *db, const char *resource, struct fg_error *err)
{
        return fg_db_run(db, err, "DELETE FROM tags WHERE resource = ?", "s", resource) < 0 ? -1
                                                                                            : 0;
}

struct json_object *fg_tags_get(sqlite3 *db, const char *resource, struct fg_error *err)
{
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT key, value FROM tags WHERE resource = ? ORDER BY rowid", "s",
                          resource) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0) {
                struct json_object *tag = json_object_new_object();

                fg_json_set_str(tag, "key", fg_db_text(stmt, 0));
                fg_json_set_str(tag, "value", fg_db_text(stmt, 1));
                json_object_array_add(list, tag);
        }
        return r < 0 ? NULL : fg_take_ptr(list);
}
