/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_task.h"
#include "core/json.h"

struct describe_tasks {
        char *cluster;
        struct fg_strings tasks, include;
};

static const char *const parts[] = { "TAGS", NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRING(describe_tasks, cluster, "cluster", .min = 1),
        FG_ROW_STRINGS(describe_tasks, tasks, "tasks", .required = true, .min = 1, .max = 100,
                       .text = "Tasks cannot be empty.", .check = ecs_check_task),
        FG_ROW_STRINGS(describe_tasks, include, "include", .allowed = parts),
};
const struct fg_object ecs_describe_tasks_input = FG_OBJECT(describe_tasks, fields);

static int describe(struct fg_aws_call *call, sqlite3 *db, const char *cluster, const char *text,
                    struct fg_error *err)
{
        const struct describe_tasks *in = call->in;
        struct json_object *task = NULL;
        const char *id;
        int found = 0;

        if (ecs_task_id(call, cluster, text, &id) < 0)
                return -1;
        if (id)
                found = ecs_task_show(call, db, cluster, id, ecs_has(&in->include, "TAGS"), &task,
                                      err);
        if (found < 0)
                return -1;
        if (found) {
                json_object_array_add(fg_json_arr(call->output, "tasks"), task);
        } else {
                fg_autofree char *arn = ecs_task_arn(call, cluster, text);

                ecs_fail_item(fg_json_arr(call->output, "failures"), arn, "MISSING", NULL);
        }
        return 0;
}

int ecs_describe_tasks(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct describe_tasks *in = call->in;
        const char *cluster = ecs_open_cluster(call, db, in->cluster, err);

        if (!cluster)
                return -1;
        call->output = json_object_new_object();
        fg_json_set(call->output, "tasks", json_object_new_array());
        fg_json_set(call->output, "failures", json_object_new_array());
        for (size_t i = 0; i < in->tasks.n; i++)
                if (describe(call, db, cluster, in->tasks.v[i], err) < 0)
                        return -1;
        return 0;
}
