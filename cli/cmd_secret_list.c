/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/json.h"

static void print(const struct fg_cli *cli, struct json_object *list)
{
        static const struct fg_column columns[] = {
                { "NAME" }, { "CHANGED" }, { "DELETION" }, { "DESCRIPTION", .shrink = true }
        };
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;
        char ago[FG_HUMAN_MAX];

        if (!list || json_object_array_length(list) == 0) {
                fg_cli_note(cli, "no secrets");
                return;
        }
        table = fg_table_new(stdout, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *one = json_object_array_get_idx(list, i);
                const char *changed = fg_json_str(one, "LastChangedDate");

                fg_human_ago(changed ? fg_rfc3339_parse(changed) : 0, fg_now_ns(), ago);
                fg_table_row(table);
                fg_table_cell(table, fg_json_str(one, "Name"));
                fg_table_cell(table, ago);
                fg_table_cell(table, fg_json_str(one, "DeletedDate"));
                fg_table_cell(table, fg_json_str(one, "Description"));
        }
        fg_table_print(table);
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *answer = NULL;

        (void)args;
        if (fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/secrets", NULL }, &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                print(cli, fg_json_arr(answer, "SecretList"));
        return 0;
}

const struct fg_command fg_cmd_secret_list = {
        .name = "secret list",
        .summary = "List secrets",
        .doc = "List the secrets in fgd's store, without their values.",
        .run = run,
};
