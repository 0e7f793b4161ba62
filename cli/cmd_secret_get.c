/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/base64.h"
#include "cli/client.h"
#include "cli/command.h"
#include "core/json.h"
#include "core/str.h"

#define VALUE_MAX (128u * 1024)

static int print_value(const struct fg_cli *cli, struct json_object *answer, struct fg_error *err)
{
        struct json_object *text = fg_json_get(answer, "value");
        const char *base64 = fg_json_str(answer, "valueBase64");
        fg_cleanup(fg_buf_finish) struct fg_buf bytes = FG_BUF_INIT_SECRET(VALUE_MAX);

        if (text) {
                (void)fwrite(json_object_get_string(text), 1,
                             (size_t)json_object_get_string_len(text), stdout);
                if (cli->term_out)
                        (void)putchar('\n');
                return 0;
        }
        if (!base64)
                return fg_fail(err, FG_ERR_UPSTREAM, "the answer of fgd has no value");
        if (fg_base64_decode(base64, strlen(base64), &bytes, err) < 0)
                return -1;
        (void)fwrite(bytes.data, 1, bytes.len, stdout);
        return 0;
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(8192);
        fg_autojson *answer = NULL;
        int r = 0;

        if (fg_buf_puts(&path, "/v1/secrets/value", err) < 0 ||
            fg_query_add(&path, "name", args[0], err) < 0 ||
            fg_cli_call(cli, &(struct fg_request){ "GET", path.data, NULL }, &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                r = print_value(cli, answer, err);
        fg_json_wipe(answer);
        return r;
}

const struct fg_command fg_cmd_secret_get = {
        .name = "secret get",
        .summary = "Print a secret's value",
        .doc = "Print the current value of a secret, byte for byte.",
        .args = "NAME",
        .if_none = "a name is needed",
        .if_more = "one name is needed",
        .run = run,
};
