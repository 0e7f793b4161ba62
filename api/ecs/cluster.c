/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

/* ---- what of a cluster can be set ---- */

static const char *const setting_names[] = { "containerInsights", NULL };
static const char *const setting_values[] = { "enabled", "disabled", "enhanced", NULL };

static const struct fg_field setting_fields[] = {
        FG_ROW_STRING(ecs_setting, name, "name", .required = true, .allowed = setting_names),
        FG_ROW_STRING(ecs_setting, value, "value", .required = true, .allowed = setting_values),
};
const struct fg_object ecs_setting_object = FG_OBJECT(ecs_setting, setting_fields);

static const struct fg_field exec_logging_fields[] = {
        FG_ROW_STRING(ecs_exec_logging, log_group, "cloudWatchLogGroupName"),
        FG_ROW_BOOL(ecs_exec_logging, log_encryption, "cloudWatchEncryptionEnabled",
                    .always = true),
        FG_ROW_STRING(ecs_exec_logging, bucket, "s3BucketName"),
        FG_ROW_BOOL(ecs_exec_logging, bucket_encryption, "s3EncryptionEnabled", .always = true),
        FG_ROW_STRING(ecs_exec_logging, key_prefix, "s3KeyPrefix"),
};
static const struct fg_object exec_logging_object = FG_OBJECT(ecs_exec_logging,
                                                              exec_logging_fields);

static const char *const exec_logging_kinds[] = { "NONE", "DEFAULT", "OVERRIDE", NULL };

static const struct fg_field exec_fields[] = {
        FG_ROW_STRING(ecs_exec_configuration, kms_key, "kmsKeyId", .status = FG_FIELD_RECORDED),
        FG_ROW_STRING(ecs_exec_configuration, logging, "logging", .allowed = exec_logging_kinds),
        FG_ROW_OBJECT(ecs_exec_configuration, log, "logConfiguration", &exec_logging_object),
};
static const struct fg_object exec_object = FG_OBJECT(ecs_exec_configuration, exec_fields);

static const struct fg_field configuration_fields[] = {
        FG_ROW_OBJECT(ecs_cluster_configuration, exec, "executeCommandConfiguration", &exec_object,
                      .status = FG_FIELD_RECORDED),
        FG_ROW_LATER("managedStorageConfiguration"),
};
const struct fg_object ecs_configuration_object = FG_OBJECT(ecs_cluster_configuration,
                                                            configuration_fields);

const char *const ecs_providers[] = { "FARGATE", "FARGATE_SPOT", NULL };

static const struct fg_field strategy_fields[] = {
        FG_ROW_STRING(ecs_strategy_item, provider, "capacityProvider", .required = true,
                      .allowed = ecs_providers),
        FG_ROW_INT(ecs_strategy_item, weight, "weight", .max = 1000, .always = true),
        FG_ROW_INT(ecs_strategy_item, base, "base", .max = 100000, .always = true),
};
const struct fg_object ecs_strategy_object = FG_OBJECT(ecs_strategy_item, strategy_fields);

static const struct fg_field cluster_fields[] = {
        FG_ROW_OBJECTS(ecs_cluster, settings, "settings", &ecs_setting_object, .always = true),
        FG_ROW_OBJECT(ecs_cluster, configuration, "configuration", &ecs_configuration_object),
        FG_ROW_STRINGS(ecs_cluster, providers, "capacityProviders", .always = true),
        FG_ROW_OBJECTS(ecs_cluster, strategy, "defaultCapacityProviderStrategy",
                       &ecs_strategy_object, .always = true),
};
const struct fg_object ecs_cluster_object = FG_OBJECT(ecs_cluster, cluster_fields);

void ecs_check_strategy(struct fg_decode *d, const char *member,
                        const struct ecs_strategy_item *items, size_t n)
{
        int64_t weights = 0;
        size_t bases = 0;

        for (size_t i = 0; i < n; i++) {
                weights += items[i].weight;
                bases += items[i].base > 0;
                for (size_t j = 0; items[i].provider && j < i; j++)
                        if (items[j].provider && fg_streq(items[i].provider, items[j].provider))
                                fg_decode_problem(d, member, NULL, "%s is given twice",
                                                  items[i].provider);
        }
        if (bases > 1)
                fg_decode_problem(d, member, NULL,
                                  "only one capacity provider in a strategy can have a base");
        if (n > 1 && weights == 0)
                fg_decode_problem(d, member, NULL,
                                  "at least one capacity provider must have a weight above 0");
}

void ecs_check_default_strategy(struct fg_decode *d, const struct fg_strings *providers,
                                const struct ecs_strategy_item *items, size_t n)
{
        static const char member[] = "defaultCapacityProviderStrategy";

        ecs_check_strategy(d, member, items, n);
        for (size_t i = 0; i < n; i++)
                if (items[i].provider && !ecs_has(providers, items[i].provider))
                        fg_decode_problem(d, member, NULL, "%s is not among the capacity providers",
                                          items[i].provider);
}

/* ---- names ---- */

char *ecs_cluster_arn(const struct fg_aws_call *call, const char *name)
{
        return fg_arn(call->names, "ecs", "cluster/%s", name);
}

static bool is_name(const char *s)
{
        const size_t len = fg_name_span(s);

        return len > 0 && len <= FG_NAME_MAX && s[len] == '\0';
}

