/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "vmm/libvirt.h"

/* What libvirt_vm.c, which starts VMs, and libvirt_end.c have in common. */

/* A start or a destroy on its way through the lane. */
struct fg_lv_job {
        struct fg_job job;
        struct fg_lv_job *next; /* in fg_lv_vm.ends */
        struct fg_libvirt *lv;
        char id[FG_ID_LEN + 1];
        unsigned limit_mib; /* of QEMU's process, 0: none */
        char *scratch;
        char *disks[FG_VM_DISKS_MAX];
        char *ram, *state; /* of a template; NULL: none; state NULL: it is made */
        unsigned memory_mib;
        char *netns; /* where the VM's TAP is; NULL: none */
        char *xml;
        int process;  /* pidfd of the started QEMU, -1: unknown */
        bool dead;    /* its QEMU is: libvirt is left to find that out */
        bool stopped; /* ... and has told so before */
        bool failed;
        bool rejected; /* failed before it began; the VM of this id is not this job's */
        struct fg_error err;
        fg_vmm_done_fn done;
        void *userdata;
};

struct fg_lv_job *fg_lv_job_new(struct fg_libvirt *lv, const char *id, fg_vmm_done_fn done,
                                void *userdata);
void fg_lv_job_finish(struct fg_lv_job *job); /* tells who asked, and frees it */

/** fg_lv_end_domain() - does nothing when it has ended. Lane. */
int fg_lv_end_domain(struct fg_libvirt *lv, const char *id, struct fg_error *err);
/** fg_lv_watch_process() - know at once when QEMU ends; @take_fd: its pidfd, or -1 */
void fg_lv_watch_process(struct fg_lv_vm *vm, int take_fd);
/** fg_lv_go_on() - with the ends that have nothing to wait for */
void fg_lv_go_on(struct fg_lv_vm *vm);
/** fg_lv_report_gone() - unless its end is wanted; the entry stays, for its console */
void fg_lv_report_gone(struct fg_libvirt *lv, const struct fg_lv_vm *vm);
