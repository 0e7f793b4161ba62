/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "api/pool_private.h"
#include "api/run.h"
#include "api/taskdef.h"
#include "core/clock.h"
#include "core/str.h"

#define RESTORES_MAX     8 /* at once */
#define START_SECONDS    1 /* what has written nothing by then may never */
#define TIMER_EXACT_USEC 1000

/* ---- how many ---- */

static bool serves(const struct pool_guest *g, const struct pool_demand *demand,
                   const struct pool_images *images)
{
        return g->vcpus == demand->vcpus && g->memory_mib == demand->memory_mib &&
               memcmp(&g->images, images, sizeof(*images)) == 0;
}

size_t pool_count(const struct fg_pool *pool, const struct pool_demand *demand,
                  const struct pool_images *images, bool ready_only)
{
        const struct pool_guest *g;
        size_t n = 0;

        LL_FOREACH (pool->guests, g)
                n += serves(g, demand, images) &&
                     (ready_only ? g->state == POOL_READY : g->state != POOL_ENDING);
        return n;
}

/* A boot takes a processor from whoever else needs it, and so they come one at a time; a restore is
   soon over. */
static bool may_make(const struct fg_pool *pool)
{
        const int at_once = get_nprocs() < RESTORES_MAX ? get_nprocs() : RESTORES_MAX;
        const struct pool_guest *g;
        int restoring = 0;

        LL_FOREACH (pool->guests, g) {
                if (g->state >= POOL_READY)
                        continue;
                if (g->makes || !g->template[0])
                        return false;
                restoring++;
        }
        return restoring < at_once;
}

/* The first in rank that wants such a guest. NULL: nobody does, or enough of them wait before it.
 */
static const struct pool_demand *wanted_by(const struct fg_pool *pool, const struct pool_guest *g,
                                           uint64_t now)
{
        const struct pool_demand *best = NULL;
        const struct pool_guest *other;

        for (size_t i = 0; i < POOL_DEMANDS_MAX; i++) {
                const struct pool_demand *demand = &pool->demands[i];
                struct pool_images images;
                unsigned before = 0;

                if (pool_demand_limit(demand, now) == 0 ||
                    pool_demand_images(pool, demand, &images) || !serves(g, demand, &images))
                        continue;
                for (other = pool->guests; other != g; other = other->next)
                        before += other->state == POOL_READY && serves(other, demand, &images);
                if (before < pool_demand_limit(demand, now) &&
                    (!best || pool_demand_rank(demand) < pool_demand_rank(best)))
                        best = demand;
        }
        return best;
}

/* Also those whose image is gone, or means something else by now. */
static void end_surplus(struct fg_pool *pool, uint64_t now)
{
        struct pool_guest *g, *next;

        LL_FOREACH_SAFE(pool->guests, g, next)
        if (g->state == POOL_READY && !wanted_by(pool, g, now))
                pool_end(g);
}

/* A guest that matters less makes way. Return: false when there is none. */
static bool replace(struct fg_pool *pool, enum pool_rank rank, uint64_t now)
{
        struct pool_guest *g;

        LL_FOREACH (pool->guests, g) {
                const struct pool_demand *demand = wanted_by(pool, g, now);

                if (g->state != POOL_READY || (demand && pool_demand_rank(demand) <= rank))
                        continue;
                pool_end(g);
                return true;
        }
        return false;
}

static void on_prepared(void *userdata, const char *path, const struct fg_error *err)
{
        struct fg_daemon *d = userdata;

        (void)path;
        if (!d->pool)
                return;
        d->pool->preparing = false;
        if (!err)
                fg_pool_refill(d->pool);
}

static void prepare(struct fg_pool *pool, const struct pool_demand *demand)
{
        struct fg_error ignored;
        struct fg_image known;

        if (!disks_allowed(pool->d))
                return;
        for (size_t i = 0; i < demand->n_references && !pool->preparing; i++) {
                fg_autofree char *path = NULL;

                if (!fg_images_known(pool->d->images, demand->references[i], &known) ||
                    known.unprepared_why)
                        return;
                path = fg_images_prepared(pool->d->images, known.manifest);
                pool->preparing = !path && fg_images_prepare(pool->d->images, known.manifest,
                                                             on_prepared, pool->d, &ignored) == 0;
        }
}

/* Return: whether a guest is being made now. */
static bool fill(struct fg_pool *pool, const struct pool_demand *demand, uint64_t now)
{
        const unsigned failures = pool->pace.failures;
        struct pool_images images;

        if (pool_demand_wanted(demand, now) == 0)
                return false;
        if (pool_demand_images(pool, demand, &images)) {
                prepare(pool, demand);
                return false;
        }
        if (pool_count(pool, demand, &images, false) >= pool_demand_wanted(demand, now))
                return false;
        while (!pool_make(pool, demand, &images))
                if (pool->pace.failures > failures || !replace(pool, pool_demand_rank(demand), now))
                        return false;
        return true;
}

