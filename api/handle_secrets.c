/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "api/daemon.h"
#include "api/keeper.h"
#include "api/routes.h"
#include "core/clock.h"
#include "core/str.h"

/* Secrets for people: /v1/secrets. The same store answers Secrets Manager's operations. */

#define LIST_MAX     10000
#define DAYS_DEFAULT 30
#define DAYS_MAX     30

struct secret_call {
        struct fg_request *r;
        char *name;
        struct json_object *body; /* of a POST; ours */
        unsigned days;
        int status;
};

static struct secret_call *call_new(struct fg_request *r, const char *name)
{
        struct secret_call *c = fg_calloc(1, sizeof(*c));

        c->r = r;
        c->name = fg_strdup(name);
        c->status = 200;
        return c;
}

static void call_free(struct secret_call *c)
{
        fg_json_wipe(c->body);
        json_object_put(c->body);
        free(c->name);
        free(c);
}

/* Times are text in the REST API. */
static void show_times(struct json_object *obj)
{
        static const char *const keys[] = { "CreatedDate", "LastChangedDate", "DeletedDate",
                                            "DeletionDate" };
        char text[FG_RFC3339_MAX];

        for (size_t i = 0; i < FG_ARRAY_SIZE(keys); i++) {
                if (!fg_json_get(obj, keys[i]))
                        continue;
                fg_rfc3339((uint64_t)fg_json_int(obj, keys[i], 0), text);
                fg_json_set_str(obj, keys[i], text);
        }
}

static void on_done(void *arg, struct json_object *result, const struct fg_error *err)
{
        struct secret_call *c = arg;
        struct json_object *list = fg_json_arr(result, "SecretList");

        if (err) {
                fg_reply_error(c->r, err);
        } else {
                show_times(result);
                for (size_t i = 0; list && i < json_object_array_length(list); i++)
                        show_times(json_object_array_get_idx(list, i));
                fg_reply_json(c->r, c->status, json_object_get(result));
        }
        call_free(c);
}

/* ---- POST /v1/secrets ---- */

static int decode_value(struct json_object *body, struct fg_secret *ret, bool *ret_binary,
                        struct fg_error *err)
{
        const char *text = fg_json_str(body, "value"), *base64 = fg_json_str(body, "valueBase64");
        int n;

        if (!text == !base64)
                return fg_fail(err, FG_ERR_INVALID,
                               "expected either value or valueBase64, a string");
        *ret_binary = base64 != NULL;
        if (text) {
                fg_secret_set(ret, text,
                              (size_t)json_object_get_string_len(fg_json_get(body, "value")));
                return 0;
        }
        fg_secret_alloc(ret, strlen(base64));
        n = EVP_DecodeBlock((unsigned char *)ret->data, (const unsigned char *)base64,
                            (int)strlen(base64));
        if (n < 0)
                return fg_fail(err, FG_ERR_INVALID, "valueBase64: not base64");
        n -= fg_ends_with(base64, "==") ? 2 : fg_ends_with(base64, "=") ? 1 : 0;
        ret->len = n > 0 ? (size_t)n : 0;
        return 0;
}

static struct json_object *create_work(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct secret_call *c = arg;
        fg_autosecret value = FG_SECRET_INIT;
        struct fg_secret_input in = { .id = fg_json_str(c->body, "name"),
                                      .arn = fg_json_str(c->body, "arn"),
                                      .description = fg_json_str(c->body, "description") };
        struct fg_error exists = FG_ERROR_INIT;
        struct json_object *out;

        if (decode_value(c->body, &value, &in.binary, err) < 0)
                return NULL;
        in.value = value.data;
        in.len = value.len;
        out = fg_secret_create(v, &in, &exists);
        if (out)
                return out;
        if (exists.sys == EEXIST && fg_json_bool(c->body, "replace", false))
                return fg_secret_put(v, &in, err);
        *err = exists;
        return NULL;
}

