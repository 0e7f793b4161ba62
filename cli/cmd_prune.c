/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "core/json.h"

struct args {
        struct fg_cli *cli;
        bool all;
        bool yes;
};

static const struct argp_option options[] = {
        { "all", 'a', NULL, 0, "Stopped tasks and their logs too", 0 },
        { "yes", 'y', NULL, 0, "Do not ask", 0 },
        { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case 'a':
                args->all = true;
                return 0;
        case 'y':
                args->yes = true;
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Remove the images that no task uses. On a terminal, asks first.",
        .children = fg_cli_argp_children,
};

static bool confirmed(const struct args *args)
{
        char answer[16];

        if (args->yes || !args->cli->term_err || !isatty(STDIN_FILENO))
                return true;
        (void)fprintf(stderr, "Remove unused images%s? [y/N] ",
                      args->all ? ", and all stopped tasks with their logs" : "");
        return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static void print(struct json_object *answer)
{
        char size[FG_HUMAN_MAX];
        int64_t tasks = fg_json_int(answer, "tasks", 0);

        fg_human_size((uint64_t)fg_json_int(answer, "freedBytes", 0), size);
        (void)printf("freed %s", size);
        if (tasks > 0)
                (void)printf(", forgot %d task%s", (int)tasks, tasks == 1 ? "" : "s");
        (void)putchar('\n');
}

int fg_cmd_prune(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_autojson *body = json_object_new_object(), *answer = NULL;
        struct args args = { .cli = cli };
        struct fg_client *client;

        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        if (!confirmed(&args))
                return 1;
        fg_json_set_bool(body, "images", true);
        fg_json_set_bool(body, "tasks", args.all);
        client = fg_cli_client(cli, err);
        if (!client || fg_client_call(client, &(struct fg_request){ "POST", "/v1/prune", body },
                                      &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else if (!cli->quiet)
                print(answer);
        return 0;
}
