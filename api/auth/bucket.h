/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A token bucket: full at first, refilled at a steady rate up to its size. Exact in integers; the
 * clock is the caller's. Pure.
 */
struct fg_bucket {
        uint64_t burst;    /* tokens at most */
        uint64_t per_sec;  /* refilled; 0: no limit at all */
        uint64_t nano;     /* what is in it, in billionths of a token */
        uint64_t as_of_ns; /* CLOCK_MONOTONIC of the last look */
};

void fg_bucket_init(struct fg_bucket *b, uint64_t burst, uint64_t per_sec, uint64_t now_ns);
/** fg_bucket_take() - @n tokens or none. More than the burst are never there. */
bool fg_bucket_take(struct fg_bucket *b, uint64_t n, uint64_t now_ns);
