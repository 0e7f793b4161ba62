/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_task.h"
#include "api/engine.h"
#include "core/json.h"

struct stop_task {
        char *cluster, *task, *reason;
};

static const struct fg_field fields[] = {
        FG_ROW_STRING(stop_task, cluster, "cluster", .min = 1),
        FG_ROW_STRING(stop_task, task, "task", .required = true, .min = 1, .check = ecs_check_task),
        FG_ROW_STRING(stop_task, reason, "reason", .max = 1024),
};
const struct fg_object ecs_stop_task_input = FG_OBJECT(stop_task, fields);

static int show(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct stop_task *in = call->in;
        const char *cluster = ecs_open_cluster(call, db, in->cluster, err);
        struct json_object *task = NULL;
        const char *id;
        int found = 0;

        if (!cluster || ecs_task_id(call, cluster, in->task, &id) < 0)
                return -1;
        if (id)
                found = ecs_task_show(call, db, cluster, id, true, &task, err);
        if (found < 0)
                return -1;
        if (!found)
                return fg_aws_raise(call, "InvalidParameterException", ECS_TASK_NOT_FOUND);
        call->output = json_object_new_object();
        fg_json_set(call->output, "task", task);
        return 0;
}

static void on_stored(void *userdata, const struct fg_error *err)
{
        struct fg_aws_call *call = userdata;

        /* NOT_FOUND: it has stopped meanwhile, which is what was asked for. */
        if (err && err->code != FG_ERR_NOT_FOUND)
                fg_aws_fail_error(call, err);
        else
                fg_aws_work(call, show, false, NULL);
}

static void on_found(struct fg_aws_call *call)
{
        const struct stop_task *in = call->in;
        const char *id;

        (void)ecs_task_id(call, ecs_cluster_name(call, in->cluster), in->task, &id); /* it did */
        fg_engine_stop(call->d, id, in->reason, on_stored, call);
}

void ecs_stop_task(struct fg_aws_call *call)
{
        fg_aws_work(call, show, false, on_found);
}
