/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/store_tables.h"
#include "core/db.h"
#include "core/json.h"
#include "core/str.h"

void fg_definition_finish(struct fg_definition *d)
{
        free(d->family);
        free(d->status);
        free(d->registered_by);
        json_object_put(d->document);
        *d = (struct fg_definition){ 0 };
}

/* ---- families: revisions are given once, and ACTIVE ones are counted ---- */

static int next_revision(sqlite3 *db, const char *family, int64_t *ret, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(db, &stmt, err,
                          "INSERT INTO families VALUES (?, 1, 1) ON CONFLICT (name)\n"
                          "DO UPDATE SET last_revision = last_revision + 1, active = active + 1\n"
                          "RETURNING last_revision",
                          "s", family) < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        *ret = sqlite3_column_int64(stmt, 0);
        return fg_db_step(stmt, err);
}

int fg_definition_add(sqlite3 *db, struct fg_definition *d, struct fg_error *err)
{
        if (next_revision(db, d->family, &d->revision, err) < 0)
                return -1;
        free(d->status);
        d->status = fg_strdup("ACTIVE");
        return fg_db_run(db, err, "INSERT INTO task_definitions VALUES (?, ?, ?, ?, 0, 0, ?, ?)",
                         "sisiss", d->family, d->revision, d->status, (int64_t)d->registered_ns,
                         d->registered_by, fg_json_text(d->document)) < 0
                       ? -1
                       : 0;
}

int fg_definition_move(sqlite3 *db, const struct fg_definition *d, const char *from,
                       struct fg_error *err)
{
        if (fg_streq(from, "ACTIVE") && !fg_streq(d->status, "ACTIVE") &&
            fg_db_run(db, err, "UPDATE families SET active = active - 1 WHERE name = ?", "s",
                      d->family) < 0)
                return -1;
        return fg_db_run(db, err,
                         "UPDATE task_definitions\n"
                         "SET status = ?, deregistered_ns = ?, delete_ns = ?\n"
                         "WHERE family = ? AND revision = ?",
                         "siisi", d->status, (int64_t)d->deregistered_ns, (int64_t)d->delete_ns,
                         d->family, d->revision) < 0
                       ? -1
                       : 0;
}

int fg_definition_get(sqlite3 *db, const char *family, int64_t revision, struct fg_definition *ret,
                      struct fg_error *err)
{
        static const char sql[] =
                "SELECT family, revision, status, registered_ns, deregistered_ns, delete_ns,\n"
                "  registered_by, document FROM task_definitions\n"
                "WHERE family = ?1 AND (revision = ?2 OR ?2 = 0 AND status = 'ACTIVE')\n"
                "ORDER BY revision DESC LIMIT 1";
        fg_autostmt *stmt = NULL;
        const char *text;
        int r;

        if (fg_db_prepare(db, &stmt, err, sql, "si", family, revision) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r <= 0)
                return r;
        *ret = (struct fg_definition){
                .family = fg_strdup(fg_db_text(stmt, 0)),
                .status = fg_strdup(fg_db_text(stmt, 2)),
                .registered_by = fg_strdup(fg_db_text(stmt, 6)),
                .revision = sqlite3_column_int64(stmt, 1),
                .registered_ns = (uint64_t)sqlite3_column_int64(stmt, 3),
                .deregistered_ns = (uint64_t)sqlite3_column_int64(stmt, 4),
                .delete_ns = (uint64_t)sqlite3_column_int64(stmt, 5),
        };
        text = fg_db_text(stmt, 7);
        ret->document = fg_json_parse(text, strlen(text), err);
        return ret->document ? 1 : fg_wrap(err, "stored task definition %s", family);
}

/* ---- lists ---- */

struct json_object *fg_definition_list(sqlite3 *db, const struct fg_definition_range *range,
                                       struct fg_error *err)
{
        static const char up[] = "SELECT family, revision FROM task_definitions\n"
                                 "WHERE status = ?1 AND (?2 IS NULL OR family = ?2)\n"
                                 "  AND (family, revision) > (?3, ?4)\n"
                                 "ORDER BY family, revision LIMIT ?5";
        static const char down[] = "SELECT family, revision FROM task_definitions\n"
                                   "WHERE status = ?1 AND (?2 IS NULL OR family = ?2)\n"
                                   "  AND (?3 = '' OR (family, revision) < (?3, ?4))\n"
                                   "ORDER BY family DESC, revision DESC LIMIT ?5";
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err, range->descending ? down : up, "sssii", range->status,
                          range->only, range->family, range->revision, range->limit) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0) {
                fg_autofree char *name = fg_asprintf("%s:%" PRId64, fg_db_text(stmt, 0),
                                                     (int64_t)sqlite3_column_int64(stmt, 1));

                json_object_array_add(list, json_object_new_string(name));
        }
        return r < 0 ? NULL : fg_take_ptr(list);
}

struct json_object *fg_family_list(sqlite3 *db, const char *prefix, const char *after, int active,
                                   int64_t limit, struct fg_error *err)
{
        static const char sql[] = "SELECT name FROM families WHERE name > ?1 AND name >= ?2\n"
                                  "  AND substr(name, 1, length(?2)) = ?2\n"
                                  "  AND (?3 < 0 OR (active > 0) = ?3)\n"
                                  "ORDER BY name LIMIT ?4";
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err, sql, "ssii", after, prefix, (int64_t)active, limit) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, json_object_new_string(fg_db_text(stmt, 0)));
        return r < 0 ? NULL : fg_take_ptr(list);
}
