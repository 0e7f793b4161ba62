/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/command.h"
#include "core/json.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
        if (key == ARGP_KEY_INIT) {
                state->child_inputs[0] = state->input;
                return 0;
        }
        return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
        .parser = parse,
        .doc = "Show the version of fgrun; 'fgrun info' shows that of fgd.",
        .children = fg_cli_argp_children,
};

int fg_cmd_version(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_autojson *version = NULL;

        if (argp_parse(&argp, argc, argv, 0, NULL, cli) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        if (!cli->json) {
                (void)puts("fgrun " FG_VERSION);
                return 0;
        }
        version = json_object_new_object();
        fg_json_set_str(version, "version", FG_VERSION);
        fg_cli_print_json(version);
        return 0;
}
