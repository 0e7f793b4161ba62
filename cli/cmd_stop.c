/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/task.h"
#include "core/json.h"
#include "core/str.h"

static const char *arg_reason;
static bool arg_wait;

static const struct fg_option options[] = {
        { "reason", 0, "TEXT", "The task's stoppedReason", .text = &arg_reason },
        { "wait", 0, NULL, "Until they have stopped", .flag = &arg_wait },
        { 0 },
};

static int stop_one(struct fg_cli *cli, const char *id, struct json_object *stopped,
                    struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/v1/tasks/%s/stop", id);
        fg_autojson *body = json_object_new_object(), *answer = NULL;

        fg_json_set_str(body, "reason", arg_reason);
        if (fg_cli_call(cli, &(struct fg_request){ "POST", path, body }, &answer, err) < 0)
                return -1;
        return json_object_array_add(stopped, json_object_get(fg_json_obj(answer, "task")));
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *tasks = json_object_new_array(), *all = NULL;

        /* All are told first, so that they stop side by side. */
        for (; *args; args++)
                if (stop_one(cli, *args, tasks, err) < 0)
                        return fg_wrap(err, "stop %s", *args);
        for (size_t i = 0; i < json_object_array_length(tasks); i++) {
                struct json_object *task = json_object_array_get_idx(tasks, i);
                fg_autojson *last = NULL;

                if (arg_wait) {
                        if (fg_task_get(cli, fg_task_id(task), "STOPPED", &last, err) < 0)
                                return -1;
                        (void)json_object_array_put_idx(tasks, i, task = fg_take_ptr(last));
                }
                if (!cli->json && !cli->quiet)
                        (void)printf("%.*s %s\n", FG_TASK_SHORT, fg_task_id(task),
                                     fg_json_str(task, "lastStatus") ?: "");
        }
        if (cli->json) {
                all = json_object_new_object();
                fg_json_set(all, "tasks", fg_take_ptr(tasks));
                fg_cli_print_json(all);
        }
        return 0;
}

const struct fg_command fg_cmd_stop = {
        .name = "stop",
        .summary = "Stop tasks",
        .doc = "Stop tasks: the image's STOPSIGNAL, then SIGKILL after stopTimeout.",
        .options = options,
        .args = "ID...",
        .if_none = "a task's id is needed",
        .run = run,
};
