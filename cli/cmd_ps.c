/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/task.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

#define PAGE "200" /* tasks of one answer */

static const char *arg_status, *arg_family;
static bool arg_all;

static const struct fg_option options[] = {
        { "all", 'a', NULL, "Stopped tasks too", .flag = &arg_all },
        { "status", 0, "STATUS", "Only tasks whose lastStatus is STATUS", .text = &arg_status },
        { "family", 0, "FAMILY", "Only tasks of this family", .text = &arg_family },
        { 0 },
};

/* "0", "137 (web)" for the first container that failed, or nothing while none has ended. */
static void add_exit_codes(struct fg_table *table, struct json_object *task)
{
        struct json_object *containers = fg_json_arr(task, "containers");
        bool ended = false;

        for (size_t i = 0; containers && i < json_object_array_length(containers); i++) {
                struct json_object *container = json_object_array_get_idx(containers, i);
                int64_t code = fg_json_int(container, "exitCode", -1);

                ended = ended || code >= 0;
                if (code <= 0)
                        continue;
                fg_table_format(table, "%d (%s)", (int)code, fg_json_str(container, "name"));
                return;
        }
        fg_table_cell(table, ended ? "0" : NULL);
}

static void add_row(struct fg_table *table, struct json_object *task, bool colour)
{
        const char *status = fg_json_str(task, "lastStatus"), *created, *tint;
        char ago[FG_HUMAN_MAX] = "";

        created = fg_json_str(task, "createdAt");
        if (created)
                fg_human_ago(fg_rfc3339_parse(created), fg_now_ns(), ago);
        fg_table_row(table);
        fg_table_format(table, "%.*s", FG_TASK_SHORT, fg_task_id(task));
        fg_table_cell(table, fg_task_family(task));
        fg_table_cell(table, status);
        tint = status ? fg_task_colour(status) : NULL;
        if (colour && tint)
                fg_table_colour(table, tint);
        fg_table_cell(table, ago);
        fg_table_cell(table, fg_json_str(task, "cpu"));
        fg_table_cell(table, fg_json_str(task, "memory"));
        add_exit_codes(table, task);
        fg_table_cell(table, fg_json_str(task, "stoppedReason"));
}

static void print(const struct fg_cli *cli, struct json_object *tasks)
{
        static const struct fg_column columns[] = { { "ID" },
                                                    { "FAMILY" },
                                                    { "STATUS" },
                                                    { "CREATED" },
                                                    { "CPU", .right = true },
                                                    { "MEMORY", .right = true },
                                                    { "EXIT" },
                                                    { "REASON", .shrink = true } };
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;

        if (json_object_array_length(tasks) == 0) {
                fg_cli_note(cli, "no tasks");
                return;
        }
        table = fg_table_new(stdout, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(tasks); i++)
                add_row(table, json_object_array_get_idx(tasks, i), cli->colour_out);
        fg_table_print(table);
}

/* The page after @next (NULL: the first). The caller puts it. */
static int get_page(struct fg_cli *cli, const char *next, struct json_object **ret,
                    struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);

        if (fg_buf_puts(&path, "/v1/tasks", err) < 0 ||
            fg_query_add(&path, "status", arg_status, err) < 0 ||
            fg_query_add(&path, "family", arg_family, err) < 0 ||
            fg_query_add(&path, "limit", PAGE, err) < 0 ||
            fg_query_add(&path, "next", next, err) < 0)
                return -1;
        return fg_cli_call(cli, &(struct fg_request){ "GET", path.data, NULL }, ret, err);
}

static int get_all(struct fg_cli *cli, struct json_object *tasks, struct fg_error *err)
{
        fg_autofree char *next = NULL;

        do {
                fg_autojson *answer = NULL;
                struct json_object *list;

                if (get_page(cli, next, &answer, err) < 0)
                        return -1;
                list = fg_json_arr(answer, "tasks");
                for (size_t i = 0; list && i < json_object_array_length(list); i++)
                        json_object_array_add(tasks,
                                              json_object_get(json_object_array_get_idx(list, i)));
                free(next);
                next = fg_strdup(fg_json_str(answer, "next"));
        } while (next);
        return 0;
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *all = json_object_new_object();
        struct json_object *tasks = json_object_new_array();

        fg_json_set(all, "tasks", tasks);
        if (!arg_status && !arg_all)
                arg_status = "ACTIVE";
        if (get_all(cli, tasks, err) < 0)
                return -1;
        if (cli->json)
                fg_cli_print_json(all);
        else
                print(cli, tasks);
        return 0;
}

const struct fg_command fg_cmd_ps = {
        .name = "ps",
        .summary = "List tasks",
        .doc = "List tasks, newest first: those that have not stopped, unless -a or --status says "
               "otherwise.",
        .options = options,
        .run = run,
};
