/* SPDX-License-Identifier: Apache-2.0 */
#include "api/store_tables.h"
#include "core/db.h"
#include "core/str.h"

int fg_setting_put(sqlite3 *db, const char *principal, const char *name, const char *value,
                   struct fg_error *err)
{
        return fg_db_run(db, err, "INSERT OR REPLACE INTO account_settings VALUES (?, ?, ?)", "sss",
                         principal, name, value) < 0
                       ? -1
                       : 0;
}

int fg_setting_remove(sqlite3 *db, const char *principal, const char *name, struct fg_error *err)
{
        return fg_db_run(db, err, "DELETE FROM account_settings WHERE principal = ? AND name = ?",
                         "ss", principal, name) < 0
                       ? -1
                       : 0;
}

static int first_text(sqlite3 *db, const char *sql, const char *principal, const char *name,
                      char **ret, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db, &stmt, err, sql, "ss", principal, name) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r > 0)
                *ret = fg_strdup(fg_db_text(stmt, 0));
        return r;
}

int fg_setting_get(sqlite3 *db, const char *principal, const char *name, char **ret,
                   struct fg_error *err)
{
        return first_text(db,
                          "SELECT value FROM account_settings\n"
                          "WHERE principal IN (?, '') AND name = ? ORDER BY principal DESC LIMIT 1",
                          principal, name, ret, err);
}

int fg_setting_own(sqlite3 *db, const char *principal, const char *name, char **ret,
                   struct fg_error *err)
{
        return first_text(db, "SELECT value FROM account_settings WHERE principal = ? AND name = ?",
                          principal, name, ret, err);
}
