/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pool.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api/daemon.h"
#include "api/disk.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "guest-init/protocol.h"

#define BOOT_SECONDS   120
#define SIZES_MAX      8
#define DEMAND_SECONDS 600 /* a size that no task had for so long needs no guests */
#define BURST_SECONDS  10  /* tasks that came within so long may come again */
#define FAILURES_MAX   3   /* in a row; then nothing more is tried until a task starts */

/* Tasks of one size, and when they came. */
struct demand {
        unsigned vcpus, memory_mib;
        uint64_t last_ns, burst_ns; /* CLOCK_MONOTONIC */
        unsigned burst;             /* tasks since burst_ns */
};

/* MAKING: its disk; STARTING: QEMU; BOOTING: until its hello; ENDING: VM, then disk go. */
enum state { MAKING, STARTING, BOOTING, REHEARSING, READY, ENDING };

struct guest {
        struct guest *prev, *next;
        struct fg_pool *pool;
        char id[FG_ID_LEN + 1];
        unsigned vcpus, memory_mib;
        enum state state;
        bool unwanted; /* to be ended as soon as what is under way is over */
        struct fg_channel *channel;
        sd_event_source *deadline;
};

struct fg_pool {
        struct fg_daemon *d;
        struct guest *guests;
        struct demand demands[SIZES_MAX];
        unsigned failures;
        bool leaving;
        void (*left)(void *userdata);
        void *left_userdata;
};

/* A job's way back to a guest that may be gone. */
struct ref {
        struct fg_pool *pool;
        char id[FG_ID_LEN + 1];
};

static struct guest *find(const struct fg_pool *pool, const char *id)
{
        struct guest *g;

        DL_FOREACH(pool->guests, g)
        if (fg_streq(g->id, id))
                return g;
        return NULL;
}

static struct ref *ref_new(const struct guest *g)
{
        struct ref *ref = fg_calloc(1, sizeof(*ref));

        ref->pool = g->pool;
        memcpy(ref->id, g->id, sizeof(ref->id));
        return ref;
}

static struct guest *ref_take(struct ref *ref)
{
        struct guest *g = find(ref->pool, ref->id);

        free(ref);
        return g;
}

/* ---- room ---- */

static uint64_t room(const struct guest *g)
{
        return g->memory_mib + fg_vmm_info(g->pool->d->vmm)->overhead_mib;
}

/* The CPUs of waiting guests are idle: only memory is taken. */
static bool take_room(const struct guest *g)
{
        const uint64_t budget = g->pool->d->config.warm_memory_mib;
        struct fg_error ignored;
        uint64_t taken = room(g);
        const struct guest *other;

        DL_FOREACH(g->pool->guests, other)
        taken += other->state == ENDING ? 0 : room(other);
        return taken <= budget &&
               fg_capacity_take(&g->pool->d->capacity, 0, room(g), &ignored) == 0;
}

static void give_room(const struct guest *g)
{
        fg_capacity_give(&g->pool->d->capacity, 0, room(g));
}

/* ---- the end of a guest ---- */

static void forget(struct guest *g)
{
        struct fg_pool *pool = g->pool;

        DL_DELETE(pool->guests, g);
        fg_channel_free(g->channel);
        sd_event_source_disable_unref(g->deadline);
        free(g);
        if (pool->leaving && !pool->guests && pool->left) {
                void (*left)(void *userdata) = pool->left;

                pool->left = NULL;
                left(pool->left_userdata);
        }
}

static char *dir_of(const struct guest *g)
{
        return fg_asprintf("%s/tasks/%s", g->pool->d->config.state_dir, g->id);
}

static void on_disk_removed(void *userdata, const struct fg_error *err)
{
        struct guest *g = ref_take(userdata);

        if (g && err)
                fg_log_warn("the disk of warm guest %s cannot be removed: %s", g->id, err->msg);
        if (g)
                forget(g);
}

static void on_destroyed(void *userdata, const char *id, const struct fg_error *err)
{
        struct guest *g = find(userdata, id);
        fg_autofree char *dir = g ? dir_of(g) : NULL;

        if (!g)
                return;
        if (err)
                fg_log_warn("warm guest %s cannot be ended: %s", id, err->msg);
        fg_disk_remove(g->pool->d->io, dir, on_disk_removed, ref_new(g));
}

static void end(struct guest *g)
{
        if (g->state == ENDING)
                return;
        if (g->state == MAKING) {
                g->unwanted = true;
                return;
        }
        give_room(g);
        g->state = ENDING;
        fg_channel_free(g->channel);
        g->channel = NULL;
        g->deadline = sd_event_source_disable_unref(g->deadline);
        fg_vmm_destroy(g->pool->d->vmm, g->id, on_destroyed, g->pool);
}

static void fail(struct guest *g, const char *why)
{
        if (g->state == ENDING)
                return;
        g->pool->failures++;
        fg_log_warn("warm guest %s is given up: %s", g->id, why);
        end(g);
}

