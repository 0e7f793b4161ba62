/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/task.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"

#define CELL_MAX 4096

/* "[::]:8080->80/tcp, ..." */
static void add_ports(struct fg_table *table, struct json_object *ports)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(CELL_MAX);
        size_t n = ports ? json_object_array_length(ports) : 0;
        struct fg_error ignored;

        for (size_t i = 0; i < n; i++) {
                struct json_object *p = json_object_array_get_idx(ports, i);
                const char *address = fg_json_str(p, "hostAddress");
                const char *protocol = fg_json_str(p, "protocol");
                const bool six = address && strchr(address, ':');

                (void)fg_buf_printf(
                        &text, &ignored, "%s%s%s%s:%d->%d/%s", i ? ", " : "", six ? "[" : "",
                        address ? address : "", six ? "]" : "", (int)fg_json_int(p, "hostPort", 0),
                        (int)fg_json_int(p, "containerPort", 0), protocol ? protocol : "");
        }
        fg_table_cell(table, text.data);
}

static void add_groups(struct fg_table *table, struct json_object *groups)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(CELL_MAX);
        size_t n = groups ? json_object_array_length(groups) : 0;
        struct fg_error ignored;

        for (size_t i = 0; i < n; i++)
                (void)fg_buf_printf(&text, &ignored, "%s%s", i ? ", " : "",
                                    json_object_get_string(json_object_array_get_idx(groups, i)));
        fg_table_cell(table, text.data);
}

static void print_tasks(struct json_object *tasks)
{
        static const struct fg_column columns[] = {
                { "TASK" },   { "FAMILY", .shrink = true },   { "ADDRESS" }, { "IPV6" },
                { "GROUPS" }, { "PUBLISHED", .shrink = true }
        };
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;

        table = fg_table_new(stdout, columns, FG_ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_object_array_length(tasks); i++) {
                struct json_object *t = json_object_array_get_idx(tasks, i);
                const char *id = fg_json_str(t, "task");

                fg_table_row(table);
                fg_table_format(table, "%.*s", FG_TASK_SHORT, id ? id : "");
                fg_table_cell(table, fg_json_bool(t, "waiting", false) ? "(warm guest)"
                                                                       : fg_json_str(t, "family"));
                fg_table_cell(table, fg_json_str(t, "privateIpAddress"));
                fg_table_cell(table, fg_json_str(t, "ipv6Address"));
                add_groups(table, fg_json_arr(t, "groups"));
                add_ports(table, fg_json_arr(t, "publish"));
        }
        fg_table_print(table);
}

static void print_lists(struct json_object *subnets, struct json_object *groups)
{
        for (size_t i = 0; subnets && i < json_object_array_length(subnets); i++) {
                struct json_object *s = json_object_array_get_idx(subnets, i);
                const char *id = fg_json_str(s, "subnetId"), *cidr = fg_json_str(s, "cidrBlock");
                const char *cidr6 = fg_json_str(s, "ipv6CidrBlock");

                (void)printf("%s %s%s%s, %d addresses free%s\n", id ? id : "", cidr ? cidr : "",
                             cidr6 ? ", " : "", cidr6 ? cidr6 : "",
                             (int)fg_json_int(s, "availableIpAddressCount", 0),
                             fg_json_bool(s, "default", false) ? " (default)" : "");
        }
        for (size_t i = 0; groups && i < json_object_array_length(groups); i++) {
                struct json_object *g = json_object_array_get_idx(groups, i);
                const char *id = fg_json_str(g, "groupId"), *name = fg_json_str(g, "groupName");

                (void)printf("%s %s\n", id ? id : "", name ? name : "");
        }
}

static int run(struct fg_cli *cli, char **args, struct fg_error *err)
{
        fg_autojson *answer = NULL;
        struct json_object *tasks;
        const char *reason;

        if (fg_cli_call(cli, &(struct fg_request){ "GET", "/v1/network", NULL }, &answer, err) < 0)
                return -1;
        if (cli->json) {
                fg_cli_print_json(answer);
                return 0;
        }
        tasks = fg_json_arr(answer, "networkInterfaces");
        reason = fg_json_str(answer, "reason");
        (void)printf("%s\n", reason ? reason : "");
        print_lists(fg_json_arr(answer, "subnets"), fg_json_arr(answer, "securityGroups"));
        if (tasks && json_object_array_length(tasks) > 0)
                print_tasks(tasks);
        else
                fg_cli_note(cli, "no task has a network now");
        return 0;
}

const struct fg_command fg_cmd_network = {
        .name = "network",
        .summary = "Show subnets, security groups, addresses and published ports",
        .doc = "Show the network of tasks: subnets, security groups, and who has which address and "
               "which published ports.",
        .run = run,
};
