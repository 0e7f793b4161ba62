/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* When the pool may make another guest. Pure; times are of CLOCK_MONOTONIC. */

#define FG_PACE_FAILURES 5 /* in a row, after which only time lets another one be tried */
#define FG_PACE_LIVED_NS UINT64_C(1000000000) /* a guest that waited so long was well made */
#define FG_PACE_HOLD_NS  UINT64_C(200000000)  /* longer than a warm start's first output takes */

struct pool_pace {
        unsigned failures; /* in a row */
        uint64_t failed_ns;
        uint64_t held_ns; /* since when guests wait to be made; 0: they do not */
};

void pool_pace_failed(struct pool_pace *pace, uint64_t now);
/** pool_pace_died() - a guest that waited for its task since @ready_ns */
void pool_pace_died(struct pool_pace *pace, uint64_t ready_ns, uint64_t now);
/** pool_pace_trusts() - after failures: at once a few times, then less and less often */
bool pool_pace_trusts(const struct pool_pace *pace, uint64_t now);
/**
 * pool_pace_hold() - while a task starts, nothing is begun that would slow it down
 * Return: the nanoseconds after which to ask again, or 0: go on. Tasks that never cease to start
 * hold it for FG_PACE_HOLD_NS each time, so that it is filled under any load.
 */
uint64_t pool_pace_hold(struct pool_pace *pace, bool starting, uint64_t now);
