/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/json.h"
#include "core/str.h"

#define KEY_BY    0x2001
#define KEY_SINCE 0x2002
#define KEY_UNTIL 0x2003

struct args {
        struct fg_cli *cli;
        const char *by;
        const char *since;
        const char *until;
};

static const struct argp_option options[] = {
        { "by", KEY_BY, "task|family|day", 0, "One row for each (task)", 0 },
        { "since", KEY_SINCE, "TIME", 0, "From here on: 7d, 2026-01-02, RFC 3339", 0 },
        { "until", KEY_UNTIL, "TIME", 0, "Up to here", 0 },
        { 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct args *args = state->input;

        switch (key) {
        case ARGP_KEY_INIT:
                state->child_inputs[0] = args->cli;
                return 0;
        case KEY_BY:
                if (!fg_streq(arg, "task") && !fg_streq(arg, "family") && !fg_streq(arg, "day"))
                        argp_error(state, "--by is task, family or day, not '%s'", arg);
                args->by = arg;
                return 0;
        case KEY_SINCE:
                args->since = arg;
                return 0;
        case KEY_UNTIL:
                args->until = arg;
                return 0;
        default:
                return ARGP_ERR_UNKNOWN;
        }
}

static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Show what tasks used, rounded as it is billed, and what it cost.",
        .children = fg_cli_argp_children,
};

static void add_row(struct fg_table *table, const char *key, struct json_object *row)
{
        char seconds[FG_HUMAN_MAX];

        fg_human_duration((uint64_t)fg_json_int(row, "seconds", 0), seconds);
        fg_table_row(table);
        fg_table_format(table, "%.*s", fg_id_valid(key) ? FG_TASK_SHORT : 200, key);
        fg_table_format(table, "%lld", (long long)fg_json_int(row, "tasks", 0));
        fg_table_cell(table, seconds);
        fg_table_format(table, "%.3f", (double)fg_json_int(row, "vcpuMs", 0) / 3.6e6);
        fg_table_format(table, "%.3f", (double)fg_json_int(row, "memoryMibMs", 0) / 3.6e6 / 1024);
        fg_table_format(table, "%.3f", (double)fg_json_int(row, "storageMibMs", 0) / 3.6e6 / 1024);
        fg_table_format(table, "%s%s", fg_json_str(row, "cost") ?: "",
                        fg_json_bool(row, "open", false) ? " so far" : "");
}

static void print(const char *by, struct json_object *answer)
{
        const struct fg_column columns[] = { { by },
                                             { "TASKS", .right = true },
                                             { "TIME", .right = true },
                                             { "VCPU-H", .right = true },
                                             { "GIB-H", .right = true },
                                             { "DISK-GIB-H", .right = true },
                                             { "COST" } };
        struct json_object *groups = fg_json_arr(answer, "groups");
        fg_cleanup(fg_table_freep) struct fg_table *table = fg_table_new(stdout, columns,
                                                                         FG_ARRAY_SIZE(columns));

        for (size_t i = 0; groups && i < json_object_array_length(groups); i++) {
                struct json_object *group = json_object_array_get_idx(groups, i);

                add_row(table, fg_json_str(group, "key") ?: "", group);
        }
        if (fg_json_obj(answer, "total"))
                add_row(table, "total", fg_json_obj(answer, "total"));
        fg_table_print(table);
}

static int add_time(struct fg_buf *path, const char *key, const char *text, struct fg_error *err)
{
        char time[FG_RFC3339_MAX];
        uint64_t ns;

        if (!text)
                return 0;
        if (fg_human_time(text, fg_now_ns(), &ns, err) < 0)
                return fg_wrap(err, "--%s", key);
        fg_rfc3339(ns, time);
        return fg_query_add(path, key, time, err);
}

int fg_cmd_usage(struct fg_cli *cli, int argc, char **argv, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);
        struct args args = { .cli = cli, .by = "task" };
        struct fg_client *client;
        fg_autojson *answer = NULL;

        if (argp_parse(&argp, argc, argv, 0, NULL, &args) != 0)
                return fg_fail(err, FG_ERR_INTERNAL, "arguments");
        if (fg_buf_puts(&path, "/v1/usage", err) < 0 ||
            fg_query_add(&path, "by", args.by, err) < 0 ||
            add_time(&path, "since", args.since, err) < 0 ||
            add_time(&path, "until", args.until, err) < 0)
                return -1;
        client = fg_cli_client(cli, err);
        if (!client || fg_client_call(client, &(struct fg_request){ "GET", path.data, NULL },
                                      &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                print(fg_streq(args.by, "task")     ? "TASK"
                      : fg_streq(args.by, "family") ? "FAMILY"
                                                    : "DAY",
                      answer);
        return 0;
}