const char *ecs_cluster_name(struct fg_aws_call *call, const char *text)
{
        const char *name = fg_arn_name(text ? text : call->names->cluster, call->names, "ecs",
                                       "cluster");

        if (!name) {
                (void)fg_aws_raise(call, ECS_CLUSTER_NOT_FOUND, "Cluster not found.");
                return NULL;
        }
        if (!text || is_name(name))
                return name;
        if (strchr(name, '/'))
                (void)fg_aws_raise(call, "InvalidParameterException",
                                   "Invalid identifier: Unexpected number of separators");
        else
                (void)fg_aws_raise(call, "InvalidParameterException",
                                   "Cluster must match ^[a-zA-Z0-9\\-_]{1,255}$, but was %.*s",
                                   FG_CLIP(name));
        return NULL;
}

int ecs_cluster_get(struct fg_aws_call *call, sqlite3 *db, const char *text, bool active,
                    struct json_object **ret, struct fg_error *err)
{
        const char *name = ecs_cluster_name(call, text);
        fg_autojson *cluster = NULL;
        int found = name ? fg_cluster_get(db, name, &cluster, err) : -1;

        if (found < 0)
                return -1;
        if (!found)
                return fg_aws_raise(call, ECS_CLUSTER_NOT_FOUND, "Cluster not found.");
        if (active && !fg_streq(fg_json_str(cluster, "status"), "ACTIVE"))
                return fg_aws_raise(call, "InvalidParameterException",
                                    "The referenced cluster was inactive.");
        *ret = fg_take_ptr(cluster);
        return 0;
}

/* ---- answers ---- */

static void add_statistic(struct json_object *list, const char *name, int64_t value)
{
        struct json_object *item = json_object_new_object();
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        fg_json_set_str(item, "name", name);
        fg_json_set_str(item, "value", text);
        json_object_array_add(list, item);
}

static struct json_object *statistics(int64_t running, int64_t pending)
{
        struct json_object *list = json_object_new_array();

        add_statistic(list, "runningEC2TasksCount", 0);
        add_statistic(list, "runningFargateTasksCount", running);
        add_statistic(list, "pendingEC2TasksCount", 0);
        add_statistic(list, "pendingFargateTasksCount", pending);
        add_statistic(list, "activeEC2ServiceCount", 0);
        add_statistic(list, "activeFargateServiceCount", 0);
        add_statistic(list, "drainingEC2ServiceCount", 0);
        add_statistic(list, "drainingFargateServiceCount", 0);
        return list;
}

static void set_part(struct json_object *show, const char *key, struct json_object *document,
                     bool wanted)
{
        struct json_object *part = wanted ? fg_json_get(document, key) : NULL;

        fg_json_set(show, key, part ? json_object_get(part) : json_object_new_array());
}

struct json_object *ecs_cluster_show(struct fg_aws_call *call, sqlite3 *db,
                                     struct json_object *cluster, const struct fg_strings *include,
                                     struct fg_error *err)
{
        const char *name = fg_json_str(cluster, "name");
        struct json_object *document = fg_json_get(cluster, "document"), *tags;
        fg_autofree char *arn = ecs_cluster_arn(call, name);
        fg_autofree char *resource = fg_asprintf("cluster/%s", name);
        fg_autojson *show = json_object_new_object();
        int64_t running, pending;

        tags = fg_tags_get(db, resource, err);
        if (!tags)
                return NULL;
        if (!include || ecs_has(include, "TAGS"))
                fg_json_set(show, "tags", tags);
        else
                fg_json_set(show, "tags", (json_object_put(tags), json_object_new_array()));
        if (fg_cluster_count(db, name, &running, &pending, err) < 0)
                return NULL;
        fg_json_set_str(show, "clusterArn", arn);
        fg_json_set_str(show, "clusterName", name);
        fg_json_set_str(show, "status", fg_json_str(cluster, "status"));
        fg_json_set_int(show, "registeredContainerInstancesCount", 0);
        fg_json_set_int(show, "runningTasksCount", running);
        fg_json_set_int(show, "pendingTasksCount", pending);
        fg_json_set_int(show, "activeServicesCount", 0);
        fg_json_set(show, "statistics",
                    include && ecs_has(include, "STATISTICS") ? statistics(running, pending)
                                                              : json_object_new_array());
        set_part(show, "settings", document, !include || ecs_has(include, "SETTINGS"));
        set_part(show, "capacityProviders", document, true);
        set_part(show, "defaultCapacityProviderStrategy", document, true);
        if ((!include || ecs_has(include, "CONFIGURATIONS")) &&
            fg_json_get(document, "configuration"))
                fg_json_set(show, "configuration",
                            json_object_get(fg_json_get(document, "configuration")));
        return fg_take_ptr(show);
}

int ecs_cluster_answer(struct fg_aws_call *call, sqlite3 *db, const char *name,
                       struct fg_error *err)
{
        fg_autojson *cluster = NULL;
        struct json_object *show;

        if (ecs_cluster_get(call, db, name, false, &cluster, err) < 0)
                return -1;
        show = ecs_cluster_show(call, db, cluster, NULL, err);
        if (!show)
                return -1;
        call->output = json_object_new_object();
        fg_json_set(call->output, "cluster", show);
        return 0;
}
