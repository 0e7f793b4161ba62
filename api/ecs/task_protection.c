/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/ecs/ecs_task.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

/* UpdateTaskProtection and GetTaskProtection: a mark on a task that whoever scales in obeys. */

#define MINUTES_DEFAULT 120
#define MINUTE_NS       (60 * FG_NS_PER_SEC)

struct task_protection {
        char *cluster;
        struct fg_strings tasks;
        bool enabled;
        int64_t minutes;
};

static const struct fg_field update_fields[] = {
        FG_ROW_STRING(task_protection, cluster, "cluster", .required = true, .min = 1),
        FG_ROW_STRINGS(task_protection, tasks, "tasks", .required = true, .min = 1, .max = 10,
                       .check = ecs_check_task),
        FG_ROW_BOOL(task_protection, enabled, "protectionEnabled", .required = true),
        FG_ROW_INT(task_protection, minutes, "expiresInMinutes", .min = 1, .max = 2880),
};
const struct fg_object ecs_update_task_protection_input = FG_OBJECT(task_protection, update_fields);

static const struct fg_field get_fields[] = {
        FG_ROW_STRING(task_protection, cluster, "cluster", .required = true, .min = 1),
        FG_ROW_STRINGS(task_protection, tasks, "tasks", .max = 100, .check = ecs_check_task),
};
const struct fg_object ecs_get_task_protection_input = FG_OBJECT(task_protection, get_fields);

static void add_task(struct fg_aws_call *call, const char *arn, uint64_t until_ns)
{
        struct json_object *task = json_object_new_object();

        fg_json_set_str(task, "taskArn", arn);
        fg_json_set_bool(task, "protectionEnabled", until_ns > 0);
        fg_aws_set_time(task, "expirationDate", until_ns);
        json_object_array_add(fg_json_arr(call->output, "protectedTasks"), task);
}

/* NULL: the task can be protected. */
static const char *obstacle(const char *document)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *task = document ? fg_json_parse(document, strlen(document), &err) : NULL;

        if (!task)
                return "MISSING";
        return fg_streq(fg_json_str(task, "desiredStatus"), "RUNNING") ? NULL : "TASK_NOT_VALID";
}

static int change(const struct task_protection *in, sqlite3 *db, const char *id, uint64_t now,
                  struct fg_error *err)
{
        int64_t minutes = in->minutes ? in->minutes : MINUTES_DEFAULT;
        uint64_t until = in->enabled ? now + (uint64_t)minutes * MINUTE_NS : 0;

        return fg_protection_put(db, id, until, err);
}

static int one(struct fg_aws_call *call, sqlite3 *db, const char *cluster, const char *text,
               bool update, struct fg_error *err)
{
        const char *id, *reason;
        fg_autofree char *arn = ecs_task_arn(call, cluster, text), *document = NULL;
        uint64_t now = fg_now_ns(), until;

        if (ecs_task_id(call, cluster, text, &id) < 0)
                return -1;
        if (id && fg_task_find(db, cluster, id, &document, err) < 0)
                return -1;
        reason = obstacle(document);
        if (reason) {
                ecs_fail_item(fg_json_arr(call->output, "failures"), arn, reason, NULL);
                return 0;
        }
        if ((update && change(call->in, db, id, now, err) < 0) ||
            fg_protection_get(db, id, now, &until, err) < 0)
                return -1;
        add_task(call, arn, until);
        return 0;
}

static int begin(struct fg_aws_call *call, sqlite3 *db, const char **ret_cluster,
                 struct fg_error *err)
{
        const struct task_protection *in = call->in;

        *ret_cluster = ecs_open_cluster(call, db, in->cluster, err);
        if (!*ret_cluster)
                return -1;
        call->output = json_object_new_object();
        fg_json_set(call->output, "protectedTasks", json_object_new_array());
        fg_json_set(call->output, "failures", json_object_new_array());
        return 0;
}

int ecs_update_task_protection(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct task_protection *in = call->in;
        const char *cluster;

        if (begin(call, db, &cluster, err) < 0)
                return -1;
        for (size_t i = 0; i < in->tasks.n; i++)
                if (one(call, db, cluster, in->tasks.v[i], true, err) < 0)
                        return -1;
        return 0;
}

/* Without names: all that are protected. */
int ecs_get_task_protection(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct task_protection *in = call->in;
        fg_autojson *ids = NULL;
        const char *cluster;

        if (begin(call, db, &cluster, err) < 0)
                return -1;
        for (size_t i = 0; i < in->tasks.n; i++)
                if (one(call, db, cluster, in->tasks.v[i], false, err) < 0)
                        return -1;
        if (in->tasks.n > 0)
                return 0;
        ids = fg_protection_list(db, cluster, fg_now_ns(), err);
        for (size_t i = 0; ids && i < json_object_array_length(ids); i++)
                if (one(call, db, cluster,
                        json_object_get_string(json_object_array_get_idx(ids, i)), false, err) < 0)
                        return -1;
        return ids ? 0 : -1;
}
