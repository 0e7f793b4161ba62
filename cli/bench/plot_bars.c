/* SPDX-License-Identifier: Apache-2.0 */
/* The sections that are bars: memory, starts beside others, efficiency, network, images. */
#include <math.h>
#include <stdio.h>

#include "cli/bench/plot.h"
#include "cli/bench/svg.h"
#include "cli/bench/tables.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define GAP  10
#define HOST "host"
#define CLIPPED                                                                                    \
        2.0 /* times the host; what is more, of a cache, would leave no room for the rest          \
             */

static struct json_object *at(struct json_object *rows, size_t i)
{
        return json_object_array_get_idx(rows, i);
}

static double largest(struct json_object *rows, const char *key)
{
        double high = 0;

        for (size_t i = 0; i < bench_length(rows); i++)
                high = fmax(high, bench_value(at(rows, i), key));
        return high;
}

static int64_t instances(struct json_object *row)
{
        return fg_json_int(row, "instances", 0);
}

/* The next larger number of instances that there is; 0: none. */
static int64_t next_group(struct json_object *rows, int64_t after)
{
        int64_t found = 0;

        for (size_t i = 0; i < bench_length(rows); i++) {
                const int64_t n = instances(at(rows, i));

                if (n > after && (found == 0 || n < found))
                        found = n;
        }
        return found;
}

static void draw_memory(struct bench_figure *f, const struct bench_scale *s,
                        struct json_object *row)
{
        const double pss = bench_value(row, "pssMiB"), rss = bench_value(row, "rssMiB");
        const char *name = bench_name(row, "name");
        char own[SVG_SHORT], shared[SVG_SHORT];
        fg_autofree char *label = fg_asprintf("%s MiB, %s shared", bench_short(pss, own),
                                              bench_short(rss > pss ? rss - pss : 0, shared));
        const struct bench_bar bar = { name, bench_class(name), pss, rss, label };

        bench_svg_bar(f, s, &bar);
}

void bench_plot_memory(struct bench_page *page, struct json_object *rows)
{
        static const struct bench_key keys[] = {
                { "vm", "of the instance (PSS), microVM" },
                { "ct", "container" },
                { "vm pale", "shared with others (RSS - PSS)" },
                { 0 },
        };
        struct bench_figure f = bench_figure_begin(
                page, "Memory of an idle instance",
                "Bars in MiB, in groups by how many instances there were at once.");
        const double high = fmax(largest(rows, "rssMiB"), largest(rows, "pssMiB"));
        const struct bench_scale s = bench_scale_linear(high, SVG_LEFT, SVG_RIGHT - 40);

        bench_svg_legend(&f, keys);
        for (int64_t n = next_group(rows, 0); n > 0; n = next_group(rows, n)) {
                fg_autofree char *heading = fg_asprintf("%lld at once", (long long)n);

                bench_svg_heading(&f, heading);
                for (size_t i = 0; i < bench_length(rows); i++)
                        if (instances(at(rows, i)) == n)
                                draw_memory(&f, &s, at(rows, i));
        }
        bench_figure_end(&f);
}

/* A bar of a median in milliseconds. */
static void draw_ms(struct bench_figure *f, const struct bench_scale *s, const char *name,
                    const char *class, double ms)
{
        char text[SVG_SHORT];
        const struct bench_bar bar = { name, class, ms, 0, bench_duration(ms, text) };

        bench_svg_bar(f, s, &bar);
}

static double p50(struct json_object *row, const char *key)
{
        return bench_value(fg_json_obj(row, key), "p50_ms");
}

static double slowest(struct json_object *rows, const char *const *keys)
{
        double high = 0;

        for (size_t i = 0; i < bench_length(rows); i++)
                for (const char *const *key = keys; *key; key++)
                        high = fmax(high, p50(at(rows, i), *key));
        return high;
}

void bench_plot_loaded(struct bench_page *page, struct json_object *rows)
{
        static const char *const keys[] = { "alone", "beside", NULL };
        const struct bench_scale s = bench_scale_linear(slowest(rows, keys), SVG_LEFT,
                                                        SVG_RIGHT - 40);
        struct bench_figure f = bench_figure_begin(
                page, "Starts beside running tasks",
                "Pairs of bars: the median start beside none, and beside so many that idle.");

        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *row = at(rows, i);
                fg_autofree char *with = fg_asprintf("beside %d",
                                                     (int)fg_json_int(row, "instances", 0));

                const char *name = bench_name(row, "name"), *class = bench_class(name);
                fg_autofree char *pale = fg_asprintf("%s pale", class);

                bench_svg_heading(&f, name);
                draw_ms(&f, &s, "beside none", pale, p50(row, "alone"));
                draw_ms(&f, &s, with, class, p50(row, "beside"));
                f.y += GAP;
        }
        bench_figure_end(&f);
}

/* ---- work, and what a port carries: each peer beside the host ---- */

