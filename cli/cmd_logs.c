/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/logstream.h"
#include "cli/output.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/json.h"

static const char *arg_container, *arg_since;
static bool arg_follow, arg_timestamps;

static const struct fg_option options[] = {
        { "follow", 'f', NULL, "Go on until the task has stopped", .flag = &arg_follow },
        { "container", 0, "NAME", "Only this container", .text = &arg_container },
        { "since", 0, "TIME", "Only what is younger: 10m, 2026-01-02, RFC 3339",
          .text = &arg_since },
        { "timestamps", 't', NULL, "Put the time before each line", .flag = &arg_timestamps },
        { 0 },
};

static int print_line(void *userdata, struct json_object *line, struct fg_error *err)
{
        int r = fg_output_write(userdata, line, err);

        /* Nobody reads any more: the error only ends the stream. */
        return r > 0 ? -1 : r;
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_cleanup(fg_output_finish) struct fg_output output = { 0 };
        fg_autojson *task = NULL, *stopped = NULL;
        fg_cleanup(fg_logstream_finish) struct fg_logstream stream = {
                .cli = cli,
                .id = args[0],
                .container = arg_container,
                .follow = arg_follow,
                .line = print_line,
                .userdata = &output,
        };
        int r;

        if ((arg_since && fg_human_time(arg_since, fg_now_ns(), &stream.since_ns, err) < 0) ||
            !fg_cli_client(cli, err))
                return -1;
        if (arg_follow) {
                if (fg_task_get(cli, args[0], NULL, &task, err) < 0)
                        return -1;
                stream.id = fg_task_id(task);
        }
        fg_output_init(&output, cli->json, arg_timestamps);
        r = fg_logstream_run(&stream, &stopped, err);
        return r < 0 && err->sys == EPIPE ? 0 : r;
}

const struct fg_command fg_cmd_logs = {
        .name = "logs",
        .summary = "Print what a task wrote",
        .doc = "Print what a task's containers wrote, as they wrote it: stdout to stdout, stderr "
               "to stderr.",
        .options = options,
        .args = "ID",
        .if_none = "a task's id is needed",
        .if_more = "one task at a time",
        .run = run,
};
