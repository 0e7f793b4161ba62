/* SPDX-License-Identifier: Apache-2.0 */
#include "api/capacity.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/str.h"

#define UNITS_PER_VCPU 1024
#define MIB            (UINT64_C(1) << 20)

/* A number in a file of the cgroup tree; UINT64_MAX for "max", for none, for unreadable. */
static uint64_t read_limit(const char *path)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(64);
        struct fg_error err = FG_ERROR_INIT;
        uint64_t n;

        if (fg_buf_read_file(&text, path, &err) < 0 || text.len == 0)
                return UINT64_MAX;
        if (text.data[text.len - 1] == '\n')
                text.data[text.len - 1] = '\0';
        return fg_parse_u64(text.data, &n) ? n : UINT64_MAX;
}

static uint64_t min(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* More may be promised than there is: tasks of an earlier life on a host that has shrunk. */
static uint64_t room(uint64_t all, uint64_t used)
{
        return all > used ? all - used : 0;
}

void fg_capacity_init(struct fg_capacity *c, uint64_t cpu_percent, uint64_t memory_percent,
                      uint64_t reserve_mib)
{
        uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
        uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

        bytes = min(bytes, read_limit("/sys/fs/cgroup/memory.max"));
        bytes = min(bytes, read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
        *c = (struct fg_capacity){
                .cpu_units = cpus * UNITS_PER_VCPU * cpu_percent / 100,
                .memory_mib = room(bytes / MIB, reserve_mib) * memory_percent / 100,
        };
}

int fg_capacity_take(struct fg_capacity *c, uint64_t cpu_units, uint64_t memory_mib,
                     struct fg_error *err)
{
        if (memory_mib > room(c->memory_mib, c->memory_used))
                return fg_fail(
                        err, FG_ERR_CAPACITY,
                        "RESOURCE:MEMORY: the task needs %llu MiB, %llu of %llu MiB are free",
                        (unsigned long long)memory_mib,
                        (unsigned long long)room(c->memory_mib, c->memory_used),
                        (unsigned long long)c->memory_mib);
        if (cpu_units > room(c->cpu_units, c->cpu_used))
                return fg_fail(err, FG_ERR_CAPACITY,
                               "RESOURCE:CPU: the task needs %llu CPU units, %llu of %llu are free"
                               " (see vcpu_overcommit_percent)",
                               (unsigned long long)cpu_units,
                               (unsigned long long)room(c->cpu_units, c->cpu_used),
                               (unsigned long long)c->cpu_units);
        c->memory_used += memory_mib;
        c->cpu_used += cpu_units;
        return 0;
}

void fg_capacity_give(struct fg_capacity *c, uint64_t cpu_units, uint64_t memory_mib)
{
        assert(c->memory_used >= memory_mib && c->cpu_used >= cpu_units);
        c->memory_used -= memory_mib;
        c->cpu_used -= cpu_units;
}
