/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"

/* What the host can hold, and what of it is promised to tasks; what may be promised twice is
 * included. Loop only. */
struct fg_capacity {
        uint64_t cpu_units, cpu_used; /* 1024: one vCPU */
        uint64_t memory_mib, memory_used;
};

/**
 * fg_capacity_init() - from the host's CPUs and memory (or its cgroup's limit, when lower)
 * @cpu_percent, @memory_percent: of what is there; 100: nothing is promised twice
 * @reserve_mib: taken off the host's memory before
 */
void fg_capacity_init(struct fg_capacity *c, uint64_t cpu_percent, uint64_t memory_percent,
                      uint64_t reserve_mib);
/** fg_capacity_take() - reserve; -1: CAPACITY, "RESOURCE:MEMORY ..." or "RESOURCE:CPU ...". */
int fg_capacity_take(struct fg_capacity *c, uint64_t cpu_units, uint64_t memory_mib,
                     struct fg_error *err);
void fg_capacity_give(struct fg_capacity *c, uint64_t cpu_units, uint64_t memory_mib);