struct work {
        const char *key, *title, *unit;
        bool less; /* is better */
};

static struct json_object *host_of(struct json_object *rows)
{
        for (size_t i = 0; i < bench_length(rows); i++)
                if (fg_streq(bench_name(at(rows, i), "name"), HOST))
                        return at(rows, i);
        return NULL;
}

static void draw_work(struct bench_figure *f, const struct work *w, struct json_object *rows)
{
        const double host = bench_value(host_of(rows), w->key), high = largest(rows, w->key);
        /* Shares of the host lie on one scale in all groups; a time has its own. */
        const bool of_host = host > 0 && !w->less;
        const double top = of_host ? host * CLIPPED : high;
        const struct bench_scale s = bench_scale_linear(top, SVG_LEFT, SVG_RIGHT - 20);

        bench_svg_heading(f, w->title);
        if (of_host)
                bench_putf(&f->body, "<path class=\"mark\" d=\"M%.1f %.1fv%.1f\"/>\n",
                           bench_scale_at(&s, host), f->y - 3,
                           (double)bench_length(rows) * SVG_BAR_LINE - 1);
        for (size_t i = 0; i < bench_length(rows); i++) {
                const char *name = bench_name(at(rows, i), "name");
                const bool emulated = fg_json_bool(at(rows, i), "emulated", false);
                const double value = bench_value(at(rows, i), w->key);
                char text[SVG_SHORT], share[32] = "";
                fg_autofree char *label = NULL, *class = NULL;

                if (host > 0 && !fg_streq(name, HOST))
                        (void)snprintf(share, sizeof(share), w->less ? ", × %.1f" : ", %.0f %%",
                                       fmin(value / host * (w->less ? 1 : 100), 99999));
                label = fg_asprintf("%s%s%s", bench_short(value, text), w->unit, share);
                class = fg_asprintf("%s%s", bench_class(name), emulated ? " emulated" : "");
                bench_svg_bar(f, &s, &(const struct bench_bar){ name, class, value, 0, label });
        }
        f->y += GAP;
}

static void draw_all(struct bench_page *page, const char *title, const struct work *works,
                     struct json_object *rows)
{
        static const struct bench_key keys[] = {
                { "base", "the host itself" },
                { "vm", "microVM" },
                { "vm emulated", "microVM on an emulated processor" },
                { "ct", "container" },
                { 0 },
        };
        struct bench_figure f = bench_figure_begin(
                page, title,
                "Groups of bars, one for each kind of work: the host, microVMs and containers.");

        bench_svg_legend(&f, keys);
        for (const struct work *w = works; w->key; w++)
                if (largest(rows, w->key) > 0)
                        draw_work(&f, w, rows);
        bench_figure_end(&f);
}

void bench_plot_efficiency(struct bench_page *page, struct json_object *rows)
{
        static const struct work works[] = {
                { "integerPerSecond", "Integers", "/s" },
                { "memoryMBPerSecond", "Memory, copies", " MB/s" },
                { "memoryRandomPerSecond", "Memory, reads at random", "/s" },
                { "syscallsPerSecond", "System calls", "/s" },
                { "diskWriteMBPerSecond", "Disk, written and synchronised", " MB/s" },
                { "diskReadMBPerSecond", "Disk, read", " MB/s" },
                { 0 },
        };

        draw_all(page, "Work done inside, beside the host", works, rows);
}

void bench_plot_network(struct bench_page *page, struct json_object *rows)
{
        static const struct work works[] = {
                { "roundTripUs", "Round trip of a byte: shorter is better", " µs", true },
                { "fromMBPerSecond", "From the published port", " MB/s" },
                { "toMBPerSecond", "To the published port", " MB/s" },
                { 0 },
        };

        draw_all(page, "What a published port carries", works, rows);
}

/* ---- images ---- */

void bench_plot_images(struct bench_page *page, struct json_object *rows)
{
        static const char *const keys[] = { "first", "later", NULL };
        struct bench_figure f = bench_figure_begin(
                page, "First and later runs of an image",
                "For each image, bars of the first run, which pulls it, and of later ones.");
        const struct bench_scale s = bench_scale_linear(slowest(rows, keys), SVG_LEFT,
                                                        SVG_RIGHT - 20);
        const char *before = "";

        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *row = at(rows, i);
                const char *image = bench_name(row, "image"), *name = bench_name(row, "name");
                fg_autofree char *heading = fg_asprintf("%.0f MB, %s", bench_value(row, "sizeMB"),
                                                        image);

                if (!fg_streq(image, before))
                        bench_svg_heading(&f, heading);
                before = image;
                for (const char *const *key = keys; *key; key++) {
                        fg_autofree char *bar = fg_asprintf("%s, %s", name, *key);

                        if (p50(row, *key) > 0)
                                draw_ms(&f, &s, bar, bench_class(name), p50(row, *key));
                }
        }
        bench_figure_end(&f);
}
