/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

struct bench;
struct bench_peer;

/* Instances of one kind that are left behind, each doing what its word says until it is ended. */
#define BENCH_IDLE_MAX 50
struct bench_idle {
        char ids[BENCH_IDLE_MAX][96];
        unsigned n;
};

/** bench_idle_begin() - one more, and wait until it runs. */
int bench_idle_begin(struct bench *b, struct bench_peer *p, const char *word,
                     struct bench_idle *idle, struct fg_error *err);
/** bench_idle_end() - all of them, also after an interruption. */
void bench_idle_end(struct bench *b, struct bench_peer *p, struct bench_idle *idle);
