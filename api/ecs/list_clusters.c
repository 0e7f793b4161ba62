/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"

struct list_clusters {
        char *next_token;
        int64_t max_results;
};

static const struct fg_field fields[] = {
        ECS_PAGE_ROWS(list_clusters),
};
const struct fg_object ecs_list_clusters_input = FG_OBJECT(list_clusters, fields);

int ecs_list_clusters(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct list_clusters *in = call->in;
        int64_t limit = ecs_page_limit(in->max_results);
        char cursor[FG_PAGE_CURSOR_MAX + 1];
        fg_autojson *names = NULL;

        if (ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        names = fg_cluster_list(db, cursor, limit + 1, err);
        if (!names)
                return -1;
        call->output = json_object_new_object();
        ecs_page_end(call->output, names, limit);
        fg_json_set(call->output, "clusterArns", ecs_arns(call, "cluster", names));
        return 0;
}
