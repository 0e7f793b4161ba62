/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/disk.h"
#include "api/engine.h"
#include "api/session.h"
#include "api/templates.h"
#include "core/secret.h"
#include "core/table.h"

/* What the engine does with one task at the moment. Nothing in it needs to survive the daemon. */

struct run_image { /* one container's image */
        struct fg_run *run;
        struct fg_pull *pull; /* NULL: none under way */
        bool ready;           /* resolved, complete and pinned */
        bool undecided;       /* its size will tell whether the VM waits for it as a disk */
        bool preparing;       /* the VM waits for its disk */
        char *disk;           /* path of the verified EROFS, NULL: none */
        char pinned[FG_DIGEST_LEN + 1]; /* manifest that is kept for that disk, "": none */
};

struct fg_run {
        UT_hash_handle hh;
        struct fg_daemon *d;
        struct fg_task *task;              /* owned; the key is task->id */
        char *client_token, *request_hash; /* of the request that made it; NULL: none */
        struct run_image *images;
        bool logs_asked, logs_ready; /* its log streams are there */
        struct fg_session *session;
        sd_event_source *deadline; /* one at a time: boot, stop, or the last words of a dead VM */
        sd_event_source *retry;    /* of a failed save or tear-down */
        bool net_attaching;        /* the VM waits for its TAP */
        sd_event_source *limit;    /* of the task's run time; NULL: none */
        struct fg_disk_job *disk_making;         /* not NULL: the end waits for it */
        bool vm_starting;                        /* cannot be interrupted: the end waits for it */
        bool disk_made, vm_asked;                /* the scratch disk is there; the VM was started */
        bool warm;                               /* it took over a guest that waited */
        bool mounted;                            /* ... and that has its images */
        char template[FG_TEMPLATE_NAME_LEN + 1]; /* its VM is restored from it; "": not */
        bool disks_later;                        /* its images come when it runs, as disks */
        unsigned attaching;                      /* disks on their way into it: the end waits */
        bool disk_lost;                          /* one may never come: the guest is to be told */
        struct fg_secret variables;              /* until the guest has them; engine_variables.c */
        bool fetching, variables_ready;
        bool sendable; /* ACTIVATING and all manifests are durable: the guest may get the task */
        bool guest_ready, task_sent, stop_sent;
        bool stopping; /* the guest ends its containers, within a deadline */
        bool session_down, vm_gone;
        bool ending, tearing_down;
        bool orphan_vm;    /* adopt: libvirt knows a VM of this task */
        char *event_state; /* of the last event: fg_event_state(); NULL: there was none */
        char *end_reason;  /* what the VM's end was, once vm_gone */
};

/* A reference that survives the run: jobs carry ids, not pointers. */
struct run_ref {
        struct fg_daemon *d;
        char id[FG_ID_LEN + 1];
};

struct run_ref *run_ref_new(const struct fg_run *run);
/** run_ref_take() - the run, or NULL when it is gone; frees the reference. */
struct fg_run *run_ref_take(struct run_ref *ref);
struct fg_run *run_find(struct fg_daemon *d, const char *id);

struct fg_run *run_new(struct fg_daemon *d, struct fg_task *take_task); /* adds it to d->runs */
void run_free(struct fg_run *run); /* removes it, gives its room back, unpins its images */

/** run_add() - store new tasks in one commit, with the token that made them; NULL: none. */
void run_add(struct fg_daemon *d, struct fg_run *const *runs, size_t n,
             const struct fg_token *token, fg_store_done_fn done, void *userdata);
/** run_save() - store the task as it is now; watchers hear of it when it is durable. */
void run_save(struct fg_run *run, fg_store_done_fn done, void *userdata);
/** run_set_deadline() - call @fn in @seconds, in place of any other deadline; 0: none. */
void run_set_deadline(struct fg_run *run, unsigned seconds, sd_event_time_handler_t fn);
/** run_limit_cpu() - a task that runs and has no whole number of vCPUs is limited by the host, too
 */
