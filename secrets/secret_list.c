/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/str.h"
#include "secrets/secret.h"
#include "secrets/tags.h"

/* What is known of secrets, without their values. */

static int add_versions(struct fg_vault *v, struct json_object *out, const char *key,
                        const char *name, struct fg_error *err)
{
        struct json_object *versions = json_object_new_object(), *list;
        fg_autostmt *stmt = NULL;
        int r;

        fg_json_set(out, key, versions);
        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT version, stage FROM secret_stages WHERE name = ? ORDER BY stage",
                          "s", name) < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0) {
                list = fg_json_arr(versions, fg_db_text(stmt, 0));
                if (!list) {
                        list = json_object_new_array();
                        fg_json_set(versions, fg_db_text(stmt, 0), list);
                }
                json_object_array_add(list, json_object_new_string(fg_db_text(stmt, 1)));
        }
        return r;
}

static void set_text(struct json_object *out, const char *key, sqlite3_stmt *stmt, int column)
{
        if (*fg_db_text(stmt, column))
                fg_json_set_str(out, key, fg_db_text(stmt, column));
}

static void set_time(struct json_object *out, const char *key, sqlite3_stmt *stmt, int column)
{
        if (sqlite3_column_int64(stmt, column) != 0)
                fg_json_set_int(out, key, sqlite3_column_int64(stmt, column));
}

#define COLUMNS "name, suffix, description, kms_key, tags, created_ns, changed_ns, deletion_ns"

static struct json_object *describe(struct fg_vault *v, sqlite3_stmt *stmt, const char *versions,
                                    struct fg_error *err)
{
        fg_autofree char *name = fg_strdup(fg_db_text(stmt, 0));
        fg_autofree char *suffix = fg_strdup(fg_db_text(stmt, 1));
        struct secret_row row = { .name = name, .suffix = suffix };
        fg_autojson *out = secret_answer(v, &row);

        set_text(out, "Description", stmt, 2);
        set_text(out, "KmsKeyId", stmt, 3);
        fg_json_set(out, "Tags", vault_tags_parse(fg_db_text(stmt, 4)));
        set_time(out, "CreatedDate", stmt, 5);
        set_time(out, "LastChangedDate", stmt, 6);
        set_time(out, "DeletedDate", stmt, 7);
        return add_versions(v, out, versions, name, err) < 0 ? NULL : fg_take_ptr(out);
}

struct json_object *fg_secret_describe(struct fg_vault *v, const char *id, struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        fg_autostmt *stmt = NULL;

        if (secret_need(v, id, true, &row, err) < 0 ||
            fg_db_prepare(v->db, &stmt, err, "SELECT " COLUMNS " FROM secrets WHERE name = ?", "s",
                          row.name) < 0 ||
            fg_db_step(stmt, err) < 0)
                return NULL;
        return describe(v, stmt, "VersionIdsToStages", err);
}

struct json_object *fg_secret_list(struct fg_vault *v, const char *after, unsigned limit,
                                   bool with_deleted, struct fg_error *err)
{
        fg_autojson *out = json_object_new_object();
        struct json_object *list = json_object_new_array(), *one;
        fg_autostmt *stmt = NULL;
        int r;

        fg_json_set(out, "SecretList", list);
        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT " COLUMNS " FROM secrets\n"
                          "WHERE name > ? AND (? OR deletion_ns = 0) ORDER BY name LIMIT ?",
                          "sii", after ? after : "", (int64_t)with_deleted, (int64_t)limit) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0) {
                one = describe(v, stmt, "SecretVersionsToStages", err);
                if (!one)
                        return NULL;
                json_object_array_add(list, one);
        }
        return r < 0 ? NULL : fg_take_ptr(out);
}
