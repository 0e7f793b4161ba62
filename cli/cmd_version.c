/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/command.h"
#include "core/json.h"

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *version = NULL;

        if (!cli->json) {
                (void)puts("fgrun " FG_VERSION);
                return 0;
        }
        version = json_object_new_object();
        fg_json_set_str(version, "version", FG_VERSION);
        fg_cli_print_json(version);
        return 0;
}

const struct fg_command fg_cmd_version = {
        .name = "version",
        .summary = "Show the version of fgrun",
        .doc = "Show the version of fgrun; 'fgrun info' shows that of fgd.",
        .run = run,
};
