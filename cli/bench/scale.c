/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cli/bench/svg.h"

#define MUCH     20   /* from here on values differ too much for a linear scale */
#define DECADES  1000 /* from here on only powers of ten are on it */
#define SMALLEST 1e-3

/* The numbers 1, 2 and 5, and those times powers of ten. */
static double power(double value)
{
        return pow(10, floor(log10(value) + 1e-9));
}

static double round_down(double value)
{
        const double p = power(value), m = value / p;

        return p * (m >= 4.999 ? 5 : m >= 1.999 ? 2 : 1);
}

static double next_round(double value)
{
        const double p = power(value), m = value / p;

        return p * (m >= 4.999 ? 10 : m >= 1.999 ? 5 : 2);
}

struct bench_scale bench_scale_linear(double high, double from, double to)
{
        return (struct bench_scale){ .high = high > SMALLEST ? high : SMALLEST,
                                     .from = from,
                                     .to = to };
}

struct bench_scale bench_scale_auto(double low, double high, double from, double to)
{
        struct bench_scale s = bench_scale_linear(high, from, to);

        if (low < SMALLEST)
                low = SMALLEST;
        if (s.high / low < MUCH)
                return s;
        s.log = true;
        s.low = round_down(low);
        s.high = s.high * 1.05;
        return s;
}

double bench_scale_at(const struct bench_scale *s, double value)
{
        double part;

        if (value <= s->low)
                return s->from;
        if (value >= s->high)
                return s->to;
        part = s->log ? log(value / s->low) / log(s->high / s->low) : value / s->high;
        return s->from + (s->to - s->from) * part;
}

/* The next one after @tick; the first one after a negative. */
static double tick_after(const struct bench_scale *s, double tick)
{
        if (!s->log)
                return tick < 0 ? 0 : tick + round_down(s->high / 4);
        if (s->high / s->low < DECADES)
                return tick < 0 ? s->low : next_round(tick);
        return tick < 0 ? pow(10, ceil(log10(s->low) - 1e-9)) : tick * 10;
}

size_t bench_scale_ticks(const struct bench_scale *s, double ret[SVG_TICKS_MAX])
{
        size_t n = 0;

        ret[n] = tick_after(s, -1);
        while (ret[n] <= s->high * 1.0001 && n + 1 < SVG_TICKS_MAX) {
                ret[n + 1] = tick_after(s, ret[n]);
                n++;
        }
        return n;
}
