/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/disk.h"
#include "api/pool_private.h"
#include "core/str.h"

static struct fg_template_shape shape_of(const struct fg_pool *pool, unsigned vcpus,
                                         unsigned memory_mib, const struct pool_images *images)
{
        return (struct fg_template_shape){ .vcpus = vcpus,
                                           .memory_mib = memory_mib,
                                           .nic = fg_net_info(pool->d->net)->usable,
                                           .n_images = images->n,
                                           .manifests = images->manifests };
}

bool pool_template_find(const struct fg_pool *pool, const struct pool_demand *size,
                        const struct pool_images *images, char ret[FG_TEMPLATE_NAME_LEN + 1])
{
        const struct fg_template_shape shape = shape_of(pool, size->vcpus, size->memory_mib,
                                                        images);

        fg_templates_name(pool->d->templates, &shape, ret);
        return fg_templates_find(pool->d->templates, ret);
}

void pool_template_choose(struct pool_guest *g)
{
        const struct pool_demand size = { .vcpus = g->vcpus, .memory_mib = g->memory_mib };

        if (pool_template_find(g->pool, &size, &g->images, g->template))
                return;
        g->makes = fg_templates_begin(g->pool->d->templates, g->template);
        if (!g->makes)
                g->template[0] = '\0';
}

void pool_template_failed(const struct pool_guest *g, const char *why)
{
        if (g->template[0])
                fg_templates_drop(g->pool->d->templates, g->template, why);
}

/* ---- the making of one ---- */

static void on_copied(void *userdata, const struct fg_error *err)
{
        struct pool_guest *g = pool_ref_take(userdata);

        if (!g || g->state != POOL_SAVING)
                return;
        if (err)
                pool_template_failed(g, err->msg);
        g->saved = !err;
        pool_end(g);
}

static void on_saved(void *userdata, const char *id, const struct fg_error *err)
{
        struct pool_guest *g = pool_find(userdata, id);
        fg_autofree char *from = NULL, *to = NULL;

        if (!g || g->state != POOL_SAVING)
                return;
        if (err) {
                pool_fail(g, err->msg);
                return;
        }
        from = pool_scratch(g);
        to = fg_templates_path(g->pool->d->templates, g->template, FG_TEMPLATE_SCRATCH);
        (void)fg_disk_copy(g->pool->d->io, from, to, on_copied, pool_ref_new(g));
}

void pool_template_save(struct pool_guest *g)
{
        const struct fg_templates *templates = g->pool->d->templates;
        fg_autofree char *ram = fg_templates_path(templates, g->template, FG_TEMPLATE_RAM);
        fg_autofree char *state = fg_templates_path(templates, g->template, FG_TEMPLATE_STATE);
        const struct fg_vm_template template = { .ram = ram, .state = state };

        g->state = POOL_SAVING;
        fg_vmm_save(g->pool->d->vmm, g->id, &template, on_saved, g->pool);
}

void pool_template_ended(struct pool_guest *g)
{
        if (!g->makes)
                return;
        if (g->saved)
                fg_templates_commit(g->pool->d->templates, g->template);
        else
                fg_templates_abandon(g->pool->d->templates, g->template);
}
