/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct json_object;

/* The mathematics of a benchmark. Nothing here looks at a clock by itself. */

struct bench_clock {
        uint64_t (*now_ns)(void *userdata);
        void *userdata;
};

extern const struct bench_clock bench_monotonic;

uint64_t bench_now(const struct bench_clock *clock);
/** bench_ms() - from one reading to a later one; 0 when it is not later. */
double bench_ms(uint64_t from_ns, uint64_t to_ns);

/* Raw samples, in the order they were taken. Zeroed is empty. */
struct bench_samples {
        double *v;
        size_t n, cap;
};

void bench_samples_add(struct bench_samples *s, double value);
void bench_samples_finish(struct bench_samples *s);

/**
 * bench_percentile() - by nearest rank: the smallest sample that @percent of all do not exceed
 * Return: always a sample that was taken, so p99 of fewer than 100 is the largest; 0 of none.
 */
double bench_percentile(const struct bench_samples *s, unsigned percent);

/** bench_steady() - are there at least two, and the middle half of them within a factor of two? */
bool bench_steady(const struct bench_samples *s);

/** bench_number() - a JSON number with three decimals at most. */
struct json_object *bench_number(double value);
/** bench_numbers() - all samples, as they were taken. */
struct json_object *bench_numbers(const struct bench_samples *s);
/** bench_samples_json() - put p50_ms, p90_ms, p99_ms and samples_ms into @obj. */
void bench_samples_json(const struct bench_samples *s, struct json_object *obj);

/* Someone who is measured in turn with others. */
struct bench_contender {
        void *userdata;
        /* One run; a warm-up is not @counted. */
        int (*once)(void *userdata, bool counted, struct fg_error *err);
        unsigned failures; /* in a row */
        bool out;          /* failed too often */
};

#define BENCH_FAILURES_MAX 3

/**
 * bench_interleave() - run all, A B C A B C, so that a drift of the machine hits all alike
 * @failed: hears of every failure
 * @stop: becomes true when no further run is wanted
 * Who fails BENCH_FAILURES_MAX times in a row is left out from then on.
 */
struct bench_rounds {
        unsigned warm_up, counted;
        void (*failed)(void *userdata, const struct fg_error *err);
        bool (*stop)(void);
};
void bench_interleave(struct bench_contender *who, size_t n, const struct bench_rounds *rounds);
