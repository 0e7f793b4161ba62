/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"

/* One epoll loop. Sources and timers are embedded in what they serve and found by container_of. */

struct fg_source {
        int fd; /* owned by whoever embeds the source */
        void (*ready)(struct fg_source *s, uint32_t events);
};

struct fg_timer {
        uint64_t deadline; /* CLOCK_MONOTONIC, ns; 0: off */
        void (*fire)(struct fg_timer *t);
        struct fg_timer *next;
};

struct fg_loop {
        int epoll;
        struct fg_timer *timers; /* all that were ever added; few */
};

int fg_loop_init(struct fg_loop *l, struct fg_error *err);
int fg_loop_add(struct fg_loop *l, struct fg_source *s, uint32_t events, struct fg_error *err);
/** fg_loop_del() - to be called before the descriptor is closed */
void fg_loop_del(struct fg_loop *l, struct fg_source *s);
void fg_loop_add_timer(struct fg_loop *l, struct fg_timer *t);
/** fg_loop_step() - wait for one event or timer and serve it */
void fg_loop_step(struct fg_loop *l);
