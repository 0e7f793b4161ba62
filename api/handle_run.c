/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/engine.h"
#include "api/overrides.h"
#include "api/routes.h"
#include "core/digest.h"
#include "core/str.h"

#define STARTED_BY_MAX 128
#define TOKEN_MAX      64

/* POST /v1/tasks, on its way from the client to the engine. */
struct order {
        struct fg_daemon *d;
        struct fg_request *r;
        struct fg_submission s;
        char *token, hash[FG_DIGEST_LEN + 1];
        struct json_object
                *body; /* borrowed from the request; started_by and group point into it */
};

static void order_free(struct order *o)
{
        fg_taskdef_free(o->s.def);
        fg_task_network_free(o->s.network);
        json_object_put(o->s.overrides);
        json_object_put(o->s.tags);
        free(o->token);
        free(o);
}
FG_DEFINE_CLEANUP(struct order *, order_free)

/* ---- the members around the task definition ---- */

static const char *const members[] = { "taskDefinition",
                                       "overrides",
                                       "startedBy",
                                       "group",
                                       "tags",
                                       "clientToken",
                                       "networkConfiguration",
                                       "publish",
                                       "networkBytesPerSecond",
                                       NULL };

static void check_members(struct json_object *body, struct fg_problems *problems)
{
        json_object_object_foreach(body, key, value)
        {
                (void)value;
                if (!fg_one_of(key, members))
                        fg_problems_take(problems, fg_asprintf("$.%.*s", FG_CLIP(key)),
                                         fg_strdup("unknown member of the request"),
                                         fg_join(members));
        }
}

static const char *take_text(struct json_object *body, const char *key, size_t max,
                             struct fg_problems *problems)
{
        struct json_object *value = fg_json_get(body, key);
        const char *text = fg_json_str(body, key);

        if (!value)
                return NULL;
        if (text && *text && strlen(text) <= max)
                return text;
        fg_problems_take(problems, fg_asprintf("$.%s", key),
                         fg_asprintf("must be a string of 1 to %zu characters", max), NULL);
        return NULL;
}

/* Tags of the request add to those of the definition; the decoder checked the latter. */
static struct json_object *merge_tags(struct json_object *def_json, struct json_object *extra)
{
        struct json_object *tags = json_object_new_array(), *lists[2] = { def_json, extra };

        for (size_t k = 0; k < FG_ARRAY_SIZE(lists); k++)
                for (size_t i = 0; lists[k] && i < json_object_array_length(lists[k]); i++)
                        json_object_array_add(
                                tags, json_object_get(json_object_array_get_idx(lists[k], i)));
        return tags;
}

static void check_tags(struct json_object *tags, struct fg_problems *problems)
{
        for (size_t i = 0; tags && i < json_object_array_length(tags); i++) {
                struct json_object *tag = json_object_array_get_idx(tags, i);
                const char *key = fg_json_str(tag, "key"), *value = fg_json_str(tag, "value");

                if (!key || !*key || strlen(key) > 128 || fg_starts_with(key, "aws:"))
                        fg_problems_take(problems, fg_asprintf("$.tags[%zu].key", i),
                                         fg_strdup("must be a string of 1 to 128 characters that "
                                                   "does not start with aws:"),
                                         NULL);
                if (fg_json_get(tag, "value") && (!value || strlen(value) > 256))
                        fg_problems_take(problems, fg_asprintf("$.tags[%zu].value", i),
                                         fg_strdup("must be a string of at most 256 characters"),
                                         NULL);
        }
}

/* ---- decoding ---- */

