/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * SQLite: WAL, synchronous=FULL, foreign keys on, busy timeout. A connection belongs to one lane
 * thread. Statements are finalised by cleanup; those of fg_db_run() are kept for the next time.
 */
/** fg_db_close() - with the statements that are kept; NULL is fine. */
void fg_db_close(sqlite3 *db);
FG_DEFINE_CLEANUP(sqlite3 *, fg_db_close)
FG_DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize)
#define fg_autostmt fg_cleanup(sqlite3_finalizep) sqlite3_stmt

/**
 * fg_db_open() - open or create @path and bring its schema up to date
 * @migrations: SQL scripts, NULL-terminated; script i takes user_version from i to i + 1, each in
 *              one transaction. A database newer than the list is refused (CONFLICT).
 */
int fg_db_open(const char *path, const char *const migrations[], sqlite3 **ret,
               struct fg_error *err);
int fg_db_exec(sqlite3 *db, const char *sql, struct fg_error *err);
/**
 * fg_db_prepare() - prepare and bind
 * @types: one letter per following argument: 's' const char * (NULL binds null), 'i' int64_t,
 *         'b' const struct fg_buf * (a blob)
 */
int fg_db_prepare(sqlite3 *db, sqlite3_stmt **ret, struct fg_error *err, const char *sql,
                  const char *types, ...);
/** fg_db_step() - 1: a row, 0: done, -1: error. */
int fg_db_step(sqlite3_stmt *stmt, struct fg_error *err);
/**
 * fg_db_run() - prepare, bind, step to the end
 * @sql: a constant of the program: what it was prepared to is kept until fg_db_close(). No
 * statement of fg_db_prepare() with the same text may wait for its first step meanwhile. Return:
 * changed rows, or -1.
 */
int fg_db_run(sqlite3 *db, struct fg_error *err, const char *sql, const char *types, ...);
const char *fg_db_text(sqlite3_stmt *stmt, int column); /* "" for null; valid until the next step */