/* The first in rank that wants one more. Return: false when there is none. */
static bool fill_first(struct fg_pool *pool, uint64_t now)
{
        for (enum pool_rank rank = 0; rank < POOL_RANKS; rank++)
                for (size_t i = 0; i < POOL_DEMANDS_MAX; i++)
                        if (pool_demand_rank(&pool->demands[i]) == rank &&
                            fill(pool, &pool->demands[i], now))
                                return true;
        return false;
}

static bool is_starting(const struct fg_daemon *d, bool only_warm)
{
        const uint64_t now = fg_now_ns();

        for (const struct fg_run *run = d->runs; run; run = run->hh.next)
                if (!run->ending && (run->warm || !only_warm) &&
                    run->task->phase_ns[FG_PHASE_FIRST_OUTPUT] == 0 &&
                    now - run->task->created_ns < START_SECONDS * FG_NS_PER_SEC)
                        return true;
        return false;
}

static int on_held(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_pool *pool = userdata;

        (void)source;
        (void)usec;
        pool->held = sd_event_source_disable_unref(pool->held);
        fg_pool_refill(pool);
        return 0;
}

/* Where no guest waits any more, only a task that found one is worth that the next may not. */
static bool is_held(struct fg_pool *pool, uint64_t now)
{
        const bool starting = is_starting(pool->d, fg_pool_ready(pool) == 0);
        const uint64_t wait = pool_pace_hold(&pool->pace, starting, now);

        if (wait > 0 && !pool->held)
                (void)sd_event_add_time_relative(pool->d->event, &pool->held, CLOCK_MONOTONIC,
                                                 wait / 1000 + 1, TIMER_EXACT_USEC, on_held, pool);
        return wait > 0;
}

