/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* A container's restartPolicy, and how often it has been restarted. */
struct fg_restart {
        bool enabled;
        struct json_object *ignored; /* exit codes that are left alone; borrowed, may be NULL */
        uint64_t period;             /* ns a container must have run to be restarted */
        uint64_t count;
        uint64_t since; /* CLOCK_MONOTONIC of the first start or the last restart, ns */
};

/** fg_restart_init() - @spec: the container; its restartPolicy may be absent */
void fg_restart_init(struct fg_restart *r, struct json_object *spec);
/** fg_restart_wanted() - is a container that has just ended with @exit_code to be restarted? */
bool fg_restart_wanted(const struct fg_restart *r, int exit_code, uint64_t mono_now);
