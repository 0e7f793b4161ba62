/* SPDX-License-Identifier: Apache-2.0 */
/* Starts in a second over how many are under way: a line for each peer. */
#include <math.h>

#include "cli/bench/plot.h"
#include "cli/bench/svg.h"
#include "cli/bench/tables.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define LINES_MAX  16
#define POINTS_MAX 8
#define HEIGHT     280
#define APART      17 /* pixels between two names at the right */
#define FIRST      (SVG_LEFT + 40)
#define SPAN       375 /* pixels from the first point to the last */

struct line {
        const char *name;
        double y[POINTS_MAX]; /* starts per second; 0: not measured */
        double end_x, end_y, label_y;
};

struct rates {
        struct line lines[LINES_MAX];
        int64_t at_a_time[POINTS_MAX];
        size_t n, points;
        double low, high;
};

static double x_of(const struct rates *r, size_t point)
{
        return FIRST + (r->points > 1 ? SPAN * (double)point / (double)(r->points - 1) : 0);
}

static struct line *line_of(struct rates *r, const char *name)
{
        for (size_t i = 0; i < r->n; i++)
                if (fg_streq(r->lines[i].name, name))
                        return &r->lines[i];
        if (r->n == LINES_MAX)
                return NULL;
        r->lines[r->n].name = name;
        return &r->lines[r->n++];
}

static size_t point_of(struct rates *r, int64_t at_a_time)
{
        size_t i = 0;

        while (i < r->points && r->at_a_time[i] != at_a_time)
                i++;
        if (i == r->points && i < POINTS_MAX)
                r->at_a_time[r->points++] = at_a_time;
        return i;
}

static void collect(struct rates *r, struct json_object *rows)
{
        r->low = INFINITY;
        for (size_t i = 0; i < bench_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);
                struct line *line = line_of(r, bench_name(row, "name"));
                const size_t point = point_of(r, fg_json_int(row, "concurrency", 0));
                const double y = bench_value(row, "perSecond");

                if (!line || point == POINTS_MAX || y == 0)
                        continue;
                line->y[point] = y;
                r->low = fmin(r->low, y);
                r->high = fmax(r->high, y);
        }
}

/* Lines of one colour differ. */
static const char *dashes(const struct rates *r, const struct line *line)
{
        static const char *const all[] = { "none", "9 5", "2 4", "12 4 2 4" };
        size_t before = 0;

        for (const struct line *l = r->lines; l < line; l++)
                before += fg_streq(bench_class(l->name), bench_class(line->name));
        return all[before % FG_ARRAY_SIZE(all)];
}

static void draw_line(struct bench_figure *f, const struct bench_scale *s, const struct rates *r,
                      struct line *line)
{
        const char *class = bench_class(line->name);
        bool begun = false;

        bench_putf(&f->body, "<path class=\"%s curve\" stroke-dasharray=\"%s\" d=\"", class,
                   dashes(r, line));
        for (size_t i = 0; i < r->points; i++) {
                if (line->y[i] == 0)
                        continue;
                line->end_x = x_of(r, i);
                line->end_y = bench_scale_at(s, line->y[i]);
                bench_putf(&f->body, "%c%.1f %.1f", begun ? 'L' : 'M', line->end_x, line->end_y);
                begun = true;
        }
        bench_put(&f->body, "\"/>\n");
        for (size_t i = 0; i < r->points; i++)
                if (line->y[i] > 0)
                        bench_putf(&f->body,
                                   "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n",
                                   class, x_of(r, i), bench_scale_at(s, line->y[i]));
}

/* Those that would lie over each other make room, downwards and then, from the bottom, up. */
static void spread(struct rates *r, double bottom)
{
        struct line *sorted[LINES_MAX];

        for (size_t i = 0; i < r->n; i++) {
                size_t k = i;

                for (; k > 0 && sorted[k - 1]->end_y > r->lines[i].end_y; k--)
                        sorted[k] = sorted[k - 1];
                sorted[k] = &r->lines[i];
        }
        for (size_t i = 0; i < r->n; i++) {
                sorted[i]->label_y = sorted[i]->end_y;
                if (i > 0)
                        sorted[i]->label_y = fmax(sorted[i]->end_y, sorted[i - 1]->label_y + APART);
        }
        for (size_t i = r->n; i-- > 0;) {
                sorted[i]->label_y = fmin(sorted[i]->label_y, bottom);
                bottom = sorted[i]->label_y - APART;
        }
}

static void draw_names(struct bench_figure *f, const struct rates *r, double x)
{
        for (size_t i = 0; i < r->n; i++) {
                const struct line *line = &r->lines[i];
                fg_autofree char *text = NULL;
                double last = 0;
                char number[SVG_SHORT];

                if (line->end_x == 0)
                        continue;
                for (size_t k = 0; k < r->points; k++)
                        last = line->y[k] > 0 ? line->y[k] : last;
                bench_putf(&f->body, "<path class=\"grid\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n",
                           line->end_x + 6, line->end_y, x - 4, line->label_y);
                text = fg_asprintf("%s  %s", bench_short(last, number), line->name);
                bench_svg_text(f, x, line->label_y + 4, "", 36, text);
        }
}

static void draw_grid(struct bench_figure *f, const struct bench_scale *s, const struct rates *r,
                      double right)
{
        double ticks[SVG_TICKS_MAX];
        const size_t n = bench_scale_ticks(s, ticks);
        char text[SVG_SHORT];

        for (size_t i = 0; i < n; i++) {
                const double y = bench_scale_at(s, ticks[i]);

                bench_putf(&f->body, "<path class=\"grid\" d=\"M%d %.1fH%.1f\"/>\n", SVG_LEFT, y,
                           right);
                bench_svg_text(f, SVG_LEFT - 8, y + 4, "end dim", SVG_SHORT,
                               bench_round(ticks[i], text));
        }
        for (size_t i = 0; i < r->points; i++) {
                (void)snprintf(text, sizeof(text), "%d", (int)r->at_a_time[i]);
                bench_svg_text(f, x_of(r, i), s->from + 22, "mid dim", SVG_SHORT, text);
        }
        bench_svg_text(f, SVG_LEFT - 8, s->from + 22, "end dim", 20, "at a time");
}

void bench_plot_rate(struct bench_page *page, struct json_object *rows)
{
        struct rates r = { 0 };
        struct bench_figure f;
        struct bench_scale s;
        double right;

        collect(&r, rows);
        if (r.high == 0)
                return;
        f = bench_figure_begin(page, "Starts per second",
                               "A line for each peer: how many starts end in a second, when one or "
                               "more are always under way.");
        right = x_of(&r, r.points - 1) + 20;
        s = bench_scale_auto(r.low, r.high, f.y + 20 + HEIGHT, f.y + 20);
        bench_svg_text(&f, SVG_LEFT - 8, f.y + 10, "end dim", 30,
                       s.log ? "starts/s, logarithmic" : "starts/s");
        draw_grid(&f, &s, &r, right);
        for (size_t i = 0; i < r.n; i++)
                draw_line(&f, &s, &r, &r.lines[i]);
        spread(&r, s.from);
        draw_names(&f, &r, right + 24);
        f.y = s.from + 32;
        bench_figure_end(&f);
}
