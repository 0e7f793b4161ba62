/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "core/json.h"

static bool arg_all, arg_yes;

static const struct fg_option options[] = {
        { "all", 'a', NULL, "Stopped tasks and their logs too", .flag = &arg_all },
        { "yes", 'y', NULL, "Do not ask", .flag = &arg_yes },
        { 0 },
};

static bool confirmed(const struct fg_cli *cli)
{
        char answer[16];

        if (arg_yes || !cli->term_err || !isatty(STDIN_FILENO))
                return true;
        (void)fprintf(stderr, "Remove unused images%s? [y/N] ",
                      arg_all ? ", and all stopped tasks with their logs" : "");
        return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void print(struct json_object *answer)
{
        char size[FG_HUMAN_MAX];
        int64_t tasks = fg_json_int(answer, "tasks", 0);

        fg_human_size((uint64_t)fg_json_int(answer, "freedBytes", 0), size);
        (void)printf("freed %s", size);
        if (tasks > 0)
                (void)printf(", forgot %d task%s", (int)tasks, tasks == 1 ? "" : "s");
        (void)putchar('\n');
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *body = json_object_new_object(), *answer = NULL;

        if (!confirmed(cli))
                return 1;
        fg_json_set_bool(body, "images", true);
        fg_json_set_bool(body, "tasks", arg_all);
        if (fg_cli_call(cli, &(struct fg_request){ "POST", "/v1/prune", body }, &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else if (!cli->quiet)
                print(answer);
        return 0;
}

const struct fg_command fg_cmd_prune = {
        .name = "prune",
        .summary = "Remove what is not used",
        .doc = "Remove the images that no task uses. On a terminal, asks first.",
        .options = options,
        .run = run,
};
