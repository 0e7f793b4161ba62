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
        for (const struct fg_command *c = fg_commands; c->name; c++)
                (void)printf("  %-9s %-20s %s\n", c->name, c->usage, c->summary);
        (void)puts(
                "\n"
                "Everywhere: --json, --quiet, --host=unix:///PATH|http://ADDR:PORT (FGRUN_HOST).\n"
                "'fgrun help COMMAND' shows a command's options; fgrun(1) tells the rest.");
}

int fg_cmd_help(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_autofree char *name = NULL;
        const struct fg_command *command;
        int words;

        if (argc < 2 || argv[1][0] == '-') {
                print_overview();
                return 0;
        }
        command = fg_command_find(argv[1], argc > 2 ? argv[2] : NULL, &words);
        if (!command)
                return fg_fail(err, FG_ERR_INVALID, "no command '%s'; see 'fgrun help'", argv[1]);
        if (command->run == fg_cmd_help) {
                print_overview();
                return 0;
        }
        name = fg_asprintf("fgrun %s", command->name);
        return command->run(cli, 2, (char *[]){ name, (char *)"--help", NULL }, err);
}
