/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "secrets/tags.h"

#define WHAT         "parameter"
#define NAME_MAX_LEN 1011
#define LEVELS_MAX   15
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/"
#define VERSIONS_MAX 100 /* the oldest go first, as in Parameter Store */
#define STANDARD_MAX 4096
#define ARN_START    "arn:aws:ssm:"
#define SECURE       "SecureString"

/* ---- names ---- */

int fg_parameter_name_check(const char *name, struct fg_error *err)
{
        size_t len = strlen(name);
        unsigned levels = 0;

        for (const char *p = name; *p; p++)
                levels += *p == '/';
        if (len == 0 || len > NAME_MAX_LEN || strspn(name, NAME_CHARS) != len ||
            name[len - 1] == '/' || strstr(name, "//") || (levels > 0 && name[0] != '/'))
                return fg_fail(err, FG_ERR_INVALID,
                               "%.64s is not a parameter's name: letters, digits and _.-, or such "
                               "words with a / before each",
                               name);
        if (levels > LEVELS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "a parameter's name has at most %d levels",
                               LEVELS_MAX);
        name += *name == '/';
        if (strncasecmp(name, "aws", 3) == 0 || strncasecmp(name, "ssm", 3) == 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "Parameter name: can't be prefixed with \"aws\" or \"ssm\" "
                               "(case-insensitive).");
        return 0;
}

static char *arn_of(const struct fg_vault *v, const char *name)
{
        return fg_asprintf(ARN_START "%s:%s:parameter%s%s", v->region, v->account,
                           *name == '/' ? "" : "/", name);
}

static bool exists(struct fg_vault *v, const char *name)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autostmt *stmt = NULL;

        return fg_db_prepare(v->db, &stmt, &err, "SELECT 1 FROM parameters WHERE name = ?", "s",
                             name) == 0 &&
               fg_db_step(stmt, &err) > 0;
}

/* The name in an ARN, or what was given. In an ARN "/a" and "a" look the same. */
static int plain_name(struct fg_vault *v, const char *id, char **ret, struct fg_error *err)
{
        const char *part = strstr(id, ":parameter/");

        if (!fg_starts_with(id, "arn:")) {
                *ret = fg_strdup(id);
                return 0;
        }
        if (!fg_starts_with(id, ARN_START) || !part)
                return fg_fail(err, FG_ERR_INVALID, "%s is not the ARN of a parameter", id);
        if (vault_check_arn(v, id, err) < 0)
                return -1;
        part += strlen(":parameter");
        *ret = fg_strdup(exists(v, part) || strchr(part + 1, '/') ? part : part + 1);
        return 0;
}

int parameter_need(struct fg_vault *v, const char *id, char **ret, struct fg_error *err)
{
        fg_autofree char *name = NULL;

        if (plain_name(v, id, &name, err) < 0)
                return -1;
        if (!exists(v, name))
                return fg_fail(err, FG_ERR_NOT_FOUND, "Parameter %s not found.", id);
        *ret = fg_take_ptr(name);
        return 0;
}

/* ---- putting ---- */

static int check_input(const struct fg_parameter_input *in, struct fg_error *err)
{
        static const char *const types[] = { "String", "StringList", SECURE };
        bool standard = !in->tier || fg_streq(in->tier, "Standard");
        size_t max = standard ? STANDARD_MAX : FG_PARAMETER_MAX;
        bool known = !in->type;

        for (size_t i = 0; i < FG_ARRAY_SIZE(types) && !known; i++)
                known = fg_streq(in->type, types[i]);
        if (!known)
                return fg_fail(err, FG_ERR_INVALID,
                               "Type %.64s: expected String, StringList or SecureString", in->type);
        if (in->len == 0 || in->len > max)
                return fg_fail(err, FG_ERR_INVALID,
                               "the value has %zu bytes; a %s parameter has 1 to %zu", in->len,
                               standard ? "Standard" : "Advanced", max);
        return fg_parameter_name_check(in->name, err);
}

static int find_old(struct fg_vault *v, const struct fg_parameter_input *in, int64_t *ret_version,
                    char **ret_type, struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err, "SELECT version, type FROM parameters WHERE name = ?",
                          "s", in->name) < 0)
                return -1;
        r = fg_db_step(stmt, err);
        if (r < 0)
                return -1;
        *ret_version = r > 0 ? sqlite3_column_int64(stmt, 0) : 0;
        *ret_type = in->type ? fg_strdup(in->type) : r > 0 ? fg_strdup(fg_db_text(stmt, 1)) : NULL;
        if (r > 0 && !in->overwrite)
                return vault_conflict(err, EEXIST,
                                      "The parameter already exists. To overwrite this value, set "
                                      "the overwrite option in the request to true.");
        if (r > 0 && !fg_streq(*ret_type, fg_db_text(stmt, 1)))
                return fg_fail(err, FG_ERR_INVALID,
                               "the type of %s is %s and stays so: delete the parameter first",
                               in->name, fg_db_text(stmt, 1));
        if (!*ret_type)
                return fg_fail(err, FG_ERR_INVALID,
                               "A parameter type is required when you create a parameter.");
        return 0;
}

