/* SPDX-License-Identifier: Apache-2.0 */
/* The sections that are tables in colours: a noisy neighbour, and what is seen from inside. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/page.h"
#include "cli/bench/plot.h"
#include "cli/bench/tables.h"
#include "core/json.h"
#include "core/str.h"

#define NAMES_MAX 24

static struct json_object *at(struct json_object *rows, size_t i)
{
        return json_object_array_get_idx(rows, i);
}

/* Different texts, in the order they came. */
struct names {
        const char *v[NAMES_MAX];
        size_t n;
};

static void add(struct names *names, const char *text)
{
        for (size_t i = 0; i < names->n; i++)
                if (fg_streq(names->v[i], text))
                        return;
        if (names->n < NAMES_MAX)
                names->v[names->n++] = text;
}

static void put_head(struct bench_page *page, const char *first, const struct names *columns)
{
        bench_put(page, "<div class=\"wide\"><table class=\"matrix\"><tr>");
        bench_put_element(page, "th scope=\"col\"", first);
        for (size_t i = 0; i < columns->n; i++)
                bench_put_element(page, "th scope=\"col\"", columns->v[i]);
        bench_put(page, "</tr>\n");
}

/* ---- a neighbour ---- */

static struct json_object *cell_of(struct json_object *rows, const char *name,
                                   const char *neighbour)
{
        for (size_t i = 0; i < bench_length(rows); i++)
                if (fg_streq(bench_name(at(rows, i), "name"), name) &&
                    fg_streq(bench_name(at(rows, i), "neighbour"), neighbour))
                        return at(rows, i);
        return NULL;
}

/* Twice, four times, sixteen times, ... as late as alone. */
static int heat(double times)
{
        const double doubled = times > 1 ? log2(times) : 0;

        return doubled < 1 ? 0 : doubled < 2 ? 1 : doubled < 4 ? 2 : doubled < 6 ? 3 : 4;
}

static void put_noise(struct bench_page *page, struct json_object *row)
{
        const double times = bench_value(row, "timesAlone");

        if (!row) {
                bench_put(page, "<td>–</td>");
                return;
        }
        bench_putf(page, "<td class=\"h%d\"><b>%.2f</b> ms", heat(times),
                   bench_value(row, "p99_ms"));
        if (!fg_streq(bench_name(row, "neighbour"), "none"))
                bench_putf(page, "<br>× %.1f", times);
        bench_put(page, "</td>");
}

void bench_plot_noise(struct bench_page *page, struct json_object *rows)
{
        struct names peers = { 0 }, neighbours = { 0 };

        for (size_t i = 0; i < bench_length(rows); i++) {
                add(&peers, bench_name(at(rows, i), "name"));
                add(&neighbours, bench_name(at(rows, i), "neighbour"));
        }
        put_head(page, "p99 of the victim beside", &neighbours);
        for (size_t i = 0; i < peers.n; i++) {
                bench_put(page, "<tr>");
                bench_put_element(page, "th scope=\"row\"", peers.v[i]);
                for (size_t k = 0; k < neighbours.n; k++)
                        put_noise(page, cell_of(rows, peers.v[i], neighbours.v[k]));
                bench_put(page, "</tr>\n");
        }
        bench_put(page, "</table></div>\n");
}

/* ---- what is seen ---- */

static void put_seen(struct bench_page *page, bool good, const char *text)
{
        bench_putf(page, "<td class=\"%s\">", good ? "good" : "bad");
        bench_put_text(page, text);
        bench_put(page, "</td>");
}

static int capabilities(struct json_object *row)
{
        return __builtin_popcountll(strtoull(bench_name(row, "capabilities"), NULL, 16));
}

static void put_peer(struct bench_page *page, struct json_object *row)
{
        const char *kernel = bench_name(row, "kernel");
        const bool own = fg_streq(kernel, "own"), log = fg_json_bool(row, "kernelLog", true);
        const bool sysctl = fg_json_bool(row, "sysctlWritable", true);
        const bool filtered = fg_streq(bench_name(row, "seccomp"), "2");

        bench_put(page, "<tr>");
        bench_put_element(page, "th scope=\"row\"", bench_name(row, "name"));
        put_seen(page, own, own ? "its own" : kernel);
        bench_putf(page, "<td>%.0f</td>", bench_value(row, "processes"));
        put_seen(page, !log, log ? "readable" : "no");
        put_seen(page, !sysctl, sysctl ? "writable" : "no");
        put_seen(page, filtered, filtered ? "filtered" : "no filter");
        bench_putf(page, "<td>%d</td><td>%.0f</td>", capabilities(row),
                   bench_value(row, "devices"));
        bench_putf(page, "<td>%zu</td></tr>\n", bench_length(fg_json_arr(row, "syscalls")));
}

static bool reaches(struct json_object *row, const char *call)
{
        struct json_object *calls = fg_json_arr(row, "syscalls");

        for (size_t i = 0; i < bench_length(calls); i++) {
                const char *text = json_object_get_string(at(calls, i));

                if (text && fg_streq(text, call))
                        return true;
        }
        return false;
}

static void put_calls(struct bench_page *page, struct json_object *rows)
{
        struct names calls = { 0 }, peers = { 0 };

        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *its = fg_json_arr(at(rows, i), "syscalls");

                add(&peers, bench_name(at(rows, i), "name"));
                for (size_t k = 0; k < bench_length(its); k++)
                        if (json_object_get_string(at(its, k)))
                                add(&calls, json_object_get_string(at(its, k)));
        }
        bench_put(page, "<h3>System calls that are often attacked</h3><p>Those of eleven that "
                        "the kernel looks at for somebody here; a microVM's kernel is its "
                        "own.</p>\n");
        put_head(page, "", &peers);
        for (size_t k = 0; k < calls.n; k++) {
                bench_put(page, "<tr>");
                bench_put_element(page, "th scope=\"row\"", calls.v[k]);
                for (size_t i = 0; i < bench_length(rows); i++) {
                        const bool yes = reaches(at(rows, i), calls.v[k]);

                        put_seen(page, !yes, yes ? "reached" : "–");
                }
                bench_put(page, "</tr>\n");
        }
        bench_put(page, "</table></div>\n");
}

void bench_plot_isolation(struct bench_page *page, struct json_object *rows)
{
        static const struct names columns = {
                { "kernel", "processes seen", "kernel log", "sysctl", "seccomp", "capabilities",
                  "devices", "attacked calls" },
                8,
        };

        put_head(page, "", &columns);
        for (size_t i = 0; i < bench_length(rows); i++)
                put_peer(page, at(rows, i));
        bench_put(page, "</table></div>\n");
        put_calls(page, rows);
}
