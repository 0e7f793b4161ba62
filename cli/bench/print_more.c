/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/bench.h"
#include "cli/table.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

/* A column of a section's table: a member of its rows, and how it is written. */
struct member {
        const char *title, *key;
        const char *format; /* decimals of a number; which percentile of samples; NULL: as it is */
};

static void put_cell(struct fg_table *table, struct json_object *value, const char *format)
{
        char text[64];

        if (!value) {
                fg_table_cell(table, "-");
                return;
        }
        if (json_object_is_type(value, json_type_object)) { /* samples: one percentile of them */
                value = fg_json_get(value, format);
                format = "1";
        }
        if (json_object_is_type(value, json_type_array)) {
                fg_table_format(table, "%zu", json_object_array_length(value));
                return;
        }
        if (json_object_is_type(value, json_type_boolean)) {
                fg_table_cell(table, json_object_get_boolean(value) ? "yes" : "no");
                return;
        }
        if (!format) {
                fg_table_cell(table, json_object_get_string(value));
                return;
        }
        (void)snprintf(text, sizeof(text), "%.*f", *format - '0', json_object_get_double(value));
        fg_table_cell(table, text);
}

static void print_section(struct json_object *rows, const struct member *members, size_t n,
                          FILE *out)
{
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;
        struct fg_column columns[16] = { 0 };

        if (!rows || json_object_array_length(rows) == 0)
                return;
        for (size_t i = 0; i < n; i++)
                columns[i] = (struct fg_column){ members[i].title, .right = i > 0 };
        table = fg_table_new(out, columns, n);
        for (size_t r = 0; r < json_object_array_length(rows); r++) {
                fg_table_row(table);
                for (size_t i = 0; i < n; i++)
                        put_cell(table,
                                 fg_json_get(json_object_array_get_idx(rows, r), members[i].key),
                                 members[i].format);
        }
        fg_table_print(table);
        (void)fputc('\n', out);
}

static const struct member rate[] = {
        { "RATE", "name" },     { "AT A TIME", "concurrency" }, { "STARTS/S", "perSecond", "1" },
        { "STARTS", "starts" }, { "FAILED", "failed" },
};
static const struct member memory[] = {
        { "MEMORY", "name" },
        { "INSTANCES", "instances" },
        { "PSS MIB EACH", "pssMiB", "1" },
        { "RSS", "rssMiB", "1" },
        { "LESS AVAILABLE", "availableMiB", "1" },
        { "IN THE BUDGET", "inBudget" },
};
static const struct member efficiency[] = {
        { "EFFICIENCY", "name" },
        { "EMULATED", "emulated" },
        { "INTEGER/S", "integerPerSecond", "0" },
        { "MEMORY MB/S", "memoryMBPerSecond", "0" },
        { "RANDOM/S", "memoryRandomPerSecond", "0" },
        { "SYSCALLS/S", "syscallsPerSecond", "0" },
        { "DISK WRITE MB/S", "diskWriteMBPerSecond", "0" },
        { "READ MB/S", "diskReadMBPerSecond", "0" },
};
static const struct member network[] = {
        { "NETWORK", "name" },
        { "EMULATED", "emulated" },
        { "ROUND TRIP US", "roundTripUs", "1" },
        { "FROM IT MB/S", "fromMBPerSecond", "0" },
        { "TO IT MB/S", "toMBPerSecond", "0" },
};
static const struct member noise[] = {
        { "NOISY NEIGHBOUR", "name" },
        { "IT TAKES", "neighbour" },
        { "P50", "p50_ms", "2" },
        { "P99", "p99_ms", "2" },
        { "P99 / ALONE", "timesAlone", "2" },
};
static const struct member images[] = {
        { "IMAGE", "image" },
        { "MB", "sizeMB", "0" },
        { "BY", "name" },
        { "FIRST RUN", "first", "p50_ms" },
        { "LATER", "later", "p50_ms" },
        { "ACCEPT TO START", "accepted", "p50_ms" },
};
static const struct member loaded[] = {
        { "LOADED", "name" },
        { "INSTANCES", "instances" },
        { "START BESIDE NONE", "alone", "p50_ms" },
        { "BESIDE THEM", "beside", "p50_ms" },
};
static const struct member targets[] = {
        { "TARGET", "measure" },     { "", "bound" },    { "IS", "target", "2" },
        { "CAME", "measured", "2" }, { "UNIT", "unit" }, { "MET", "met" },
        { "NOTE", "note" },
};
static const struct member isolation[] = {
        { "ISOLATION", "name" },        { "KERNEL", "kernel" },
        { "RELEASE", "kernelRelease" }, { "UPTIME S", "uptimeSeconds" },
        { "PROCESSES", "processes" },   { "KERNEL LOG", "kernelLog" },
        { "MODULES", "modules" },       { "DEVICES", "devices" },
        { "SYSCTL", "sysctlWritable" }, { "CAPABILITIES", "capabilities" },
        { "SECCOMP", "seccomp" },       { "SYSCALLS", "syscalls" },
};

static const struct {
        const char *name;
        const struct member *members;
        size_t n;
} sections[] = {
        { "rate", rate, FG_ARRAY_SIZE(rate) },
        { "memory", memory, FG_ARRAY_SIZE(memory) },
        { "loaded", loaded, FG_ARRAY_SIZE(loaded) },
        { "efficiency", efficiency, FG_ARRAY_SIZE(efficiency) },
        { "network", network, FG_ARRAY_SIZE(network) },
        { "noise", noise, FG_ARRAY_SIZE(noise) },
        { "images", images, FG_ARRAY_SIZE(images) },
        { "isolation", isolation, FG_ARRAY_SIZE(isolation) },
        { "targets", targets, FG_ARRAY_SIZE(targets) },
};

void bench_print_more(struct json_object *result, FILE *out)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(sections); i++)
                print_section(fg_json_arr(result, sections[i].name), sections[i].members,
                              sections[i].n, out);
}
