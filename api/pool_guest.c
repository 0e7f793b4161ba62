/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/disk.h"
#include "api/pool_private.h"
#include "api/run.h"
#include "api/taskdef.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "guest-init/protocol.h"

#define BOOT_SECONDS 120

struct pool_ref {
        struct fg_pool *pool;
        char id[FG_ID_LEN + 1];
};

struct pool_guest *pool_find(const struct fg_pool *pool, const char *id)
{
        struct pool_guest *g;

        LL_FOREACH (pool->guests, g)
                if (fg_streq(g->id, id))
                        return g;
        return NULL;
}

struct pool_ref *pool_ref_new(const struct pool_guest *g)
{
        struct pool_ref *ref = fg_calloc(1, sizeof(*ref));

        ref->pool = g->pool;
        memcpy(ref->id, g->id, sizeof(ref->id));
        return ref;
}

struct pool_guest *pool_ref_take(struct pool_ref *ref)
{
        struct pool_guest *g = pool_find(ref->pool, ref->id);

        free(ref);
        return g;
}

/* ---- room ---- */

static uint64_t room(const struct pool_guest *g)
{
        return g->memory_mib + fg_vmm_info(g->pool->d->vmm)->overhead_mib;
}

/* The CPUs of waiting guests are idle: only memory is taken. */
static bool take_room(const struct pool_guest *g)
{
        const uint64_t budget = g->pool->d->config.warm_memory_mib;
        struct fg_error ignored;
        uint64_t taken = room(g);
        const struct pool_guest *other;

        LL_FOREACH (g->pool->guests, other)
                taken += other->state == POOL_ENDING ? 0 : room(other);
        return taken <= budget &&
               fg_capacity_take(&g->pool->d->capacity, 0, room(g), &ignored) == 0;
}

void pool_give_room(const struct pool_guest *g)
{
        fg_capacity_give(&g->pool->d->capacity, 0, room(g));
}

/* ---- the end of a guest ---- */

void pool_forget(struct pool_guest *g)
{
        struct fg_pool *pool = g->pool;

        LL_DELETE(pool->guests, g);
        fg_channel_free(g->channel);
        sd_event_source_disable_unref(g->deadline);
        free(g);
        if (pool->leaving && !pool->guests && pool->left) {
                void (*left)(void *userdata) = pool->left;

                pool->left = NULL;
                left(pool->left_userdata);
        }
}

static char *dir_of(const struct pool_guest *g)
{
        return fg_asprintf("%s/tasks/%s", g->pool->d->config.state_dir, g->id);
}

char *pool_scratch(const struct pool_guest *g)
{
        return fg_asprintf("%s/tasks/%s/scratch.img", g->pool->d->config.state_dir, g->id);
}

static void on_disk_removed(void *userdata, const struct fg_error *err)
{
        struct pool_guest *g = pool_ref_take(userdata);

        if (g && err)
                fg_log_warn("the disk of warm guest %s cannot be removed: %s", g->id, err->msg);
        if (g)
                pool_forget(g);
}

static void on_detached(void *userdata, const char *id, const struct fg_error *err)
{
        struct pool_guest *g = pool_find(userdata, id);
        fg_autofree char *dir = g ? dir_of(g) : NULL;

        if (!g)
                return;
        if (err)
                fg_log_warn("the network of warm guest %s cannot be removed: %s", id, err->msg);
        fg_disk_remove(g->pool->d->io, dir, on_disk_removed, pool_ref_new(g));
}

static void on_destroyed(void *userdata, const char *id, const struct fg_error *err)
{
        struct pool_guest *g = pool_find(userdata, id);

        if (!g)
                return;
        if (err)
                fg_log_warn("warm guest %s cannot be ended: %s", id, err->msg);
        else
                pool_template_ended(g);
        fg_pool_refill(g->pool);
        if (fg_net_info(g->pool->d->net)->usable)
                fg_net_detach(g->pool->d->net, id, on_detached, g->pool);
        else
                on_detached(g->pool, id, NULL);
}

void pool_end(struct pool_guest *g)
{
        if (g->state == POOL_ENDING)
                return;
        if (g->state == POOL_MAKING) {
                g->unwanted = true;
                return;
        }
        pool_give_room(g);
        g->state = POOL_ENDING;
        fg_channel_free(g->channel);
        g->channel = NULL;
        g->deadline = sd_event_source_disable_unref(g->deadline);
        fg_vmm_destroy(g->pool->d->vmm, g->id, on_destroyed, g->pool);
}

