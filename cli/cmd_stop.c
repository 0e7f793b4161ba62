/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/task.h"
#include "core/json.h"
#include "core/str.h"

#define KEY_REASON 0x2001
#define KEY_WAIT   0x2002

struct args {
        struct fg_cli *cli;
        const char *reason;
        char **ids;
        int n;
        bool wait;
};

static const struct argp_option options[] = {
        { "reason", KEY_REASON, "TEXT", 0, "The task's stoppedReason", 0 },
        { "wait", KEY_WAIT, NULL, 0, "Until they have stopped", 0 },
        { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case KEY_REASON:
                args->reason = arg;
                return 0;
        case KEY_WAIT:
                args->wait = true;
                return 0;
        case ARGP_KEY_ARGS:
                args->ids = state->argv + state->next;
                args->n = state->argc - state->next;
                return 0;
        case ARGP_KEY_NO_ARGS:
                argp_error(state, "a task's id is needed");
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "ID...",
        .doc = "Stop tasks: the image's STOPSIGNAL, then SIGKILL after stopTimeout.",
        .children = fg_cli_argp_children,
};

static int stop_one(struct args *args, const char *id, struct json_object *stopped,
                    struct fg_error *err)
{
        struct fg_client *client = fg_cli_client(args->cli, err);
        fg_autofree char *path = fg_asprintf("/v1/tasks/%s/stop", id);
        fg_autojson *body = json_object_new_object(), *answer = NULL;

        fg_json_set_str(body, "reason", args->reason);
        if (!client ||
            fg_client_call(client, &(struct fg_request){ "POST", path, body }, &answer, err) < 0)
                return -1;
        return json_object_array_add(stopped, json_object_get(fg_json_obj(answer, "task")));
}

int fg_cmd_stop(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        struct args args = { .cli = cli };
        fg_autojson *tasks = json_object_new_array(), *all = NULL;

        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        /* All are told first, so that they stop side by side. */
        for (int i = 0; i < args.n; i++)
                if (stop_one(&args, args.ids[i], tasks, err) < 0)
                        return fg_wrap(err, "stop %s", args.ids[i]);
        for (size_t i = 0; i < json_object_array_length(tasks); i++) {
                struct json_object *task = json_object_array_get_idx(tasks, i);
                fg_autojson *last = NULL;

                if (args.wait) {
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
