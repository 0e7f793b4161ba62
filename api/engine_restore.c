/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/run.h"
#include "core/str.h"

/*
 * A task whose VM starts from a template: its scratch disk is a copy of the template's, and the
 * images that the template's guest had mounted are the same disks again. If that fails, the task
 * does not: its VM is booted.
 */

struct fg_disk_job *restore_disk(struct fg_run *run, const char *path, fg_disk_done_fn done)
{
        fg_autofree char *source = fg_templates_path(run->d->templates, run->template,
                                                     FG_TEMPLATE_SCRATCH);

        return fg_disk_copy(run->d->io, source, path, done, run_ref_new(run));
}

static bool has(const struct fg_vm_disk *disks, int n, const struct fg_vm_disk *disk)
{
        for (int i = 0; i < n; i++)
                if (fg_streq(disks[i].serial, disk->serial))
                        return true;
        return false;
}

/* Each once, and in the order of their digests, as the guests that wait have them. */
int restore_disks(struct fg_run *run, struct fg_vm_disk ret[FG_VM_DISKS_MAX])
{
        int n = 0;

        for (size_t i = 0; i < run->task->n_containers; i++) {
                struct run_image *image = &run->images[i];
                struct fg_vm_disk disk = { 0 };
                int at = n;

                if (!run->task->containers[i].disk[0]) /* it could not be pinned */
                        return -1;
                disks_serial(run->task->containers[i].disk, disk.serial);
                if (has(ret, n, &disk))
                        continue;
                image->disk = fg_images_prepared(run->d->images, run->task->containers[i].disk);
                if (!image->disk || n == FG_VM_DISKS_MAX)
                        return -1;
                disk.path = image->disk;
                for (; at > 0 && strcmp(ret[at - 1].serial, disk.serial) > 0; at--)
                        ret[at] = ret[at - 1];
                ret[at] = disk;
                n++;
        }
        return n;
}

/* ---- when it fails ---- */

/* What the guest was to have mounted is to be attached now. */
static void forget_mounted(struct fg_run *run)
{
        if (!run->mounted)
                return;
        run->mounted = false;
        for (size_t i = 0; i < run->task->n_containers; i++) {
                struct run_image *image = &run->images[i];

                disks_forget(image);
                image->disk = NULL;
                image->pinned[0] = '\0';
                run->task->containers[i].disk[0] = '\0';
        }
        disks_begin(run);
}

static void on_cleared(void *userdata, const char *id, const struct fg_error *err)
{
        struct fg_run *run = run_find(userdata, id);

        if (!run)
                return;
        run->vm_starting = false;
        if (run->ending) {
                end_continue(run);
                return;
        }
        if (err) {
                end_failed(run, "ResourceInitializationError", err);
                return;
        }
        fg_session_free(fg_take_ptr(run->session));
        run->session_down = run->vm_gone = run->vm_asked = false;
        forget_mounted(run);
        start_disk(run);
}

bool restore_failed(struct fg_run *run, const char *why)
{
        fg_autofree char *reason = NULL;

        if (!run->template[0] || run->guest_ready || run->ending || run->task->stop_wanted)
                return false;
        reason = fg_asprintf("restoring a guest failed: %s", why);
        fg_templates_drop(run->d->templates, run->template, why);
        run->template[0] = '\0';
        fg_task_came(run->task, FG_WAY_COLD, reason);
        run_set_deadline(run, 0, NULL);
        run->vm_starting = run->vm_asked = true; /* until it is gone */
        run->disk_made = false;
        fg_vmm_destroy(run->d->vmm, run->task->id, on_cleared, run->d);
        return true;
}
