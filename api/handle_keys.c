/* SPDX-License-Identifier: Apache-2.0 */
#include "api/daemon.h"
#include "api/routes.h"
#include "core/str.h"

/* ---- POST /v1/keys ---- */

static void on_created(void *userdata, const struct fg_key *key, const struct fg_error *err)
{
        struct json_object *body;

        if (err) {
                fg_reply_error(userdata, err);
                return;
        }
        body = fg_key_json(key);
        fg_json_set_str(body, "secretAccessKey", key->secret);
        fg_reply_json(userdata, 201, body);
}

static int decode(struct json_object *body, const char **ret_name, struct fg_policy **ret_policy,
                  struct fg_error *err)
{
        struct json_object *policy = fg_json_get(body, "policy"), *name = fg_json_get(body, "name");

        json_object_object_foreach(body, key, value)
        {
                (void)value;
                if (!fg_streq(key, "name") && !fg_streq(key, "policy"))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "unknown member \"%.64s\" (allowed: name, policy)", key);
        }
        *ret_name = fg_json_str(body, "name");
        if (name && !*ret_name)
                return fg_fail(err, FG_ERR_INVALID, "name: expected a string");
        *ret_policy = policy ? fg_policy_decode(policy, err) : fg_policy_all();
        return *ret_policy ? 0 : -1;
}

void handle_key_create(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_json(r, &err);
        struct fg_policy *policy = NULL;
        const char *name = NULL;

        if (!body || decode(body, &name, &policy, &err) < 0)
                fg_reply_error(r, &err);
        else
                fg_keys_create(fg_auth_keys(d->auth), name, policy, on_created, r);
}

/* ---- GET /v1/keys ---- */

void handle_key_list(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        struct json_object *body = json_object_new_object();

        fg_json_set(body, "keys", fg_keys_json(fg_auth_keys(d->auth)));
        fg_reply_json(r, 200, body);
}

/* ---- DELETE /v1/keys/ID ---- */

static void on_revoked(void *userdata, const struct fg_key *key, const struct fg_error *err)
{
        struct json_object *body;

        if (err) {
                fg_reply_error(userdata, err);
                return;
        }
        body = json_object_new_object();
        fg_json_set_str(body, "revoked", key->id);
        fg_reply_json(userdata, 200, body);
}

void handle_key_revoke(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;

        fg_auth_forget(d->auth, fg_request_arg(r));
        fg_keys_revoke(fg_auth_keys(d->auth), fg_request_arg(r), on_revoked, r);
}
