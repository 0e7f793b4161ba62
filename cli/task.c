/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/task.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/human.h"
#include "cli/table.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

const char *fg_task_id(struct json_object *task)
{
        const char *id = fg_json_str(fg_json_obj(task, "fgrun"), "id");
        const char *arn = fg_json_str(task, "taskArn");
        const char *slash = arn ? strrchr(arn, '/') : NULL;

        if (id)
                return id;
        return slash ? slash + 1 : "";
}

const char *fg_task_family(struct json_object *task)
{
        const char *family = fg_json_str(fg_json_obj(task, "fgrun"), "family");

        return family ? family : "";
}

const char *fg_task_colour(const char *status)
{
        if (fg_streq(status, "RUNNING"))
                return "green";
        return fg_streq(status, "STOPPED") ? NULL : "yellow";
}

int fg_task_get(struct fg_cli *cli, const char *id, const char *wait, struct json_object **ret,
                struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf path = FG_BUF_INIT(4096);
        struct fg_client *client = fg_cli_client(cli, err);
        fg_autojson *answer = NULL;
        struct json_object *task;

        if (!client || fg_buf_printf(&path, err, "/v1/tasks/%s", id) < 0 ||
            fg_query_add(&path, "wait", wait, err) < 0)
                return -1;
        if (fg_client_call(client, &(struct fg_request){ "GET", path.data, NULL }, &answer, err) <
            0)
                return -1;
        task = fg_json_obj(answer, "task");
        if (!task)
                return fg_fail(err, FG_ERR_UPSTREAM, "the answer of fgd has no task");
        *ret = json_object_get(task);
        return 0;
}

void fg_task_print_phases(struct json_object *task, FILE *out)
{
        static const struct fg_column columns[] = { { "PHASE" },
                                                    { "MS", .right = true },
                                                    { "+MS", .right = true } };
        struct json_object *phases = fg_json_arr(fg_json_obj(task, "fgrun"), "phases");
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;
        double before = 0;

        if (!phases || json_object_array_length(phases) == 0)
                return;
        table = fg_table_new(out, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(phases); i++) {
                struct json_object *phase = json_object_array_get_idx(phases, i);
                double ms = json_object_get_double(fg_json_get(phase, "sinceAcceptMs"));

                fg_table_row(table);
                fg_table_cell(table, fg_json_str(phase, "name"));
                fg_table_format(table, "%.1f", ms);
                fg_table_format(table, "%.1f", ms - before);
                before = ms;
        }
        fg_table_print(table);
}

void fg_task_print_cost(struct json_object *task, FILE *out)
{
        struct json_object *usage = fg_json_obj(fg_json_obj(task, "fgrun"), "usage");
        const char *cost = fg_json_str(usage, "cost"), *cpu = fg_json_str(task, "cpu");
        const char *memory = fg_json_str(task, "memory");
        char seconds[FG_HUMAN_MAX];

        if (!cost)
                return;
        fg_human_duration((uint64_t)fg_json_int(usage, "seconds", 0), seconds);
        (void)fprintf(out, "cost %s for %s of %s CPU units and %s MiB%s\n", cost, seconds,
                      cpu ? cpu : "?", memory ? memory : "?",
                      fg_json_bool(usage, "open", false) ? " so far" : "");
}

static void print_field(const char *name, const char *text)
{
        if (text && *text)
                (void)printf("%-13s %s\n", name, text);
}

/* "cold (no warm guest of this size)" */
static void print_start(struct json_object *start)
{
        const char *way = fg_json_str(start, "way"), *reason = fg_json_str(start, "reason");

        if (way)
                (void)printf(reason && *reason ? "%-13s %s (%s)\n" : "%-13s %s\n", "start", way,
                             reason);
}

static void print_time(const char *name, const char *text)
{
        uint64_t then = text ? fg_rfc3339_parse(text) : 0;
        char ago[FG_HUMAN_MAX];

        if (then == 0)
                return;
        fg_human_ago(then, fg_now_ns(), ago);
        (void)printf("%-13s %s (%s)\n", name, ago, text);
}

static void print_containers(struct json_object *task)
{
        static const struct fg_column columns[] = { { "CONTAINER" },
                                                    { "IMAGE", .shrink = true },
                                                    { "STATUS" },
                                                    { "HEALTH" },
                                                    { "RESTARTS", .right = true },
                                                    { "EXIT", .right = true },
                                                    { "REASON", .shrink = true } };
        struct json_object *containers = fg_json_arr(task, "containers");
        struct json_object *restarts = fg_json_obj(fg_json_obj(task, "fgrun"), "restarts");
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;

        if (!containers)
                return;
        table = fg_table_new(stdout, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(containers); i++) {
                struct json_object *container = json_object_array_get_idx(containers, i);
                struct json_object *code = fg_json_get(container, "exitCode");
                const char *name = fg_json_str(container, "name");

                fg_table_row(table);
                fg_table_cell(table, name);
                fg_table_cell(table, fg_json_str(container, "image"));
                fg_table_cell(table, fg_json_str(container, "lastStatus"));
                fg_table_cell(table, fg_json_str(container, "healthStatus"));
                fg_table_format(table, "%d", (int)fg_json_int(restarts, name ? name : "", 0));
                fg_table_cell(table, code ? json_object_get_string(code) : NULL);
                fg_table_cell(table, fg_json_str(container, "reason"));
        }
        (void)putchar('\n');
        fg_table_print(table);
}

void fg_task_print(const struct fg_cli *cli, struct json_object *task)
{
        struct json_object *fgrun = fg_json_obj(task, "fgrun");
        const char *cpu = fg_json_str(task, "cpu"), *memory = fg_json_str(task, "memory");

        print_field("task", fg_task_id(task));
        print_field("family", fg_task_family(task));
        print_field("status", fg_json_str(task, "lastStatus"));
        print_field("stop code", fg_json_str(task, "stopCode"));
        print_field("reason", fg_json_str(task, "stoppedReason"));
        print_field("health", fg_json_str(task, "healthStatus"));
        (void)printf("%-13s %s CPU units, %s MiB\n", "size", cpu ? cpu : "?",
                     memory ? memory : "?");
        print_field("accelerator", fg_json_str(fgrun, "accelerator"));
        print_start(fg_json_obj(fgrun, "start"));
        print_field("group", fg_json_str(task, "group"));
        print_field("started by", fg_json_str(task, "startedBy"));
        print_time("created", fg_json_str(task, "createdAt"));
        print_time("started", fg_json_str(task, "startedAt"));
        print_time("stopped", fg_json_str(task, "stoppedAt"));
        print_containers(task);
        (void)putchar('\n');
        fg_task_print_phases(task, stdout);
        (void)putchar('\n');
        fg_task_print_cost(task, stdout);
}
