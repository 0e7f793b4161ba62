/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/run_input.h"

#include <inttypes.h>
#include <string.h>

#include "api/ecs/run_plan.h"
#include "api/engine.h"
#include "core/json.h"
#include "core/str.h"

/* ---- where the task is attached ---- */

static bool is_id(const char *s, const char *prefix)
{
        size_t len = strlen(prefix);

        return fg_starts_with(s, prefix) && s[len] && strlen(s) <= 64 &&
               strspn(s + len, "0123456789abcdefghijklmnopqrstuvwxyz-") == strlen(s + len);
}

static bool check_subnet(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "default") || is_id(s, "subnet-"))
                return true;
        fg_decode_problem(d, NULL, "default, subnet-…", "'%.*s' is not a subnet", FG_CLIP(s));
        return false;
}

static bool check_security_group(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "default") || is_id(s, "sg-"))
                return true;
        fg_decode_problem(d, NULL, "default, sg-…", "'%.*s' is not a security group", FG_CLIP(s));
        return false;
}

static const char *const on_off[] = { "ENABLED", "DISABLED", NULL };

static const struct fg_field awsvpc_fields[] = {
        FG_ROW_STRINGS(fg_awsvpc, subnets, "subnets", .required = true, .min = 1, .max = 16,
                       .text = "subnets can not be empty.", .check = check_subnet),
        FG_ROW_STRINGS(fg_awsvpc, security_groups, "securityGroups", .max = 5,
                       .check = check_security_group),
        FG_ROW_STRING(fg_awsvpc, assign_public_ip, "assignPublicIp", .allowed = on_off),
};
static const struct fg_object awsvpc_object = FG_OBJECT(fg_awsvpc, awsvpc_fields);

static const struct fg_field network_fields[] = {
        FG_ROW_OBJECT(fg_network_configuration, awsvpc, "awsvpcConfiguration", &awsvpc_object,
                      .required = true),
};
static const struct fg_object network_object = FG_OBJECT(fg_network_configuration, network_fields);

/* ---- the request ---- */

static bool check_launch_type(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "FARGATE"))
                return true;
        fg_decode_problem(d, NULL, "FARGATE", "tasks run nowhere else here");
        return false;
}

static bool check_platform(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "LATEST") || fg_streq(s, "1.4.0"))
                return true;
        fg_decode_problem(d, NULL, "LATEST, 1.4.0", "'%.*s' is not a platform version", FG_CLIP(s));
        return false;
}

static bool check_propagate(struct fg_decode *d, const char *s)
{
        if (fg_streq(s, "TASK_DEFINITION") || fg_streq(s, "NONE"))
                return true;
        fg_decode_problem(d, NULL, "TASK_DEFINITION, NONE",
                          "'%.*s' is not a source of tags for a task of no service", FG_CLIP(s));
        return false;
}

static bool check_started_by(struct fg_decode *d, const char *s)
{
        if (s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/")] ==
            '\0')
                return true;
        fg_decode_problem(d, NULL, "letters, digits, -, _ and /", "'%.*s' has other characters",
                          FG_CLIP(s));
        return false;
}

static bool check_token(struct fg_decode *d, const char *s)
{
        for (const char *p = s; *p; p++)
                if (*p < '!' || *p > '~') {
                        fg_decode_problem(d, NULL, "printable ASCII without spaces",
                                          "has other characters");
                        return false;
                }
        return true;
}

static const struct fg_field fields[] = {
        FG_ROW_STRING(ecs_run_input, definition, "taskDefinition", .required = true, .min = 1,
                      .check = ecs_check_definition),
        FG_ROW_STRING(ecs_run_input, cluster, "cluster", .min = 1),
        FG_ROW_INT(ecs_run_input, count, "count", .min = 1, .max = FG_SUBMIT_MAX),
        FG_ROW_STRING(ecs_run_input, group, "group", .min = 1, .max = 255),
        FG_ROW_STRING(ecs_run_input, launch_type, "launchType", .check = check_launch_type),
        FG_ROW_OBJECTS(ecs_run_input, strategy, "capacityProviderStrategy", &ecs_strategy_object,
                       .max = 20),
        FG_ROW_STRING(ecs_run_input, platform, "platformVersion", .check = check_platform),
        FG_ROW_OBJECT(ecs_run_input, network, "networkConfiguration", &network_object,
                      .required = true,
                      .text = "Network Configuration must be provided when networkMode 'awsvpc' is "
                              "specified."),
        FG_ROW_JSON(ecs_run_input, overrides, "overrides"),
        FG_ROW_STRING(ecs_run_input, started_by, "startedBy", .min = 1, .max = 128,
                      .check = check_started_by),
        FG_ROW_OBJECTS(ecs_run_input, tags, "tags", &fg_tag_object, .max = FG_TAGS_MAX),
        FG_ROW_STRING(ecs_run_input, propagate, "propagateTags", .check = check_propagate),
        FG_ROW_BOOL(ecs_run_input, managed_tags, "enableECSManagedTags"),
        FG_ROW_STRING(ecs_run_input, client_token, "clientToken", .min = 1, .max = 64,
                      .check = check_token),
        FG_ROW_STRING(ecs_run_input, reference, "referenceId", .status = FG_FIELD_RECORDED,
                      .max = 1024),
        FG_ROW_LATER("enableExecuteCommand"),
        FG_ROW_LATER("volumeConfigurations"),
        FG_ROW_REFUSED("placementConstraints",
                       "Placement constraints are not supported on Fargate"),
        FG_ROW_REFUSED("placementStrategy", "Placement strategies are not supported on Fargate"),
};

