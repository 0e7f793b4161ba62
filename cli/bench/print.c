/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/bench.h"
#include "cli/bench/tables.h"
#include "cli/table.h"
#include "core/cleanup.h"
#include "core/json.h"

#define COLUMNS_MAX 16

static struct json_object *at(struct json_object *array, size_t i)
{
        return json_object_array_get_idx(array, i);
}

static void print_head(struct json_object *result, FILE *out)
{
        struct json_object *host = fg_json_obj(result, "host"), *settings;

        settings = fg_json_obj(result, "settings");
        (void)fprintf(out, "%d CPUs, %d MiB, Linux %s, load average %.1f; guests under %s%s\n",
                      (int)fg_json_int(host, "cpus", 0), (int)fg_json_int(host, "memoryMiB", 0),
                      bench_name(host, "kernel"), bench_value(host, "loadAverage"),
                      bench_name(host, "accelerator"),
                      fg_json_bool(host, "emulated", false) ? ": emulated, not virtualised" : "");
        (void)fprintf(out, "%d runs each, in turn, after %d that do not count; milliseconds\n\n",
                      (int)fg_json_int(settings, "rounds", 0),
                      (int)fg_json_int(settings, "warmUp", 0));
}

static void print_table(const struct bench_table *t, struct json_object *rows, FILE *out)
{
        fg_cleanup(fg_table_freep) struct fg_table *table = NULL;
        struct fg_column columns[COLUMNS_MAX] = { 0 };

        if (bench_length(rows) == 0)
                return;
        for (size_t i = 0; i < t->n; i++)
                columns[i] = (struct fg_column){ t->columns[i].title, .right = i > 0 };
        table = fg_table_new(out, columns, t->n);
        for (size_t r = 0; r < bench_length(rows); r++) {
                fg_table_row(table);
                for (size_t i = 0; i < t->n; i++) {
                        fg_autofree char *cell = bench_cell(at(rows, r), &t->columns[i]);

                        fg_table_cell(table, cell);
                }
        }
        fg_table_print(table);
        (void)fputc('\n', out);
}

static void print_phases(struct json_object *row, FILE *out)
{
        static const struct bench_column median = { NULL, "p50_ms", "1" };
        struct json_object *phases = fg_json_arr(row, "phases");

        if (bench_length(phases) == 0)
                return;
        (void)fprintf(out, "%s, median since accept:", bench_name(row, "name"));
        for (size_t i = 1; i < bench_length(phases); i++) {
                fg_autofree char *cell = bench_cell(at(phases, i), &median);

                (void)fprintf(out, "%s %s %s", i > 1 ? "," : "", bench_name(at(phases, i), "name"),
                              cell);
        }
        (void)fputs("\n\n", out);
}

static void print_absent(struct json_object *peers, FILE *out)
{
        for (size_t i = 0; i < bench_length(peers); i++)
                if (fg_json_str(at(peers, i), "reason"))
                        (void)fprintf(out, "%s: %s\n", bench_name(at(peers, i), "name"),
                                      fg_json_str(at(peers, i), "reason"));
}

void bench_print(struct json_object *result, FILE *out)
{
        struct json_object *start = fg_json_arr(result, "start");

        print_head(result, out);
        for (const struct bench_table *t = bench_tables; t->name; t++) {
                print_table(t, fg_json_arr(result, t->name), out);
                for (size_t i = 0; t == bench_tables && i < bench_length(start); i++)
                        print_phases(at(start, i), out);
        }
        print_absent(fg_json_arr(result, "peers"), out);
}
