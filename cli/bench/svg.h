/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/bench/page.h"

/*
 * Drawings of a page, from top to bottom: names to the left of SVG_LEFT, what is drawn from there
 * to SVG_RIGHT, numbers beyond. y is where the next thing comes.
 */
#define SVG_WIDTH 880
#define SVG_LEFT  190
#define SVG_RIGHT 720
#define SVG_SHORT 16 /* bytes of a number that is written short */

struct bench_figure {
        struct bench_page *page, body;
        const char *title, *desc; /* ours; what is read to those who do not see it */
        double y;
};

struct bench_figure bench_figure_begin(struct bench_page *page, const char *title,
                                       const char *desc);
/** bench_figure_end() - puts it into its page; always to be called. */
void bench_figure_end(struct bench_figure *f);

/* From a value to a place. Zero is on it unless it is logarithmic. */
struct bench_scale {
        double low, high;
        bool log;
        double from, to;
};

struct bench_scale bench_scale_linear(double high, double from, double to);
/** bench_scale_auto() - logarithmic where the values, none of them 0, differ much. */
struct bench_scale bench_scale_auto(double low, double high, double from, double to);
/** bench_scale_at() - the place; that of an end for what is beyond it. */
double bench_scale_at(const struct bench_scale *s, double value);
/** bench_scale_ticks() - the round values that it is marked at, from the lowest. Return: how many.
 */
#define SVG_TICKS_MAX 24
size_t bench_scale_ticks(const struct bench_scale *s, double ret[SVG_TICKS_MAX]);

/** bench_short() - a number in three digits or four, as for a label. */
const char *bench_short(double value, char ret[SVG_SHORT]);
/** bench_round() - the same of one that is round. */
const char *bench_round(double value, char ret[SVG_SHORT]);
/** bench_duration() - milliseconds, with "ms" or "s". */
const char *bench_duration(double ms, char ret[SVG_SHORT]);
/** bench_class() - of somebody with this name: "vm", "ct" (a container) or "base" (the host). */
const char *bench_class(const char *name);

/** bench_svg_text() - @class: of its place ("end", "mid") and looks; cut to @max letters. */
void bench_svg_text(struct bench_figure *f, double x, double y, const char *class, unsigned max,
                    const char *text);
/** bench_svg_axis() - lines from y to @bottom, and what they stand for; what is drawn after it lies
 * over them, and y is to be SVG_AXIS below @bottom then. */
#define SVG_AXIS 24
void bench_svg_axis(struct bench_figure *f, const struct bench_scale *s, double bottom,
                    const char *unit);

/** bench_svg_legend() - what the colours mean, ends with a class of NULL. */
struct bench_key {
        const char *class, *text;
};
void bench_svg_legend(struct bench_figure *f, const struct bench_key *keys);

/* One bar in a line of its own. */
#define SVG_BAR_LINE 23
struct bench_bar {
        const char *name, *class;
        double value;
        double more;       /* to where it goes on, lighter; 0: no further */
        const char *label; /* beside it */
};
void bench_svg_bar(struct bench_figure *f, const struct bench_scale *s,
                   const struct bench_bar *bar);
/** bench_svg_heading() - of the bars that follow. */
void bench_svg_heading(struct bench_figure *f, const char *text);
