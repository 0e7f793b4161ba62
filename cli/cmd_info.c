/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/awsenv.h"
#include "cli/client.h"
#include "cli/command.h"
#include "core/json.h"
#include "core/str.h"

/* "stateDir" reads better as "state dir". */
static void print_name(const char *key, int indent, int width)
{
        int n = printf("%*s", indent, "");

        for (; *key; key++) {
                if (fg_starts_with(key, "MiB")) {
                        n += printf(" MiB");
                        key += 2;
                } else if (*key >= 'A' && *key <= 'Z')
                        n += printf(" %c", *key - 'A' + 'a');
                else
                        n += printf("%c", *key);
        }
        (void)printf("%*s", n < width ? width - n : 1, "");
}

static void print_inline(struct json_object *object)
{
        const char *separator = "";

        json_object_object_foreach(object, key, value)
        {
                (void)fputs(separator, stdout);
                print_name(key, 0, 0);
                (void)fputs(json_object_get_string(value), stdout);
                separator = ", ";
        }
        (void)putchar('\n');
}

static void print_element(struct json_object *element)
{
        if (json_object_is_type(element, json_type_object))
                print_inline(element);
        else
                (void)puts(json_object_get_string(element));
}

static void print_array(struct json_object *array, int indent)
{
        size_t n = json_object_array_length(array);

        if (n == 0)
                (void)puts("none");
        for (size_t i = 0; i < n; i++) {
                (void)printf("%s%*s- ", i == 0 ? "\n" : "", indent, "");
                print_element(json_object_array_get_idx(array, i));
        }
}

static void print_value(const char *key, struct json_object *value, int indent)
{
        print_name(key, indent, 24);
        if (json_object_is_type(value, json_type_array))
                print_array(value, indent);
        else
                (void)puts(value ? json_object_get_string(value) : "-");
}

static void print_members(struct json_object *object)
{
        json_object_object_foreach(object, key, value) print_value(key, value, 2);
}

/* The answer is two levels deep; whatever fgd adds later shows up by itself. */
static void print(struct json_object *info)
{
        json_object_object_foreach(info, key, value)
        {
                if (!json_object_is_type(value, json_type_object)) {
                        print_value(key, value, 0);
                        continue;
                }
                print_name(key, 0, 0);
                (void)putchar('\n');
                print_members(value);
        }
}

static bool arg_aws_env;

static const struct fg_option options[] = {
        { "aws-env", 0, NULL, "Print shell assignments for the AWS CLI and SDKs, for eval",
          .flag = &arg_aws_env },
        { 0 },
};

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *answer = NULL;

        if (arg_aws_env)
                return fg_awsenv_print(cli, err);
        if (fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/info", NULL }, &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                print(answer);
        return 0;
}

const struct fg_command fg_cmd_info = {
        .name = "info",
        .summary = "Show the host, its capacity and its accelerator",
        .doc = "Show what fgd knows of its host: capacity, accelerator and why, directories.",
        .options = options,
        .run = run,
};
