/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"

/* UpdateCluster, and UpdateClusterSettings, which is a part of it. */
struct update_cluster {
        char *cluster;
        FG_LIST(struct ecs_setting) settings;
        struct ecs_cluster_configuration *configuration;
};

static const struct fg_field fields[] = {
        FG_ROW_STRING(update_cluster, cluster, "cluster", .required = true, .min = 1),
        FG_ROW_OBJECTS(update_cluster, settings, "settings", &ecs_setting_object),
        FG_ROW_OBJECT(update_cluster, configuration, "configuration", &ecs_configuration_object),
        FG_ROW_LATER("serviceConnectDefaults"),
};
const struct fg_object ecs_update_cluster_input = FG_OBJECT(update_cluster, fields);

static const struct fg_field settings_fields[] = {
        FG_ROW_STRING(update_cluster, cluster, "cluster", .required = true, .min = 1),
        FG_ROW_OBJECTS(update_cluster, settings, "settings", &ecs_setting_object, .required = true,
                       .min = 1),
};
const struct fg_object ecs_update_cluster_settings_input = FG_OBJECT(update_cluster,
                                                                     settings_fields);

int ecs_update_cluster(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct update_cluster *in = call->in;
        struct ecs_cluster change = { .settings = { in->settings.v, in->settings.n },
                                      .configuration = in->configuration };
        fg_autojson *cluster = NULL, *parts = fg_object_encode(&ecs_cluster_object, &change);
        struct json_object *document;

        if (ecs_cluster_get(call, db, in->cluster, true, &cluster, err) < 0)
                return -1;
        document = fg_json_get(cluster, "document");
        if (in->settings.n > 0)
                fg_json_set(document, "settings", json_object_get(fg_json_get(parts, "settings")));
        if (in->configuration)
                fg_json_set(document, "configuration",
                            json_object_get(fg_json_get(parts, "configuration")));
        if (fg_cluster_put(db, fg_json_str(cluster, "name"), "ACTIVE", document, err) < 0)
                return -1;
        return ecs_cluster_answer(call, db, in->cluster, err);
}

int ecs_update_cluster_settings(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        return ecs_update_cluster(call, db, err);
}
