/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct json_object;

/* What a container uses, from its cgroup, in the shape of Docker's stats on cgroup v2. */

struct fg_stats_source {
        const char *cgroup;    /* the container's directory */
        const char *task;      /* the task's: whose limits hold where it has none */
        const char *proc;      /* "/proc" */
        const char *interface; /* NULL: the task has none */
};

struct fg_stats_net {
        uint64_t at; /* CLOCK_REALTIME, ns; 0: not known */
        uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
        uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* What only means something as a difference. */
struct fg_stats_sample {
        uint64_t at;                               /* CLOCK_REALTIME, ns; 0: none was taken */
        uint64_t total_ns, user_ns, kernel_ns;     /* of processors */
        uint64_t periods, throttled, throttled_ns; /* of its quota */
        uint64_t system_ns;                        /* all time of all processors */
        struct fg_stats_net net;
};

/* The last two samples that were asked for; without a client nothing is sampled. */
struct fg_stats_history {
        struct fg_stats_sample last, previous;
};

/** fg_stats_take() - -1: the container has no cgroup (any more) */
int fg_stats_take(const struct fg_stats_source *src, uint64_t now_ns, struct fg_stats_sample *ret,
                  struct fg_error *err);
/**
 * fg_stats_since() - the sample to compare @now with, which becomes the last one
 * At least a second old, so that two clients do not spoil each other's differences; before there
 * is one, what must have been at @started_ns (nothing used) and, for the network, at @net_ns.
 */
struct fg_stats_sample fg_stats_since(struct fg_stats_history *h, const struct fg_stats_sample *now,
                                      uint64_t started_ns, uint64_t net_ns);
/** fg_stats_json() - @rates: with network_rate_stats (v4). The caller puts it. */
struct json_object *fg_stats_json(const struct fg_stats_source *src,
                                  const struct fg_stats_sample *now,
                                  const struct fg_stats_sample *before, bool rates);

/** fg_time_text() - RFC 3339 with nanoseconds */
#define FG_TIME_TEXT 40
void fg_time_text(uint64_t ns, char ret[FG_TIME_TEXT]);
