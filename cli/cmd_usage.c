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

static const char *arg_by = "task", *arg_since, *arg_until;

static void set_by(const char *value, struct argp_state *state)
{
        if (!fg_streq(value, "task") && !fg_streq(value, "family") && !fg_streq(value, "day"))
                argp_error(state, "--by is task, family or day, not '%s'", value);
        arg_by = value;
}

static const struct fg_option options[] = {
        { "by", 0, "task|family|day", "One row for each (task)", .set = set_by },
        { "since", 0, "TIME", "From here on: 7d, 2026-01-02, RFC 3339", .text = &arg_since },
        { "until", 0, "TIME", "Up to here", .text = &arg_until },
        { 0 },
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

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);
        fg_autojson *answer = NULL;

        if (fg_buf_puts(&path, "/v1/usage", err) < 0 ||
            fg_query_add(&path, "by", arg_by, err) < 0 ||
            add_time(&path, "since", arg_since, err) < 0 ||
            add_time(&path, "until", arg_until, err) < 0 ||
            fg_cli_call(cli, &(struct fg_request){ "GET", path.data, NULL }, &answer, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(answer);
        else
                print(fg_streq(arg_by, "task")     ? "TASK"
                      : fg_streq(arg_by, "family") ? "FAMILY"
                                                   : "DAY",
                      answer);
        return 0;
}

const struct fg_command fg_cmd_usage = {
        .name = "usage",
        .summary = "Show what was used and what it cost",
        .doc = "Show what tasks used, rounded as it is billed, and what it cost.",
        .options = options,
        .run = run,
};
