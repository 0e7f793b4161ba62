/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sqlite3.h>

#include "api/auth/keys.h"
#include "core/seal.h"
#include "core/secret.h"

/* One row of keys.db. */
struct keys_row {
        char id[FG_KEY_ID_LEN + 1];
        char name[FG_KEY_NAME_MAX + 1];
        struct fg_secret secret;
        struct fg_policy *policy;
        uint64_t created_ns;
};

void keys_row_finish(struct keys_row *row);
/** keys_db_open() - the seal is made only for a database without keys. */
int keys_db_open(const char *state_dir, sqlite3 **ret_db, struct fg_seal **ret_seal,
                 struct fg_error *err);
/** keys_db_load() - every row, oldest first, to @add, which takes what is in it. */
int keys_db_load(sqlite3 *db, const struct fg_seal *seal,
                 void (*add)(void *userdata, struct keys_row *take_row), void *userdata,
                 struct fg_error *err);
int keys_db_insert(sqlite3 *db, const struct fg_seal *seal, const struct keys_row *row,
                   struct fg_error *err);
int keys_db_delete(sqlite3 *db, const char *id, struct fg_error *err);
