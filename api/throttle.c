/* SPDX-License-Identifier: Apache-2.0 */
#include "api/throttle.h"

#include "api/daemon.h"
#include "core/clock.h"

void fg_throttle_init(struct fg_daemon *d)
{
        const struct fg_config *c = &d->config;
        uint64_t now = fg_mono_ns();

        fg_bucket_init(&d->buckets[FG_THROTTLE_LAUNCH], c->launch_burst, c->launch_per_second, now);
        fg_bucket_init(&d->buckets[FG_THROTTLE_RUN], c->run_burst, c->run_per_second, now);
}

int fg_throttle_take(struct fg_daemon *d, enum fg_throttle_class class, uint64_t n,
                     struct fg_error *err)
{
        if (fg_bucket_take(&d->buckets[class], n, fg_mono_ns()))
                return 0;
        d->throttled++;
        if (n > d->buckets[class].burst)
                return fg_fail(
                        err, FG_ERR_THROTTLED,
                        "Rate exceeded. (%llu at once never succeed: %s is %llu in fgd.conf)",
                        (unsigned long long)n,
                        class == FG_THROTTLE_LAUNCH ? "launch_burst" : "run_burst",
                        (unsigned long long)d->buckets[class].burst);
        return fg_fail(err, FG_ERR_THROTTLED, "Rate exceeded.");
}
