/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/task.h"
#include "core/json.h"

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *task = NULL;

        if (fg_task_get(cli, args[0], NULL, &task, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(task);
        else
                fg_task_print(cli, task);
        return 0;
}

const struct fg_command fg_cmd_inspect = {
        .name = "inspect",
        .summary = "Show a task",
        .doc = "Show a task. ID is its id, a unique beginning of it, or its ARN. --json prints it "
               "in the shape of ECS's DescribeTasks.",
        .args = "ID",
        .if_none = "a task's id is needed",
        .if_more = "one task at a time",
        .run = run,
};
