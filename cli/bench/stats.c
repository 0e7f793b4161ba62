/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

static uint64_t monotonic(void *userdata)
{
        (void)userdata;
        return fg_mono_ns();
}

const struct bench_clock bench_monotonic = { .now_ns = monotonic };

uint64_t bench_now(const struct bench_clock *clock)
{
        return clock->now_ns(clock->userdata);
}

double bench_ms(uint64_t from_ns, uint64_t to_ns)
{
        return to_ns > from_ns ? (double)(to_ns - from_ns) / (double)FG_NS_PER_MSEC : 0;
}

void bench_samples_add(struct bench_samples *s, double value)
{
        if (s->n == s->cap) {
                size_t cap = s->cap ? 2 * s->cap : 64;
                double *v = fg_calloc(cap, sizeof(*v));

                if (s->n > 0)
                        memcpy(v, s->v, s->n * sizeof(*v));
                free(s->v);
                s->v = v;
                s->cap = cap;
        }
        s->v[s->n++] = value;
}

void bench_samples_finish(struct bench_samples *s)
{
        free(s->v);
        *s = (struct bench_samples){ 0 };
}

static int compare(const void *a, const void *b)
{
        const double *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

double bench_percentile(const struct bench_samples *s, unsigned percent)
{
        double *sorted, value;
        size_t rank;

        if (s->n == 0)
                return 0;
        sorted = fg_calloc(s->n, sizeof(*sorted));
        memcpy(sorted, s->v, s->n * sizeof(*sorted));
        qsort(sorted, s->n, sizeof(*sorted), compare);
        rank = (s->n * percent + 99) / 100; /* rounded up, from 1 */
        value = sorted[rank > 0 ? rank - 1 : 0];
        free(sorted);
        return value;
}

bool bench_steady(const struct bench_samples *s)
{
        return s->n >= 2 && bench_percentile(s, 75) <= 2 * bench_percentile(s, 25);
}

struct json_object *bench_number(double value)
{
        char text[64];

        (void)snprintf(text, sizeof(text), "%.3f", value);
        return json_object_new_double_s(value, text);
}

struct json_object *bench_numbers(const struct bench_samples *s)
{
        struct json_object *all = json_object_new_array();

        for (size_t i = 0; i < s->n; i++)
                (void)json_object_array_add(all, bench_number(s->v[i]));
        return all;
}

void bench_samples_json(const struct bench_samples *s, struct json_object *obj)
{
        fg_json_set(obj, "p50_ms", bench_number(bench_percentile(s, 50)));
        fg_json_set(obj, "p90_ms", bench_number(bench_percentile(s, 90)));
        fg_json_set(obj, "p99_ms", bench_number(bench_percentile(s, 99)));
        fg_json_set(obj, "samples_ms", bench_numbers(s));
}

static void run_one(struct bench_contender *c, bool counted, const struct bench_rounds *rounds)
{
        struct fg_error err = FG_ERROR_INIT;

        if (c->once(c->userdata, counted, &err) == 0) {
                c->failures = 0;
                return;
        }
        rounds->failed(c->userdata, &err);
        c->out = ++c->failures >= BENCH_FAILURES_MAX;
}

void bench_interleave(struct bench_contender *who, size_t n, const struct bench_rounds *rounds)
{
        for (unsigned round = 0; round < rounds->warm_up + rounds->counted; round++)
                for (size_t i = 0; i < n; i++) {
                        if (rounds->stop())
                                return;
                        if (!who[i].out)
                                run_one(&who[i], round >= rounds->warm_up, rounds);
                }
}
