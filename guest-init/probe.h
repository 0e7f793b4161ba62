/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest-init/loop.h"

#define FG_PROBE_OUTPUT_MAX 1024 /* bytes that are kept of a check's output */

struct fg_container;

/* Running the health check of a container again and again; the results go to its fg_health. */
struct fg_probe {
        struct fg_loop *loop;
        struct fg_source pipe; /* its stdout and stderr; fd -1 when closed */
        struct fg_timer next;  /* the next run */
        struct fg_timer limit; /* a run may not last longer */
        pid_t pid;             /* 0: none is running */
        uint64_t began;        /* CLOCK_MONOTONIC, ns */
        bool late;             /* killed at its limit */
        bool stale;            /* its container has ended since: the result means nothing */
        char output[FG_PROBE_OUTPUT_MAX + 1]; /* the beginning of what the last run wrote */
        size_t output_len;
};

void fg_probe_init(struct fg_probe *p, struct fg_loop *loop);
/** fg_probe_begin() - the container runs: the first check comes after one interval */
void fg_probe_begin(struct fg_container *c);
/** fg_probe_end() - the container has ended, or is being stopped: no more checks */
void fg_probe_end(struct fg_container *c);
/** fg_probe_reaped() - Return: whether @pid was this container's check */
bool fg_probe_reaped(struct fg_container *c, pid_t pid, int status);