void run_limit_cpu(struct fg_run *run);
char *run_dir(const struct fg_run *run);   /* of the task's files; caller frees */
void run_tell_changed(struct fg_run *run); /* durably */
void run_tell_pull(struct fg_run *run, const char *image, const struct fg_pull_progress *p);

/* engine_variables.c */
void start_variables(struct fg_run *run); /* fetches them, then start_try_send() */

/* engine_start.c */
void start_begin(struct fg_run *run); /* PROVISIONING: fetch images, make the disk, boot */
bool start_images_ready(const struct fg_run *run);
void start_pulls(struct fg_run *run);    /* what is not there yet */
void start_session(struct fg_run *run);  /* the VM is there: talk to its guest */
void start_try_send(struct fg_run *run); /* give the guest its task once all is ready */

void start_disk(struct fg_run *run);                                /* make its scratch disk */
void start_vm(struct fg_run *run);                                  /* once its disks are there */
void start_vm_runs(struct fg_run *run, const struct fg_error *err); /* or could not be started */

/* engine_restore.c: a VM that starts from a template, in place of a boot */
struct fg_disk_job *restore_disk(struct fg_run *run, const char *path, fg_disk_done_fn done);
/** restore_disks() - that the template's guest had mounted. Return: how many, -1: one is gone */
int restore_disks(struct fg_run *run, struct fg_vm_disk ret[FG_VM_DISKS_MAX]);
/** restore_failed() - before the guest has got its task. Return: whether it is booted instead. */
bool restore_failed(struct fg_run *run, const char *why);

/* engine_warm.c */
void warm_attach(struct fg_run *run, const struct fg_vm_disk *disks, size_t n);
void warm_tell_lost(struct fg_run *run); /* once the guest has its task, if there is something */

/* engine_disks.c: prepared images */
void disks_begin(struct fg_run *run); /* which of them the VM will have, as far as is known */
bool disks_settled(const struct fg_run *run);
void disks_sized(struct run_image *image, uint64_t bytes);
void disks_pulled(struct run_image *image, const struct fg_image *result);
size_t disks_attach(struct fg_run *run, struct fg_vm_disk ret[FG_VM_DISKS_MAX]);
bool disks_allowed(const struct fg_daemon *d); /* may VMs have images as disks? */
/** disks_allowed_to_all() - ... also all images of such a task? */
bool disks_allowed_to_all(const struct fg_daemon *d, const struct fg_taskdef *def);
void disks_mounted(struct fg_run *run); /* the guest has all of them already */
/** disks_serial() - by which the guest knows the disk with the image of @manifest */
void disks_serial(const char *manifest, char ret[FG_VM_SERIAL_LEN + 1]);
void disks_lost(struct fg_run *run, const char *serial); /* the VM has not got it after all */
void disks_forget(struct run_image *image);
void disks_prepare_rest(struct fg_run *run); /* for the next start */

/* engine_limit.c */
void limit_arm(struct fg_run *run); /* once its first container has started */

/* engine_guest.c */
void guest_event(struct fg_run *run, uint64_t seq, struct json_object *event);

/* engine_end.c */
void end_failed(struct fg_run *run, const char *what, const struct fg_error *err);
/** end_vm_failed() - its VM or what that is made of; one that was to be restored boots instead */
void end_vm_failed(struct fg_run *run, const struct fg_error *err);
void end_run(struct fg_run *run);      /* whatever it is doing: tear down, then STOPPED */
void end_continue(struct fg_run *run); /* after something that could not be interrupted */
void end_expect(struct fg_run *run);   /* from now on the guest has only so much time */
void end_stop(struct fg_run *run);     /* stop_wanted was set: make it so */
void end_vm_gone(struct fg_run *run, bool crashed, const char *reason);
void end_session_down(struct fg_run *run, const struct fg_error *err);
