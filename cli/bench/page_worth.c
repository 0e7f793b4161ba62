/* SPDX-License-Identifier: Apache-2.0 */
/* What each boundary is worth, and what it costs: words, and the figures of all sections. */
#include "cli/bench/page.h"
#include "cli/bench/plot.h"
#include "cli/bench/svg.h"
#include "cli/bench/tables.h"
#include "core/json.h"
#include "core/str.h"

static const char worth[] =
        "<section id=\"worth\"><h2>What each boundary is worth, and costs</h2>\n"
        "<p><strong>A container</strong> shares the kernel of the host: one error in any of "
        "several "
        "hundred system calls can be a way out of it. Filters and fewer capabilities make that "
        "smaller, not another thing. It costs next to nothing: work is done as on the host, and an "
        "idle one takes a few MiB.</p>\n"
        "<p><strong>A microVM</strong> has a kernel of its own, which its task may well take over. "
        "The way out leads through QEMU's devices or the processor's virtualisation, which are far "
        "smaller, and then through QEMU's own sandbox. It costs the memory of a kernel and of "
        "QEMU, "
        "a card and a disk that are read by a program, and a start that is fast only where a guest "
        "waits or a template is there.</p>\n"
        "<p>Neither keeps caches and other shared parts of the processor apart: side channels are "
        "not measured here, and nothing is claimed about them.</p>\n";

/* The last of a section's rows with this name: of memory that with the most instances. */
static struct json_object *row_of(struct json_object *result, const char *section, const char *name)
{
        struct json_object *rows = fg_json_arr(result, section), *found = NULL;

        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                if (fg_streq(bench_name(row, "name"), name))
                        found = row;
        }
        return found;
}

static void put_figure(struct bench_page *page, double value, const char *unit)
{
        char text[SVG_SHORT];

        if (value > 0)
                bench_putf(page, "<td>%s%s</td>", bench_short(value, text), unit);
        else
                bench_put(page, "<td>–</td>");
}

static void put_duration(struct bench_page *page, double ms)
{
        char text[SVG_SHORT];

        bench_putf(page, "<td>%s</td>", ms > 0 ? bench_duration(ms, text) : "–");
}

/* Of what an emulated processor does nothing is said in one line with others. */
static void put_share(struct bench_page *page, struct json_object *row, struct json_object *host)
{
        const double whole = bench_value(host, "integerPerSecond");

        if (fg_json_bool(row, "emulated", false))
                bench_put(page, "<td>emulated</td>");
        else
                put_figure(page, whole > 0 ? 100 * bench_value(row, "integerPerSecond") / whole : 0,
                           " %");
}

static void put_costs(struct bench_page *page, struct json_object *result, struct json_object *row)
{
        const char *name = bench_name(row, "name");

        bench_put(page, "<tr>");
        bench_put_element(page, "th scope=\"row\"", name);
        put_duration(page, bench_value(row, "p50_ms"));
        put_duration(page, bench_value(fg_json_obj(row, "typed"), "p50_ms"));
        put_figure(page, bench_value(row_of(result, "memory", name), "pssMiB"), " MiB");
        put_share(page, row_of(result, "efficiency", name), row_of(result, "efficiency", "host"));
        put_figure(page, bench_value(row_of(result, "network", name), "roundTripUs"), " µs");
        bench_put(page, "</tr>\n");
}

void bench_put_worth(struct bench_page *page, struct json_object *result)
{
        struct json_object *rows = fg_json_arr(result, "start");

        bench_put(page, worth);
        bench_put(page,
                  "<div class=\"wide\"><table><tr><th scope=\"col\">here, medians</th>"
                  "<th scope=\"col\">first instruction after</th><th scope=\"col\">first byte "
                  "after</th><th scope=\"col\">memory of an idle one</th><th scope=\"col\">"
                  "integer work, of the host's</th><th scope=\"col\">round trip</th></tr>\n");
        for (size_t i = 0; i < bench_length(rows); i++)
                put_costs(page, result, json_object_array_get_idx(rows, i));
        bench_put(page, "</table></div></section>\n");
}
