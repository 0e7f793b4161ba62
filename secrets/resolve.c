/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/str.h"
#include "secrets/secrets.h"

static int pick_key(struct fg_secret *value, const char *key, struct fg_error *err)
{
        struct fg_error ignored = FG_ERROR_INIT; /* it may show a piece of the value */
        fg_autojson *json = fg_json_parse(value->data, value->len, &ignored);
        struct json_object *member;
        int r = 0;

        if (!json || !json_object_is_type(json, json_type_object)) {
                r = fg_fail(err, FG_ERR_INVALID,
                            "the secret is not a JSON object, so it has no key %s", key);
        } else {
                member = fg_json_get(json, key);
                if (member)
                        fg_secret_set(value, json_object_get_string(member),
                                      strlen(json_object_get_string(member)));
                else
                        r = fg_fail(err, FG_ERR_NOT_FOUND,
                                    "retrieved secret from Secrets Manager did not contain json "
                                    "key %s",
                                    key);
        }
        fg_json_wipe(json);
        return r;
}

static int resolve_secret(struct fg_vault *v, const struct fg_value_from *from,
                          struct fg_secret *ret, struct fg_error *err)
{
        fg_autojson *about = NULL;
        bool binary;

        about = fg_secret_get(v, from->id, from->version, from->stage, ret, &binary, err);
        if (!about)
                return -1;
        if (binary)
                return fg_fail(err, FG_ERR_INVALID,
                               "the secret is binary: an environment variable is text");
        return from->json_key ? pick_key(ret, from->json_key, err) : 0;
}

int fg_value_from_resolve(struct fg_vault *v, const char *text, struct fg_secret *ret,
                          struct fg_error *err)
{
        fg_cleanup(fg_value_from_finish) struct fg_value_from from = { 0 };
        fg_autojson *about = NULL;
        int r = 0;

        if (fg_value_from_parse(text, &from, err) < 0)
                return -1;
        if (from.kind == FG_VALUE_SECRET) {
                r = resolve_secret(v, &from, ret, err);
        } else {
                about = fg_parameter_get(v, from.id, true, ret, err);
                r = about ? 0 : -1;
        }
        if (r == 0 && (memchr(ret->data, '\0', ret->len) || !fg_utf8_valid(ret->data, ret->len)))
                r = fg_fail(err, FG_ERR_INVALID, "the value is not text");
        if (r < 0) {
                fg_secret_finish(ret);
                return fg_wrap(err, "unable to retrieve secret from %s: %s",
                               from.kind == FG_VALUE_SECRET ? "asm" : "ssm", from.id);
        }
        return 0;
}
