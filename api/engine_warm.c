/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/run.h"
#include "core/log.h"
#include "core/str.h"

/*
 * A task that took over a warm guest: the VM runs, its scratch disk is in it, and its images, where
 * they are prepared, are added while it runs.
 */

/* Survives the run, as run_ref. */
struct attach_ref {
        struct run_ref *run;
        char serial[FG_VM_SERIAL_LEN + 1];
};

static void on_attached(void *userdata, const char *id, const struct fg_error *err)
{
        struct attach_ref *ref = userdata;
        struct fg_run *run = run_ref_take(ref->run);

        (void)id;
        if (run && err) {
                fg_log_warn("task=%s its guest unpacks an image: %s", run->task->id, err->msg);
                disks_lost(run, ref->serial);
        }
        free(ref);
        if (run && --run->attaching == 0)
                start_vm_runs(run, NULL);
}

void warm_attach(struct fg_run *run, const struct fg_vm_disk *disks, size_t n)
{
        run->attaching = (unsigned)n;
        if (n == 0)
                start_vm_runs(run, NULL);
        for (size_t i = 0; i < n; i++) {
                struct attach_ref *ref = fg_calloc(1, sizeof(*ref));

                ref->run = run_ref_new(run);
                (void)snprintf(ref->serial, sizeof(ref->serial), "%s", disks[i].serial);
                fg_vmm_attach(run->d->vmm, run->task->id, &disks[i], on_attached, ref);
        }
}
