/* SPDX-License-Identifier: Apache-2.0 */
/* What was set out for beside what came: a bar for each, and a mark that it should reach or not. */
#include <math.h>
#include <string.h>

#include "cli/bench/plot.h"
#include "cli/bench/svg.h"
#include "cli/bench/tables.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define ROOM    2.5 /* times the target that a bar has room for */
#define LETTERS 80

static char *verdict(struct json_object *row, double measured, double target, bool at_least)
{
        const char *note = fg_json_str(row, "note");
        double times = at_least ? target / fmax(measured, 1e-9) : measured / fmax(target, 1e-9);

        if (note)
                return fg_strdup(note);
        if (fg_json_bool(row, "met", false))
                return fg_strdup("✓ met");
        return fg_asprintf("✗ missed, × %.1f", fmin(times, 1e6));
}

static const char *class_of(struct json_object *row)
{
        if (!fg_json_get(row, "met"))
                return "base";
        return fg_json_bool(row, "met", false) ? "met" : "missed";
}

static void draw_target(struct bench_figure *f, struct json_object *row)
{
        const double target = bench_value(row, "target"), measured = bench_value(row, "measured");
        const char *unit = bench_name(row, "unit");
        const bool at_least = fg_streq(bench_name(row, "bound"), "at least");
        const struct bench_scale s = bench_scale_linear(target * ROOM, SVG_LEFT, SVG_RIGHT);
        const double mark = bench_scale_at(&s, target);
        char limit[SVG_SHORT], came[SVG_SHORT];
        fg_autofree char *heading = NULL, *text = NULL;

        heading = fg_asprintf("%s %s %s%s%s", bench_name(row, "measure"), at_least ? "≥" : "≤",
                              bench_round(target, limit), fg_streq(unit, "ratio") ? "" : " ",
                              fg_streq(unit, "ratio") ? "" : unit);
        bench_svg_text(f, SVG_LEFT, f->y + 14, "", LETTERS, heading);
        f->y += 20;
        if (!fg_json_get(row, "measured")) {
                bench_svg_text(f, SVG_LEFT - 10, f->y + 12, "end dim", 25, "not measured");
                bench_putf(&f->body,
                           "<path class=\"grid\" d=\"M%d %.1fH%d\"/><path class=\"mark\" d=\"M%.1f "
                           "%.1fv20\"/>\n",
                           SVG_LEFT, f->y + 8, SVG_RIGHT, mark, f->y - 2);
                f->y += 30;
                return;
        }
        text = verdict(row, measured, target, at_least);
        bench_svg_text(f, SVG_WIDTH - 12, f->y + 12, "end", SVG_SHORT, bench_short(measured, came));
        bench_svg_bar(f, &s, &(const struct bench_bar){ text, class_of(row), measured, 0, "" });
        bench_putf(&f->body, "<path class=\"mark\" d=\"M%.1f %.1fv20\"/>\n", mark, f->y - 25);
        f->y += 7;
}

void bench_plot_targets(struct bench_page *page, struct json_object *rows)
{
        static const struct bench_key keys[] = {
                { "met", "met" },
                { "missed", "missed" },
                { "base", "not quite what the target names" },
                { "line", "the target" },
                { 0 },
        };
        struct bench_figure f = bench_figure_begin(
                page, "Targets", "For each target a bar of what came, and a mark at the target.");

        bench_svg_legend(&f, keys);
        for (size_t i = 0; i < bench_length(rows); i++)
                draw_target(&f, json_object_array_get_idx(rows, i));
        bench_figure_end(&f);
}
