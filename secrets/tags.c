/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/tags.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/str.h"
#include "secrets/secret.h"

#define TAGS_MAX 50

/* Into an object of values by key, which keeps the order. */
static int add(struct json_object *by_key, struct json_object *tags, struct fg_error *err)
{
        for (size_t i = 0; tags && i < json_object_array_length(tags); i++) {
                struct json_object *tag = json_object_array_get_idx(tags, i);
                const char *key = fg_json_str(tag, "Key"), *value = fg_json_str(tag, "Value");

                if (strncasecmp(key, "aws:", 4) == 0)
                        return fg_fail(err, FG_ERR_INVALID, "tag keys must not begin with aws:");
                for (size_t j = 0; j < i; j++)
                        if (fg_streq(key, fg_json_str(json_object_array_get_idx(tags, j), "Key")))
                                return fg_fail(err, FG_ERR_INVALID,
                                               "the tag key '%.64s' is given twice", key);
                fg_json_set_str(by_key, key, value ? value : "");
        }
        return 0;
}

static struct json_object *to_array(struct json_object *by_key)
{
        struct json_object *tags = json_object_new_array();

        json_object_object_foreach(by_key, key, value)
        {
                struct json_object *tag = json_object_new_object();

                fg_json_set_str(tag, "Key", key);
                fg_json_set(tag, "Value", json_object_get(value));
                json_object_array_add(tags, tag);
        }
        return tags;
}

struct json_object *vault_tags_merge(struct json_object *old, struct json_object *set,
                                     struct json_object *drop, struct fg_error *err)
{
        fg_autojson *by_key = json_object_new_object();

        if (add(by_key, old, err) < 0 || add(by_key, set, err) < 0)
                return NULL;
        for (size_t i = 0; drop && i < json_object_array_length(drop); i++)
                json_object_object_del(by_key,
                                       json_object_get_string(json_object_array_get_idx(drop, i)));
        if (json_object_object_length(by_key) > TAGS_MAX) {
                fg_fail(err, FG_ERR_INVALID, "there would be %d tags; at most %d are allowed",
                        json_object_object_length(by_key), TAGS_MAX);
                err->sys = E2BIG;
                return NULL;
        }
        return to_array(by_key);
}

struct json_object *vault_tags_parse(const char *text)
{
        struct fg_error ignored = FG_ERROR_INIT;
        struct json_object *tags = *text ? fg_json_parse(text, strlen(text), &ignored) : NULL;

        return tags ? tags : json_object_new_array();
}

/* ---- of what is there ---- */

static int find(struct fg_vault *v, enum fg_value_kind kind, const char *id, char **ret_name,
                struct fg_error *err)
{
        fg_cleanup(secret_row_finish) struct secret_row row = { 0 };

        if (kind == FG_VALUE_PARAMETER)
                return parameter_need(v, id, ret_name, err);
        if (secret_need(v, id, false, &row, err) < 0)
                return -1;
        *ret_name = fg_take_ptr(row.name);
        return 0;
}

static struct json_object *load(struct fg_vault *v, enum fg_value_kind kind, const char *name,
                                struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        if (fg_db_prepare(v->db, &stmt, err,
                          kind == FG_VALUE_SECRET ? "SELECT tags FROM secrets WHERE name = ?"
                                                  : "SELECT tags FROM parameters WHERE name = ?",
                          "s", name) < 0 ||
            fg_db_step(stmt, err) < 0)
                return NULL;
        return vault_tags_parse(fg_db_text(stmt, 0));
}

struct json_object *fg_vault_tags(struct fg_vault *v, enum fg_value_kind kind, const char *id,
                                  struct fg_error *err)
{
        fg_autofree char *name = NULL;

        return find(v, kind, id, &name, err) < 0 ? NULL : load(v, kind, name, err);
}

static int change(struct fg_vault *v, enum fg_value_kind kind, const char *id,
                  const struct fg_vault_tagging *tagging, struct fg_error *err)
{
        fg_autofree char *name = NULL;
        fg_autojson *old = NULL, *tags = NULL;

        if (find(v, kind, id, &name, err) < 0)
                return -1;
        old = load(v, kind, name, err);
        tags = old ? vault_tags_merge(old, tagging->set, tagging->drop, err) : NULL;
        if (!tags)
                return -1;
        if (kind == FG_VALUE_PARAMETER)
                return fg_db_run(v->db, err, "UPDATE parameters SET tags = ? WHERE name = ?", "ss",
                                 fg_json_text(tags), name);
        return fg_db_run(v->db, err, "UPDATE secrets SET tags = ?, changed_ns = ? WHERE name = ?",
                         "sis", fg_json_text(tags), (int64_t)fg_now_ns(), name);
}

int fg_vault_tag(struct fg_vault *v, enum fg_value_kind kind, const char *id,
                 const struct fg_vault_tagging *tagging, struct fg_error *err)
{
        if (vault_begin(v, err) < 0 || vault_end(v, change(v, kind, id, tagging, err), err) < 0)
                return -1;
        return 0;
}