static int insert_version(struct fg_vault *v, const struct fg_parameter_input *in, const char *type,
                          int64_t version, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf sealed = FG_BUF_INIT(2 * FG_PARAMETER_MAX);
        char number[24];

        (void)snprintf(number, sizeof(number), "%lld", (long long)version);
        if (vault_seal(v, WHAT, in->name, number, in->value, in->len, &sealed, err) < 0 ||
            fg_db_run(v->db, err, "INSERT INTO parameter_versions VALUES (?, ?, ?, ?, ?)", "sisib",
                      in->name, version, type, (int64_t)fg_now_ns(), &sealed) < 0)
                return -1;
        return fg_db_run(v->db, err,
                         "DELETE FROM parameter_versions WHERE name = ? AND version <= ?", "si",
                         in->name, version - VERSIONS_MAX);
}

static int put(struct fg_vault *v, const struct fg_parameter_input *in, int64_t *ret_version,
               struct fg_error *err)
{
        static const char sql[] =
                "INSERT INTO parameters VALUES (?, ?, ?, ?, ?, ?, ?, ?)\n"
                "ON CONFLICT (name) DO UPDATE SET type = excluded.type,\n"
                "  version = excluded.version,\n"
                "  description = coalesce(excluded.description, description),\n"
                "  kms_key = coalesce(excluded.kms_key, kms_key),\n"
                "  pattern = coalesce(excluded.pattern, pattern), tier = excluded.tier";
        fg_autojson *tags = vault_tags_merge(NULL, in->tags, NULL, err);
        fg_autofree char *type = NULL;
        int64_t version;

        if (!tags || find_old(v, in, &version, &type, err) < 0)
                return -1;
        version++;
        *ret_version = version;
        if (fg_db_run(v->db, err, sql, "ssisssss", in->name, type, version, in->description,
                      in->kms_key, in->pattern, in->tier ? in->tier : "Standard",
                      fg_json_text(tags)) < 0)
                return -1;
        return insert_version(v, in, type, version, err);
}

struct json_object *fg_parameter_put(struct fg_vault *v, const struct fg_parameter_input *in,
                                     struct fg_error *err)
{
        struct json_object *out;
        int64_t version = 0;

        if (check_input(in, err) < 0 || vault_begin(v, err) < 0 ||
            vault_end(v, put(v, in, &version, err), err) < 0)
                return NULL;
        out = json_object_new_object();
        fg_json_set_int(out, "Version", version);
        fg_json_set_str(out, "Tier", in->tier ? in->tier : "Standard");
        return out;
}

/* ---- getting ---- */

static void set_base64(const void *data, size_t len, struct fg_secret *ret)
{
        fg_secret_alloc(ret, 4 * ((len + 2) / 3));
        (void)EVP_EncodeBlock((unsigned char *)ret->data, data, (int)len);
}

static int read_value(struct fg_vault *v, const char *name, sqlite3_stmt *stmt, bool decrypt,
                      struct fg_secret *ret, struct fg_error *err)
{
        bool secure = fg_streq(fg_db_text(stmt, 0), SECURE);
        char number[24];

        if (secure && !decrypt) {
                set_base64(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3),
                           ret);
                return 0;
        }
        (void)snprintf(number, sizeof(number), "%lld", (long long)sqlite3_column_int64(stmt, 1));
        return vault_unseal(v, WHAT, name, number, stmt, 3, ret, err);
}

static struct json_object *parameter_json(const struct fg_vault *v, const char *name,
                                          const char *type, int64_t version, int64_t changed_ns)
{
        struct json_object *out = json_object_new_object();
        fg_autofree char *arn = arn_of(v, name);

        fg_json_set_str(out, "Name", name);
        fg_json_set_str(out, "Type", type);
        fg_json_set_int(out, "Version", version);
        fg_json_set_int(out, "LastModifiedDate", changed_ns);
        fg_json_set_str(out, "ARN", arn);
        fg_json_set_str(out, "DataType", "text");
        return out;
}

/* Cuts what stands behind a colon, "7", from a name or an ARN; NULL: nothing does. */
static const char *split_selector(char *id)
{
        char *name = fg_starts_with(id, "arn:") ? strstr(id, "parameter/") : id;
        char *colon = name ? strchr(name, ':') : NULL;

        if (!colon)
                return NULL;
        *colon = '\0';
        return colon + 1;
}

