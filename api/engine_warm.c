/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/run.h"
#include "core/log.h"
#include "core/str.h"

/*
 * A VM that runs without its images: a warm guest that a task took over, one that was restored, or
 * one that booted while they were prepared. They are added as disks. A warm guest gets its task
 * meanwhile, and begins with all that needs no image. An image whose disk cannot be added is
 * unpacked by the guest.
 */

/* Survives the run, as run_ref. */
struct attach_ref {
        struct run_ref *run;
        char serial[FG_VM_SERIAL_LEN + 1];
};

void warm_tell_lost(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        if (!run->disk_lost || !run->task_sent || run->ending || run->session_down)
                return;
        run->disk_lost = false;
        if (fg_session_disks_lost(run->session, &err) < 0)
                end_failed(run, "ResourceInitializationError", &err);
}

static void on_lost(struct fg_run *run, const char *serial, const struct fg_error *err)
{
        fg_log_warn("task=%s its guest unpacks an image: %s", run->task->id, err->msg);
        disks_lost(run, serial);
        run->disk_lost = run->task_sent; /* else its task says so */
        warm_tell_lost(run);
}

static void on_attached(void *userdata, const char *id, const struct fg_error *err)
{
        struct attach_ref *ref = userdata;
        struct fg_run *run = run_ref_take(ref->run);

        (void)id;
        if (run && err)
                on_lost(run, ref->serial, err);
        free(ref);
        if (!run || --run->attaching > 0)
                return;
        if (run->vm_starting)
                start_vm_runs(run, NULL);
        else if (run->ending)
                end_continue(run);
}

void warm_attach(struct fg_run *run, const struct fg_vm_disk *disks, size_t n)
{
        run->attaching = (unsigned)n;
        for (size_t i = 0; i < n; i++) {
                struct attach_ref *ref = fg_calloc(1, sizeof(*ref));

                ref->run = run_ref_new(run);
                (void)snprintf(ref->serial, sizeof(ref->serial), "%s", disks[i].serial);
                fg_vmm_attach(run->d->vmm, run->task->id, &disks[i], on_attached, ref);
        }
        /* One that is restored may still fail, and is booted then. */
        if (run->vm_starting && (n == 0 || run->warm))
                start_vm_runs(run, NULL);
}
