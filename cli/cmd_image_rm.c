/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/localimage.h"
#include "core/json.h"

struct args {
        struct fg_cli *cli;
        char **images;
        int n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case ARGP_KEY_ARGS:
                args->images = state->argv + state->next;
                args->n = state->argc - state->next;
                return 0;
        case ARGP_KEY_NO_ARGS:
                argp_error(state, "an image is needed");
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .parser = parse,
        .args_doc = "IMAGE...",
        .doc = "Remove images from fgd's store. One that a task uses is refused.",
        .children = fg_cli_argp_children,
};

static int remove_one(struct fg_cli *cli, const char *reference, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(8192);
        struct fg_client *client = fg_cli_client(cli, err);
        fg_autofree char *base = fg_localimage_base(NULL);
        fg_autofree char *absolute = fg_localimage_resolve(reference, base);
        fg_autojson *answer = NULL;

        if (!client || fg_buf_puts(&path, "/v1/images", err) < 0 ||
            fg_query_add(&path, "reference", absolute, err) < 0)
                return -1;
        return fg_client_call(client, &(struct fg_request){ "DELETE", path.data, NULL }, &answer,
                              err);
}

int fg_cmd_image_rm(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_autojson *result = json_object_new_object();
        struct json_object *removed = json_object_new_array();
        struct args args = { .cli = cli };

        fg_json_set(result, "removed", removed);
        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        for (int i = 0; i < args.n; i++) {
                if (remove_one(cli, args.images[i], err) < 0)
                        return fg_wrap(err, "remove %s", args.images[i]);
                (void)json_object_array_add(removed, json_object_new_string(args.images[i]));
                if (!cli->json && !cli->quiet)
                        (void)printf("removed %s\n", args.images[i]);
        }
        if (cli->json)
                fg_cli_print_json(result);
        return 0;
}
