/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/pool_private.h"
#include "api/run.h"
#include "core/clock.h"
#include "core/str.h"

/* What somebody asks the pool for, and what it tells of itself. */

static uint64_t room_of(const struct fg_pool *pool, unsigned memory_mib, unsigned count)
{
        return count * ((uint64_t)memory_mib + fg_vmm_info(pool->d->vmm)->overhead_mib);
}

static struct pool_demand *demand_of(struct fg_pool *pool, const struct fg_wish *wish, bool make)
{
        char *reference = (char *)wish->image;

        return pool_demand_of(pool, wish->vcpus, wish->memory_mib, &reference, 1, make);
}

static unsigned kept_before(struct fg_pool *pool, const struct fg_wish *wish)
{
        const struct pool_demand *demand = demand_of(pool, wish, false);

        return demand ? demand->kept : 0;
}

/* ---- wishes ---- */

void pool_wish_load(void *userdata, const struct fg_wish *wish)
{
        struct pool_demand *demand = demand_of(userdata, wish, true);

        if (demand)
                demand->kept = wish->count;
}

struct keeping {
        struct fg_pool *pool;
        fg_pool_kept_fn done;
        void *userdata;
};

static void on_saved(void *userdata, const struct fg_wish *wish, const struct fg_error *err)
{
        struct keeping *k = userdata;
        struct pool_demand *demand = err ? NULL : demand_of(k->pool, wish, wish->count > 0);

        k->pool->wishing--;
        if (demand && wish->count == 0)
                pool_demand_forget(demand);
        else if (demand)
                demand->kept = wish->count;
        if (!err) {
                k->pool->pace.failures = 0;
                fg_pool_refill(k->pool);
        }
        k->done(k->userdata, err);
        free(k);
}

/* With those that are on their way to the disk, as if each were another one. */
static bool is_full(const struct fg_pool *pool)
{
        unsigned kept = pool->wishing;

        for (size_t i = 0; i < POOL_DEMANDS_MAX; i++)
                kept += pool->demands[i].kept > 0;
        return kept >= POOL_DEMANDS_MAX;
}

static int check(struct fg_pool *pool, const struct fg_wish *wish, struct fg_error *err)
{
        const uint64_t room = room_of(pool, wish->memory_mib, wish->count);
        const unsigned before = kept_before(pool, wish);
        struct fg_image known;

        if (wish->count == 0)
                return before > 0 ? 0
                                  : fg_fail(err, FG_ERR_NOT_FOUND,
                                            "no guests of this size are kept with %s", wish->image);
        if (!disks_allowed(pool->d))
                return fg_fail(err, FG_ERR_CONFLICT,
                               "this fgd prepares no images (image_pull, kernel in fgd.conf)");
        if (room > pool->d->config.warm_memory_mib)
                return fg_fail(err, FG_ERR_CAPACITY,
                               "%u guests take %llu MiB; warm_memory_mib in fgd.conf allows %llu",
                               wish->count, (unsigned long long)room,
                               (unsigned long long)pool->d->config.warm_memory_mib);
        if (!fg_images_known(pool->d->images, wish->image, &known))
                return fg_fail(err, FG_ERR_NOT_FOUND, "%s is not in the store: pull it first",
                               wish->image);
        if (known.unprepared_why)
                return fg_fail(err, FG_ERR_CONFLICT, "%s cannot be prepared: %s", wish->image,
                               known.unprepared_why);
        if (before == 0 && is_full(pool))
                return fg_fail(err, FG_ERR_CAPACITY, "%d kinds of guests are kept already",
                               POOL_DEMANDS_MAX);
        return 0;
}

void fg_pool_keep(struct fg_pool *pool, const struct fg_wish *wish, fg_pool_kept_fn done,
                  void *userdata)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autofree char *reference = fg_reference_normalize(wish->image, &err);
        struct fg_wish normal = *wish;
        struct keeping *k;

        normal.image = reference;
        if (!reference || check(pool, &normal, &err) < 0) {
                done(userdata, &err);
                return;
        }
        k = fg_calloc(1, sizeof(*k));
        *k = (struct keeping){ .pool = pool, .done = done, .userdata = userdata };
        pool->wishing++;
        fg_wishes_save(pool->wishes, &normal, on_saved, k);
}

/* ---- what it tells ---- */

static struct json_object *demand_json(const struct fg_pool *pool, const struct pool_demand *demand,
                                       uint64_t now)
{
        struct json_object *obj = json_object_new_object(), *list;
        struct pool_images images;
        const char *why = pool_demand_images(pool, demand, &images);
        const size_t ready = why ? 0 : pool_count(pool, demand, &images, true);

        fg_json_set_int(obj, "vcpus", demand->vcpus);
        fg_json_set_int(obj, "memoryMiB", demand->memory_mib);
        if (demand->n_references > 0) {
                list = json_object_new_array();
                for (size_t i = 0; i < demand->n_references; i++)
                        json_object_array_add(list, json_object_new_string(demand->references[i]));
                fg_json_set(obj, "images", list);
                fg_json_set_bool(obj, "kept", demand->kept > 0);
        }
        fg_json_set_int(obj, "wanted", pool_demand_wanted(demand, now));
        fg_json_set_int(obj, "ready", (int64_t)ready);
        fg_json_set_int(obj, "booting",
                        why ? 0 : (int64_t)(pool_count(pool, demand, &images, false) - ready));
        if (room_of(pool, demand->memory_mib, demand->kept) > pool->d->config.warm_memory_mib)
                why = "warm_memory_mib in fgd.conf has no room for so many";
        fg_json_set_str(obj, "reason", why);
        return obj;
}

struct json_object *fg_pool_to_json(const struct fg_pool *pool, bool with_images_only)
{
        struct json_object *array = json_object_new_array();
        const uint64_t now = fg_mono_ns();

        for (size_t i = 0; i < POOL_DEMANDS_MAX; i++) {
                const struct pool_demand *demand = &pool->demands[i];

                if (pool_demand_wanted(demand, now) > 0 &&
                    (demand->n_references > 0 || !with_images_only))
                        json_object_array_add(array, demand_json(pool, demand, now));
        }
        return array;
}
