/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "secrets/private.h"

/* A secret is a row with versions; a stage (AWSCURRENT, ...) names one version of it. */
struct secret_row {
        char *name, *suffix;
        uint64_t deletion_ns; /* 0: it is not to be deleted */
};

void secret_row_finish(struct secret_row *row);
/** secret_find() - 1: found, 0: there is none, -1. */
int secret_find(struct fg_vault *v, const char *id, struct secret_row *ret, struct fg_error *err);
/** secret_need() - -1 also when there is none, or (unless @deleted_too) it is to be deleted. */
int secret_need(struct fg_vault *v, const char *id, bool deleted_too, struct secret_row *ret,
                struct fg_error *err);
/** secret_answer() - {"ARN","Name"}. */
struct json_object *secret_answer(const struct fg_vault *v, const struct secret_row *row);

/* secret_version.c */
/** version_same() - 1 when the version exists with the value of @in, 0 when there is none. -1:
 * CONFLICT (EEXIST) when it has another value. */
int version_same(struct fg_vault *v, const char *name, const struct fg_secret_input *in,
                 struct fg_error *err);
/** version_add() - inside a transaction: the value as a version, and its stages. */
int version_add(struct fg_vault *v, const char *name, const struct fg_secret_input *in,
                char **ret_version, struct fg_error *err);