/* ---- the beginning ---- */

static void on_up(void *userdata)
{
        (void)userdata;
}

/* It starts a container of nothing, so that the one of its task is not the first. */
static void rehearse(struct guest *g)
{
        static const char message[] = "{\"type\":\"rehearse\"}";
        const struct fg_frame f = { .type = FG_FRAME_CONTROL,
                                    .data = message,
                                    .len = sizeof(message) - 1 };
        struct fg_error err = FG_ERROR_INIT;

        g->state = REHEARSING;
        if (fg_channel_send(g->channel, &f, &err) < 0)
                fail(g, err.msg);
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        struct fg_error ignored;
        struct guest *g = userdata;
        fg_autojson *message = f->type == FG_FRAME_CONTROL
                                       ? fg_json_parse(f->data, f->len, &ignored)
                                       : NULL;

        const char *type = message ? fg_json_str(message, "type") : NULL;

        if (g->state == BOOTING && type && fg_streq(type, "hello")) {
                rehearse(g);
                return;
        }
        if (g->state != REHEARSING || !type || !fg_streq(type, "rehearsed")) {
                fail(g, "it said something that it was not asked for");
                return;
        }
        if (fg_json_str(message, "error"))
                fg_log_debug("warm guest %s could not rehearse: %s", g->id,
                             fg_json_str(message, "error"));
        g->state = READY;
        g->pool->failures = 0;
        g->deadline = sd_event_source_disable_unref(g->deadline);
        fg_pool_refill(g->pool);
}

static void on_down(void *userdata, const struct fg_error *err)
{
        fail(userdata, err->msg);
}

static void on_writable(void *userdata)
{
        (void)userdata;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct guest *g = userdata;

        (void)source;
        (void)usec;
        fail(g, fg_vmm_console_tail(g->pool->d->vmm, g->id));
        return 0;
}

static void on_started(void *userdata, const char *id, const struct fg_error *err)
{
        static const struct fg_channel_ops ops = {
                .up = on_up, .frame = on_frame, .down = on_down, .writable = on_writable
        };
        struct guest *g = find(userdata, id);
        struct fg_error failed = FG_ERROR_INIT;

        if (!g || g->state != STARTING)
                return;
        if (err) {
                fail(g, err->msg);
                return;
        }
        g->state = BOOTING;
        if (fg_channel_new(g->pool->d->vmm, id, &ops, g, &g->channel, &failed) < 0) {
                fail(g, failed.msg);
                return;
        }
        (void)sd_event_add_time_relative(g->pool->d->event, &g->deadline, CLOCK_MONOTONIC,
                                         (uint64_t)BOOT_SECONDS * 1000000, 0, on_deadline, g);
}

static void on_disk(void *userdata, const struct fg_error *err)
{
        struct guest *g = ref_take(userdata);
        fg_autofree char *dir = g ? dir_of(g) : NULL;
        fg_autofree char *scratch = fg_asprintf("%s/scratch.img", dir ? dir : "");
        struct fg_vm_spec spec = { .scratch = scratch, .hotplug = true };

        if (!g)
                return;
        g->state = STARTING;
        if (err || g->unwanted) {
                if (err)
                        fail(g, err->msg);
                else
                        end(g);
                return;
        }
        memcpy(spec.id, g->id, sizeof(spec.id));
        spec.vcpus = g->vcpus;
        spec.memory_mib = g->memory_mib;
        fg_vmm_start(g->pool->d->vmm, &spec, on_started, g->pool);
}

static bool make(struct fg_pool *pool, const struct demand *demand)
{
        struct guest *g = fg_calloc(1, sizeof(*g));
        fg_autofree char *dir = NULL, *scratch = NULL;

        g->pool = pool;
        g->vcpus = demand->vcpus;
        g->memory_mib = demand->memory_mib;
        fg_id_new(g->id);
        if (!take_room(g)) {
                free(g);
                return false;
        }
        DL_APPEND(pool->guests, g);
        dir = dir_of(g);
        scratch = fg_asprintf("%s/scratch.img", dir);
        fg_disk_make(pool->d->io, pool->d->config.cache_dir, scratch, FG_EPHEMERAL_DEFAULT_GIB,
                     on_disk, ref_new(g));
        return true;
}

/* ---- demand ---- */

static struct demand *demand_of(struct fg_pool *pool, const struct fg_taskdef *def)
{
        const unsigned vcpus = (unsigned)((def->cpu_units + 1023) / 1024);
        struct demand *oldest = &pool->demands[0];

        for (size_t i = 0; i < SIZES_MAX; i++) {
                struct demand *demand = &pool->demands[i];

                if (demand->vcpus == vcpus && demand->memory_mib == def->memory_mib)
                        return demand;
                if (demand->last_ns < oldest->last_ns)
                        oldest = demand;
        }
        *oldest = (struct demand){ .vcpus = vcpus, .memory_mib = (unsigned)def->memory_mib };
        return oldest;
}

