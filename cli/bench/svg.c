/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/svg.h"

#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/str.h"

#define LETTER          7.2 /* pixels, of the text's width */
#define HEADING_LETTERS 80
#define NAME_LETTERS    25
#define LABEL_LETTERS   24
#define BAR             16

struct bench_figure bench_figure_begin(struct bench_page *page, const char *title, const char *desc)
{
        struct bench_figure f = { .page = page, .title = title, .desc = desc, .y = 4 };

        f.body = bench_page_new(page->err);
        f.body.failed = page->failed;
        return f;
}

void bench_figure_end(struct bench_figure *f)
{
        const unsigned id = ++f->page->figures;

        bench_putf(f->page,
                   "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"t%u d%u\">"
                   "<title id=\"t%u\">%s</title><desc id=\"d%u\">%s</desc>\n",
                   SVG_WIDTH, f->y + 4, id, id, id, f->title, id, f->desc);
        if (f->body.failed)
                f->page->failed = true;
        else if (f->body.text.data)
                bench_put(f->page, f->body.text.data);
        bench_put(f->page, "</svg>\n");
        fg_buf_finish(&f->body.text);
}

/* Thousands of what, so that at most four digits are left of @value. */
static const char *unit_of(double *value)
{
        static const char *const units[] = { "", " k", " M", " G", " T", " P" };
        size_t unit = 0;

        for (; *value >= 10000 && unit + 1 < FG_ARRAY_SIZE(units); unit++)
                *value /= 1000;
        if (*value > 10000)
                *value = 10000;
        return units[unit];
}

const char *bench_short(double value, char ret[SVG_SHORT])
{
        const char *unit = unit_of(&value);
        const int decimals = value == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;

        (void)snprintf(ret, SVG_SHORT, "%.*f%s", decimals, value, unit);
        return ret;
}

const char *bench_round(double value, char ret[SVG_SHORT])
{
        const char *unit = unit_of(&value);

        (void)snprintf(ret, SVG_SHORT, "%g%s", value, unit);
        return ret;
}

const char *bench_duration(double ms, char ret[SVG_SHORT])
{
        char text[SVG_SHORT];
        const bool seconds = ms >= 10000;

        (void)snprintf(ret, SVG_SHORT, "%.11s %s", bench_short(seconds ? ms / 1000 : ms, text),
                       seconds ? "s" : "ms");
        return ret;
}

const char *bench_class(const char *name)
{
        if (fg_starts_with(name, "microvm"))
                return "vm";
        return fg_streq(name, "host") || fg_streq(name, "qemu-floor") ? "base" : "ct";
}

/* So many letters, and no part of one. */
static size_t cut(const char *text, unsigned max)
{
        size_t i = 0;

        for (unsigned letters = 0; text[i]; i++)
                if (((unsigned char)text[i] & 0xc0) != 0x80 && ++letters > max)
                        break;
        return i;
}

void bench_svg_text(struct bench_figure *f, double x, double y, const char *class, unsigned max,
                    const char *text)
{
        const size_t len = cut(text, text[cut(text, max)] ? max - 1 : max);
        fg_autofree char *part = fg_asprintf("%.*s%s", (int)len, text, text[len] ? "…" : "");

        bench_putf(&f->body, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
        bench_put_text(&f->body, part);
        bench_put(&f->body, "</text>\n");
}

void bench_svg_axis(struct bench_figure *f, const struct bench_scale *s, double bottom,
                    const char *unit)
{
        double ticks[SVG_TICKS_MAX];
        const size_t n = bench_scale_ticks(s, ticks);
        char text[SVG_SHORT];

        for (size_t i = 0; i < n; i++) {
                const double x = bench_scale_at(s, ticks[i]);

                bench_putf(&f->body, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, f->y,
                           bottom);
                bench_svg_text(f, x, bottom + 15, "mid dim", SVG_SHORT,
                               bench_round(ticks[i], text));
        }
        bench_svg_text(f, SVG_RIGHT + 24, bottom + 15, "dim", LABEL_LETTERS, unit);
}

void bench_svg_legend(struct bench_figure *f, const struct bench_key *keys)
{
        double x = SVG_LEFT;

        for (; keys->class; keys++) {
                const double width = 34 + (double)strlen(keys->text) * LETTER;

                if (x > SVG_LEFT && x + width > SVG_WIDTH) {
                        x = SVG_LEFT;
                        f->y += 20;
                }
                bench_putf(&f->body,
                           "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\"/>",
                           keys->class, x, f->y + 3);
                bench_svg_text(f, x + 17, f->y + 14, "dim", HEADING_LETTERS, keys->text);
                x += width;
        }
        f->y += 26;
}

void bench_svg_bar(struct bench_figure *f, const struct bench_scale *s, const struct bench_bar *bar)
{
        const double zero = s->from, end = bench_scale_at(s, bar->value);
        const double width = end - zero > 1 ? end - zero : 1;
        const double further = bench_scale_at(s, bar->more), middle = f->y + BAR - 4;

        bench_svg_text(f, SVG_LEFT - 10, middle, "end", NAME_LETTERS, bar->name);
        if (further > end)
                bench_putf(&f->body,
                           "<rect class=\"%s pale\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                           "height=\"%d\"/>",
                           bar->class, zero, f->y, further - zero, BAR);
        bench_putf(&f->body,
                   "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>\n",
                   bar->class, zero, f->y, width, BAR);
        if (bar->value > s->high * 1.0001) /* it goes on beyond the edge */
                bench_putf(&f->body, "<path class=\"torn\" d=\"M%.1f %.1fl6 %dm4 %dl6 %d\"/>\n",
                           end - 22, f->y - 1.0, BAR + 2, -BAR - 2, BAR + 2);
        bench_svg_text(f, (further > end ? further : zero + width) + 8, middle, "", LABEL_LETTERS,
                       bar->label);
        f->y += SVG_BAR_LINE;
}

void bench_svg_heading(struct bench_figure *f, const char *text)
{
        bench_svg_text(f, SVG_LEFT, f->y + 16, "strong", HEADING_LETTERS, text);
        f->y += 24;
}
