/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"

struct describe_clusters {
        struct fg_strings clusters, include;
};

static const char *const parts[] = { "ATTACHMENTS", "CONFIGURATIONS", "SETTINGS",
                                     "STATISTICS",  "TAGS",           NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRINGS(describe_clusters, clusters, "clusters", .max = 100),
        FG_ROW_STRINGS(describe_clusters, include, "include", .allowed = parts),
};
const struct fg_object ecs_describe_clusters_input = FG_OBJECT(describe_clusters, fields);

static int describe(struct fg_aws_call *call, sqlite3 *db, const char *text, struct fg_error *err)
{
        const struct describe_clusters *in = call->in;
        const char *name = fg_arn_name(text, call->names, "ecs", "cluster");
        fg_autojson *cluster = NULL;
        struct json_object *show;
        int found = name ? fg_cluster_get(db, name, &cluster, err) : 0;

        if (found < 0)
                return -1;
        if (!found) {
                fg_autofree char *arn = ecs_cluster_arn(call, text);

                ecs_fail_item(fg_json_arr(call->output, "failures"), name ? arn : text, "MISSING",
                              NULL);
                return 0;
        }
        show = ecs_cluster_show(call, db, cluster, &in->include, err);
        if (!show)
                return -1;
        json_object_array_add(fg_json_arr(call->output, "clusters"), show);
        return 0;
}

int ecs_describe_clusters(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct describe_clusters *in = call->in;

        call->output = json_object_new_object();
        fg_json_set(call->output, "clusters", json_object_new_array());
        fg_json_set(call->output, "failures", json_object_new_array());
        if (in->clusters.n == 0)
                return describe(call, db, call->names->cluster, err);
        for (size_t i = 0; i < in->clusters.n; i++)
                if (describe(call, db, in->clusters.v[i], err) < 0)
                        return -1;
        return 0;
}