/* Nobody can put a label on a version here, so a selector that is no number finds none. */
static int read_selector(const char *selector, const char *name, int64_t *ret, struct fg_error *err)
{
        uint64_t n = 0;
        bool number = fg_parse_u64(selector, &n) && n <= INT64_MAX;

        *ret = (int64_t)n;
        if (number && n > 0)
                return 0;
        fg_fail(err, FG_ERR_NOT_FOUND, "Systems Manager could not find %s %s of %s. %s",
                number ? "version" : "label", selector, name,
                number ? "Verify the version and try again." : "Versions have no labels here.");
        err->sys = ENODATA;
        return -1;
}

/* @version 0: the newest. */
static struct json_object *get_version(struct fg_vault *v, const char *name, int64_t version,
                                       bool decrypt, struct fg_secret *ret_value,
                                       struct fg_error *err)
{
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err,
                          "SELECT type, version, changed_ns, value FROM parameter_versions\n"
                          "WHERE name = ?1 AND version = CASE ?2 WHEN 0 THEN\n"
                          "  (SELECT version FROM parameters WHERE name = ?1) ELSE ?2 END",
                          "si", name, version) < 0)
                return NULL;
        r = fg_db_step(stmt, err);
        if (r == 0) {
                fg_fail(err, FG_ERR_NOT_FOUND,
                        "Systems Manager could not find version %lld of %s. Verify the version and "
                        "try again.",
                        (long long)version, name);
                err->sys = ENODATA;
        }
        if (r <= 0 || read_value(v, name, stmt, decrypt, ret_value, err) < 0)
                return NULL;
        return parameter_json(v, name, fg_db_text(stmt, 0), sqlite3_column_int64(stmt, 1),
                              sqlite3_column_int64(stmt, 2));
}

struct json_object *fg_parameter_get(struct fg_vault *v, const char *id, bool decrypt,
                                     struct fg_secret *ret_value, struct fg_error *err)
{
        fg_autofree char *copy = fg_strdup(id), *name = NULL;
        const char *selector = split_selector(copy);
        struct json_object *out;
        int64_t version = 0;

        if (parameter_need(v, copy, &name, err) < 0 ||
            (selector && read_selector(selector, name, &version, err) < 0))
                return NULL;
        out = get_version(v, name, version, decrypt, ret_value, err);
        if (out && selector)
                fg_json_set_str(out, "Selector", id + strlen(copy));
        return out;
}

/* ---- listing ---- */

static void set_text(struct json_object *out, const char *key, sqlite3_stmt *stmt, int column)
{
        if (*fg_db_text(stmt, column))
                fg_json_set_str(out, key, fg_db_text(stmt, column));
}

struct json_object *fg_parameter_list(struct fg_vault *v, const char *after, const char *prefix,
                                      const char *part, const char *type, unsigned limit,
                                      struct fg_error *err)
{
        static const char sql[] =
                "SELECT p.name, p.type, p.version, n.changed_ns, p.description, p.kms_key,\n"
                "  p.pattern, p.tier\n"
                "FROM parameters p JOIN parameter_versions n\n"
                "  ON n.name = p.name AND n.version = p.version\n"
                "WHERE p.name > ?1 AND substr(p.name, 1, length(?2)) = ?2\n"
                "  AND instr(p.name, ?3) > 0 AND (?4 IS NULL OR p.type = ?4)\n"
                "ORDER BY p.name LIMIT ?5";
        fg_autojson *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(v->db, &stmt, err, sql, "ssssi", after ? after : "", prefix ? prefix : "",
                          part ? part : "", type, (int64_t)limit) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0) {
                struct json_object *one = parameter_json(
                        v, fg_db_text(stmt, 0), fg_db_text(stmt, 1), sqlite3_column_int64(stmt, 2),
                        sqlite3_column_int64(stmt, 3));

                set_text(one, "Description", stmt, 4);
                set_text(one, "KeyId", stmt, 5);
                set_text(one, "AllowedPattern", stmt, 6);
                fg_json_set_str(one, "Tier", fg_db_text(stmt, 7));
                json_object_array_add(list, one);
        }
        return r < 0 ? NULL : fg_take_ptr(list);
}

int fg_parameter_delete(struct fg_vault *v, const char *id, struct fg_error *err)
{
        fg_autofree char *name = NULL;
        int n;

        if (plain_name(v, id, &name, err) < 0)
                return -1;
        n = fg_db_run(v->db, err, "DELETE FROM parameters WHERE name = ?", "s", name);
        if (n == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "Parameter %s not found.", id);
        return n < 0 ? -1 : 0;
}
