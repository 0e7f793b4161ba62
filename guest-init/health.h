/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct json_object;

enum fg_health_status { FG_HEALTH_UNKNOWN, FG_HEALTH_HEALTHY, FG_HEALTH_UNHEALTHY };

/*
 * What the results of a container's health check mean; running the checks is probe.h. The rules are
 * Docker's, which are ECS's: a failure counts once the start period is over or a check has
 * succeeded, `retries` of them in a row are UNHEALTHY, one success is HEALTHY.
 */
struct fg_health {
        struct json_object *argv; /* owned; NULL: the container has no health check */
        uint64_t interval, timeout, start_period; /* ns */
        uint64_t retries;
        enum fg_health_status status;
        uint64_t since;    /* CLOCK_REALTIME of the status, ns; 0: before the first run */
        uint64_t started;  /* CLOCK_MONOTONIC of the container's (last) start, ns */
        uint64_t failures; /* that count, in a row */
        int exit_code;     /* of the last check; -1: none has ended */
};

/** fg_health_init() - @spec: the container; its healthCheck may be absent */
void fg_health_init(struct fg_health *h, struct json_object *spec);
void fg_health_finish(struct fg_health *h);
/** fg_health_begin() - the container runs, from now on; nothing is known of it any more */
void fg_health_begin(struct fg_health *h, uint64_t mono_now, uint64_t now);
/**
 * fg_health_note() - a check has ended
 * @exit_code: 0 is success
 * @began:     CLOCK_MONOTONIC, ns
 * @now:       CLOCK_REALTIME, ns
 */
void fg_health_note(struct fg_health *h, int exit_code, uint64_t began, uint64_t now);
const char *fg_health_name(enum fg_health_status status); /* "HEALTHY" */
