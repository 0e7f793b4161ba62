/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/id.h"
#include "core/str.h"
#include "secrets/secret.h"
#include "secrets/tags.h"

#define NAME_MAX_BYTES 512
#define NAME_CHARS     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_+=.@!"
#define ARN_START      "arn:aws:secretsmanager:"
#define DAY_NS         (UINT64_C(86400) * FG_NS_PER_SEC)

void secret_row_finish(struct secret_row *row)
{
        free(row->name);
        free(row->suffix);
        *row = (struct secret_row){ 0 };
}

/* ---- finding ---- */

static int find_name(struct fg_vault *v, const char *name, const char *suffix,
                     struct secret_row *ret, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT name, suffix, deletion_ns FROM secrets\n"
                          "WHERE name = ?1 AND (?2 IS NULL OR suffix = ?2)",
                          "ss", name, suffix) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r <= 0)
                return r;
        secret_row_finish(ret);
        ret->name = fg_strdup(fg_db_text(stmt, 0));
        ret->suffix = fg_strdup(fg_db_text(stmt, 1));
        ret->deletion_ns = (uint64_t)sqlite3_column_int64(stmt, 2);
        return 1;
}

/* "NAME-AbCdEf", or, as AWS allows, "NAME" alone. */
static int find_arn(struct fg_vault *v, const char *arn, struct secret_row *ret,
                    struct fg_error *err)
{
        const char *part = strstr(arn, ":secret:");
        const char *full = part ? part + strlen(":secret:") : "";
        size_t len = strlen(full);
        fg_autofree char *name = NULL;
        int r;

        if (!fg_starts_with(arn, ARN_START) || len == 0)
                return fg_fail(err, FG_ERR_INVALID, "%s is not the ARN of a secret", arn);
        if (vault_check_arn(v, arn, err) < 0)
                return -1;
        if (len > SUFFIX_LEN + 1 && full[len - SUFFIX_LEN - 1] == '-') {
                name = fg_strdup(full);
                name[len - SUFFIX_LEN - 1] = '\0';
                r = find_name(v, name, full + len - SUFFIX_LEN, ret, err);
                if (r != 0)
                        return r;
        }
        return find_name(v, full, NULL, ret, err);
}

static int purge(struct fg_vault *v, struct fg_error *err)
{
        return fg_db_run(v->db, err,
                         "DELETE FROM secrets WHERE deletion_ns > 0 AND deletion_ns <= ?", "i",
                         (int64_t)fg_now_ns());
}

int secret_find(struct fg_vault *v, const char *id, struct secret_row *ret, struct fg_error *err)
{
        if (purge(v, err) < 0)
                return -1;
        return fg_starts_with(id, "arn:") ? find_arn(v, id, ret, err)
                                          : find_name(v, id, NULL, ret, err);
}

int secret_need(struct fg_vault *v, const char *id, bool deleted_too, struct secret_row *ret,
                struct fg_error *err)
{
        int r = secret_find(v, id, ret, err);

        if (r == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "Secrets Manager can't find the specified secret.");
        if (r > 0 && ret->deletion_ns && !deleted_too)
                return vault_conflict(err, EBUSY,
                                      "You can't perform this operation on the secret because it "
                                      "was marked for deletion.");
        return r < 0 ? -1 : 0;
}

struct json_object *secret_answer(const struct fg_vault *v, const struct secret_row *row)
{
        struct json_object *out = json_object_new_object();
        fg_autofree char *arn = fg_asprintf(ARN_START "%s:%s:secret:%s-%s", v->region, v->account,
                                            row->name, row->suffix);

        fg_json_set_str(out, "ARN", arn);
        fg_json_set_str(out, "Name", row->name);
        return out;
}

/* ---- creating ---- */

static int make_suffix(const struct fg_vault *v, const struct fg_secret_input *in, char **ret,
                       struct fg_error *err)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789";
        fg_autofree char *start = fg_asprintf(ARN_START "%s:%s:secret:%s-", v->region, v->account,
                                              in->id);
        unsigned char random[SUFFIX_LEN];
        char suffix[SUFFIX_LEN + 1] = "";

        if (in->arn) {
                if (!fg_starts_with(in->arn, start) ||
                    strlen(in->arn) != strlen(start) + SUFFIX_LEN ||
                    strspn(in->arn + strlen(start), letters) != SUFFIX_LEN)
                        return fg_fail(err, FG_ERR_INVALID,
                                       "arn = %s: expected %s and %d letters or digits", in->arn,
                                       start, SUFFIX_LEN);
                *ret = fg_strdup(in->arn + strlen(start));
                return 0;
        }
        fg_random(random, sizeof(random));
        for (size_t i = 0; i < SUFFIX_LEN; i++)
                suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
        *ret = fg_strdup(suffix);
        return 0;
}

