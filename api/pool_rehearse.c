/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/pool_private.h"
#include "api/run.h"
#include "core/log.h"
#include "core/str.h"
#include "guest-init/protocol.h"

/*
 * What a guest does before it waits: it starts a container of nothing, so that the one of its task
 * is not the first. To a plain guest the image comes with the task, as a disk; so it has seen one
 * come before, with nothing on it.
 */
#define BLANK "blank" /* no image has this serial number */

static void send_rehearse(struct pool_guest *g, const char *trial)
{
        fg_autojson *message = json_object_new_object();
        struct json_object *disks = json_object_new_array();
        struct fg_frame f = { .type = FG_FRAME_CONTROL };
        struct fg_error err = FG_ERROR_INIT;

        fg_json_set_str(message, "type", "rehearse");
        fg_json_set_str(message, "trial", trial);
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

static void on_added(void *userdata, const char *id, const struct fg_error *err)
{
        struct pool_guest *g = pool_find(userdata, id);

        if (!g || g->state != POOL_ADDING)
                return;
        g->state = POOL_REHEARSING;
        if (err)
                fg_log_debug("warm guest %s rehearses without a disk: %s", id, err->msg);
        if (g->unwanted)
                pool_end(g);
        else
                send_rehearse(g, err ? NULL : BLANK);
}

void pool_rehearse(struct pool_guest *g)
{
        const struct fg_pool *pool = g->pool;
        const struct fg_vm_disk blank = { .path = pool->blank, .serial = BLANK };

        /* A template's VM is restored as it was begun. */
        if (g->images.n > 0 || g->makes || !blank.path || !disks_allowed(pool->d)) {
                send_rehearse(g, NULL);
                return;
        }
        g->state = POOL_ADDING;
        fg_vmm_attach(pool->d->vmm, g->id, &blank, on_added, g->pool);
}

void pool_rehearse_init(struct fg_pool *pool)
{
        fg_autofree char *path = fg_asprintf("%s/blank.erofs", pool->d->config.cache_dir);
        struct fg_error err = FG_ERROR_INIT;

        if (fg_images_blank(path, &err) < 0)
                fg_log_warn("warm guests rehearse without a disk: %s", err.msg);
        else
                pool->blank = fg_take_ptr(path);
}
