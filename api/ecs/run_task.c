/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/auth/policy.h"
#include "api/ecs/ecs_task.h"
#include "api/ecs/run_input.h"
#include "api/ecs/run_plan.h"
#include "api/engine.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

/*
 * RunTask: one look into the database (cluster, definition, token), then the engine, which answers
 * when the tasks are durable.
 */
#define TOKEN_NS (UINT64_C(24) * 3600 * FG_NS_PER_SEC)

struct run_task {
        char *cluster;
        struct fg_overrides *overrides;
        struct fg_taskdef *def;
        int64_t revision;
        struct json_object *strategy; /* of the cluster; NULL: none */
        struct json_object *def_tags; /* of the definition, when they are wanted; or NULL */
        struct json_object *known;    /* ids of the tasks that the client token made; or NULL */
        struct json_object *arns;     /* of those that the caller may know of; or NULL */
        struct fg_policy *policy;     /* by which he may; or NULL */
        char *known_hash;
        char hash[FG_DIGEST_LEN + 1];
};

static void run_task_free(void *state)
{
        struct run_task *run = state;

        free(run->cluster);
        fg_overrides_free(run->overrides);
        fg_taskdef_free(run->def);
        json_object_put(run->strategy);
        json_object_put(run->def_tags);
        json_object_put(run->known);
        json_object_put(run->arns);
        fg_policy_free(run->policy);
        free(run->known_hash);
        free(run);
}

/* ---- on the lane: what the request refers to ---- */

static bool has_provider(struct json_object *providers, const char *name)
{
        for (size_t i = 0; providers && i < json_object_array_length(providers); i++)
                if (fg_streq(json_object_get_string(json_object_array_get_idx(providers, i)), name))
                        return true;
        return false;
}

static int look_up_cluster(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct ecs_run_input *in = call->in;
        struct run_task *run = call->state;
        struct json_object *document;
        fg_autojson *cluster = NULL;

        if (ecs_cluster_get(call, db, in->cluster, true, &cluster, err) < 0)
                return -1;
        document = fg_json_obj(cluster, "document");
        for (size_t i = 0; i < in->strategy.n; i++)
                if (!has_provider(fg_json_arr(document, "capacityProviders"),
                                  in->strategy.v[i].provider))
                        return fg_aws_raise(
                                call, "InvalidParameterException",
                                "The specified capacity provider strategy cannot contain a "
                                "capacity provider that is not associated with the cluster. "
                                "Associate the capacity provider with the cluster or specify a "
                                "valid capacity provider and try again. (%s is not)",
                                in->strategy.v[i].provider);
        run->cluster = fg_strdup(fg_json_str(cluster, "name"));
        run->strategy = json_object_get(fg_json_arr(document, "defaultCapacityProviderStrategy"));
        return 0;
}

static int look_up_definition(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct ecs_run_input *in = call->in;
        fg_cleanup(fg_definition_finish) struct fg_definition d = { 0 };
        struct run_task *run = call->state;
        int found = ecs_definition_get(call, db, in->definition, &d, err);

        if (found < 0)
                return -1;
        if (!found)
                return fg_aws_raise(call, "ClientException", "TaskDefinition not found.");
        if (!fg_streq(d.status, "ACTIVE"))
                return fg_aws_raise(call, "ClientException", "TaskDefinition is inactive");
        run->revision = d.revision;
        run->def = fg_taskdef_load(d.document, err);
        if (!run->def)
                return fg_wrap(err, "stored task definition %s:%lld", d.family,
                               (long long)d.revision);
        return ecs_run_task_tags(db, in, &d, &run->def_tags, err);
}

static int look_up(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct ecs_run_input *in = call->in;
        struct run_task *run = call->state;

        if (in->client_token) {
                int found = fg_token_find(db, in->client_token, fg_now_ns() - TOKEN_NS, &run->known,
                                          &run->known_hash, err);

                if (found != 0)
                        return found < 0 ? -1 : look_up_cluster(call, db, err);
        }
        if (look_up_cluster(call, db, err) < 0)
                return -1;
        return look_up_definition(call, db, err);
}

/* ---- answers ---- */

static int show_known(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        struct run_task *run = call->state;
        struct json_object *tasks = json_object_new_array();

        call->output = json_object_new_object();
        fg_json_set(call->output, "tasks", tasks);
        fg_json_set(call->output, "failures", json_object_new_array());
        for (size_t i = 0; i < json_object_array_length(run->known); i++) {
                const char *id = json_object_get_string(json_object_array_get_idx(run->known, i));
                struct json_object *task = NULL;
                int found = ecs_task_show(call, db, run->cluster, id, true, &task, err);

                if (found < 0)
                        return -1;
                if (found)
                        json_object_array_add(tasks, task);
        }
        return 0;
}

/* The token may have been used in another cluster. */
static int name_known(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        struct run_task *run = call->state;

        json_object_put(run->arns); /* it may be the second time */
        run->arns = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(run->known); i++) {
                const char *id = json_object_get_string(json_object_array_get_idx(run->known, i));
                fg_autofree char *cluster = NULL, *arn = NULL;
                int found = fg_task_cluster(db, id, &cluster, err);

                if (found < 0)
                        return -1;
                if (!found || (run->policy && !fg_policy_sees_cluster(run->policy, cluster)))
                        continue;
                arn = fg_arn(call->names, "ecs", "task/%s/%s", cluster, id);
                json_object_array_add(run->arns, json_object_new_string(arn));
        }
        return 0;
}