int fg_secret_name_check(const char *name, struct fg_error *err)
{
        size_t len = name ? strlen(name) : 0;

        if (len > 0 && len <= NAME_MAX_BYTES && strspn(name, NAME_CHARS) == len)
                return 0;
        return fg_fail(err, FG_ERR_INVALID,
                       "Invalid name. Must be a valid name containing alphanumeric characters, or "
                       "any of the following: -/_+=.@! (at most %d bytes)",
                       NAME_MAX_BYTES);
}

/* Return: 1 when the same request has made it before, else 0. */
static int check_new(struct fg_vault *v, const struct fg_secret_input *in, struct secret_row *row,
                     struct fg_error *err)
{
        int r = secret_find(v, in->id, row, err);

        if (r <= 0)
                return r;
        if (row->deletion_ns)
                return vault_conflict(err, EBUSY,
                                      "You can't create this secret because a secret with this "
                                      "name is already scheduled for deletion.");
        if (in->version && in->value)
                r = version_same(v, row->name, in, err);
        else
                r = 0;
        if (r == 0) {
                fg_fail(err, FG_ERR_CONFLICT,
                        "The operation failed because the secret %s already exists.", in->id);
                err->sys = EEXIST;
                return -1;
        }
        return r;
}

static int insert(struct fg_vault *v, const struct fg_secret_input *in, struct secret_row *row,
                  struct fg_error *err)
{
        fg_autojson *tags = vault_tags_merge(NULL, in->tags, NULL, err);
        int64_t now = (int64_t)fg_now_ns();

        row->name = fg_strdup(in->id);
        if (!tags || make_suffix(v, in, &row->suffix, err) < 0)
                return -1;
        return fg_db_run(v->db, err, "INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                         "sssssii", row->name, row->suffix, in->description, in->kms_key,
                         fg_json_text(tags), now, now);
}

static int create(struct fg_vault *v, const struct fg_secret_input *in, struct secret_row *row,
                  char **ret_version, struct fg_error *err)
{
        int r = check_new(v, in, row, err);

        if (r < 0)
                return -1;
        if (r > 0) {
                *ret_version = fg_strdup(in->version);
                return 0;
        }
        if (insert(v, in, row, err) < 0)
                return -1;
        return in->value ? version_add(v, row->name, in, ret_version, err) : 0;
}

struct json_object *fg_secret_create(struct fg_vault *v, const struct fg_secret_input *in,
                                     struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        fg_autofree char *version = NULL;
        struct json_object *out;

        if (fg_secret_name_check(in->id, err) < 0 || vault_begin(v, err) < 0 ||
            vault_end(v, create(v, in, &row, &version, err), err) < 0)
                return NULL;
        out = secret_answer(v, &row);
        fg_json_set_str(out, "VersionId", version);
        return out;
}

/* ---- changing ---- */

static int update(struct fg_vault *v, const struct fg_secret_input *in, struct secret_row *row,
                  char **ret_version, struct fg_error *err)
{
        if (secret_need(v, in->id, false, row, err) < 0 ||
            fg_db_run(v->db, err,
                      "UPDATE secrets SET description = coalesce(?, description),\n"
                      "  kms_key = coalesce(?, kms_key), changed_ns = ? WHERE name = ?",
                      "ssis", in->description, in->kms_key, (int64_t)fg_now_ns(), row->name) < 0)
                return -1;
        return in->value ? version_add(v, row->name, in, ret_version, err) : 0;
}

struct json_object *fg_secret_update(struct fg_vault *v, const struct fg_secret_input *in,
                                     struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        fg_autofree char *version = NULL;
        struct json_object *out;

        if (vault_begin(v, err) < 0 || vault_end(v, update(v, in, &row, &version, err), err) < 0)
                return NULL;
        out = secret_answer(v, &row);
        fg_json_set_str(out, "VersionId", version);
        return out;
}

struct json_object *fg_secret_delete(struct fg_vault *v, const char *id, unsigned days,
                                     struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        uint64_t when = fg_now_ns() + days * DAY_NS;
        struct json_object *out;
        int r;

        if (secret_need(v, id, days == 0, &row, err) < 0)
                return NULL;
        if (days == 0)
                r = fg_db_run(v->db, err, "DELETE FROM secrets WHERE name = ?", "s", row.name);
        else
                r = fg_db_run(v->db, err, "UPDATE secrets SET deletion_ns = ? WHERE name = ?", "is",
                              (int64_t)when, row.name);
        if (r < 0)
                return NULL;
        out = secret_answer(v, &row);
        fg_json_set_int(out, "DeletionDate", (int64_t)when);
        return out;
}

struct json_object *fg_secret_restore(struct fg_vault *v, const char *id, struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };

        if (secret_need(v, id, true, &row, err) < 0 ||
            fg_db_run(v->db, err, "UPDATE secrets SET deletion_ns = 0 WHERE name = ?", "s",
                      row.name) < 0)
                return NULL;
        return secret_answer(v, &row);
}
