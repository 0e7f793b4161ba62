/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/auth/policy.h"
#include "api/daemon.h"
#include "api/ecs/ecs_private.h"
#include "core/json.h"

/* A key that is limited to some clusters hears of no others, also not by the token of a page. */

struct list_clusters {
        char *next_token;
        int64_t max_results;
};

static const struct fg_field fields[] = {
        ECS_PAGE_ROWS(list_clusters),
};
const struct fg_object ecs_list_clusters_input = FG_OBJECT(list_clusters, fields);

static void add_visible(struct json_object *names, struct json_object *batch,
                        const struct fg_policy *policy, int64_t limit)
{
        for (size_t i = 0; i < json_object_array_length(batch); i++) {
                struct json_object *name = json_object_array_get_idx(batch, i);

                if ((int64_t)json_object_array_length(names) <= limit &&
                    fg_policy_sees_cluster(policy, json_object_get_string(name)))
                        json_object_array_add(names, json_object_get(name));
        }
}

static int list(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct list_clusters *in = call->in;
        const struct fg_policy *policy = call->state;
        int64_t limit = ecs_page_limit(in->max_results);
        char cursor[FG_PAGE_CURSOR_MAX + 1];
        fg_autojson *names = json_object_new_array();
        size_t n;

        if (ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        do {
                fg_autojson *batch = fg_cluster_list(db, cursor, limit + 1, err);

                if (!batch)
                        return -1;
                n = json_object_array_length(batch);
                if (policy)
                        add_visible(names, batch, policy, limit);
                if (n > 0)
                        (void)snprintf(
                                cursor, sizeof(cursor), "%s",
                                json_object_get_string(json_object_array_get_idx(batch, n - 1)));
        } while (policy && (int64_t)n > limit && (int64_t)json_object_array_length(names) <= limit);
        call->output = json_object_new_object();
        ecs_page_end(call, names, limit);
        fg_json_set(call->output, "clusterArns", ecs_arns(call, "cluster", names));
        return 0;
}

static void free_policy(void *state)
{
        fg_policy_free(state);
}

void ecs_list_clusters(struct fg_aws_call *call)
{
        call->state = fg_auth_policy(call->d->auth, fg_request_identity(call->r));
        call->free_state = free_policy;
        fg_aws_work(call, list, false, NULL);
}
