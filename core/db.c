/* SPDX-License-Identifier: Apache-2.0 */
#include "core/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"

#define BUSY_TIMEOUT_MS 10000

static int fail_db(sqlite3 *db, struct fg_error *err, const char *what)
{
        int code = sqlite3_errcode(db);

        return fg_fail(err, code == SQLITE_FULL ? FG_ERR_CAPACITY : FG_ERR_INTERNAL,
                       "database: %s: %s", what, sqlite3_errmsg(db));
}

int fg_db_exec(sqlite3 *db, const char *sql, struct fg_error *err)
{
        return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail_db(db, err, "exec");
}

static int user_version(sqlite3 *db, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(db, &stmt, err, "PRAGMA user_version", "") < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        return sqlite3_column_int(stmt, 0);
}

static int migrate_one(sqlite3 *db, const char *script, int to, struct fg_error *err)
{
        char pragma[64];

        (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", to);
        if (fg_db_exec(db, "BEGIN IMMEDIATE", err) < 0)
                return -1;
        if (fg_db_exec(db, script, err) < 0 || fg_db_exec(db, pragma, err) < 0 ||
            fg_db_exec(db, "COMMIT", err) < 0) {
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
                return fg_wrap(err, "schema step %d", to);
        }
        return 0;
}

static int migrate(sqlite3 *db, const char *const migrations[], struct fg_error *err)
{
        int have = user_version(db, err), known = 0;

        if (have < 0)
                return -1;
        while (migrations[known])
                known++;
        if (have > known)
                return fg_fail(err, FG_ERR_CONFLICT,
                               "written by a newer version (schema %d, this one knows %d)", have,
                               known);
        for (; have < known; have++)
                if (migrate_one(db, migrations[have], have + 1, err) < 0)
                        return -1;
        return 0;
}

/*
 * SQLite's other files take their mode from this one. Closed before SQLite opens it: closing any
 * descriptor of a file drops the process's locks on it.
 */
static int create_private(const char *path, struct fg_error *err)
{
        fg_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        return fd < 0 ? fg_fail_errno(err, errno, "%s", path) : 0;
}

void fg_db_close(sqlite3 *db)
{
        sqlite3_stmt *stmt;

        while (db && (stmt = sqlite3_next_stmt(db, NULL)))
                (void)sqlite3_finalize(stmt);
        (void)sqlite3_close_v2(db);
}

int fg_db_open(const char *path, const char *const migrations[], sqlite3 **ret,
               struct fg_error *err)
{
        fg_cleanup(fg_db_closep) sqlite3 *db = NULL;
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

        if (create_private(path, err) < 0)
                return -1;
        if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
                fail_db(db, err, "open");
                return fg_wrap(err, "%s", path);
        }
        (void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
        if (fg_db_exec(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                       /* a service has no directory for temporary files that it may write to */
                       "PRAGMA temp_store=MEMORY;",
                       err) < 0 ||
            migrate(db, migrations, err) < 0)
                return fg_wrap(err, "%s", path);
        *ret = fg_take_ptr(db);
        return 0;
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list ap)
{
        for (int i = 1; *types; types++, i++) {
                int rc;

                if (*types == 's') {
                        rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1,
                                               SQLITE_TRANSIENT);
                } else if (*types == 'b') {
                        const struct fg_buf *blob = va_arg(ap, const struct fg_buf *);

                        rc = sqlite3_bind_blob64(stmt, i, blob->data, blob->len, SQLITE_TRANSIENT);
                } else {
                        assert(*types == 'i');
                        rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
                }
                if (rc != SQLITE_OK)
                        return -1;
        }
        return 0;
}

int fg_db_prepare(sqlite3 *db, sqlite3_stmt **ret, struct fg_error *err, const char *sql,
                  const char *types, ...)
{
        fg_autostmt *stmt = NULL;
        va_list ap;
        int r;

        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
                return fail_db(db, err, "prepare");
        va_start(ap, types);
        r = bind_all(stmt, types, ap);
        va_end(ap);
        if (r < 0)
                return fail_db(db, err, "bind");
        *ret = fg_take_ptr(stmt);
        return 0;
}

int fg_db_step(sqlite3_stmt *stmt, struct fg_error *err)
{
        switch (sqlite3_step(stmt)) {
        case SQLITE_ROW:
                return 1;
        case SQLITE_DONE:
                return 0;
        default:
                return fail_db(sqlite3_db_handle(stmt), err, sqlite3_sql(stmt));
        }
}

/* The connection's own list of statements is the list of what is kept. */
static sqlite3_stmt *kept(sqlite3 *db, const char *sql)
{
        sqlite3_stmt *stmt = NULL;

        while ((stmt = sqlite3_next_stmt(db, stmt)))
                if (!sqlite3_stmt_busy(stmt) && strcmp(sqlite3_sql(stmt), sql) == 0)
                        return stmt;
        return NULL;
}

int fg_db_run(sqlite3 *db, struct fg_error *err, const char *sql, const char *types, ...)
{
        sqlite3_stmt *stmt = kept(db, sql);
        va_list ap;
        int r;

        if (!stmt &&
            sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
                return fail_db(db, err, "prepare");
        va_start(ap, types);
        r = bind_all(stmt, types, ap);
        va_end(ap);
        if (r < 0)
                r = fail_db(db, err, "bind");
        while (r >= 0 && (r = fg_db_step(stmt, err)) > 0)
                ;
        (void)sqlite3_reset(stmt);
        (void)sqlite3_clear_bindings(stmt);
        return r < 0 ? -1 : sqlite3_changes(db);
}

const char *fg_db_text(sqlite3_stmt *stmt, int column)
{
        const unsigned char *text = sqlite3_column_text(stmt, column);

        return text ? (const char *)text : "";
}