void pool_fail(struct pool_guest *g, const char *why)
{
        if (g->state == POOL_ENDING)
                return;
        if (g->state < POOL_READY) { /* what becomes of it later is no fault of its template */
                pool_template_failed(g, why);
                pool_pace_failed(&g->pool->pace, fg_mono_ns());
        } else {
                pool_pace_died(&g->pool->pace, g->ready_ns, fg_mono_ns());
        }
        fg_log_warn("warm guest %s is given up: %s", g->id, why);
        pool_end(g);
}

/* ---- the beginning ---- */

static void on_up(void *userdata)
{
        (void)userdata;
}

/* It starts a container of nothing, so that the one of its task is not the first. */
static void rehearse(struct pool_guest *g)
{
        fg_autojson *message = json_object_new_object();
        struct json_object *disks = json_object_new_array();
        struct fg_frame f = { .type = FG_FRAME_CONTROL };
        struct fg_error err = FG_ERROR_INIT;

        fg_json_set_str(message, "type", "rehearse");
        for (size_t i = 0; i < g->images.n; i++) {
                char serial[FG_VM_SERIAL_LEN + 1];

                disks_serial(g->images.manifests[i], serial);
                json_object_array_add(disks, json_object_new_string(serial));
        }
        fg_json_set(message, "disks", disks);
        f.data = fg_json_text(message);
        f.len = strlen(f.data);
        g->state = POOL_REHEARSING;
        if (fg_channel_send(g->channel, &f, &err) < 0)
                pool_fail(g, err.msg);
}

static void on_frame(void *userdata, const struct fg_frame *f)
{
        struct fg_error ignored;
        struct pool_guest *g = userdata;
        fg_autojson *message = f->type == FG_FRAME_CONTROL
                                       ? fg_json_parse(f->data, f->len, &ignored)
                                       : NULL;

        const char *type = message ? fg_json_str(message, "type") : NULL;

        if (g->state == POOL_BOOTING && type && fg_streq(type, "hello")) {
                rehearse(g);
                return;
        }
        if (g->state != POOL_REHEARSING || !type || !fg_streq(type, "rehearsed")) {
                pool_fail(g, "it said something that it was not asked for");
                return;
        }
        if (fg_json_str(message, "error") && g->images.n > 0) {
                pool_fail(g, fg_json_str(message, "error"));
                return;
        }
        if (fg_json_str(message, "error"))
                fg_log_debug("warm guest %s could not rehearse: %s", g->id,
                             fg_json_str(message, "error"));
        if (g->makes) {
                pool_template_save(g);
                return;
        }
        g->state = POOL_READY;
        g->ready_ns = fg_mono_ns();
        g->deadline = sd_event_source_disable_unref(g->deadline);
        fg_pool_refill(g->pool);
}

static void on_down(void *userdata, const struct fg_error *err)
{
        pool_fail(userdata, err->msg);
}

static void on_writable(void *userdata)
{
        (void)userdata;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct pool_guest *g = userdata;

        (void)source;
        (void)usec;
        pool_fail(g, fg_vmm_console_tail(g->pool->d->vmm, g->id));
        return 0;
}

static void on_started(void *userdata, const char *id, const struct fg_error *err)
{
        static const struct fg_channel_ops ops = {
                .up = on_up, .frame = on_frame, .down = on_down, .writable = on_writable
        };
        struct pool_guest *g = pool_find(userdata, id);
        struct fg_error failed = FG_ERROR_INIT;

        if (!g || g->state != POOL_STARTING)
                return;
        if (err) {
                pool_fail(g, err->msg);
                return;
        }
        g->state = POOL_BOOTING;
        if (fg_channel_new(g->pool->d->vmm, id, &ops, g, &g->channel, &failed) < 0) {
                pool_fail(g, failed.msg);
                return;
        }
        (void)sd_event_add_time_relative(g->pool->d->event, &g->deadline, CLOCK_MONOTONIC,
                                         (uint64_t)BOOT_SECONDS * 1000000, 0, on_deadline, g);
}

/* Return: how many, or -1: an image has gone meanwhile. */
static int find_disks(const struct pool_guest *g, char *paths[POOL_IMAGES_MAX],
                      struct fg_vm_disk disks[POOL_IMAGES_MAX])
{
        for (size_t i = 0; i < g->images.n; i++) {
                paths[i] = fg_images_prepared(g->pool->d->images, g->images.manifests[i]);
                if (!paths[i])
                        return -1;
                disks[i].path = paths[i];
                disks_serial(g->images.manifests[i], disks[i].serial);
        }
        return (int)g->images.n;
}