static void note(struct demand *demand, uint64_t now)
{
        if (now - demand->burst_ns > BURST_SECONDS * FG_NS_PER_SEC) {
                demand->burst_ns = now;
                demand->burst = 0;
        }
        demand->burst++;
        demand->last_ns = now;
}

static unsigned wanted(const struct demand *demand, uint64_t now)
{
        if (demand->last_ns == 0 || now - demand->last_ns > DEMAND_SECONDS * FG_NS_PER_SEC)
                return 0;
        return now - demand->burst_ns > BURST_SECONDS * FG_NS_PER_SEC ? 1 : demand->burst;
}

static size_t count(const struct fg_pool *pool, const struct demand *demand, bool ready_only)
{
        const struct guest *g;
        size_t n = 0;

        DL_FOREACH(pool->guests, g)
        n += g->vcpus == demand->vcpus && g->memory_mib == demand->memory_mib &&
             (ready_only ? g->state == READY : g->state != ENDING);
        return n;
}

static bool booting(const struct fg_pool *pool)
{
        const struct guest *g;

        DL_FOREACH(pool->guests, g)
        if (g->state < READY)
                return true;
        return false;
}

static void end_surplus(struct fg_pool *pool, const struct demand *demand, size_t keep)
{
        struct guest *g, *next;
        size_t n = 0;

        DL_FOREACH_SAFE(pool->guests, g, next)
        if (g->state == READY && g->vcpus == demand->vcpus && g->memory_mib == demand->memory_mib &&
            ++n > keep)
                end(g);
}

/* One at a time: a boot takes a processor from whoever else needs it. */
void fg_pool_refill(struct fg_pool *pool)
{
        const uint64_t now = fg_mono_ns();

        if (pool->leaving || pool->d->leaving || pool->d->config.warm_memory_mib == 0)
                return;
        for (size_t i = 0; i < SIZES_MAX; i++) {
                const struct demand *demand = &pool->demands[i];
                const unsigned want = wanted(demand, now);

                if (want == 0)
                        end_surplus(pool, demand, 0);
                else if (count(pool, demand, false) < want && !booting(pool) &&
                         pool->failures < FAILURES_MAX && make(pool, demand))
                        return;
        }
}

/* ---- what the engine asks for ---- */

bool fg_pool_claim(struct fg_pool *pool, const struct fg_taskdef *def, char ret_id[FG_ID_LEN + 1],
                   const char **ret_why)
{
        struct demand *demand;
        struct guest *g;

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
        DL_FOREACH(pool->guests, g)
        {
                if (g->state != READY || g->vcpus != demand->vcpus ||
                    g->memory_mib != demand->memory_mib)
                        continue;
                memcpy(ret_id, g->id, sizeof(g->id));
                give_room(g);
                forget(g);
                *ret_why = NULL;
                return true;
        }
        return false;
}

void fg_pool_discard(struct fg_pool *pool, const char *id)
{
        struct guest *g = fg_calloc(1, sizeof(*g));

        g->pool = pool;
        g->state = ENDING;
        memcpy(g->id, id, sizeof(g->id));
        DL_APPEND(pool->guests, g);
        fg_vmm_destroy(pool->d->vmm, g->id, on_destroyed, pool);
}

void fg_pool_yield(struct fg_pool *pool, uint64_t memory_mib)
{
        const struct fg_capacity *c = &pool->d->capacity;
        struct guest *g, *next;

        DL_FOREACH_SAFE(pool->guests, g, next)
        {
                if (c->memory_used + memory_mib <= c->memory_mib)
                        return;
                end(g);
        }
}

bool fg_pool_gone(struct fg_pool *pool, const char *id)
{
        struct guest *g = find(pool, id);

        if (g)
                fail(g, "its VM ended");
        return g != NULL;
}

void fg_pool_leave(struct fg_pool *pool, void (*done)(void *userdata), void *userdata)
{
        struct guest *g, *next;

        pool->leaving = true;
        if (!pool->guests) {
                done(userdata);
                return;
        }
        pool->left = done;
        pool->left_userdata = userdata;
        DL_FOREACH_SAFE(pool->guests, g, next)
        end(g);
}

struct json_object *fg_pool_to_json(const struct fg_pool *pool)
{
        struct json_object *array = json_object_new_array();
        const uint64_t now = fg_mono_ns();

        for (size_t i = 0; i < SIZES_MAX; i++) {
                const struct demand *demand = &pool->demands[i];
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
        const struct guest *g;
        size_t n = 0;

        DL_FOREACH(pool->guests, g)
        n += g->state == READY;
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
        struct guest *g, *next;

        if (!pool)
                return;
        pool->left = NULL;
        DL_FOREACH_SAFE(pool->guests, g, next)
        forget(g);
        free(pool);
}
