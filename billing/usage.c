/* SPDX-License-Identifier: Apache-2.0 */
#include "billing/billing.h"

#include "core/clock.h"

#define MINIMUM_SECONDS  60
#define FREE_STORAGE_GIB 20

static uint64_t saturate(unsigned __int128 v)
{
        return v > INT64_MAX ? INT64_MAX : (uint64_t)v; /* the ledger's integers are signed */
}

static uint64_t billed_seconds(uint64_t start_ns, uint64_t end_ns)
{
        uint64_t ns = end_ns > start_ns ? end_ns - start_ns : 0;
        uint64_t seconds = ns / FG_NS_PER_SEC + (ns % FG_NS_PER_SEC != 0);

        return seconds < MINIMUM_SECONDS ? MINIMUM_SECONDS : seconds;
}

/*
 * A vCPU is 1024 units, so one second of n units is n * 125 / 128 vCPU-milliseconds: exact for
 * every Fargate size (a multiple of 256), rounded up for any other.
 */
void fg_usage_of(uint64_t start_ns, uint64_t end_ns, unsigned cpu_units, unsigned memory_mib,
                 unsigned storage_gib, struct fg_usage *ret)
{
        uint64_t seconds = billed_seconds(start_ns, end_ns);
        uint64_t paid_gib = storage_gib > FREE_STORAGE_GIB ? storage_gib - FREE_STORAGE_GIB : 0;
        unsigned __int128 ms = (unsigned __int128)seconds * 1000;

        *ret = (struct fg_usage){
                .seconds = seconds,
                .vcpu_ms = saturate((cpu_units * ms + 1023) / 1024),
                .memory_mib_ms = saturate(memory_mib * ms),
                .storage_mib_ms = saturate(paid_gib * 1024 * ms),
        };
}
