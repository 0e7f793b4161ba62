/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/output.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/json.h"

#define KEY_CONTAINER 0x2001
#define KEY_SINCE     0x2002

struct args {
        struct fg_cli *cli;
        const char *id;
        const char *container;
        const char *since;
        bool follow;
        bool timestamps;
};

static const struct argp_option options[] = {
        { "follow", 'f', NULL, 0, "Go on until the task has stopped", 0 },
        { "container", KEY_CONTAINER, "NAME", 0, "Only this container", 0 },
        { "since", KEY_SINCE, "TIME", 0, "Only what is younger: 10m, 2026-01-02, RFC 3339", 0 },
        { "timestamps", 't', NULL, 0, "Put the time before each line", 0 },
        { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case 'f':
                args->follow = true;
                return 0;
        case 't':
                args->timestamps = true;
                return 0;
        case KEY_CONTAINER:
                args->container = arg;
                return 0;
        case KEY_SINCE:
                args->since = arg;
                return 0;
        case ARGP_KEY_ARG:
                if (args->id)
                        argp_error(state, "one task at a time");
                args->id = arg;
                return 0;
        case ARGP_KEY_NO_ARGS:
                argp_error(state, "a task's id is needed");
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "ID",
        .doc = "Print what a task's containers wrote, as they wrote it: stdout to stdout, stderr "
               "to stderr.",
        .children = fg_cli_argp_children,
};

static int print_line(void *userdata, struct json_object *line, struct fg_error *err)
{
        int r = fg_output_write(userdata, line, err);

        /* Nobody reads any more: the error only ends the stream. */
        return r > 0 ? -1 : r;
}

static int build_path(const struct args *args, struct fg_buf *path, struct fg_error *err)
{
        char since[FG_RFC3339_MAX];
        uint64_t since_ns;

        if (args->since) {
                if (fg_human_time(args->since, fg_now_ns(), &since_ns, err) < 0)
                        return -1;
                fg_rfc3339(since_ns, since);
        }
        if (fg_buf_printf(path, err, "/v1/tasks/%s/logs", args->id) < 0 ||
            fg_query_add(path, "follow", args->follow ? "1" : NULL, err) < 0 ||
            fg_query_add(path, "container", args->container, err) < 0)
                return -1;
        return fg_query_add(path, "since", args->since ? since : NULL, err);
}

int fg_cmd_logs(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);
        fg_cleanup(fg_output_finish) struct fg_output output = { 0 };
        struct args args = { .cli = cli };
        struct fg_client *client;
        int r;

        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        if (build_path(&args, &path, err) < 0 || !(client = fg_cli_client(cli, err)))
                return -1;
        fg_output_init(&output, cli->json, args.timestamps);
        r = fg_client_stream(client, &(struct fg_request){ "GET", path.data, NULL }, print_line,
                             &output, err);
        return r < 0 && err->sys == EPIPE ? 0 : r;
}
