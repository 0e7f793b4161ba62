/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "core/clock.h"
#include "core/id.h"
#include "core/str.h"
#include "secrets/secret.h"

#define WHAT         "secret"
#define CURRENT      "AWSCURRENT"
#define PREVIOUS     "AWSPREVIOUS"
#define VERSIONS_MAX 100 /* the oldest without a stage go first */
#define STAGES_MAX   20
#define TOKEN_MIN    32
#define TOKEN_MAX    64

/* ---- adding ---- */

static int open_version(struct fg_vault *v, const char *name, const char *version,
                        struct fg_secret *ret, bool *ret_binary, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(
                    v->db, &stmt, err,
                    "SELECT binary, value FROM secret_versions WHERE name = ? AND version = ?",
                    "ss", name, version) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r <= 0)
                return r;
        *ret_binary = sqlite3_column_int(stmt, 0) != 0;
        return vault_unseal(v, WHAT, name, version, stmt, 1, ret, err) < 0 ? -1 : 1;
}

int version_same(struct fg_vault *v, const char *name, const struct fg_secret_input *in,
                 struct fg_error *err)
{
        fg_autosecret value = FG_SECRET_INIT;
        bool binary;
        int r = open_version(v, name, in->version, &value, &binary, err);

        if (r <= 0)
                return r;
        if (binary == in->binary && value.len == in->len &&
            fg_secret_eq(value.data, in->value, in->len))
                return 1;
        fg_fail(err, FG_ERR_CONFLICT,
                "The operation failed because a version with the id %s exists and has another "
                "value.",
                in->version);
        err->sys = EEXIST;
        return -1;
}

static int check_value(const struct fg_secret_input *in, struct fg_error *err)
{
        size_t len = in->version ? strlen(in->version) : TOKEN_MIN;

        if (in->len == 0 || in->len > FG_SECRET_VALUE_MAX)
                return fg_fail(err, FG_ERR_INVALID, "the value has %zu bytes; allowed: 1 to %d",
                               in->len, FG_SECRET_VALUE_MAX);
        if (len < TOKEN_MIN || len > TOKEN_MAX || (in->version && strchr(in->version, '\n')))
                return fg_fail(err, FG_ERR_INVALID,
                               "ClientRequestToken: must have %d to %d characters", TOKEN_MIN,
                               TOKEN_MAX);
        return 0;
}

static int insert_version(struct fg_vault *v, const char *name, const char *version,
                          const struct fg_secret_input *in, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf sealed = FG_BUF_INIT(2 * FG_SECRET_VALUE_MAX);

        if (vault_seal(v, WHAT, name, version, in->value, in->len, &sealed, err) < 0)
                return -1;
        return fg_db_run(v->db, err, "INSERT INTO secret_versions VALUES (?, ?, ?, ?, ?)", "ssiib",
                         name, version, (int64_t)fg_now_ns(), (int64_t)in->binary, &sealed);
}

static int set_stage(struct fg_vault *v, const char *name, const char *stage, const char *version,
                     struct fg_error *err)
{
        return fg_db_run(v->db, err, "INSERT OR REPLACE INTO secret_stages VALUES (?, ?, ?)", "sss",
                         name, stage, version);
}

/* What was current becomes the previous one, as a client with the old value may come back. */
static int move_stage(struct fg_vault *v, const char *name, const char *stage, const char *version,
                      struct fg_error *err)
{
        if (fg_streq(stage, CURRENT) &&
            fg_db_run(v->db, err,
                      "INSERT OR REPLACE INTO secret_stages\n"
                      "SELECT name, '" PREVIOUS "', version FROM secret_stages\n"
                      "WHERE name = ?1 AND stage = '" CURRENT "' AND version <> ?2",
                      "ss", name, version) < 0)
                return -1;
        return set_stage(v, name, stage, version, err);
}

static int move_stages(struct fg_vault *v, const char *name, struct json_object *stages,
                       const char *version, struct fg_error *err)
{
        size_t n = stages ? json_object_array_length(stages) : 0;

        if (n > STAGES_MAX)
                return fg_fail(err, FG_ERR_INVALID, "VersionStages: at most %d", STAGES_MAX);
        if (n == 0)
                return move_stage(v, name, CURRENT, version, err);
        for (size_t i = 0; i < n; i++)
                if (move_stage(v, name,
                               json_object_get_string(json_object_array_get_idx(stages, i)),
                               version, err) < 0)
                        return -1;
        return 0;
}

