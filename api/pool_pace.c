/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pool_pace.h"

#include "core/clock.h"

#define RETRY_SECONDS 60
#define DOUBLINGS_MAX 6 /* at last once an hour */

void pool_pace_failed(struct pool_pace *pace, uint64_t now)
{
        pace->failures++;
        pace->failed_ns = now;
}

void pool_pace_died(struct pool_pace *pace, uint64_t ready_ns, uint64_t now)
{
        if (now - ready_ns >= FG_PACE_LIVED_NS)
                pace->failures = 0;
        else
                pool_pace_failed(pace, now);
}

bool pool_pace_trusts(const struct pool_pace *pace, uint64_t now)
{
        unsigned over;

        if (pace->failures < FG_PACE_FAILURES)
                return true;
        over = pace->failures - FG_PACE_FAILURES;
        if (over > DOUBLINGS_MAX)
                over = DOUBLINGS_MAX;
        return now - pace->failed_ns >= (RETRY_SECONDS * FG_NS_PER_SEC) << over;
}

uint64_t pool_pace_hold(struct pool_pace *pace, bool starting, uint64_t now)
{
        if (starting && pace->held_ns == 0)
                pace->held_ns = now;
        if (starting && now - pace->held_ns < FG_PACE_HOLD_NS)
                return FG_PACE_HOLD_NS - (now - pace->held_ns);
        pace->held_ns = 0;
        return 0;
}
