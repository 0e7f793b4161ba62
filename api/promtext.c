/* SPDX-License-Identifier: Apache-2.0 */
#include "api/promtext.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/cleanup.h"
#include "core/clock.h"

#define MS UINT64_C(1000000)
#define S  FG_NS_PER_SEC

static const uint64_t bounds_ns[] = {
        1 * MS,    2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS,
        1000 * MS, 2 * S,  5 * S,  10 * S,  30 * S,  60 * S,  120 * S,  300 * S,
};

_Static_assert(FG_ARRAY_SIZE(bounds_ns) == FG_HISTOGRAM_BUCKETS, "one bound per bucket");

#define SECONDS_MAX 32

/* "0.05": no trailing zeros, so that a bucket's label never changes its spelling. */
static const char *format_seconds(uint64_t ns, char ret[SECONDS_MAX])
{
        int len = snprintf(ret, SECONDS_MAX, "%" PRIu64 ".%09" PRIu64, ns / S, ns % S);

        while (ret[len - 1] == '0')
                ret[--len] = '\0';
        if (ret[len - 1] == '.')
                ret[--len] = '\0';
        return ret;
}

static void put(struct fg_promtext *t, const char *s)
{
        if (!t->err.code)
                (void)fg_buf_puts(t->out, s, &t->err);
}

static void put_char(struct fg_promtext *t, char c)
{
        if (!t->err.code)
                (void)fg_buf_append(t->out, &c, 1, &t->err);
}

static void put_escaped(struct fg_promtext *t, const char *s, char quote)
{
        for (; *s; s++) {
                if (*s == '\n') {
                        put(t, "\\n");
                        continue;
                }
                if (*s == '\\' || (quote && *s == quote))
                        put_char(t, '\\');
                put_char(t, *s);
        }
}

static void put_label(struct fg_promtext *t, const char *name, const char *value, bool first)
{
        put(t, first ? "{" : ",");
        put(t, name);
        put(t, "=\"");
        put_escaped(t, value, '"');
        put(t, "\"");
}

/* @le: one more label, for a histogram's bucket; or NULL. */
static void put_sample(struct fg_promtext *t, const char *suffix, const char *const labels[],
                       const char *le, const char *value)
{
        bool first = true;

        put(t, t->name);
        put(t, suffix);
        for (; labels && labels[0]; labels += 2) {
                put_label(t, labels[0], labels[1], first);
                first = false;
        }
        if (le) {
                put_label(t, "le", le, first);
                first = false;
        }
        put(t, first ? " " : "} ");
        put(t, value);
        put(t, "\n");
}

void fg_promtext_begin(struct fg_promtext *t, struct fg_buf *out)
{
        *t = (struct fg_promtext){ .out = out };
}

void fg_promtext_family(struct fg_promtext *t, const char *name, const char *type, const char *help)
{
        t->name = name;
        put(t, "# HELP ");
        put(t, name);
        put(t, " ");
        put_escaped(t, help, '\0');
        put(t, "\n# TYPE ");
        put(t, name);
        put(t, " ");
        put(t, type);
        put(t, "\n");
}

void fg_promtext_value(struct fg_promtext *t, const char *const labels[], int64_t value)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        put_sample(t, "", labels, NULL, text);
}

void fg_promtext_seconds(struct fg_promtext *t, const char *const labels[], uint64_t ns)
{
        char text[SECONDS_MAX];

        put_sample(t, "", labels, NULL, format_seconds(ns, text));
}

int fg_promtext_end(struct fg_promtext *t, struct fg_error *err)
{
        if (!t->err.code)
                return 0;
        *err = t->err;
        return fg_wrap(err, "metrics");
}

void fg_histogram_observe(struct fg_histogram *h, uint64_t ns)
{
        size_t i = 0;

        while (i < FG_HISTOGRAM_BUCKETS && ns > bounds_ns[i])
                i++;
        h->counts[i]++;
        h->sum_ns += ns;
}

void fg_promtext_histogram(struct fg_promtext *t, const char *const labels[],
                           const struct fg_histogram *h)
{
        char count[24], text[SECONDS_MAX];
        uint64_t sum = 0;

        for (size_t i = 0; i <= FG_HISTOGRAM_BUCKETS; i++) {
                sum += h->counts[i];
                (void)snprintf(count, sizeof(count), "%" PRIu64, sum);
                put_sample(t, "_bucket", labels,
                           i < FG_HISTOGRAM_BUCKETS ? format_seconds(bounds_ns[i], text) : "+Inf",
                           count);
        }
        put_sample(t, "_sum", labels, NULL, format_seconds(h->sum_ns, text));
        put_sample(t, "_count", labels, NULL, count);
}
