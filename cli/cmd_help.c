/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/command.h"
#include "core/cleanup.h"
#include "core/str.h"

static void print_overview(void)
{
        (void)puts("Usage: fgrun [run] FILE\n"
                   "       fgrun COMMAND [OPTION...] [ARGUMENT...]\n"
                   "\n"
                   "Runs ECS task definitions, each task in a microVM of its own.\n");
        for (const struct fg_command *const *c = fg_commands; *c; c++) {
                fg_autofree char *usage = fg_asprintf("%s%s%s", (*c)->options ? "[OPTION...]" : "",
                                                      (*c)->options && (*c)->args ? " " : "",
                                                      (*c)->args ?: "");

                (void)printf("  %-13s %-20s %s\n", (*c)->name, usage, (*c)->summary);
        }
        (void)puts("\n"
                   "Everywhere: --json, --quiet, --token=TOKEN (FGRUN_TOKEN) and\n"
                   "--host=unix:///PATH|http://ADDR:PORT|https://ADDR:PORT (FGRUN_HOST).\n"
                   "'fgrun help COMMAND' shows a command's options; fgrun(1) tells the rest.");
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        const struct fg_command *command = &fg_cmd_help;
        fg_autofree char *group = NULL;
        int words;

        if (args[0])
                command = fg_command_find(args[0], args[1], &words);
        group = command ? NULL : fg_command_group(args[0]);
        if (group)
                return fg_fail(err, FG_ERR_INVALID, "'%s' is a group of commands: %s", args[0],
                               group);
        if (!command)
                return fg_fail(err, FG_ERR_INVALID, "no command '%s'; see 'fgrun help'", args[0]);
        if (command != &fg_cmd_help)
                return fg_command_run(command, cli, 2, (char *[]){ NULL, (char *)"--help", NULL },
                                      err);
        print_overview();
        return 0;
}

const struct fg_command fg_cmd_help = {
        .name = "help",
        .summary = "Show this text, or a command's options",
        .args = "[COMMAND]",
        .run = run,
};
