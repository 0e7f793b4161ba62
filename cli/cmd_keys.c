/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/table.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"

#define POLICY_MAX 65536

/* ---- keys create ---- */

static const char *arg_name, *arg_policy;
static struct json_object *arg_lists; /* the policy that --allow, --deny and --cluster make */

static void add(const char *list, const char *value)
{
        if (!arg_lists)
                arg_lists = json_object_new_object();
        if (!fg_json_arr(arg_lists, list))
                fg_json_set(arg_lists, list, json_object_new_array());
        (void)json_object_array_add(fg_json_arr(arg_lists, list), json_object_new_string(value));
}

static void add_allow(const char *value, struct argp_state *state)
{
        add("allow", value);
}

static void add_deny(const char *value, struct argp_state *state)
{
        add("deny", value);
}

static void add_cluster(const char *value, struct argp_state *state)
{
        add("clusters", value);
}

static const struct fg_option create_options[] = {
        { "name", 0, "NAME", "What the key is called in logs and ARNs; else its id",
          .text = &arg_name },
        { "policy", 0, "FILE", "JSON with allow, deny, clusters; - is standard input",
          .text = &arg_policy },
        { "allow", 0, "ACTION", "Such as ecs:RunTask, logs:* (may be given again); else all",
          .set = add_allow },
        { "deny", 0, "ACTION", "Even if it is allowed (may be given again)", .set = add_deny },
        { "cluster", 0, "NAME", "Only in this one, * allowed (may be given again)",
          .set = add_cluster },
        { 0 },
};

static struct json_object *read_policy(const char *path, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(POLICY_MAX);
        struct json_object *policy;
        int r = fg_streq(path, "-") ? fg_buf_read_fd(&text, STDIN_FILENO, err)
                                    : fg_buf_read_file(&text, path, err);

        if (r < 0)
                return NULL;
        policy = fg_json_parse(text.data ? text.data : "", text.len, err);
        if (!policy)
                fg_wrap(err, "%s", path);
        return policy;
}

/* Also NULL when nothing limits the key; then *err is untouched. */
static struct json_object *make_policy(struct fg_error *err)
{
        if (arg_policy && arg_lists) {
                fg_fail(err, FG_ERR_INVALID,
                        "--policy holds all of the policy: --allow, --deny and --cluster cannot "
                        "be added");
                return NULL;
        }
        if (arg_policy)
                return read_policy(arg_policy, err);
        if (arg_lists && !fg_json_arr(arg_lists, "allow"))
                add("allow", "*");
        return fg_take_ptr(arg_lists);
}

static int run_create(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *body = json_object_new_object(), *answer = NULL;
        struct json_object *policy = make_policy(err);

        if (!policy && err->code)
                return -1;
        if (policy)
                fg_json_set(body, "policy", policy);
        if (arg_name)
                fg_json_set_str(body, "name", arg_name);
        if (fg_cli_call(cli, &(struct fg_request){ "POST", "/v1/keys", body }, &answer, err) < 0)
                return -1;
        if (cli->json) {
                fg_cli_print_json(answer);
                return 0;
        }
        (void)printf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n",
                     fg_json_str(answer, "accessKeyId") ?: "",
                     fg_json_str(answer, "secretAccessKey") ?: "");
        fg_cli_note(cli, "the secret is not shown again");
        return 0;
}

const struct fg_command fg_cmd_keys_create = {
        .name = "keys create",
        .summary = "Make an access key",
        .doc = "Make an access key for the AWS CLI, SDKs and fgrun over TCP, and print it with its "
               "secret, which is not shown again. Without options it may do everything but manage "
               "keys.",
        .options = create_options,
        .run = run_create,
};

/* ---- keys list ---- */

static char *join(struct json_object *array)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(65536);
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; array && i < json_object_array_length(array); i++)
                if (fg_buf_printf(&text, &err, "%s%s", i ? " " : "",
                                  json_object_get_string(json_object_array_get_idx(array, i))) < 0)
                        break;
        return fg_buf_take(&text);
}

static void add_row(struct fg_table *table, struct json_object *key)
{
        struct json_object *policy = fg_json_obj(key, "policy");
        fg_autofree char *allow = join(fg_json_arr(policy, "allow"));
        fg_autofree char *deny = join(fg_json_arr(policy, "deny"));
        fg_autofree char *clusters = join(fg_json_arr(policy, "clusters"));

        fg_table_row(table);
        fg_table_cell(table, fg_json_str(key, "accessKeyId"));
        fg_table_cell(table, fg_json_str(key, "name"));
        fg_table_cell(table, fg_json_str(key, "createdAt"));
        fg_table_cell(table, allow);
        fg_table_cell(table, deny);
        fg_table_cell(table, clusters);
}

static int run_list(struct fg_cli *cli, char **args, struct fg_error *err)
{
        static const struct fg_column columns[] = { { "ID" },      { "NAME" },
                                                    { "CREATED" }, { "ALLOW", .shrink = true },
                                                    { "DENY" },    { "CLUSTERS" } };
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;
        fg_autojson *answer = NULL;
        struct json_object *keys;

        if (fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/keys", NULL }, &answer, err) < 0)
                return -1;
        keys = fg_json_arr(answer, "keys");
        if (cli->json) {
                fg_cli_print_json(answer);
                return 0;
        }
        if (!keys || json_object_array_length(keys) == 0) {
                fg_cli_note(cli, "no keys");
                return 0;
        }
        table = fg_table_new(stdout, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(keys); i++)
                add_row(table, json_object_array_get_idx(keys, i));
        fg_table_print(table);
        return 0;
}

const struct fg_command fg_cmd_keys_list = {
        .name = "keys list",
        .summary = "List access keys",
        .doc = "List access keys and what they may do, oldest first. Secrets are not shown.",
        .run = run_list,
};

/* ---- keys revoke ---- */

static int run_revoke(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *result = json_object_new_object();
        struct json_object *revoked = json_object_new_array();

        fg_json_set(result, "revoked", revoked);
        for (; *args; args++) {
                fg_autofree char *path = fg_asprintf("/v1/keys/%s", *args);
                fg_autojson *answer = NULL;

                if (fg_cli_call(cli, &(struct fg_request){ "DELETE", path, NULL }, &answer, err) <
                    0)
                        return fg_wrap(err, "revoke %s", *args);
                (void)json_object_array_add(revoked, json_object_new_string(*args));
                if (!cli->json && !cli->quiet)
                        (void)printf("revoked %s\n", *args);
        }
        if (cli->json)
                fg_cli_print_json(result);
        return 0;
}

const struct fg_command fg_cmd_keys_revoke = {
        .name = "keys revoke",
        .summary = "Revoke access keys",
        .doc = "Revoke access keys: requests signed with them are refused from now on.",
        .args = "KEYID...",
        .if_none = "a key's id is needed",
        .run = run_revoke,
};
