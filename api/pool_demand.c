/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/pool_private.h"
#include "api/run.h"
#include "api/taskdef.h"
#include "core/clock.h"
#include "core/str.h"

#define DEMAND_SECONDS 600 /* a size that no task had for so long needs no guests */
#define BURST_SECONDS  10  /* tasks that came within so long may come again */
#define OFTEN          3   /* tasks with the same images; then guests have them mounted */

/* ---- the table ---- */

static bool is(const struct pool_demand *demand, unsigned vcpus, unsigned memory_mib,
               char *const *references, size_t n)
{
        if (demand->vcpus != vcpus || demand->memory_mib != memory_mib || demand->n_references != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!fg_streq(demand->references[i], references[i]))
                        return false;
        return true;
}

/* What somebody asked for is never pushed out by what came along. */
static struct pool_demand *oldest(struct fg_pool *pool)
{
        struct pool_demand *found = NULL;

        for (size_t i = 0; i < POOL_DEMANDS_MAX; i++) {
                struct pool_demand *demand = &pool->demands[i];

                if (demand->kept == 0 && (!found || demand->last_ns < found->last_ns))
                        found = demand;
        }
        return found;
}

struct pool_demand *pool_demand_of(struct fg_pool *pool, unsigned vcpus, unsigned memory_mib,
                                   char *const *references, size_t n, bool make)
{
        struct pool_demand *demand;

        for (size_t i = 0; i < POOL_DEMANDS_MAX; i++)
                if (is(&pool->demands[i], vcpus, memory_mib, references, n))
                        return &pool->demands[i];
        demand = make ? oldest(pool) : NULL;
        if (!demand)
                return NULL;
        pool_demand_forget(demand);
        demand->vcpus = vcpus;
        demand->memory_mib = memory_mib;
        demand->n_references = n;
        for (size_t i = 0; i < n; i++)
                demand->references[i] = fg_strdup(references[i]);
        return demand;
}

void pool_demand_forget(struct pool_demand *demand)
{
        for (size_t i = 0; i < demand->n_references; i++)
                free(demand->references[i]);
        *demand = (struct pool_demand){ 0 };
}

/* ---- how many ---- */

void pool_demand_note(struct pool_demand *demand, uint64_t now)
{
        if (now - demand->last_ns > DEMAND_SECONDS * FG_NS_PER_SEC)
                demand->tasks = 0;
        if (now - demand->burst_ns > BURST_SECONDS * FG_NS_PER_SEC) {
                demand->burst_ns = now;
                demand->burst = 0;
        }
        demand->tasks++;
        demand->burst++;
        demand->last_ns = now;
}

static unsigned came(const struct pool_demand *demand, uint64_t now)
{
        if (demand->last_ns == 0 || now - demand->last_ns > DEMAND_SECONDS * FG_NS_PER_SEC)
                return 0;
        if (demand->n_references > 0 && demand->tasks < OFTEN)
                return 0;
        return now - demand->burst_ns > BURST_SECONDS * FG_NS_PER_SEC ? 1 : demand->burst;
}

unsigned pool_demand_wanted(const struct pool_demand *demand, uint64_t now)
{
        const unsigned n = came(demand, now);

        return n > demand->kept ? n : demand->kept;
}

/* What was booted for a burst serves the next one. */
unsigned pool_demand_limit(const struct pool_demand *demand, uint64_t now)
{
        const unsigned n = came(demand, now) > 0 ? demand->burst : 0;

        return n > demand->kept ? n : demand->kept;
}

enum pool_rank pool_demand_rank(const struct pool_demand *demand)
{
        if (demand->kept > 0)
                return POOL_KEPT;
        return demand->n_references > 0 ? POOL_OFTEN : POOL_PLAIN;
}

/* ---- images ---- */

/* Return: false when @list is full. */
static bool insert(char **list, size_t *n, char *take_text)
{
        size_t at = 0;

        while (at < *n && strcmp(list[at], take_text) < 0)
                at++;
        if (at < *n && fg_streq(list[at], take_text)) {
                free(take_text);
                return true;
        }
        if (*n == POOL_IMAGES_MAX) {
                free(take_text);
                return false;
        }
        memmove(&list[at + 1], &list[at], (*n - at) * sizeof(*list));
        list[at] = take_text;
        (*n)++;
        return true;
}

int pool_references(const struct fg_taskdef *def, char *ret[POOL_IMAGES_MAX], size_t *ret_n)
{
        struct fg_error ignored;

        *ret_n = 0;
        for (size_t i = 0; i < def->containers.n; i++) {
                char *text = fg_reference_normalize(def->containers.v[i].image, &ignored);

                if (text && insert(ret, ret_n, text))
                        continue;
                while (*ret_n > 0)
                        free(ret[--*ret_n]);
                return -1;
        }
        return 0;
}

static void add(struct pool_images *images, const char *manifest)
{
        size_t at = 0;

        while (at < images->n && strcmp(images->manifests[at], manifest) < 0)
                at++;
        if (at < images->n && fg_streq(images->manifests[at], manifest))
                return;
        memmove(images->manifests[at + 1], images->manifests[at],
                (images->n - at) * sizeof(images->manifests[0]));
        memcpy(images->manifests[at], manifest, sizeof(images->manifests[0]));
        images->n++;
}

const char *pool_demand_images(const struct fg_pool *pool, const struct pool_demand *demand,
                               struct pool_images *ret)
{
        struct fg_image known;

        *ret = (struct pool_images){ 0 };
        if (demand->n_references > 0 && !disks_allowed(pool->d))
                return "this fgd prepares no images (image_pull, kernel in fgd.conf)";
        for (size_t i = 0; i < demand->n_references; i++) {
                fg_autofree char *path = NULL;

                if (!fg_images_known(pool->d->images, demand->references[i], &known))
                        return "its image is not in the store";
                if (known.unprepared_why)
                        return "its image cannot be prepared";
                path = fg_images_prepared(pool->d->images, known.manifest);
                if (!path)
                        return "its image is not prepared yet";
                add(ret, known.manifest);
        }
        return NULL;
}
