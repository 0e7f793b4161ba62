/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pool.h"

#include <stdlib.h>
#include <string.h>

#include "api/pool_private.h"
#include "api/taskdef.h"
#include "core/clock.h"
#include "core/str.h"

#define DEMAND_SECONDS 600 /* a size that no task had for so long needs no guests */
#define BURST_SECONDS  10  /* tasks that came within so long may come again */
#define FAILURES_MAX   3   /* in a row; then nothing more is tried until a task comes */

/* ---- demand ---- */

static struct pool_demand *demand_of(struct fg_pool *pool, const struct fg_taskdef *def)
{
        const unsigned vcpus = (unsigned)((def->cpu_units + 1023) / 1024);
        struct pool_demand *oldest = &pool->demands[0];

        for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
                struct pool_demand *demand = &pool->demands[i];

                if (demand->vcpus == vcpus && demand->memory_mib == def->memory_mib)
                        return demand;
                if (demand->last_ns < oldest->last_ns)
                        oldest = demand;
        }
        *oldest = (struct pool_demand){ .vcpus = vcpus, .memory_mib = (unsigned)def->memory_mib };
        return oldest;
}

static void note(struct pool_demand *demand, uint64_t now)
{
        if (now - demand->burst_ns > BURST_SECONDS * FG_NS_PER_SEC) {
                demand->burst_ns = now;
                demand->burst = 0;
        }
        demand->burst++;
        demand->last_ns = now;
}

static unsigned wanted(const struct pool_demand *demand, uint64_t now)
{
        if (demand->last_ns == 0 || now - demand->last_ns > DEMAND_SECONDS * FG_NS_PER_SEC)
                return 0;
        return now - demand->burst_ns > BURST_SECONDS * FG_NS_PER_SEC ? 1 : demand->burst;
}

static size_t count(const struct fg_pool *pool, const struct pool_demand *demand, bool ready_only)
{
        const struct pool_guest *g;
        size_t n = 0;

        LL_FOREACH (pool->guests, g)
                n += g->vcpus == demand->vcpus && g->memory_mib == demand->memory_mib &&
                     (ready_only ? g->state == POOL_READY : g->state != POOL_ENDING);
        return n;
}

static bool booting(const struct fg_pool *pool)
{
        const struct pool_guest *g;

        LL_FOREACH (pool->guests, g)
                if (g->state < POOL_READY)
                        return true;
        return false;
}

static void end_surplus(struct fg_pool *pool, const struct pool_demand *demand, size_t keep)
{
        struct pool_guest *g, *next;
        size_t n = 0;

        LL_FOREACH_SAFE(pool->guests, g, next)
        if (g->state == POOL_READY && g->vcpus == demand->vcpus &&
            g->memory_mib == demand->memory_mib && ++n > keep)
                pool_end(g);
}

/* One at a time: a boot takes a processor from whoever else needs it. */
void fg_pool_refill(struct fg_pool *pool)
{
        const uint64_t now = fg_mono_ns();

        if (pool->leaving || pool->d->leaving || pool->d->config.warm_memory_mib == 0)
                return;
        for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
                const struct pool_demand *demand = &pool->demands[i];
                const unsigned want = wanted(demand, now);

                if (want == 0)
                        end_surplus(pool, demand, 0);
                else if (count(pool, demand, false) < want && !booting(pool) &&
                         pool->failures < FAILURES_MAX && pool_make(pool, demand))
                        return;
        }
}

/* ---- what the engine asks for ---- */

/* Is the network card of a waiting guest what a task asks for? */
static bool suits(const struct pool_guest *g, const struct fg_net_request *r)
{
        const char *group = r->n_groups == 1 ? r->groups[0] : "default";

        return r->n_ports == 0 && r->bytes_per_second == 0 && r->n_groups <= 1 &&
               (!r->subnet || fg_streq(r->subnet, "default") ||
                fg_streq(r->subnet, g->nic.subnet)) &&
               (fg_streq(group, "default") ||
                (g->nic.n_groups == 1 && fg_streq(group, g->nic.groups[0])));
}