static void check(struct fg_decode *d, void *obj)
{
        const struct ecs_run_input *in = obj;

        if (in->launch_type && in->strategy.n > 0)
                fg_decode_problem(d, "capacityProviderStrategy", NULL,
                                  "cannot be given together with launchType");
        ecs_check_strategy(d, "capacityProviderStrategy", in->strategy.v, in->strategy.n);
        fg_tags_check(d, "tags", &in->tags);
        /* What can be said of them without the definition. */
        fg_overrides_free(fg_overrides_decode(in->overrides, d->problems));
}

/* The cluster's name, and what does not fit the definition, of what could be read of a bad request.
 */
int ecs_run_task_also_wrong(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        fg_cleanup(fg_problems_finish) struct fg_problems told = FG_PROBLEMS_INIT;
        fg_cleanup(fg_definition_finish) struct fg_definition d = { 0 };
        fg_cleanup(fg_overrides_freep) struct fg_overrides *overrides = NULL;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = NULL;
        fg_autojson *def_tags = NULL, *tags = NULL;
        const struct ecs_run_input *in = call->in;

        if (in->cluster && !ecs_cluster_name(call, in->cluster))
                fg_problems_take(&call->problems, fg_strdup("$.cluster"),
                                 fg_strdup(call->error.msg), NULL);
        if (!in->definition || ecs_definition_get(call, db, in->definition, &d, err) <= 0)
                return 0;
        def = fg_taskdef_load(d.document, err);
        if (!def || ecs_run_task_tags(db, in, &d, &def_tags, err) < 0)
                return 0;
        tags = ecs_plan_tags(in, def_tags, "", &call->problems);
        overrides = fg_overrides_decode(in->overrides, &told);
        fg_taskdef_free(fg_overrides_apply(overrides, def, &call->problems));
        return 0;
}

int ecs_run_task_tags(sqlite3 *db, const struct ecs_run_input *in, const struct fg_definition *d,
                      struct json_object **ret, struct fg_error *err)
{
        fg_autofree char *resource = NULL;

        *ret = NULL;
        if (!in->propagate || !fg_streq(in->propagate, "TASK_DEFINITION"))
                return 0;
        resource = fg_asprintf("task-definition/%s:%lld", d->family, (long long)d->revision);
        *ret = fg_tags_get(db, resource, err);
        return *ret ? 0 : -1;
}

/* ---- what it means ---- */

static void set_last(struct json_object *json, const char *key, const char *value)
{
        json_object_object_del(json, key);
        fg_json_set_str(json, key, value);
}

static void drop_default(struct json_object *json, const char *key, const char *value)
{
        const char *given = fg_json_str(json, key);

        if (given && fg_streq(given, value))
                json_object_object_del(json, key);
}

/* "web" stays "web", whatever revision that is: the same request must find its tasks again. */
static char *definition_name(const struct fg_aws_call *call, char **ret_family)
{
        const struct ecs_run_input *in = call->in;
        int64_t revision;

        *ret_family = ecs_definition_split(call, in->definition, &revision);
        if (!*ret_family || revision == 0)
                return fg_strdup(*ret_family ? *ret_family : in->definition);
        return fg_asprintf("%s:%" PRId64, *ret_family, revision);
}

void ecs_run_task_digest(const struct fg_aws_call *call, const struct fg_overrides *overrides,
                         char ret[FG_DIGEST_LEN + 1])
{
        const struct ecs_run_input *in = call->in;
        fg_autofree char *family = NULL, *definition = definition_name(call, &family);
        fg_autofree char *group = fg_asprintf("family:%s", family ? family : "");
        fg_autojson *json = ecs_question(call);
        const char *text;

        set_last(json, "taskDefinition", definition);
        set_last(json, "group", in->group ? in->group : group);
        set_last(json, "platformVersion", "LATEST"); /* there is one */
        drop_default(json, "propagateTags", "NONE");
        drop_default(fg_json_obj(fg_json_obj(json, "networkConfiguration"), "awsvpcConfiguration"),
                     "assignPublicIp", "DISABLED");
        json_object_object_del(json, "count");
        fg_json_set_int(json, "count", in->count ? in->count : 1);
        json_object_object_del(json, "overrides");
        fg_json_set(json, "overrides", fg_overrides_to_json(overrides, NULL));
        text = fg_json_text(json);
        fg_digest_of(text, strlen(text), ret);
}

const struct fg_object ecs_run_task_input = FG_OBJECT(ecs_run_input, fields, .check = check);
