/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/secret.h"
#include "core/json.h"
#include "core/str.h"

#define VALUE_MAX (128u * 1024)

static const char *arg_file, *arg_description, *arg_arn;
static bool arg_replace;

static const struct fg_option options[] = {
        { "file", 0, "FILE", "Take the value from FILE, byte for byte", .text = &arg_file },
        { "description", 0, "TEXT", "What it is for", .text = &arg_description },
        { "arn", 0, "ARN", "Its ARN, for a task definition that was made for AWS",
          .text = &arg_arn },
        { "replace", 0, NULL, "Give a secret that exists a new version", .flag = &arg_replace },
        { 0 },
};

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf value = FG_BUF_INIT_SECRET(VALUE_MAX);
        fg_autojson *body = json_object_new_object(), *answer = NULL;
        const char *data;
        int r;

        if (fg_secret_read(arg_file, &value, err) < 0)
                return fg_wrap(err, "value of the secret");
        data = value.data ? value.data : "";
        if (!fg_utf8_valid(data, value.len) || memchr(data, '\0', value.len))
                return fg_fail(err, FG_ERR_INVALID,
                               "the value is not text; for bytes, use the AWS CLI's "
                               "--secret-binary");
        fg_json_set_str(body, "name", args[0]);
        fg_json_set(body, "value", json_object_new_string_len(data, (int)value.len));
        fg_json_set_str(body, "description", arg_description);
        fg_json_set_str(body, "arn", arg_arn);
        if (arg_replace)
                fg_json_set_bool(body, "replace", true);
        r = fg_cli_call(cli, &(struct fg_request){ "POST", "/v1/secrets", body }, &answer, err);
        fg_json_wipe(body);
        if (r < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                (void)puts(fg_json_str(answer, "ARN"));
        return 0;
}

const struct fg_command fg_cmd_secret_create = {
        .name = "secret create",
        .summary = "Store a secret",
        .doc = "Store a secret and print its ARN, for `secrets` of a container definition. The "
               "value is read from --file or standard input, never from the command line.",
        .options = options,
        .args = "NAME",
        .if_none = "a name is needed",
        .if_more = "one name is needed",
        .run = run,
};
