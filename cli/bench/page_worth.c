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
        "waits or a template is there.</p>\n";

/* What neither boundary keeps apart, and what helps. Nothing of it is measured. */
static const struct {
        const char *channel, *mitigation;
} channels[] = {
        { "Caches of the processor, the last level above all",
          "no two tenants on one processor package; cache allocation (Intel CAT, AMD QoS)" },
        { "Branch predictors, and what is executed ahead of time",
          "the kernel and microcode up to date, mitigations on, in guests as on the host "
          "(/sys/devices/system/cpu/vulnerabilities)" },
        { "The other thread of a core (SMT)",
          "SMT off, or core scheduling with one tenant to a core; fgd sets neither" },
        { "Memory bandwidth, and disturbed rows of memory (row hammer)",
          "bandwidth allocation; memory with error correction and refresh on demand" },
        { "Pages of the same file: a prepared image is one EROFS file, whose pages in the host's "
          "cache are shared by all tasks of this image. Who can reach them sees by their latency "
          "what another has read (flush and reload). A container maps these very pages; a microVM "
          "reads them through its disk into memory of its own, so it sees only whether a block "
          "was in the cache. Guests restored from one template share its pages, too, until they "
          "write to them",
          "images of one's own for what is secret; imagePull: guest, with which nothing of the "
          "image is shared; secrets are never part of an image or a template" },
        { "Pages with the same content, where the host merges them (KSM)",
          "it is off unless the host's administrator switches it on (/sys/kernel/mm/ksm/run); a "
          "microVM offers its memory to nobody, while a container's program may offer its own" },
        { "Time and load: how late one's own work is, disks, the network",
          "limits; a machine for each tenant. The noisy neighbour below shows the size of it" },
};

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

static void put_channels(struct bench_page *page)
{
        bench_put(page,
                  "<h3>Side channels</h3><p>Neither boundary keeps the shared parts of the machine "
                  "apart. Nothing of this is measured here, and nothing is claimed about it.</p>\n"
                  "<details><summary>Which, and what helps</summary><div class=\"wide\"><table "
                  "class=\"words\"><tr><th scope=\"col\">shared by both</th><th scope=\"col\">what "
                  "helps</th></tr>\n");
        for (size_t i = 0; i < FG_ARRAY_SIZE(channels); i++) {
                bench_put(page, "<tr>");
                bench_put_element(page, "td", channels[i].channel);
                bench_put_element(page, "td", channels[i].mitigation);
                bench_put(page, "</tr>\n");
        }
        bench_put(page, "</table></div></details>\n");
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
        bench_put(page, "</table></div>\n");
        put_channels(page);
        bench_put(page, "</section>\n");
}
