/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/db.h"
#include "core/seal.h"
#include "secrets/secrets.h"

struct fg_vault {
        sqlite3 *db;
        struct fg_seal *seal;
        char *region, *account;
};

#define SUFFIX_LEN 6 /* random characters at the end of a secret's ARN, behind a dash */

/** vault_seal(), vault_unseal() - bound to what the value is: "secret", its name, its version. */
int vault_seal(struct fg_vault *v, const char *what, const char *name, const char *version,
               const char *value, size_t len, struct fg_buf *ret, struct fg_error *err);
int vault_unseal(struct fg_vault *v, const char *what, const char *name, const char *version,
                 sqlite3_stmt *stmt, int column, struct fg_secret *ret, struct fg_error *err);
/** vault_begin(), vault_end() - one transaction; end() commits when @r is not -1. Return: @r or -1.
 */
int vault_begin(struct fg_vault *v, struct fg_error *err);
int vault_end(struct fg_vault *v, int r, struct fg_error *err);
/** vault_check_arn() - region and account of an ARN are ours. */
int vault_check_arn(const struct fg_vault *v, const char *arn, struct fg_error *err);
/** vault_conflict() - CONFLICT with an errno that says which. Return: -1. */
int vault_conflict(struct fg_error *err, int sys, const char *text);
