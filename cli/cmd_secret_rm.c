/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"
#include "cli/command.h"
#include "core/json.h"

static const char *arg_days = "0";

static const struct fg_option options[] = {
        { "days", 0, "N", "Only in N days; until then it can be restored", .text = &arg_days },
        { 0 },
};

static int remove_one(struct fg_cli *cli, const char *name, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(8192);
        fg_autojson *answer = NULL;

        if (fg_buf_puts(&path, "/v1/secrets", err) < 0 ||
            fg_query_add(&path, "name", name, err) < 0 ||
            fg_query_add(&path, "days", arg_days, err) < 0)
                return -1;
        return fg_cli_call(cli, &(struct fg_request){ "DELETE", path.data, NULL }, &answer, err);
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        return fg_command_remove_each(cli, args, remove_one, err);
}

const struct fg_command fg_cmd_secret_rm = {
        .name = "secret rm",
        .summary = "Remove secrets",
        .doc = "Remove secrets, at once unless --days says otherwise.",
        .options = options,
        .args = "NAME...",
        .if_none = "a name is needed",
        .run = run,
};
