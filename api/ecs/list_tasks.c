/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_task.h"
#include "core/json.h"
#include "core/str.h"

struct list_tasks {
        char *cluster, *instance, *family, *service, *started_by, *status, *launch_type;
        char *next_token;
        int64_t max_results;
};

static const char *const statuses[] = { "RUNNING", "PENDING", "STOPPED", NULL };
static const char *const launch_types[] = { "EC2", "EXTERNAL", "FARGATE", "MANAGED_INSTANCES",
                                            NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRING(list_tasks, cluster, "cluster", .min = 1),
        FG_ROW_STRING(list_tasks, instance, "containerInstance"),
        FG_ROW_STRING(list_tasks, family, "family", .min = 1, .max = FG_NAME_MAX),
        FG_ROW_STRING(list_tasks, service, "serviceName", .min = 1, .max = 1024),
        FG_ROW_STRING(list_tasks, started_by, "startedBy", .min = 1, .max = 128),
        FG_ROW_STRING(list_tasks, status, "desiredStatus", .allowed = statuses),
        FG_ROW_STRING(list_tasks, launch_type, "launchType", .allowed = launch_types),
        FG_ROW_LATER("daemonName"),
        ECS_PAGE_ROWS(list_tasks),
};

static void check(struct fg_decode *d, void *obj)
{
        const struct list_tasks *in = obj;

        if (in->started_by && (in->family || in->service || in->instance))
                fg_decode_problem(d, "startedBy", NULL,
                                  "cannot be combined with another filter but desiredStatus");
}

const struct fg_object ecs_list_tasks_input = FG_OBJECT(list_tasks, fields, .check = check);

/* Nothing here wants to be PENDING, and nothing runs but on Fargate. */
static bool can_match(const struct list_tasks *in)
{
        return !in->instance && (!in->launch_type || fg_streq(in->launch_type, "FARGATE")) &&
               (!in->status || !fg_streq(in->status, "PENDING"));
}

/* "SERVICE" of a name or "…:service/[CLUSTER/]SERVICE" as the group of its tasks; caller frees. */
static char *group_of(const struct fg_aws_call *call, const char *service)
{
        const char *name = fg_arn_name(service, call->names, "ecs", "service");
        const char *slash = name && name != service ? strrchr(name, '/') : NULL;

        return fg_asprintf("service:%s", slash ? slash + 1 : name ? name : service);
}

int ecs_list_tasks(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct list_tasks *in = call->in;
        const char *cluster = ecs_open_cluster(call, db, in->cluster, err);
        fg_autofree char *next = NULL, *type = NULL, *group = NULL;
        char cursor[FG_PAGE_CURSOR_MAX + 1];
        fg_autojson *ids = NULL;
        struct fg_task_filter filter;

        if (!cluster || ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        group = in->service ? group_of(call, in->service) : NULL;
        filter = (struct fg_task_filter){ .cluster = cluster,
                                          .wants_stop = in->status &&
                                                        fg_streq(in->status, "STOPPED"),
                                          .family = in->family,
                                          .started_by = in->started_by,
                                          .group = group,
                                          .cursor = cursor,
                                          .limit = ecs_page_limit(in->max_results) };
        ids = can_match(in) ? fg_task_list(db, &filter, &next, err) : json_object_new_array();
        if (!ids)
                return -1;
        type = fg_asprintf("task/%s", cluster);
        call->output = json_object_new_object();
        fg_json_set(call->output, "taskArns", ecs_arns(call, type, ids));
        if (next)
                ecs_page_next(call, next);
        return 0;
}
