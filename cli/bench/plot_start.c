/* SPDX-License-Identifier: Apache-2.0 */
/* How long until a program runs: every start a dot, and where a microVM's time goes. */
#include <math.h>

#include "cli/bench/plot.h"
#include "cli/bench/svg.h"
#include "cli/bench/tables.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define ROW    44
#define PHASES 28 /* a row of them */
#define CLOCK  9  /* pixels from the middle of a row to the line of either clock */

static struct json_object *at(struct json_object *rows, size_t i)
{
        return json_object_array_get_idx(rows, i);
}

static double sample(struct json_object *samples, size_t i)
{
        return bench_positive(at(samples, i));
}

/* The fastest and the slowest of all, by either clock. */
static struct bench_scale scale_of(struct json_object *rows)
{
        double low = INFINITY, high = 0;

        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *clocks[] = { at(rows, i), fg_json_obj(at(rows, i), "typed") };

                for (size_t c = 0; c < FG_ARRAY_SIZE(clocks); c++) {
                        struct json_object *samples = fg_json_arr(clocks[c], "samples_ms");

                        for (size_t k = 0; k < bench_length(samples); k++) {
                                low = fmin(low, sample(samples, k));
                                high = fmax(high, sample(samples, k));
                        }
                }
        }
        return bench_scale_auto(fmin(low, high), high, SVG_LEFT, SVG_RIGHT);
}

/* The samples of one clock, from the fastest to p90 a band, the median a line. */
static void draw_clock(struct bench_figure *f, const struct bench_scale *s,
                       struct json_object *clock, double y, const char *class)
{
        struct json_object *samples = fg_json_arr(clock, "samples_ms");
        const double p50 = bench_value(clock, "p50_ms"), p90 = bench_value(clock, "p90_ms");
        const double median = bench_scale_at(s, p50);
        char text[SVG_SHORT];
        double fastest = p50;

        for (size_t i = 0; i < bench_length(samples); i++)
                fastest = fmin(fastest, sample(samples, i));
        bench_putf(&f->body,
                   "<rect class=\"%s pale\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\"/>",
                   class, bench_scale_at(s, fastest), y - 6,
                   fmax(bench_scale_at(s, p90) - bench_scale_at(s, fastest), 1));
        for (size_t i = 0; i < bench_length(samples); i++)
                bench_putf(&f->body, "<circle class=\"%s dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>",
                           class, bench_scale_at(s, sample(samples, i)), y);
        bench_putf(&f->body, "<path class=\"median\" d=\"M%.1f %.1fv16\"/>\n", median, y - 8);
        bench_svg_text(f, SVG_WIDTH - 12, y + 4, "end", SVG_SHORT, bench_duration(p50, text));
}

static void draw_dots(struct bench_page *page, struct json_object *rows)
{
        static const struct bench_key keys[] = {
                { "first", "request to first instruction" },
                { "byte", "typed command to first byte" },
                { "line", "median, at the right" },
                { 0 },
        };
        const struct bench_scale s = scale_of(rows);
        struct bench_figure f = bench_figure_begin(
                page, "Start latency",
                "For each way to start a program a row of dots, one for each start, by two clocks. "
                "The table below has the numbers.");
        double bottom;

        bench_svg_legend(&f, keys);
        bottom = f.y + (double)bench_length(rows) * ROW;
        bench_svg_axis(&f, &s, bottom, s.log ? "ms, logarithmic" : "ms");
        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *row = at(rows, i);
                const double y = f.y + ROW / 2.0;

                bench_svg_text(&f, SVG_LEFT - 10, y + 4, "end", 25, bench_name(row, "name"));
                draw_clock(&f, &s, row, y - CLOCK, "first");
                draw_clock(&f, &s, fg_json_obj(row, "typed"), y + CLOCK, "byte");
                f.y += ROW;
        }
        f.y = bottom + SVG_AXIS;
        bench_figure_end(&f);
}

/* ---- phases ---- */

static const struct bench_key phases[] = {
        { "s0", "scheduled" },
        { "s1", "imageReady" },
        { "s2", "vmReady" },
        { "s3", "unpacked" },
        { "s4", "started" },
        { "s5", "firstOutput" },
        { 0 },
};

static double phase_end(struct json_object *row, const char *name)
{
        struct json_object *all = fg_json_arr(row, "phases");

        for (size_t i = 0; i < bench_length(all); i++)
                if (fg_streq(bench_name(at(all, i), "name"), name))
                        return bench_value(at(all, i), "p50_ms");
        return 0;
}

/* One bar of all phases, each from where the one before it ended. */
static void draw_phases(struct bench_figure *f, const struct bench_scale *s,
                        struct json_object *row)
{
        double from = 0;
        char text[SVG_SHORT];

        bench_svg_text(f, SVG_LEFT - 10, f->y + 15, "end", 25, bench_name(row, "name"));
        for (const struct bench_key *k = phases; k->class; k++) {
                const double to = fmax(phase_end(row, k->text), from);

                if (to > from)
                        bench_putf(&f->body,
                                   "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                                   "height=\"20\"/>\n",
                                   k->class, bench_scale_at(s, from), f->y,
                                   bench_scale_at(s, to) - bench_scale_at(s, from));
                from = to;
        }
        bench_svg_text(f, bench_scale_at(s, from) + 8, f->y + 15, "", SVG_SHORT,
                       bench_duration(from, text));
        f->y += PHASES;
}

static bool has_phases(struct json_object *row)
{
        return bench_length(fg_json_arr(row, "phases")) > 0;
}

static void draw_all_phases(struct bench_page *page, struct json_object *rows, double longest)
{
        struct bench_figure f = bench_figure_begin(
                page, "Phases of a start",
                "For each way of fgrun a bar of phases, one after the other, until the first "
                "output.");
        const struct bench_scale s = bench_scale_linear(longest, SVG_LEFT, SVG_RIGHT);
        double bottom;

        bench_svg_legend(&f, phases);
        bottom = f.y;
        for (size_t i = 0; i < bench_length(rows); i++)
                bottom += has_phases(at(rows, i)) ? PHASES : 0;
        bench_svg_axis(&f, &s, bottom, "ms since accept");
        for (size_t i = 0; i < bench_length(rows); i++)
                if (has_phases(at(rows, i)))
                        draw_phases(&f, &s, at(rows, i));
        f.y = bottom + SVG_AXIS;
        bench_figure_end(&f);
}

void bench_plot_start(struct bench_page *page, struct json_object *rows)
{
        double longest = 0;

        draw_dots(page, rows);
        for (size_t i = 0; i < bench_length(rows); i++)
                for (const struct bench_key *k = phases; k->class; k++)
                        longest = fmax(longest, phase_end(at(rows, i), k->text));
        if (longest == 0)
                return;
        bench_put(page, "<h3>Where the time goes</h3><p>The phases of fgrun's ways until the "
                        "first output, medians, one after the other.</p>\n");
        draw_all_phases(page, rows, longest);
}
