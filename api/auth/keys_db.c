/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/auth/keys_private.h"
#include "core/db.h"
#include "core/json.h"
#include "core/str.h"

static const char schema[] = "CREATE TABLE keys (\n"
                             "  id TEXT PRIMARY KEY,\n"
                             "  name TEXT NOT NULL,\n"
                             "  secret BLOB NOT NULL,\n"
                             "  policy TEXT NOT NULL,\n"
                             "  created_ns INTEGER NOT NULL\n"
                             ") STRICT;\n";

void keys_row_finish(struct keys_row *row)
{
        fg_secret_finish(&row->secret);
        fg_policy_free(fg_take_ptr(row->policy));
}

static int count(sqlite3 *db, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(db, &stmt, err, "SELECT count(*) FROM keys", "") < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        return sqlite3_column_int(stmt, 0);
}

int keys_db_open(const char *state_dir, sqlite3 **ret_db, struct fg_seal **ret_seal,
                 struct fg_error *err)
{
        static const char *const migrations[] = { schema, NULL };
        fg_autofree char *path = fg_asprintf("%s/keys.db", state_dir);
        fg_autofree char *seal_path = fg_asprintf("%s/keys.key", state_dir);
        fg_cleanup(fg_db_closep) sqlite3 *db = NULL;
        int n;

        if (fg_db_open(path, migrations, &db, err) < 0)
                return -1;
        /* What is revoked is not left in free pages. */
        if (fg_db_exec(db, "PRAGMA secure_delete=ON", err) < 0 || (n = count(db, err)) < 0)
                return -1;
        if (fg_seal_open(seal_path, n == 0, ret_seal, err) < 0)
                return fg_wrap(err, "the key that %s is sealed with", path);
        *ret_db = fg_take_ptr(db);
        return 0;
}

static int load_policy(const char *text, struct fg_policy **ret, struct fg_error *err)
{
        fg_autojson *json = fg_json_parse(text, strlen(text), err);
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;

        *ret = json ? fg_policy_decode(json, NULL, &problems) : NULL;
        if (json && !*ret)
                return fg_problems_fail(&problems, "policy", err);
        return *ret ? 0 : -1;
}

static int load_row(sqlite3_stmt *stmt, const struct fg_seal *seal, struct keys_row *row,
                    struct fg_error *err)
{
        (void)snprintf(row->id, sizeof(row->id), "%s", fg_db_text(stmt, 0));
        (void)snprintf(row->name, sizeof(row->name), "%s", fg_db_text(stmt, 1));
        row->created_ns = (uint64_t)sqlite3_column_int64(stmt, 4);
        if (fg_seal_unwrap(seal, row->id, sqlite3_column_blob(stmt, 2),
                           (size_t)sqlite3_column_bytes(stmt, 2), &row->secret, err) < 0 ||
            load_policy(fg_db_text(stmt, 3), &row->policy, err) < 0)
                return fg_wrap(err, "access key %s", row->id);
        return 0;
}

int keys_db_load(sqlite3 *db, const struct fg_seal *seal,
                 void (*add)(void *userdata, struct keys_row *take_row), void *userdata,
                 struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err,
                          "SELECT id, name, secret, policy, created_ns FROM keys "
                          "ORDER BY created_ns, id",
                          "") < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0) {
                struct keys_row row = { 0 };

                if (load_row(stmt, seal, &row, err) < 0) {
                        keys_row_finish(&row);
                        return -1;
                }
                add(userdata, &row);
        }
        return r;
}

int keys_db_insert(sqlite3 *db, const struct fg_seal *seal, const struct keys_row *row,
                   struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf sealed = FG_BUF_INIT(256);
        fg_autojson *policy = fg_policy_to_json(row->policy);

        if (fg_seal_wrap(seal, row->id, row->secret.data, row->secret.len, &sealed, err) < 0)
                return -1;
        return fg_db_run(db, err, "INSERT INTO keys VALUES (?, ?, ?, ?, ?)", "ssbsi", row->id,
                         row->name, &sealed, fg_json_text(policy), (int64_t)row->created_ns);
}

int keys_db_delete(sqlite3 *db, const char *id, struct fg_error *err)
{
        return fg_db_run(db, err, "DELETE FROM keys WHERE id = ?", "s", id);
}
