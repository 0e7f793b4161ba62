/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "secrets/private.h"

static const char schema[] =
        "CREATE TABLE vault (one INTEGER PRIMARY KEY CHECK (one = 1), key_id TEXT NOT NULL) "
        "STRICT;\n"
        "CREATE TABLE secrets (\n"
        "  name TEXT PRIMARY KEY,\n"
        "  suffix TEXT NOT NULL,\n"
        "  description TEXT,\n"
        "  kms_key TEXT,\n"
        "  tags TEXT,\n"
        "  created_ns INTEGER NOT NULL,\n"
        "  changed_ns INTEGER NOT NULL,\n"
        "  deletion_ns INTEGER NOT NULL DEFAULT 0\n"
        ") STRICT;\n"
        "CREATE TABLE secret_versions (\n"
        "  name TEXT NOT NULL REFERENCES secrets ON DELETE CASCADE,\n"
        "  version TEXT NOT NULL,\n"
        "  created_ns INTEGER NOT NULL,\n"
        "  binary INTEGER NOT NULL,\n"
        "  value BLOB NOT NULL,\n"
        "  PRIMARY KEY (name, version)\n"
        ") STRICT;\n"
        "CREATE TABLE secret_stages (\n"
        "  name TEXT NOT NULL,\n"
        "  stage TEXT NOT NULL,\n"
        "  version TEXT NOT NULL,\n"
        "  PRIMARY KEY (name, stage),\n"
        "  FOREIGN KEY (name, version) REFERENCES secret_versions ON DELETE CASCADE\n"
        ") STRICT;\n"
        "CREATE TABLE parameters (\n"
        "  name TEXT PRIMARY KEY,\n"
        "  type TEXT NOT NULL,\n"
        "  version INTEGER NOT NULL,\n"
        "  description TEXT,\n"
        "  kms_key TEXT,\n"
        "  pattern TEXT,\n"
        "  tier TEXT NOT NULL,\n"
        "  tags TEXT\n"
        ") STRICT;\n"
        "CREATE TABLE parameter_versions (\n"
        "  name TEXT NOT NULL REFERENCES parameters ON DELETE CASCADE,\n"
        "  version INTEGER NOT NULL,\n"
        "  type TEXT NOT NULL,\n"
        "  changed_ns INTEGER NOT NULL,\n"
        "  value BLOB NOT NULL,\n"
        "  PRIMARY KEY (name, version)\n"
        ") STRICT;\n";

/* A name can hold no line break, so that no two contexts are the same. */
static char *context_of(const char *what, const char *name, const char *version)
{
        return fg_asprintf("%s\n%s\n%s", what, name, version);
}

int vault_seal(struct fg_vault *v, const char *what, const char *name, const char *version,
               const char *value, size_t len, struct fg_buf *ret, struct fg_error *err)
{
        fg_autofree char *context = context_of(what, name, version);

        return fg_seal_wrap(v->seal, context, value, len, ret, err);
}

int vault_unseal(struct fg_vault *v, const char *what, const char *name, const char *version,
                 sqlite3_stmt *stmt, int column, struct fg_secret *ret, struct fg_error *err)
{
        fg_autofree char *context = context_of(what, name, version);

        return fg_seal_unwrap(v->seal, context, sqlite3_column_blob(stmt, column),
                              (size_t)sqlite3_column_bytes(stmt, column), ret, err);
}

int vault_begin(struct fg_vault *v, struct fg_error *err)
{
        return fg_db_exec(v->db, "BEGIN IMMEDIATE", err);
}

int vault_end(struct fg_vault *v, int r, struct fg_error *err)
{
        if (r >= 0)
                r = fg_db_exec(v->db, "COMMIT", err);
        if (r < 0 && !sqlite3_get_autocommit(v->db))
                (void)sqlite3_exec(v->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

int vault_conflict(struct fg_error *err, int sys, const char *text)
{
        fg_fail(err, FG_ERR_CONFLICT, "%s", text);
        err->sys = sys;
        return -1;
}

int vault_check_arn(const struct fg_vault *v, const char *arn, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(arn);
        const char *part[6] = { 0 };
        char *rest = copy;

        for (size_t i = 0; i < FG_ARRAY_SIZE(part); i++)
                part[i] = strsep(&rest, ":");
        if (!part[5])
                return fg_fail(err, FG_ERR_INVALID, "%s is not an ARN", arn);
        if (!fg_streq(part[3], v->region) || !fg_streq(part[4], v->account))
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "%s is of region %s and account %s; this fgd's are %s and %s "
                               "(region and account in fgd.conf)",
                               arn, part[3], part[4], v->region, v->account);
        return 0;
}

/* ---- life ---- */

/* The key may be made only for a database that holds nothing yet. */
static int check_key(struct fg_vault *v, const char *path, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err, "SELECT key_id FROM vault", "") < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r < 0 || fg_seal_open(path, r == 0, &v->seal, err) < 0)
                return -1;
        if (r > 0 && !fg_streq(fg_db_text(stmt, 0), fg_seal_id(v->seal)))
                return fg_fail(err, FG_ERR_CONFLICT,
                               "%s is not the key that the secrets are sealed with (%s, not %s)",
                               path, fg_seal_id(v->seal), fg_db_text(stmt, 0));
        if (r > 0)
                return 0;
        return fg_db_run(v->db, err, "INSERT INTO vault VALUES (1, ?)", "s", fg_seal_id(v->seal)) <
                               0
                       ? -1
                       : 0;
}

int fg_vault_open(const struct fg_vault_config *config, struct fg_vault **ret, struct fg_error *err)
{
        const char *const migrations[] = { schema, NULL };
        fg_cleanup(fg_vault_freep) struct fg_vault *v = fg_calloc(1, sizeof(*v));

        v->region = fg_strdup(config->region);
        v->account = fg_strdup(config->account);
        if (fg_db_open(config->db, migrations, &v->db, err) < 0 ||
            check_key(v, config->key, err) < 0)
                return -1;
        /* What is deleted is not left in free pages; a sealed value is no use without its key. */
        (void)fg_db_exec(v->db, "PRAGMA secure_delete=ON", err);
        *ret = fg_take_ptr(v);
        return 0;
}

void fg_vault_free(struct fg_vault *v)
{
        if (!v)
                return;
        fg_db_close(v->db);
        fg_seal_free(v->seal);
        free(v->region);
        free(v->account);
        free(v);
}