static int check_members(struct json_object *body, struct fg_error *err)
{
        static const char *const known[] = { "name",        "value", "valueBase64",
                                             "description", "arn",   "replace" };

        json_object_object_foreach(body, key, member)
        {
                size_t i = 0;

                (void)member;
                while (i < FG_ARRAY_SIZE(known) && !fg_streq(known[i], key))
                        i++;
                if (i == FG_ARRAY_SIZE(known))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "%s: unknown member; expected name, value or valueBase64, "
                                       "description, arn, replace",
                                       key);
        }
        if (!fg_json_str(body, "name"))
                return fg_fail(err, FG_ERR_INVALID, "name: required, a string");
        return 0;
}

void handle_secret_create(void *daemon, struct fg_request *r)
{
        /* Beside what its row in the table of routes asks for. */
        const struct fg_act put = { .service = "fgrun",
                                    .action = "secretsmanager:PutSecretValue",
                                    .cluster = "*" };
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_json(r, &err);
        struct secret_call *c;

        if (!body || check_members(body, &err) < 0) {
                fg_reply_error(r, &err);
                return;
        }
        if (fg_json_bool(body, "replace", false) && fg_request_authorize(r, &put) < 0)
                return;
        c = call_new(r, fg_json_str(body, "name"));
        c->body = json_object_get(body);
        c->status = 201;
        fg_keeper_run(d->keeper, create_work, on_done, c);
}

/* ---- GET /v1/secrets/value ---- */

static struct json_object *get_work(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct secret_call *c = arg;
        fg_autosecret value = FG_SECRET_INIT, base64 = FG_SECRET_INIT;
        struct json_object *out;
        bool binary = false;

        out = fg_secret_get(v, c->name, NULL, NULL, &value, &binary, err);
        if (!out)
                return NULL;
        if (!binary && fg_utf8_valid(value.data, value.len)) {
                fg_json_set(out, "value", json_object_new_string_len(value.data, (int)value.len));
                return out;
        }
        fg_secret_alloc(&base64, 4 * ((value.len + 2) / 3));
        (void)EVP_EncodeBlock((unsigned char *)base64.data, (const unsigned char *)value.data,
                              (int)value.len);
        fg_json_set_str(out, "valueBase64", base64.data);
        return out;
}

static const char *need_name(struct fg_request *r)
{
        const char *name = fg_request_query(r, "name");
        struct fg_error err = FG_ERROR_INIT;

        if (name)
                return name;
        fg_fail(&err, FG_ERR_INVALID, "name: required in the query, a name or an ARN");
        fg_reply_error(r, &err);
        return NULL;
}

void handle_secret_get(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const char *name = need_name(r);

        if (name)
                fg_keeper_run(d->keeper, get_work, on_done, call_new(r, name));
}

/* ---- GET, DELETE /v1/secrets ---- */

static struct json_object *list_work(struct fg_vault *v, void *arg, struct fg_error *err)
{
        (void)arg;
        return fg_secret_list(v, NULL, LIST_MAX, true, err);
}

void handle_secret_list(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;

        fg_keeper_run(d->keeper, list_work, on_done, call_new(r, NULL));
}

static struct json_object *remove_work(struct fg_vault *v, void *arg, struct fg_error *err)
{
        struct secret_call *c = arg;

        return fg_secret_delete(v, c->name, c->days, err);
}

void handle_secret_remove(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const char *name = need_name(r), *days = fg_request_query(r, "days");
        struct fg_error err = FG_ERROR_INIT;
        struct secret_call *c;
        uint64_t n = DAYS_DEFAULT;

        if (!name)
                return;
        if (days && (!fg_parse_u64(days, &n) || n > DAYS_MAX)) {
                fg_fail(&err, FG_ERR_INVALID, "days = %s: expected 0 (at once) to %d", days,
                        DAYS_MAX);
                fg_reply_error(r, &err);
                return;
        }
        c = call_new(r, name);
        c->days = (unsigned)n;
        fg_keeper_run(d->keeper, remove_work, on_done, c);
}
