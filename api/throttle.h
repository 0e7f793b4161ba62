/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"

struct fg_daemon;

/* What there is only so much of per second, for all clients together. Loop only. */
enum fg_throttle_class {
        FG_THROTTLE_LAUNCH, /* tasks that are started, one token each */
        FG_THROTTLE_RUN,    /* requests that start tasks (RunTask), one token each */
        FG_THROTTLE_N
};

/** fg_throttle_init() - full buckets, as large as the configuration says. */
void fg_throttle_init(struct fg_daemon *d);
/** fg_throttle_take() - @n of one kind, or -1: THROTTLED, "Rate exceeded.", and why when it will
 * always be; then nothing is taken. */
int fg_throttle_take(struct fg_daemon *d, enum fg_throttle_class class, uint64_t n,
                     struct fg_error *err);