static int decode(struct order *o, struct fg_problems *problems)
{
        struct json_object *json = fg_json_get(o->body, "taskDefinition"), *tags;
        fg_cleanup(fg_overrides_freep) struct fg_overrides *overrides = NULL;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = NULL;
        fg_autojson *shape = NULL;
        bool bare = fg_json_get(o->body, "containerDefinitions") != NULL;

        if (!bare)
                check_members(o->body, problems);
        if (!bare && !json) {
                fg_problems_take(problems, fg_strdup("$.taskDefinition"), fg_strdup("is required"),
                                 NULL);
                return -1;
        }
        tags = bare ? NULL : fg_json_arr(o->body, "tags");
        check_tags(tags, problems);
        if (!bare) {
                o->s.network = fg_task_network_decode(o->body, problems);
                o->s.started_by = take_text(o->body, "startedBy", STARTED_BY_MAX, problems);
                o->s.group = take_text(o->body, "group", 255, problems);
                o->token = fg_strdup(take_text(o->body, "clientToken", TOKEN_MAX, problems));
        }
        def = fg_taskdef_decode(bare ? o->body : json, fg_reference_check, problems);
        overrides = fg_overrides_decode(bare ? NULL : fg_json_get(o->body, "overrides"), problems);
        if (def)
                o->s.def = fg_overrides_apply(overrides, def, problems);
        if (problems->n > 0)
                return -1;
        o->s.overrides = fg_overrides_to_json(overrides, def);
        shape = fg_taskdef_to_json(def);
        o->s.tags = merge_tags(fg_json_arr(shape, "tags"), tags);
        return 0;
}

/* ---- submitting ---- */

static void on_submitted(void *userdata, const char *const *ids, size_t n,
                         const struct fg_error *err)
{
        struct order *o = userdata;

        if (n == 0)
                fg_reply_error(o->r, err);
        else
                reply_task(o->d, o->r, ids[0], 201);
        order_free(o);
}

static void submit(struct order *o)
{
        struct fg_error err = FG_ERROR_INIT;

        o->s.count = 1;
        o->s.client_token = o->token;
        o->s.request_hash = o->token ? o->hash : NULL;
        if (fg_throttle_take(o->d, FG_THROTTLE_LAUNCH, 1, &err) < 0) {
                fg_reply_error(o->r, &err);
                order_free(o);
                return;
        }
        fg_engine_submit(o->d, &o->s, on_submitted, o);
}

/* The same token again: the same request gets the same task, another one is refused. */
static void reply_repeated(struct order *o, const char *id, const char *hash)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fg_streq(hash, o->hash)) {
                reply_task(o->d, o->r, id, 200);
        } else {
                fg_fail(&err, FG_ERR_CONFLICT, "clientToken %s was used with another request",
                        o->token);
                fg_reply_error(o->r, &err);
        }
        order_free(o);
}

static const char *first(struct json_object *ids)
{
        return json_object_get_string(json_object_array_get_idx(ids, 0));
}

static void on_token(void *userdata, struct json_object *result, const struct fg_error *err)
{
        fg_autojson *active = NULL;
        struct order *o = userdata;
        const char *hash = NULL;

        if (err) {
                fg_reply_error(o->r, err);
                order_free(o);
                return;
        }
        if (fg_json_str(result, "hash")) {
                reply_repeated(o, first(fg_json_arr(result, "ids")), fg_json_str(result, "hash"));
                return;
        }
        /* A twin may have been submitted while the database was asked. */
        active = fg_engine_token(o->d, o->token, &hash);
        if (active)
                reply_repeated(o, first(active), hash);
        else
                submit(o);
}

void handle_task_run(void *daemon, struct fg_request *r)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(order_freep) struct order *o = fg_calloc(1, sizeof(*o));
        struct fg_error err = FG_ERROR_INIT;
        const char *text;
        size_t len;

        if (fg_throttle_take(daemon, FG_THROTTLE_RUN, 1, &err) < 0) {
                fg_reply_error(r, &err);
                return;
        }
        o->d = daemon;
        o->r = r;
        o->body = fg_request_json(r, &err);
        if (!o->body) {
                fg_reply_error(r, &err);
                return;
        }
        if (decode(o, &problems) < 0) {
                fg_reply_problems(r, "task definition", &problems);
                return;
        }
        if (!o->token) {
                submit(fg_take_ptr(o));
                return;
        }
        text = fg_request_body(r, &len);
        fg_digest_of(text, len, o->hash);
        fg_store_find_token(o->d->store, o->token, on_token, o);
        (void)fg_take_ptr(o);
}
