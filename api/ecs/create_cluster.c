/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

struct create_cluster {
        char *name;
        struct fg_pairs tags;
        FG_LIST(struct ecs_setting) settings;
        struct ecs_cluster_configuration *configuration;
        struct fg_strings providers;
        FG_LIST(struct ecs_strategy_item) strategy;
};

static const struct fg_field fields[] = {
        FG_ROW_STRING(create_cluster, name, "clusterName", .min = 1, .max = FG_NAME_MAX,
                      .check = fg_check_name),
        FG_ROW_OBJECTS(create_cluster, tags, "tags", &fg_tag_object, .max = FG_TAGS_MAX),
        FG_ROW_OBJECTS(create_cluster, settings, "settings", &ecs_setting_object),
        FG_ROW_OBJECT(create_cluster, configuration, "configuration", &ecs_configuration_object),
        FG_ROW_STRINGS(create_cluster, providers, "capacityProviders", .max = 20,
                       .allowed = ecs_providers),
        FG_ROW_OBJECTS(create_cluster, strategy, "defaultCapacityProviderStrategy",
                       &ecs_strategy_object, .max = 20),
        FG_ROW_LATER("serviceConnectDefaults"),
};

static void check(struct fg_decode *d, void *obj)
{
        struct create_cluster *in = obj;

        fg_tags_check(d, "tags", &in->tags);
        ecs_check_default_strategy(d, &in->providers, in->strategy.v, in->strategy.n);
}

const struct fg_object ecs_create_cluster_input = FG_OBJECT(create_cluster, fields, .check = check);

/* Without settings of its own a cluster has those of the account. */
static int add_default_settings(const struct fg_aws_call *call, sqlite3 *db,
                                struct json_object *document, struct fg_error *err)
{
        struct json_object *list = fg_json_arr(document, "settings"), *item;
        fg_autofree char *value = NULL;

        if (json_object_array_length(list) > 0)
                return 0;
        if (fg_setting_get(db, call->caller, "containerInsights", &value, err) < 0)
                return -1;
        item = json_object_new_object();
        fg_json_set_str(item, "name", "containerInsights");
        fg_json_set_str(item, "value", value ? value : "disabled");
        json_object_array_add(list, item);
        return 0;
}

static int create(struct fg_aws_call *call, sqlite3 *db, const char *name, struct fg_error *err)
{
        const struct create_cluster *in = call->in;
        struct ecs_cluster cluster = { .settings = { in->settings.v, in->settings.n },
                                       .configuration = in->configuration,
                                       .providers = in->providers,
                                       .strategy = { in->strategy.v, in->strategy.n } };
        fg_autojson *document = fg_object_encode(&ecs_cluster_object, &cluster);
        fg_autojson *tags = fg_tags_to_json(&in->tags);
        fg_autofree char *resource = fg_asprintf("cluster/%s", name);

        if (add_default_settings(call, db, document, err) < 0 ||
            fg_cluster_put(db, name, "ACTIVE", document, err) < 0 ||
            fg_tags_clear(db, resource, err) < 0)
                return -1;
        return fg_tags_put(db, resource, fg_json_text(tags), err);
}

/* One that exists is left as it is. */
int ecs_create_cluster(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct create_cluster *in = call->in;
        const char *name = in->name ? in->name : "default";
        fg_autojson *old = NULL;
        int found = fg_cluster_get(db, name, &old, err);

        if (found < 0)
                return -1;
        if ((!found || !fg_streq(fg_json_str(old, "status"), "ACTIVE")) &&
            create(call, db, name, err) < 0)
                return -1;
        return ecs_cluster_answer(call, db, name, err);
}
