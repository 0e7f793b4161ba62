/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/bucket.h"

#include "core/clock.h"

void fg_bucket_init(struct fg_bucket *b, uint64_t burst, uint64_t per_sec, uint64_t now_ns)
{
        *b = (struct fg_bucket){ .burst = burst,
                                 .per_sec = per_sec,
                                 .nano = burst * FG_NS_PER_SEC,
                                 .as_of_ns = now_ns };
}

/* A token per second is a billionth of a token per nanosecond. */
static void refill(struct fg_bucket *b, uint64_t now_ns)
{
        uint64_t full = b->burst * FG_NS_PER_SEC, added;

        if (now_ns <= b->as_of_ns)
                return;
        if (__builtin_mul_overflow(now_ns - b->as_of_ns, b->per_sec, &added) ||
            added > full - b->nano)
                b->nano = full;
        else
                b->nano += added;
        b->as_of_ns = now_ns;
}

bool fg_bucket_take(struct fg_bucket *b, uint64_t n, uint64_t now_ns)
{
        if (b->per_sec == 0)
                return true;
        if (n > b->burst)
                return false;
        refill(b, now_ns);
        if (b->nano < n * FG_NS_PER_SEC)
                return false;
        b->nano -= n * FG_NS_PER_SEC;
        return true;
}
