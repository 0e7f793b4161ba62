/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/aws.h"
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

/* An action of the services that AWS has, or of the REST API. */
static bool is_known(const char *pattern)
{
        for (size_t i = 0; fg_aws_services[i]; i++)
                for (const char *const *name = fg_aws_services[i]->model; *name; name++) {
                        fg_autofree char *action = fg_asprintf("%s:%s", fg_aws_services[i]->name,
                                                               *name);

                        if (fg_policy_fits(pattern, action))
                                return true;
                }
        for (const struct fg_route *route = fg_routes; route->method; route++)
                if (route->action && fg_policy_fits(pattern, route->action))
                        return true;
        return false;
}

static const char *decode_name(struct json_object *body, struct fg_problems *problems)
{
        const char *name = fg_json_str(body, "name");
        struct fg_error err = FG_ERROR_INIT;

        if (fg_json_get(body, "name") && !name)
                fg_problems_take(problems, fg_strdup("$.name"), fg_strdup("expected a string"),
                                 NULL);
        else if (name && fg_key_name_check(name, &err) < 0)
                fg_problems_take(problems, fg_strdup("$.name"), fg_strdup(err.msg), NULL);
        return name;
}

/* NULL: something is wrong with it, or with the rest. */
static struct fg_policy *decode(struct json_object *body, const char **ret_name,
                                struct fg_problems *problems)
{
        struct json_object *json = fg_json_get(body, "policy");
        fg_cleanup(fg_policy_freep) struct fg_policy *policy = NULL;

        json_object_object_foreach(body, key, value)
        {
                (void)value;
                if (!fg_streq(key, "name") && !fg_streq(key, "policy"))
                        fg_problems_take(problems, fg_strdup("$"),
                                         fg_asprintf("unknown member \"%.*s\"", FG_CLIP(key)),
                                         fg_strdup("name, policy"));
        }
        *ret_name = decode_name(body, problems);
        policy = json ? fg_policy_decode(json, is_known, problems) : fg_policy_all();
        return problems->n == 0 ? fg_take_ptr(policy) : NULL;
}

void handle_key_create(void *daemon, struct fg_request *r)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *body = fg_request_json(r, &err);
        struct fg_policy *policy = NULL;
        const char *name = NULL;

        if (!body) {
                fg_reply_error(r, &err);
                return;
        }
        policy = decode(body, &name, &problems);
        if (policy)
                fg_keys_create(fg_auth_keys(d->auth), name, policy, on_created, r);
        else
                fg_reply_problems(r, "key", &problems);
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
