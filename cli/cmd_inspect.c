/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/task.h"
#include "core/json.h"

struct args {
        struct fg_cli *cli;
        const char *id;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case ARGP_KEY_ARG:
                if (args->id)
                        argp_error(state, "one task at a time");
                args->id = arg;
                return 0;
        case ARGP_KEY_NO_ARGS:
                argp_error(state, "a task's id is needed");
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .parser = parse,
        .args_doc = "ID",
        .doc = "Show a task. ID is its id, a unique beginning of it, or its ARN. --json prints it "
               "in the shape of ECS's DescribeTasks.",
        .children = fg_cli_argp_children,
};

int fg_cmd_inspect(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        struct args args = { .cli = cli };
        fg_autojson *task = NULL;

        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        if (fg_task_get(cli, args.id, NULL, &task, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(task);
        else
                fg_task_print(cli, task);
        return 0;
}