void fg_pool_refill(struct fg_pool *pool)
{
        const uint64_t now = fg_mono_ns();

        if (pool->leaving || pool->d->leaving || pool->d->config.warm_memory_mib == 0)
                return;
        end_surplus(pool, now);
        if (is_held(pool, now))
                return;
        while (pool_pace_trusts(&pool->pace, now) && may_make(pool) && fill_first(pool, now))
                continue;
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

/* Return: what its images are, once guests have them mounted; NULL: ret->why says why not. */
static struct pool_demand *with_images(struct fg_pool *pool, const struct fg_taskdef *def,
                                       struct pool_images *images, const char **ret_why)
{
        const unsigned vcpus = (unsigned)((def->cpu_units + 1023) / 1024);
        char *references[POOL_IMAGES_MAX];
        struct pool_demand *demand;
        size_t n;

        *ret_why = "the host does not prepare all of its images";
        if (!disks_allowed_to_all(pool->d, def))
                return NULL;
        *ret_why = "it has more images than a warm guest has";
        if (pool_references(def, references, &n) < 0)
                return NULL;
        demand = pool_demand_of(pool, vcpus, (unsigned)def->memory_mib, references, n, true);
        while (n > 0)
                free(references[--n]);
        *ret_why = "too many guests with other images are kept";
        if (!demand)
                return NULL;
        pool_demand_note(demand, fg_mono_ns());
        *ret_why = pool_demand_images(pool, demand, images);
        return demand;
}

/* Tasks whose images guests have mounted want no others. */
static void note_size(struct fg_pool *pool, const struct fg_taskdef *def,
                      const struct pool_demand *with)
{
        const unsigned vcpus = (unsigned)((def->cpu_units + 1023) / 1024);
        const uint64_t now = fg_mono_ns();
        struct pool_demand *plain;

        if (with && pool_demand_wanted(with, now) > 0)
                return;
        plain = pool_demand_of(pool, vcpus, (unsigned)def->memory_mib, NULL, 0, true);
        if (plain)
                pool_demand_note(plain, now);
}

/* Return: a waiting guest of that size with exactly these images; NULL: *ret_why. */
static struct pool_guest *find(const struct fg_pool *pool, const struct pool_demand *demand,
                               const struct pool_images *images,
                               const struct fg_net_request *network, const char **ret_why)
{
        struct pool_guest *g;

        *ret_why = images->n > 0 ? "no warm guest with its image was ready"
                                 : "no warm guest of this size was ready";
        LL_FOREACH (pool->guests, g) {
                if (g->state != POOL_READY || !serves(g, demand, images))
                        continue;
                if (suits(g, network))
                        return g;
                *ret_why = "warm guests are in the default subnet and security group only, "
                           "without published ports or a rate limit";
        }
        return NULL;
}

static bool possible(const struct fg_pool *pool, const struct fg_taskdef *def, const char **ret_why)
{
        *ret_why = "warm guests have the default ephemeral storage only";
        if (fg_taskdef_storage_gib(def) != FG_EPHEMERAL_DEFAULT_GIB)
                return false;
        *ret_why = "the host has no CPUs left for it";
        return pool->d->capacity.cpu_used + (uint64_t)def->cpu_units <= pool->d->capacity.cpu_units;
}

static enum fg_way fastest_of(const struct fg_taskdef *def)
{
        enum fg_way way = FG_WAY_WARM_IMAGE;

        if (def->fgrun && def->fgrun->start)
                (void)fg_way_parse(def->fgrun->start, &way); /* it has been checked */
        return way;
}

/* No guest waits, but there is what one was. @images: of the task, NULL: not known or prepared. */
static void restore(const struct fg_pool *pool, const struct pool_demand *size,
                    const struct pool_images *images, struct fg_pool_claim *ret)
{
        const struct pool_images none = { 0 };

        ret->mounted = images && pool_template_find(pool, size, images, ret->template);
        if (ret->mounted || pool_template_find(pool, size, &none, ret->template))
                ret->way = FG_WAY_RESTORED;
        else
                ret->template[0] = '\0';
}

void fg_pool_claim(struct fg_pool *pool, const struct fg_taskdef *def,
                   const struct fg_net_request *network, struct fg_pool_claim *ret)
{
        const struct pool_demand size = { .vcpus = (unsigned)((def->cpu_units + 1023) / 1024),
                                          .memory_mib = (unsigned)def->memory_mib };
        static const char said[] = "fgrun.start of the task says so";
        const char *no_images, *no_guest = said;
        const enum fg_way fastest = fastest_of(def);
        struct pool_images images, none = { 0 };
        struct pool_guest *g = NULL;
        struct pool_demand *with;
        bool known;

        *ret = (struct fg_pool_claim){ .way = FG_WAY_COLD };
        ret->why = "warm guests are switched off (warm_memory_mib)";
        if (pool->d->config.warm_memory_mib == 0)
                return;
        pool->pace.failures = 0;
        with = with_images(pool, def, &images, &no_images);
        note_size(pool, def, with);
        if (!possible(pool, def, &ret->why))
                return;
        known = with && !no_images;
        if (fastest > FG_WAY_WARM_IMAGE)
                no_images = said;
        else if (known)
                g = find(pool, &size, &images, network, &no_images);
        ret->way = g ? FG_WAY_WARM_IMAGE : FG_WAY_WARM;
        ret->why = g ? NULL : no_images;
        if (!g && fastest <= FG_WAY_WARM)
                g = find(pool, &size, &none, network, &no_guest);
        if (!g) {
                ret->way = FG_WAY_COLD;
                ret->why = no_guest;
                if (fastest <= FG_WAY_RESTORED)
                        restore(pool, &size, known ? &images : NULL, ret);
                return;
        }
        memcpy(ret->id, g->id, sizeof(g->id));
        pool_give_room(g);
        pool_forget(g);
}

/* ---- as the daemon has it ---- */

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

size_t fg_pool_ready(const struct fg_pool *pool)
{
        const struct pool_guest *g;
        size_t n = 0;

        LL_FOREACH (pool->guests, g)
                n += g->state == POOL_READY;
        return n;
}

int fg_pool_new(struct fg_daemon *d, struct fg_pool **ret, struct fg_error *err)
{
        fg_cleanup(fg_pool_freep) struct fg_pool *pool = fg_calloc(1, sizeof(*pool));

        pool->d = d;
        if (fg_wishes_new(d->event, d->config.state_dir, pool_wish_load, pool, &pool->wishes, err) <
            0)
                return -1;
        *ret = fg_take_ptr(pool);
        return 0;
}

void fg_pool_close(struct fg_pool *pool)
{
        struct pool_guest *g, *next;

        if (!pool)
                return;
        pool->leaving = true;
        pool->left = NULL;
        pool->held = sd_event_source_disable_unref(pool->held);
        fg_wishes_free(fg_take_ptr(pool->wishes));
        LL_FOREACH_SAFE(pool->guests, g, next)
        pool_forget(g);
}

void fg_pool_free(struct fg_pool *pool)
{
        for (size_t i = 0; pool && i < POOL_DEMANDS_MAX; i++)
                pool_demand_forget(&pool->demands[i]);
        free(pool);
}