bool fg_pool_claim(struct fg_pool *pool, const struct fg_taskdef *def,
                   const struct fg_net_request *network, char ret_id[FG_ID_LEN + 1],
                   const char **ret_why)
{
        struct pool_demand *demand;
        struct pool_guest *g;

        *ret_why = "warm guests are switched off (warm_memory_mib)";
        if (pool->d->config.warm_memory_mib == 0)
                return false;
        pool->failures = 0;
        demand = demand_of(pool, def);
        note(demand, fg_mono_ns());
        *ret_why = "warm guests have the default ephemeral storage only";
        if (fg_taskdef_storage_gib(def) != FG_EPHEMERAL_DEFAULT_GIB)
                return false;
        *ret_why = "the host has no CPUs left for it";
        if (pool->d->capacity.cpu_used + (uint64_t)def->cpu_units > pool->d->capacity.cpu_units)
                return false;
        *ret_why = "no warm guest of this size was ready";
        LL_FOREACH (pool->guests, g) {
                if (g->state == POOL_READY && !suits(g, network))
                        *ret_why = "warm guests are in the default subnet and security group only, "
                                   "without published ports or a rate limit";
                if (g->state != POOL_READY || !suits(g, network) || g->vcpus != demand->vcpus ||
                    g->memory_mib != demand->memory_mib)
                        continue;
                memcpy(ret_id, g->id, sizeof(g->id));
                pool_give_room(g);
                pool_forget(g);
                *ret_why = NULL;
                return true;
        }
        return false;
}

void fg_pool_yield(struct fg_pool *pool, uint64_t memory_mib)
{
        const struct fg_capacity *c = &pool->d->capacity;
        struct pool_guest *g, *next;

        LL_FOREACH_SAFE(pool->guests, g, next)
        {
                if (c->memory_used + memory_mib <= c->memory_mib)
                        return;
                pool_end(g);
        }
}

bool fg_pool_gone(struct fg_pool *pool, const char *id)
{
        struct pool_guest *g = pool_find(pool, id);

        if (g)
                pool_fail(g, "its VM ended");
        return g != NULL;
}

void fg_pool_leave(struct fg_pool *pool, void (*done)(void *userdata), void *userdata)
{
        struct pool_guest *g, *next;

        pool->leaving = true;
        if (!pool->guests) {
                done(userdata);
                return;
        }
        pool->left = done;
        pool->left_userdata = userdata;
        LL_FOREACH_SAFE(pool->guests, g, next)
        pool_end(g);
}

struct json_object *fg_pool_to_json(const struct fg_pool *pool)
{
        struct json_object *array = json_object_new_array();
        const uint64_t now = fg_mono_ns();

        for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
                const struct pool_demand *demand = &pool->demands[i];
                struct json_object *size;

                if (wanted(demand, now) == 0)
                        continue;
                size = json_object_new_object();
                fg_json_set_int(size, "vcpus", demand->vcpus);
                fg_json_set_int(size, "memoryMiB", demand->memory_mib);
                fg_json_set_int(size, "wanted", wanted(demand, now));
                fg_json_set_int(size, "ready", (int64_t)count(pool, demand, true));
                fg_json_set_int(size, "booting",
                                (int64_t)(count(pool, demand, false) - count(pool, demand, true)));
                json_object_array_add(array, size);
        }
        return array;
}

size_t fg_pool_ready(const struct fg_pool *pool)
{
        const struct pool_guest *g;
        size_t n = 0;

        LL_FOREACH (pool->guests, g)
                n += g->state == POOL_READY;
        return n;
}

struct fg_pool *fg_pool_new(struct fg_daemon *d)
{
        struct fg_pool *pool = fg_calloc(1, sizeof(*pool));

        pool->d = d;
        return pool;
}

void fg_pool_free(struct fg_pool *pool)
{
        struct pool_guest *g, *next;

        if (!pool)
                return;
        pool->left = NULL;
        LL_FOREACH_SAFE(pool->guests, g, next)
        pool_forget(g);
        free(pool);
}
