/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/run.h"
#include "core/log.h"
#include "core/str.h"

/*
 * Prepared images: a VM that has an image as a disk has nothing to unpack. What a reference means
 * is guessed from the store, so that the VM can boot while the registry is asked; when it means
 * something else by now, the guest unpacks the layers as if there were no disk.
 *
 * An image that nobody has prepared is left to the guest while it is tiny. Any other is prepared
 * while the VM boots, and added to it then (docs/architecture.md has the figures).
 */
#define PREPARE_FIRST_BYTES (UINT64_C(1) << 20)

/* Survives the run, as run_ref. */
struct disk_ref {
        struct run_ref *run;
        size_t index;
};

static struct fg_container *container_of(const struct run_image *image)
{
        return &image->run->task->containers[image - image->run->images];
}

bool disks_allowed(const struct fg_daemon *d)
{
        const struct fg_config *config = &d->config;
        /* has EROFS as a module only, which its guests do not load */
        bool stock = config->kernel && fg_streq(config->kernel, FG_KERNEL_STOCK);

        return !stock && !fg_streq(config->image_pull, "guest");
}

bool disks_allowed_to_all(const struct fg_daemon *d, const struct fg_taskdef *def)
{
        for (size_t i = 0; i < def->containers.n; i++) {
                const char *pull = fg_taskdef_image_pull(def, i);

                if (pull && fg_streq(pull, "guest"))
                        return false;
        }
        return disks_allowed(d);
}

static bool wanted(const struct fg_run *run, size_t container)
{
        return disks_allowed(run->d) && !fg_task_strict(run->task, container);
}

bool disks_settled(const struct fg_run *run)
{
        for (size_t i = 0; i < run->task->n_containers; i++)
                if (run->images[i].undecided || run->images[i].preparing)
                        return false;
        return true;
}

static void on_prepared(void *userdata, const char *path, const struct fg_error *err)
{
        struct disk_ref *ref = userdata;
        struct fg_run *run = run_ref_take(ref->run);
        size_t index = ref->index;

        free(ref);
        if (!run || run->ending)
                return;
        run->images[index].preparing = false;
        run->images[index].disk = fg_strdup(path);
        if (err)
                fg_log_warn("task=%s its guest unpacks %s: %s", run->task->id,
                            run->task->containers[index].def->image, err->msg);
        start_vm(run);
}

/* Return: false when there is no such image. */
static bool hold(struct run_image *image, const char *manifest)
{
        struct fg_container *c = container_of(image);

        if (fg_images_pin(image->run->d->images, manifest) < 0)
                return false;
        (void)snprintf(image->pinned, sizeof(image->pinned), "%s", manifest);
        (void)snprintf(c->disk, sizeof(c->disk), "%s", manifest);
        return true;
}

static void use(struct run_image *image, const char *manifest)
{
        struct fg_images *images = image->run->d->images;
        struct fg_error err = FG_ERROR_INIT;
        struct disk_ref *ref;

        if (!hold(image, manifest))
                return;
        image->disk = fg_images_prepared(images, manifest);
        if (image->disk)
                return;
        ref = fg_calloc(1, sizeof(*ref));
        ref->run = run_ref_new(image->run);
        ref->index = (size_t)(image - image->run->images);
        image->preparing = true;
        (void)fg_images_prepare(images, manifest, on_prepared, ref, &err); /* pinned: it is there */
}

static void decide(struct run_image *image, const struct fg_image *known)
{
        if (known->prepared || (!known->unprepared_why && known->size >= PREPARE_FIRST_BYTES))
                use(image, known->manifest);
}

void disks_mounted(struct fg_run *run)
{
        struct fg_image known;

        for (size_t i = 0; i < run->task->n_containers; i++)
                if (fg_images_known(run->d->images, run->task->containers[i].def->image, &known))
                        (void)hold(&run->images[i], known.manifest);
        run->mounted = true;
}

void disks_begin(struct fg_run *run)
{
        if (run->mounted)
                return;
        for (size_t i = 0; i < run->task->n_containers; i++) {
                struct run_image *image = &run->images[i];
                const struct fg_container *c = container_of(image);
                struct fg_image known;

                if (!wanted(run, i))
                        continue;
                if (!fg_images_known(run->d->images, c->def->image, &known))
                        image->undecided = !image->ready;
                else if (!image->ready && !known.prepared)
                        image->undecided = !known.unprepared_why;
                else if (!image->ready || fg_streq(known.manifest, c->manifest))
                        decide(image, &known);
        }
}

void disks_sized(struct run_image *image, uint64_t bytes)
{
        if (!image->undecided || bytes == 0)
                return;
        if (bytes >= PREPARE_FIRST_BYTES) {
                fg_images_prepare_ahead(image->run->d->images, image->pull);
                return;
        }
        image->undecided = false;
        start_vm(image->run);
}

void disks_pulled(struct run_image *image, const struct fg_image *result)
{
        struct fg_run *run = image->run;

        if (run->mounted && !fg_streq(result->manifest, container_of(image)->disk))
                fg_task_came(run->task, run->template[0] ? FG_WAY_RESTORED : FG_WAY_WARM,
                             "its image is another one by now");
        if (!image->undecided)
                return;
        image->undecided = false;
        decide(image, result);
        start_vm(image->run);
}

void disks_forget(struct run_image *image)
{
        if (image->pinned[0])
                fg_images_unpin(image->run->d->images, image->pinned);
        free(image->disk);
}

/* The guest knows a disk by it. */
void disks_serial(const char *manifest, char ret[FG_VM_SERIAL_LEN + 1])
{
        (void)snprintf(ret, FG_VM_SERIAL_LEN + 1, "%s", strchr(manifest, ':') + 1);
}

void disks_lost(struct fg_run *run, const char *serial)
{
        char own[FG_VM_SERIAL_LEN + 1];

        for (size_t i = 0; i < run->task->n_containers; i++) {
                struct fg_container *c = &run->task->containers[i];

                if (!c->disk[0])
                        continue;
                disks_serial(c->disk, own);
                if (fg_streq(own, serial))
                        c->disk[0] = '\0';
        }
}

static bool attached_before(const struct fg_run *run, size_t index)
{
        for (size_t i = 0; i < index; i++)
                if (fg_streq(run->task->containers[i].disk, run->task->containers[index].disk))
                        return true;
        return false;
}

size_t disks_attach(struct fg_run *run, struct fg_vm_disk ret[FG_VM_DISKS_MAX])
{
        size_t n = 0;

        for (size_t i = 0; i < run->task->n_containers; i++) {
                struct fg_container *c = &run->task->containers[i];

                if (c->disk[0] && run->images[i].disk && attached_before(run, i))
                        continue;
                if (!run->images[i].disk || n == FG_VM_DISKS_MAX) {
                        c->disk[0] = '\0';
                        continue;
                }
                ret[n].path = run->images[i].disk;
                disks_serial(c->disk, ret[n++].serial);
        }
        return n;
}

void disks_prepare_rest(struct fg_run *run)
{
        struct fg_error ignored;

        for (size_t i = 0; i < run->task->n_containers; i++) {
                const struct fg_container *c = &run->task->containers[i];
                struct fg_image known;

                if (c->disk[0] || !wanted(run, i) ||
                    !fg_images_known(run->d->images, c->def->image, &known) || known.prepared ||
                    known.unprepared_why)
                        continue;
                (void)fg_images_prepare(run->d->images, known.manifest, NULL, NULL, &ignored);
        }
}
