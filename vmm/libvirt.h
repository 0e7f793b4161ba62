/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/lane.h"
#include "core/table.h"
#include "vmm/backend.h"
#include "vmm/console.h"
#include "vmm/domain.h"
#include "vmm/kernel.h"
#include "vmm/qemu_user.h"
#include "vmm/virt.h"

/* The libvirt backend: libvirt.c connects, libvirt_vm.c starts and adopts
   VMs, libvirt_end.c ends them, libvirt_attach.c adds disks to them, libvirt_list.c finds them,
   libvirt_cpu.c limits them, libvirt_disk.c is there when a disk is full or fails,
   libvirt_template.c saves and restores them. */

struct fg_lv_job;

/* A VM we have started or adopted. Loop only. */
struct fg_lv_vm {
        char id[FG_ID_LEN + 1]; /* key */
        struct fg_libvirt *lv;
        bool starting;          /* a lane is at it: whatever ends the VM waits for start_done() */
        bool destroying;        /* its end is wanted: not reported as gone */
        struct fg_lv_job *ends; /* destroys that wait for the end of the start, or of QEMU */
        struct fg_console *console; /* NULL when it could not be reached */
        bool full;                  /* QEMU has paused it: its disk is full */
        sd_event_source *process;   /* QEMU's pidfd; NULL: on another machine */
        bool adopted;
        bool dead;    /* QEMU has ended, perhaps unreaped */
        bool stopped; /* ... and libvirt has said so */
        bool gone, crashed;
        unsigned attached;  /* disks that were added */
        const char *reason; /* static text */
        UT_hash_handle hh;
};

/* A VM that has been destroyed, while libvirt is still about to learn of its end. Loop only. */
struct fg_lv_end {
        char id[FG_ID_LEN + 1]; /* key */
        UT_hash_handle hh;
};

struct fg_libvirt {
        struct fg_vmm base;
        fg_vmm_gone_fn gone; /* NULL once the backend is being freed */
        void *userdata;
        struct fg_lv_vm *vms;
        struct fg_lv_end *ends;
        sd_event_source *room; /* looks for room on the disk while a VM waits for it */

        /* Set before the first lane thread runs, constant from then on. */
        struct fg_virt_loop *loop;
        virConnectPtr conn; /* locks itself */
        int lifecycle;      /* callback ids, -1: none */
        int disk_errors;
        bool limits; /* limit the memory of QEMU's process */
        struct fg_qemu_user user;
        struct fg_boot_files boot;
        struct fg_domain_config domain;
        char *owner, *cmdline;
        char *state_dir;
        char *pid_dir;        /* where libvirt writes the pids of QEMUs; NULL: on another machine */
        char *root;           /* of the embedded driver; NULL: a driver that is not ours */
        struct fg_lane *lane; /* blocking calls */
        struct fg_lane *mail; /* no threads: carries events to the loop */
};

/* libvirt_template.c */
/** fg_lv_template_key() - into info; part of connecting */
int fg_lv_template_key(struct fg_libvirt *lv, struct fg_error *err);
/** fg_lv_template_new() - the file for the RAM of a VM that makes a template. Lane. */
int fg_lv_template_new(const struct fg_libvirt *lv, const char *path, unsigned mib,
                       struct fg_error *err);
/** fg_lv_template_load() - let a VM that waits for its state have it, and run. Lane. */
int fg_lv_template_load(virDomainPtr dom, const char *path, struct fg_error *err);
void fg_lv_save(struct fg_vmm *vmm, const char *id, const struct fg_vm_template *template,
                fg_vmm_done_fn done, void *userdata);

void fg_lv_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                 void *userdata);
void fg_lv_attach(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                  fg_vmm_done_fn done, void *userdata);
/** fg_lv_show_disk() - let QEMU's user read a file that stays ours. Any thread. */
int fg_lv_show_disk(const struct fg_libvirt *lv, const char *path, struct fg_error *err);
void fg_lv_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata);
void fg_lv_limit_cpu(struct fg_vmm *vmm, const char *id, unsigned units, fg_vmm_done_fn done,
                     void *userdata);
void fg_lv_list(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata);

/** fg_lv_find_all() - our VMs on this connection. Return: their number, or -1. Any thread. */
int fg_lv_find_all(struct fg_libvirt *lv, struct fg_vm **ret, struct fg_error *err);
/** fg_lv_adopt() - wait until libvirt has its monitor again, then watch it. Start-up only. */
void fg_lv_adopt(struct fg_libvirt *lv, const char *id);
/** fg_lv_pid() - of a VM's QEMU, 0: unknown. Reads a file; cheap. */
pid_t fg_lv_pid(const struct fg_libvirt *lv, const char *id);
/** fg_lv_on_lifecycle() - libvirt's callback; runs on its event thread. */
int fg_lv_on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *userdata);
void fg_lv_vm_free(struct fg_libvirt *lv, struct fg_lv_vm *vm);
struct fg_lv_vm *fg_lv_vm_find(struct fg_libvirt *lv, const char *id);
/** fg_lv_submit_ends() - the ends that @vm was to have need not wait any more */
void fg_lv_submit_ends(struct fg_lv_vm *vm);
/** fg_lv_forget_ends() - at the end: wait until libvirt is through with them. Blocks. */
void fg_lv_forget_ends(struct fg_libvirt *lv);
/** fg_lv_vm_ended() - tell of the end of a VM, once. @reason: static text. Loop only. */
void fg_lv_vm_ended(struct fg_libvirt *lv, const char *id, bool crashed, const char *reason);

/** fg_lv_on_disk_error() - libvirt's callback; runs on its event thread. */
void fg_lv_on_disk_error(virConnectPtr conn, virDomainPtr dom, const char *path, const char *alias,
                         int action, const char *reason, void *userdata);
/** fg_lv_disk_full() - has QEMU paused it for want of room? Any thread. */
bool fg_lv_disk_full(virDomainPtr dom);
/** fg_lv_wait_for_room() - resume the VM when there is room again. Loop only. */
void fg_lv_wait_for_room(struct fg_libvirt *lv, struct fg_lv_vm *vm);
