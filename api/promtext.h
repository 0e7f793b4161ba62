/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

/*
 * Prometheus' text format, version 0.0.4. Values are integers; durations are kept in nanoseconds
 * and printed as seconds, exactly. The first error sticks and is returned by fg_promtext_end(), so
 * that callers are plain lists of metrics.
 *
 *   fg_promtext_family(&t, "fgrun_tasks", "gauge", "Tasks by status.");
 *   fg_promtext_value(&t, (const char *[]) { "status", "RUNNING", NULL }, 3);
 */
struct fg_promtext {
        struct fg_buf *out;
        const char *name; /* of the family; borrowed until the next one */
        struct fg_error err;
};

#define FG_PROMTEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** fg_promtext_begin() - @out: appended to; borrowed until the end. */
void fg_promtext_begin(struct fg_promtext *t, struct fg_buf *out);
/** fg_promtext_family() - @type: "counter" (@name ends in _total), "gauge" or "histogram". */
void fg_promtext_family(struct fg_promtext *t, const char *name, const char *type,
                        const char *help);
/** fg_promtext_value() - @labels: name, value, name, value, ..., NULL; or NULL for none. */
void fg_promtext_value(struct fg_promtext *t, const char *const labels[], int64_t value);
void fg_promtext_seconds(struct fg_promtext *t, const char *const labels[], uint64_t ns);
int fg_promtext_end(struct fg_promtext *t, struct fg_error *err);

/* A histogram of durations with fixed buckets, 1 ms to 5 min; zeroed is empty. */
#define FG_HISTOGRAM_BUCKETS 17

struct fg_histogram {
        uint64_t counts[FG_HISTOGRAM_BUCKETS + 1]; /* not cumulative; the last one: beyond all */
        uint64_t sum_ns;
};

void fg_histogram_observe(struct fg_histogram *h, uint64_t ns);
void fg_promtext_histogram(struct fg_promtext *t, const char *const labels[],
                           const struct fg_histogram *h);
