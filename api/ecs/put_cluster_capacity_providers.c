/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"

struct put_cluster_capacity_providers {
        char *cluster;
        struct fg_strings providers;
        FG_LIST(struct ecs_strategy_item) strategy;
};

static const struct fg_field fields[] = {
        FG_ROW_STRING(put_cluster_capacity_providers, cluster, "cluster", .required = true,
                      .min = 1),
        FG_ROW_STRINGS(put_cluster_capacity_providers, providers, "capacityProviders",
                       .required = true, .max = 20, .allowed = ecs_providers),
        FG_ROW_OBJECTS(put_cluster_capacity_providers, strategy, "defaultCapacityProviderStrategy",
                       &ecs_strategy_object, .required = true, .max = 20),
};

static void check(struct fg_decode *d, void *obj)
{
        struct put_cluster_capacity_providers *in = obj;

        ecs_check_default_strategy(d, &in->providers, in->strategy.v, in->strategy.n);
}

const struct fg_object ecs_put_cluster_capacity_providers_input = FG_OBJECT(
        put_cluster_capacity_providers, fields, .check = check);

int ecs_put_cluster_capacity_providers(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct put_cluster_capacity_providers *in = call->in;
        struct ecs_cluster change = { .providers = in->providers,
                                      .strategy = { in->strategy.v, in->strategy.n } };
        fg_autojson *cluster = NULL, *parts = fg_object_encode(&ecs_cluster_object, &change);
        struct json_object *document;

        if (ecs_cluster_get(call, db, in->cluster, true, &cluster, err) < 0)
                return -1;
        document = fg_json_get(cluster, "document");
        fg_json_set(document, "capacityProviders",
                    json_object_get(fg_json_get(parts, "capacityProviders")));
        fg_json_set(document, "defaultCapacityProviderStrategy",
                    json_object_get(fg_json_get(parts, "defaultCapacityProviderStrategy")));
        if (fg_cluster_put(db, fg_json_str(cluster, "name"), "ACTIVE", document, err) < 0)
                return -1;
        return ecs_cluster_answer(call, db, in->cluster, err);
}
