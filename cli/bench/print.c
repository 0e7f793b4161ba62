/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/bench.h"
#include "cli/table.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

static struct json_object *at(struct json_object *array, size_t i)
{
        return json_object_array_get_idx(array, i);
}

static size_t length(struct json_object *array)
{
        return array ? json_object_array_length(array) : 0;
}

static double number(struct json_object *obj, const char *key)
{
        return json_object_get_double(fg_json_get(obj, key));
}

static void print_head(struct json_object *result, FILE *out)
{
        struct json_object *host = fg_json_obj(result, "host"), *settings;
        const char *accelerator = fg_json_str(host, "accelerator");

        settings = fg_json_obj(result, "settings");
        (void)fprintf(out, "%d CPUs, %d MiB, Linux %s, load average %.1f; guests under %s%s\n",
                      (int)fg_json_int(host, "cpus", 0), (int)fg_json_int(host, "memoryMiB", 0),
                      fg_json_str(host, "kernel"), number(host, "loadAverage"),
                      accelerator ? accelerator : "?",
                      fg_json_bool(host, "emulated", false) ? ": emulated, not virtualised" : "");
        (void)fprintf(out, "%d runs each, in turn, after %d that do not count; milliseconds\n",
                      (int)fg_json_int(settings, "rounds", 0),
                      (int)fg_json_int(settings, "warmUp", 0));
}

static void print_start(struct json_object *rows, FILE *out)
{
        static const struct fg_column columns[] = {
                { "START" },
                { "P50", .right = true },
                { "P90", .right = true },
                { "P99", .right = true },
                { "FIRST BYTE P50", .right = true },
                { "P99", .right = true },
                { "END P50", .right = true },
                { "RUNS", .right = true },
        };
        fg_cleanup(fg_table_freep) struct fg_table *table = fg_table_new(out, columns,
                                                                         FG_ARRAY_SIZE(columns));

        for (size_t i = 0; i < length(rows); i++) {
                struct json_object *row = at(rows, i), *typed = fg_json_obj(row, "typed");

                fg_table_row(table);
                fg_table_cell(table, fg_json_str(row, "name"));
                fg_table_format(table, "%.1f", number(row, "p50_ms"));
                fg_table_format(table, "%.1f", number(row, "p90_ms"));
                fg_table_format(table, "%.1f", number(row, "p99_ms"));
                fg_table_format(table, "%.1f", number(typed, "p50_ms"));
                fg_table_format(table, "%.1f", number(typed, "p99_ms"));
                fg_table_format(table, "%.1f", number(fg_json_obj(row, "whole"), "p50_ms"));
                fg_table_format(table, "%zu", length(fg_json_arr(row, "samples_ms")));
        }
        fg_table_print(table);
}

static void print_phases(struct json_object *row, FILE *out)
{
        struct json_object *phases = fg_json_arr(row, "phases");

        if (length(phases) == 0)
                return;
        (void)fprintf(out, "%s, median since accept:", fg_json_str(row, "name"));
        for (size_t i = 1; i < length(phases); i++)
                (void)fprintf(out, "%s %s %.1f", i > 1 ? "," : "",
                              fg_json_str(at(phases, i), "name"), number(at(phases, i), "p50_ms"));
        (void)fputc('\n', out);
}

static void print_absent(struct json_object *peers, FILE *out)
{
        for (size_t i = 0; i < length(peers); i++)
                if (fg_json_str(at(peers, i), "reason"))
                        (void)fprintf(out, "%s: %s\n", fg_json_str(at(peers, i), "name"),
                                      fg_json_str(at(peers, i), "reason"));
}

void bench_print(struct json_object *result, FILE *out)
{
        struct json_object *start = fg_json_arr(result, "start");

        print_head(result, out);
        (void)fputc('\n', out);
        print_start(start, out);
        (void)fputc('\n', out);
        for (size_t i = 0; i < length(start); i++)
                print_phases(at(start, i), out);
        (void)fputc('\n', out);
        bench_print_more(result, out);
        print_absent(fg_json_arr(result, "peers"), out);
}