static void start(struct pool_guest *g)
{
        char *paths[POOL_IMAGES_MAX] = { 0 };
        struct fg_vm_disk disks[POOL_IMAGES_MAX];
        const int n = find_disks(g, paths, disks);
        const struct fg_net_info *net = fg_net_info(g->pool->d->net);
        const struct fg_templates *templates = g->pool->d->templates;
        fg_autofree char *scratch = pool_scratch(g);
        fg_autofree char *ram = fg_templates_path(templates, g->template, FG_TEMPLATE_RAM);
        fg_autofree char *state = fg_templates_path(templates, g->template, FG_TEMPLATE_STATE);
        const struct fg_vm_template template = { .ram = ram, .state = g->makes ? NULL : state };
        struct fg_vm_nic nic = { .netns = net->namespace_path,
                                 .tap = g->nic.tap,
                                 .mac = g->nic.mac };
        struct fg_vm_spec spec = { .scratch = scratch, .disks = disks };

        memcpy(spec.id, g->id, sizeof(spec.id));
        spec.vcpus = g->vcpus;
        spec.memory_mib = g->memory_mib;
        spec.nic = net->usable ? &nic : NULL;
        spec.n_disks = n > 0 ? (size_t)n : 0;
        spec.hotplug = n == 0;
        spec.template = g->template[0] ? &template : NULL;
        if (n < 0)
                pool_end(g);
        else
                fg_vmm_start(g->pool->d->vmm, &spec, on_started, g->pool);
        for (size_t i = 0; i < POOL_IMAGES_MAX; i++)
                free(paths[i]);
}

/* Its disk or its network card is there, or cannot be had; the other one is waited for. */
static void made(struct pool_guest *g, const struct fg_error *err)
{
        if (err && !g->unwanted) {
                g->unwanted = true;
                pool_pace_failed(&g->pool->pace, fg_mono_ns());
                fg_log_warn("warm guest %s is given up: %s", g->id, err->msg);
        }
        if (!g->disk_made || !g->attached)
                return;
        g->state = POOL_STARTING;
        if (g->unwanted)
                pool_end(g);
        else
                start(g);
}

static void on_disk(void *userdata, const struct fg_error *err)
{
        struct pool_guest *g = pool_ref_take(userdata);

        if (!g)
                return;
        g->disk_made = true;
        if (err && !g->makes)
                pool_template_failed(g, err->msg);
        made(g, err);
}

static void on_attached(void *userdata, const char *id, const struct fg_net_attachment *a,
                        const struct fg_error *err)
{
        struct pool_guest *g = pool_find(userdata, id);

        if (!g)
                return;
        g->attached = true;
        if (!err)
                g->nic = *a;
        made(g, err);
}

/* As for a task that asks for nothing special. */
static int attach(struct pool_guest *g, struct fg_error *err)
{
        struct fg_daemon *d = g->pool->d;
        const struct fg_net_request plain = { .bytes_per_second = d->config.network_task_kib *
                                                                  1024 };

        g->attached = !fg_net_info(d->net)->usable;
        if (g->attached)
                return 0;
        if (fg_net_reserve(d->net, g->id, &plain, err) < 0)
                return -1;
        fg_net_attach(d->net, g->id, on_attached, g->pool);
        return 0;
}

bool pool_make(struct fg_pool *pool, const struct pool_demand *demand,
               const struct pool_images *images)
{
        struct pool_guest *g = fg_calloc(1, sizeof(*g));
        fg_autofree char *scratch = NULL, *source = NULL;
        struct fg_error err = FG_ERROR_INIT;

        g->pool = pool;
        g->vcpus = demand->vcpus;
        g->memory_mib = demand->memory_mib;
        g->images = *images;
        fg_id_new(g->id);
        if (!take_room(g)) {
                free(g);
                return false;
        }
        LL_APPEND(pool->guests, g);
        if (attach(g, &err) < 0) {
                pool_pace_failed(&pool->pace, fg_mono_ns());
                fg_log_warn("no warm guest: %s", err.msg);
                pool_give_room(g);
                pool_forget(g);
                return false;
        }
        pool_template_choose(g);
        scratch = pool_scratch(g);
        if (g->template[0] && !g->makes) {
                source = fg_templates_path(pool->d->templates, g->template, FG_TEMPLATE_SCRATCH);
                (void)fg_disk_copy(pool->d->io, source, scratch, on_disk, pool_ref_new(g));
        } else {
                (void)fg_disk_make(pool->d->io, pool->d->config.cache_dir, scratch,
                                   FG_EPHEMERAL_DEFAULT_GIB, on_disk, pool_ref_new(g));
        }
        return true;
}

void fg_pool_discard(struct fg_pool *pool, const char *id)
{
        struct pool_guest *g = fg_calloc(1, sizeof(*g));

        g->pool = pool;
        g->state = POOL_ENDING;
        memcpy(g->id, id, sizeof(g->id));
        LL_APPEND(pool->guests, g);
        fg_vmm_destroy(pool->d->vmm, g->id, on_destroyed, pool);
}