/* A version without a stage cannot be asked for but by its id; only so many are kept. */
static int drop_old(struct fg_vault *v, const char *name, struct fg_error *err)
{
        return fg_db_run(v->db, err,
                         "DELETE FROM secret_versions WHERE name = ?1 AND version IN\n"
                         "  (SELECT version FROM secret_versions WHERE name = ?1\n"
                         "   AND version NOT IN (SELECT version FROM secret_stages\n"
                         "                       WHERE name = ?1)\n"
                         "   ORDER BY created_ns DESC LIMIT -1 OFFSET ?2)",
                         "si", name, (int64_t)VERSIONS_MAX);
}

int version_add(struct fg_vault *v, const char *name, const struct fg_secret_input *in,
                char **ret_version, struct fg_error *err)
{
        char id[FG_ID_LEN + 1], uuid[FG_UUID_LEN + 1];
        const char *version = in->version ? in->version : uuid;
        int r;

        if (check_value(in, err) < 0)
                return -1;
        fg_id_new(id);
        fg_id_to_uuid(id, uuid);
        r = in->version ? version_same(v, name, in, err) : 0;
        if (r < 0 || (r == 0 && insert_version(v, name, version, in, err) < 0) ||
            move_stages(v, name, in->stages, version, err) < 0 ||
            fg_db_run(v->db, err, "UPDATE secrets SET changed_ns = ? WHERE name = ?", "is",
                      (int64_t)fg_now_ns(), name) < 0 ||
            drop_old(v, name, err) < 0)
                return -1;
        *ret_version = fg_strdup(version);
        return 0;
}

/* The version that a stage is on, into @ret; NULL when it is on none. */
static int stage_version(struct fg_vault *v, const char *name, const char *stage, char **ret,
                         struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT version FROM secret_stages WHERE name = ? AND stage = ?", "ss",
                          name, stage) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        *ret = r > 0 ? fg_strdup(fg_db_text(stmt, 0)) : NULL;
        return r < 0 ? -1 : 0;
}

static int check_version(struct fg_vault *v, const char *name, const char *version,
                         struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT 1 FROM secret_versions WHERE name = ? AND version = ?", "ss",
                          name, version) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "Secrets Manager can't find the specified secret version: %s",
                               version);
        return r < 0 ? -1 : 0;
}

/* Who moves a stage has to know where it is. */
static int change_stage(struct fg_vault *v, const char *name, const struct fg_secret_staging *s,
                        struct fg_error *err)
{
        fg_autofree char *on = NULL;

        if (stage_version(v, name, s->stage, &on, err) < 0 ||
            (s->to && check_version(v, name, s->to, err) < 0))
                return -1;
        if (!s->to && fg_streq(s->stage, CURRENT))
                return fg_fail(err, FG_ERR_INVALID,
                               "You can only move staging label AWSCURRENT to a different secret "
                               "version. It can't be completely removed.");
        if (!s->to && !s->from)
                return fg_fail(err, FG_ERR_INVALID,
                               "MoveToVersionId or RemoveFromVersionId must be given.");
        if (s->from ? !fg_streq(on ? on : "", s->from) : on && !fg_streq(on, s->to))
                return fg_fail(err, FG_ERR_INVALID,
                               "RemoveFromVersionId: the staging label %s is on %s", s->stage,
                               on ? on : "no version");
        if (s->to)
                return move_stage(v, name, s->stage, s->to, err);
        return fg_db_run(v->db, err, "DELETE FROM secret_stages WHERE name = ? AND stage = ?", "ss",
                         name, s->stage);
}

struct json_object *fg_secret_stage(struct fg_vault *v, const char *id,
                                    const struct fg_secret_staging *staging, struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        int r;

        if (vault_begin(v, err) < 0)
                return NULL;
        r = secret_need(v, id, false, &row, err);
        if (vault_end(v, r < 0 ? r : change_stage(v, row.name, staging, err), err) < 0)
                return NULL;
        return secret_answer(v, &row);
}

/* ---- reading ---- */

static struct json_object *stages_of(struct fg_vault *v, const char *name, const char *version,
                                     struct fg_error *err)
{
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT stage FROM secret_stages WHERE name = ? AND version = ?\n"
                          "ORDER BY stage",
                          "ss", name, version) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, json_object_new_string(fg_db_text(stmt, 0)));
        return r < 0 ? NULL : fg_take_ptr(list);
}

