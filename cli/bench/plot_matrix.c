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

#define NAMES_MAX 48

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

/* A multiple of what differs from round to round says little: it has a mark, no colour. */
static void put_noise(struct bench_page *page, struct json_object *row)
{
        const double times = bench_value(row, "timesAlone");
        const bool noisy = fg_streq(bench_name(row, "alone"), "noisy");

        if (!row) {
                bench_put(page, "<td>–</td>");
                return;
        }
        bench_putf(page, "<td class=\"h%d\"><b>%.2f</b> ms<br>p50 %.2f", noisy ? 0 : heat(times),
                   bench_value(row, "p99_ms"), bench_value(row, "p50_ms"));
        if (!fg_streq(bench_name(row, "neighbour"), "none"))
                bench_putf(page, "<br>× %.1f%s", times, noisy ? " ?" : "");
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

static bool has_own_kernel(struct json_object *row)
{
        return fg_streq(bench_name(row, "kernel"), "own");
}

/* How many, of which so many may be written; older results say nothing. */
static void put_tally(struct bench_page *page, struct json_object *row, const char *seen,
                      const char *writable)
{
        if (fg_json_get(row, seen))
                bench_putf(page, "<td>%.0f (%.0f)</td>", bench_value(row, seen),
                           bench_value(row, writable));
        else
                bench_put(page, "<td>–</td>");
}

static void put_peer(struct bench_page *page, struct json_object *row)
{
        const char *kernel = bench_name(row, "kernel");
        const bool own = has_own_kernel(row), log = fg_json_bool(row, "kernelLog", true);
        const bool sysctl = fg_json_bool(row, "sysctlWritable", true);
        const bool filtered = fg_streq(bench_name(row, "seccomp"), "2");

        bench_put(page, "<tr>");
        bench_put_element(page, "th scope=\"row\"", bench_name(row, "name"));
        put_seen(page, own, own ? "its own" : kernel);
        bench_putf(page, "<td>%.0f</td>", bench_value(row, "processes"));
        put_seen(page, !log, log ? "readable" : "no");
        put_seen(page, !sysctl, sysctl ? "writable" : "no");
        put_tally(page, row, "parametersReadable", "parametersWritable");
        put_tally(page, row, "cgroupsSeen", "cgroupsWritable");
        put_seen(page, filtered, filtered ? "filtered" : "no filter");
        bench_putf(page, "<td>%d</td><td>%.0f</td></tr>\n", capabilities(row),
                   bench_value(row, "devices"));
}

/* A member of the rows that is a list of names. */
static const struct list {
        const char *key, *title, *words, *yes;
        bool good; /* is it, to have one? */
} lists[] = {
        { "namespaces", "Namespaces of its own",
          "Others than the first ones of the kernel it sees.", "own", true },
        { "procLeaks", "What /proc tells",
          "Files that say something of the kernel: its load and memory instead of one's own limit, "
          "addresses, devices, others' keys and timers.",
          "readable", false },
        { "sysLeaks", "What /sys tells", "Of the machine, its devices and the kernel.", "readable",
          false },
        { "writable", "What could be changed",
          "Files of the kernel by which containers have been left, or harm all others.", "writable",
          false },
        { "syscalls", "System calls that are often attacked",
          "Those that the kernel looks at for somebody here. Each was called with arguments that "
          "cannot work.",
          "reached", false },
};

static bool has(struct json_object *row, const struct list *list, const char *name)
{
        struct json_object *names = fg_json_arr(row, list->key);

        for (size_t i = 0; i < bench_length(names); i++) {
                const char *text = json_object_get_string(at(names, i));

                if (text && fg_streq(text, name))
                        return true;
        }
        return false;
}

/* What is reached of a kernel that is nobody else's is no harm to anybody. */
static void put_has(struct bench_page *page, struct json_object *row, const struct list *list,
                    const char *name)
{
        const bool yes = has(row, list, name);

        if (!fg_json_arr(row, list->key))
                bench_put(page, "<td></td>");
        else if (yes && !list->good && has_own_kernel(row))
                bench_putf(page, "<td>%s</td>", list->yes);
        else
                put_seen(page, yes == list->good, yes ? list->yes : "–");
}

static void put_list(struct bench_page *page, struct json_object *rows, const struct list *list)
{
        struct names found = { 0 }, peers = { 0 };

        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *its = fg_json_arr(at(rows, i), list->key);

                add(&peers, bench_name(at(rows, i), "name"));
                for (size_t k = 0; k < bench_length(its); k++)
                        if (json_object_get_string(at(its, k)))
                                add(&found, json_object_get_string(at(its, k)));
        }
        if (found.n == 0)
                return;
        bench_putf(page, "<h3>%s</h3><p>%s</p>\n", list->title, list->words);
        put_head(page, "", &peers);
        for (size_t k = 0; k < found.n; k++) {
                bench_put(page, "<tr>");
                bench_put_element(page, "th scope=\"row\"", found.v[k]);
                for (size_t i = 0; i < bench_length(rows); i++)
                        put_has(page, at(rows, i), list, found.v[k]);
                bench_put(page, "</tr>\n");
        }
        bench_put(page, "</table></div>\n");
}

void bench_plot_isolation(struct bench_page *page, struct json_object *rows)
{
        static const struct names columns = {
                { "kernel", "processes seen", "kernel log", "sysctl", "parameters (writable)",
                  "others' cgroups (writable)", "seccomp", "capabilities", "devices" },
                9,
        };

        put_head(page, "", &columns);
        for (size_t i = 0; i < bench_length(rows); i++)
                put_peer(page, at(rows, i));
        bench_put(page,
                  "</table></div>\n<p>A microVM's kernel is its own: what is reached of it is "
                  "nobody else's.</p>\n");
        for (size_t i = 0; i < FG_ARRAY_SIZE(lists); i++)
                put_list(page, rows, &lists[i]);
}
