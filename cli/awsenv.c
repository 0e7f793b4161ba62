/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/awsenv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/str.h"

#define FILE_MAX 4096

static bool is_known(struct json_object *keys, const char *id)
{
        for (size_t i = 0; id && keys && i < json_object_array_length(keys); i++)
                if (fg_streq(fg_json_str(json_object_array_get_idx(keys, i), "accessKeyId") ?: "",
                             id))
                        return true;
        return false;
}

static int make_key(struct fg_cli *cli, const char *path, struct json_object **ret,
                    struct fg_error *err)
{
        fg_autofree char *name = fg_asprintf("aws-env-%u", (unsigned)getuid());
        fg_autojson *body = json_object_new_object(), *key = NULL;

        fg_json_set_str(body, "name", name);
        if (fg_cli_call(cli, &(struct fg_request){ "POST", "/v1/keys", body }, &key, err) < 0)
                return -1;
        if (fg_write_file(path, fg_json_text(key), strlen(fg_json_text(key)), 0600, err) < 0)
                return fg_wrap(err, "remember the key");
        *ret = fg_take_ptr(key);
        return 0;
}

/* The one of the last time, if fgd still knows it. */
static int find_key(struct fg_cli *cli, struct json_object **ret, struct fg_error *err)
{
        fg_autofree char *dir = fg_path_state_dir(), *path = fg_asprintf("%s/aws-env.json", dir);
        fg_autojson *saved = NULL, *answer = NULL;
        struct fg_error ignored = FG_ERROR_INIT;

        if (fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/keys", NULL }, &answer, err) < 0)
                return -1;
        saved = fg_json_parse_file(path, FILE_MAX, &ignored);
        if (is_known(fg_json_arr(answer, "keys"), fg_json_str(saved, "accessKeyId")) &&
            fg_json_str(saved, "secretAccessKey")) {
                *ret = fg_take_ptr(saved);
                return 0;
        }
        if (fg_mkdir_p(dir, 0711, err) < 0)
                return -1;
        return make_key(cli, path, ret, err);
}

static int print_one(const char *name, const char *value, struct fg_error *err)
{
        if (!value)
                return 0;
        if (strchr(value, '\''))
                return fg_fail(err, FG_ERR_INVALID, "%s: %s cannot be quoted", name, value);
        (void)printf("export %s='%s'\n", name, value);
        return 0;
}

int fg_awsenv_print(struct fg_cli *cli, struct fg_error *err)
{
        fg_autojson *endpoint = NULL, *key = NULL, *all = NULL;
        const char *pairs[][2] = { { "AWS_ENDPOINT_URL", NULL },
                                   { "AWS_ACCESS_KEY_ID", NULL },
                                   { "AWS_SECRET_ACCESS_KEY", NULL },
                                   { "AWS_DEFAULT_REGION", NULL },
                                   { "AWS_REGION", NULL }, /* read first by many */
                                   { "AWS_CA_BUNDLE", NULL } };

        if (fg_cli_call(cli, &(struct fg_request){ "POST", "/v1/endpoint", NULL }, &endpoint, err) <
                    0 ||
            find_key(cli, &key, err) < 0)
                return -1;
        pairs[0][1] = fg_json_str(endpoint, "url");
        pairs[1][1] = fg_json_str(key, "accessKeyId");
        pairs[2][1] = fg_json_str(key, "secretAccessKey");
        pairs[3][1] = fg_json_str(endpoint, "region");
        pairs[4][1] = pairs[3][1];
        pairs[5][1] = fg_json_str(endpoint, "caFile");
        if (cli->json) {
                all = json_object_new_object();
                for (size_t i = 0; i < FG_ARRAY_SIZE(pairs); i++)
                        if (pairs[i][1])
                                fg_json_set_str(all, pairs[i][0], pairs[i][1]);
                fg_cli_print_json(all);
                return 0;
        }
        for (size_t i = 0; i < FG_ARRAY_SIZE(pairs); i++)
                if (print_one(pairs[i][0], pairs[i][1], err) < 0)
                        return -1;
        /* What a shell may still have for AWS, and would be sent instead of, or with, the key. */
        (void)puts("unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE");
        return 0;
}