/* The id of the version that is asked for, NULL when there is none. */
static int pick_version(struct fg_vault *v, const char *name, const char *version,
                        const char *stage, char **ret, uint64_t *ret_ns, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (!version && !stage)
                stage = CURRENT;
        if (fg_db_prepare(
                    v->db, &stmt, err,
                    "SELECT version, created_ns FROM secret_versions WHERE name = ?1\n"
                    "AND (?2 IS NULL OR version = ?2)\n"
                    "AND (?3 IS NULL OR version =\n"
                    "     (SELECT version FROM secret_stages WHERE name = ?1 AND stage = ?3))",
                    "sss", name, version, stage) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r < 0)
                return -1;
        if (r == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND,
                               "Secrets Manager can't find the specified secret value for %s: %s",
                               version ? "VersionId" : "staging label", version ? version : stage);
        *ret = fg_strdup(fg_db_text(stmt, 0));
        *ret_ns = (uint64_t)sqlite3_column_int64(stmt, 1);
        return 0;
}

struct json_object *fg_secret_put(struct fg_vault *v, const struct fg_secret_input *in,
                                  struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        fg_autofree char *version = NULL;
        fg_autojson *out = NULL;
        struct json_object *stages;
        int r;

        if (vault_begin(v, err) < 0)
                return NULL;
        r = secret_need(v, in->id, false, &row, err);
        if (vault_end(v, r < 0 ? r : version_add(v, row.name, in, &version, err), err) < 0)
                return NULL;
        stages = stages_of(v, row.name, version, err);
        if (!stages)
                return NULL;
        out = secret_answer(v, &row);
        fg_json_set_str(out, "VersionId", version);
        fg_json_set(out, "VersionStages", stages);
        return fg_take_ptr(out);
}

struct json_object *fg_secret_get(struct fg_vault *v, const char *id, const char *version,
                                  const char *stage, struct fg_secret *ret_value, bool *ret_binary,
                                  struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        fg_autofree char *found = NULL;
        struct json_object *stages, *out;
        uint64_t created_ns = 0;

        if (secret_need(v, id, false, &row, err) < 0 ||
            pick_version(v, row.name, version, stage, &found, &created_ns, err) < 0 ||
            open_version(v, row.name, found, ret_value, ret_binary, err) < 0)
                return NULL;
        stages = stages_of(v, row.name, found, err);
        if (!stages)
                return NULL;
        out = secret_answer(v, &row);
        fg_json_set_str(out, "VersionId", found);
        fg_json_set(out, "VersionStages", stages);
        fg_json_set_int(out, "CreatedDate", (int64_t)created_ns);
        return out;
}

struct json_object *fg_secret_versions(struct fg_vault *v, const char *id, const char *after,
                                       unsigned limit, bool with_unstaged, struct fg_error *err)
{
        static const char sql[] =
                "SELECT version, created_ns FROM secret_versions v WHERE name = ?1\n"
                "AND version > ?2 AND (?3 OR EXISTS (SELECT 1 FROM secret_stages s\n"
                "  WHERE s.name = v.name AND s.version = v.version)) ORDER BY version LIMIT ?4";
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };
        fg_autojson *out = NULL;
        struct json_object *list = NULL;
        fg_autostmt *stmt = NULL;
        int r;

        if (secret_need(v, id, true, &row, err) < 0 ||
            fg_db_prepare(v->db, &stmt, err, sql, "ssii", row.name, after, (int64_t)with_unstaged,
                          (int64_t)limit) < 0)
                return NULL;
        out = secret_answer(v, &row);
        list = json_object_new_array();
        fg_json_set(out, "Versions", list);
        while ((r = fg_db_step(stmt, err)) > 0) {
                struct json_object *one = json_object_new_object();
                fg_autojson *stages = stages_of(v, row.name, fg_db_text(stmt, 0), err);

                json_object_array_add(list, one);
                if (!stages)
                        return NULL;
                fg_json_set_str(one, "VersionId", fg_db_text(stmt, 0));
                fg_json_set_int(one, "CreatedDate", sqlite3_column_int64(stmt, 1));
                if (json_object_array_length(stages) > 0) /* the model has no empty list here */
                        fg_json_set(one, "VersionStages", fg_take_ptr(stages));
        }
        return r < 0 ? NULL : fg_take_ptr(out);
}