static void fail_conflict(struct fg_aws_call *call)
{
        struct run_task *run = call->state;
        struct json_object *members = json_object_new_object();

        fg_json_set(members, "resourceIds", fg_take_ptr(run->arns));
        fg_aws_fail_with(call, "ConflictException", members,
                         "The RunTask request could not be processed due to conflicts. The "
                         "provided clientToken is already in use with a different RunTask "
                         "request.");
}

/* The same token again: the same request gets the same tasks, another one is refused. */
static void answer_known(struct fg_aws_call *call, const char *hash)
{
        struct run_task *run = call->state;

        run->policy = fg_auth_policy(call->d->auth, fg_request_identity(call->r));
        /* As a write, though it is none: behind those of a twin that is not stored yet. */
        if (fg_streq(run->hash, hash))
                fg_aws_work(call, show_known, true, NULL);
        else
                fg_aws_work(call, name_known, true, fail_conflict);
}

static void add_failures(struct json_object *failures, size_t n, const struct fg_error *err)
{
        for (size_t i = 0; i < n; i++)
                ecs_fail_item(failures, NULL,
                              "Capacity is unavailable at this time. Please try again later or in "
                              "a different availability zone",
                              err->msg);
}

static void on_submitted(void *userdata, const char *const *ids, size_t n,
                         const struct fg_error *err)
{
        struct fg_aws_call *call = userdata;
        const struct ecs_run_input *in = call->in;
        struct json_object *output, *tasks, *failures;
        size_t wanted = in->count ? (size_t)in->count : 1;

        if (err && err->code != FG_ERR_CAPACITY) {
                fg_aws_fail_error(call, err);
                return;
        }
        output = json_object_new_object();
        tasks = json_object_new_array();
        failures = json_object_new_array();
        for (size_t i = 0; i < n; i++) {
                const struct fg_task *t = fg_engine_task(call->d, ids[i]);
                struct json_object *task = fg_task_to_ecs(t, call->names);

                fg_json_set(task, "tags",
                            t->tags ? json_object_get(t->tags) : json_object_new_array());
                json_object_array_add(tasks, task);
        }
        if (err)
                add_failures(failures, wanted - n, err);
        fg_json_set(output, "tasks", tasks);
        fg_json_set(output, "failures", failures);
        fg_aws_reply(call, output);
}

/* ---- on the loop: to the engine ---- */

/* What fg_engine_submit() would have taken. */
static void submission_finish(struct fg_submission *s)
{
        fg_taskdef_free(s->def);
        fg_task_network_free(s->network);
        json_object_put(s->overrides);
        json_object_put(s->tags);
}

static int make_submission(struct fg_aws_call *call, struct fg_submission *s,
                           struct fg_problems *problems)
{
        const struct ecs_run_input *in = call->in;
        struct run_task *run = call->state;

        s->tags = ecs_plan_tags(in, run->def_tags, run->cluster, problems);
        s->def = fg_overrides_apply(run->overrides, run->def, problems);
        if (problems->n > 0)
                return -1;
        s->overrides = fg_overrides_to_json(run->overrides, run->def);
        /* Where tasks have no network they run all the same, as fgrun info says. */
        if (in->network && fg_net_info(call->d->net)->usable)
                s->network = fg_task_network_of(in->network);
        s->cluster = run->cluster;
        s->revision = run->revision;
        s->started_by = in->started_by;
        s->group = in->group;
        s->client_token = in->client_token;
        s->request_hash = in->client_token ? run->hash : NULL;
        s->count = in->count ? (size_t)in->count : 1;
        return 0;
}

static void on_looked_up(struct fg_aws_call *call)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        const struct ecs_run_input *in = call->in;
        struct run_task *run = call->state;
        const char *providers[FG_SUBMIT_MAX], *hash = NULL;
        struct fg_error err = FG_ERROR_INIT;
        struct fg_submission s = { 0 };

        if (run->known_hash) {
                answer_known(call, run->known_hash);
                return;
        }
        /* A twin may have been submitted while the database was asked. */
        if (in->client_token)
                run->known = fg_engine_token(call->d, in->client_token, &hash);
        if (hash) {
                answer_known(call, hash);
                return;
        }
        if (make_submission(call, &s, &problems) < 0) {
                submission_finish(&s);
                fg_aws_fail_problems(call, &problems);
                return;
        }
        if (fg_throttle_take(call->d, FG_THROTTLE_LAUNCH, s.count, &err) < 0) {
                submission_finish(&s);
                fg_aws_fail_error(call, &err);
                return;
        }
        if (ecs_plan_providers(in, run->strategy, s.count, providers))
                s.capacity_provider = providers;
        fg_engine_submit(call->d, &s, on_submitted, call);
}

void ecs_run_task(struct fg_aws_call *call)
{
        fg_cleanup(fg_problems_finish) struct fg_problems none = FG_PROBLEMS_INIT;
        struct run_task *run = fg_calloc(1, sizeof(*run));
        const struct ecs_run_input *in = call->in;
        struct fg_error err = FG_ERROR_INIT;

        call->state = run;
        call->free_state = run_task_free;
        if (fg_throttle_take(call->d, FG_THROTTLE_RUN, 1, &err) < 0) {
                fg_aws_fail_error(call, &err);
                return;
        }
        run->overrides = fg_overrides_decode(in->overrides, &none);
        if (in->client_token)
                ecs_run_task_digest(call, run->overrides, run->hash);
        fg_aws_work(call, look_up, false, on_looked_up);
}
