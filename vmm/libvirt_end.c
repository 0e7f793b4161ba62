/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/libvirt_job.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/str.h"
#include "vmm/cgroup.h"
#include "vmm/embed.h"
#include "vmm/paths.h"

/* The ends of VMs: wanted ones, and those of which libvirt or a pidfd tells. */

/* Does nothing when it has ended. */
int fg_lv_end_domain(struct fg_libvirt *lv, const char *id, struct fg_error *err)
{
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;
        char uuid[FG_UUID_LEN + 1];

        fg_id_to_uuid(id, uuid);
        dom = virDomainLookupByUUIDString(lv->conn, uuid);
        if (dom && virDomainDestroy(dom) == 0)
                return 0;
        if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
                return 0;
        fg_virt_fail(err, "end VM %s", id);
        /* Asked last, because it takes libvirt's error away. */
        return dom && virDomainIsActive(dom) == 0 ? 0 : -1;
}

/* ---- its process ---- */

void fg_lv_submit_ends(struct fg_lv_vm *vm)
{
        struct fg_lv_job *job, *next = fg_take_ptr(vm->ends);

        while ((job = next)) {
                next = job->next;
                job->dead = vm->dead;
                job->stopped = vm->stopped;
                fg_lane_submit(vm->lv->lane, &job->job);
        }
}

/*
 * libvirt kills a QEMU, sleeps for a fifth of a second, and then looks whether it has ended; a
 * pidfd tells at once. Return: whether on_process() will come.
 */
static bool kill_process(const struct fg_lv_vm *vm)
{
        if (!vm->process || vm->dead)
                return false;
        return pidfd_send_signal(sd_event_source_get_io_fd(vm->process), SIGKILL, NULL, 0) == 0 ||
               errno == ESRCH;
}

/* Ends that have nothing to wait for go on. */
void fg_lv_go_on(struct fg_lv_vm *vm)
{
        if (vm->ends && !vm->starting && !kill_process(vm))
                fg_lv_submit_ends(vm);
}

/*
 * QEMU is not our child, but its reaper's: that may take its time, and so long libvirt takes it for
 * alive. A process has ended before it is reaped.
 */
static int on_process(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct fg_lv_vm *vm = userdata;

        vm->dead = true;
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        fg_lv_submit_ends(vm);
        /* Of those that we have started libvirt knows how they ended, and soon. */
        if (vm->adopted)
                fg_lv_vm_ended(vm->lv, vm->id, true, "QEMU ended");
        return 0;
}

void fg_lv_watch_process(struct fg_lv_vm *vm, int take_fd)
{
        if (take_fd < 0)
                return;
        if (sd_event_add_io(vm->lv->base.event, &vm->process, take_fd, EPOLLIN, on_process, vm) < 0)
                (void)close(take_fd);
        else
                (void)sd_event_source_set_io_fd_own(vm->process, true);
}

/* ---- destroy ---- */

static void destroy_work(struct fg_job *base)
{
        struct fg_lv_job *job = FG_CONTAINER_OF(base, struct fg_lv_job, job);
        struct fg_libvirt *lv = job->lv;
        fg_autofree char *dir = fg_vm_dir(lv->base.run_dir, job->id);

        job->failed = (!job->dead && fg_lv_end_domain(lv, job->id, &job->err) < 0) ||
                      fg_rm_rf(dir, &job->err) < 0;
        if (job->failed)
                return;
        if (lv->limits)
                fg_cgroup_remove(FG_CGROUP_ROOT, job->id);
        job->failed = lv->root && fg_embed_forget(lv->root, job->id, &job->err) < 0;
}

static void end_new(struct fg_libvirt *lv, const char *id)
{
        struct fg_lv_end *end = fg_calloc(1, sizeof(*end));

        (void)snprintf(end->id, sizeof(end->id), "%s", id);
        HASH_ADD_STR(lv->ends, id, end);
}

static void end_free(struct fg_libvirt *lv, struct fg_lv_end *end)
{
        HASH_DEL(lv->ends, end);
        free(end);
}

/* What libvirt wrote of its end while we removed everything. */
static void forget_late(const struct fg_libvirt *lv, const char *id)
{
        struct fg_error ignored;

        if (lv->root)
                (void)fg_embed_forget(lv->root, id, &ignored);
}

void fg_lv_forget_ends(struct fg_libvirt *lv)
{
        struct fg_lv_end *end, *next;
        struct fg_error ignored;

        HASH_ITER (hh, lv->ends, end, next) {
                if (lv->conn)
                        (void)fg_lv_end_domain(lv, end->id, &ignored);
                end_free(lv, end);
        }
}

static void destroy_done(struct fg_job *base)
{
        struct fg_lv_job *job = FG_CONTAINER_OF(base, struct fg_lv_job, job);
        struct fg_lv_vm *vm = fg_lv_vm_find(job->lv, job->id);

        if (vm && !job->failed) {
                if (job->dead && !vm->stopped)
                        end_new(job->lv, job->id);
                else if (job->dead && !job->stopped)
                        forget_late(job->lv, job->id);
                fg_lv_vm_free(job->lv, vm);
        }
        fg_lv_job_finish(job);
}

void fg_lv_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata)
{
        struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        struct fg_lv_job *job = fg_lv_job_new(lv, id, done, userdata);
        struct fg_lv_vm *vm = fg_lv_vm_find(lv, id);

        job->job = (struct fg_job){ .work = destroy_work, .done = destroy_done };
        if (vm) {
                vm->destroying = true;
                job->next = vm->ends;
                vm->ends = job;
                fg_lv_go_on(vm);
        } else {
                fg_lane_submit(lv->lane, &job->job);
        }
}

/* ---- as libvirt sees it ---- */

/* The entry stays, for its console, until the VM is destroyed. */
void fg_lv_report_gone(struct fg_libvirt *lv, const struct fg_lv_vm *vm)
{
        char id[FG_ID_LEN + 1];

        (void)snprintf(id, sizeof(id), "%s", vm->id);
        if (vm->console)
                fg_console_drain(vm->console);
        if (lv->gone && !vm->destroying)
                lv->gone(lv->userdata, id, vm->crashed, vm->reason);
}

void fg_lv_vm_ended(struct fg_libvirt *lv, const char *id, bool crashed, const char *reason)
{
        struct fg_lv_vm *vm = fg_lv_vm_find(lv, id);

        if (!vm || vm->gone)
                return;
        vm->gone = true;
        vm->crashed = crashed;
        vm->reason = reason;
        if (!vm->starting)
                fg_lv_report_gone(lv, vm);
}

struct gone_note {
        struct fg_job job;
        struct fg_libvirt *lv;
        char id[FG_ID_LEN + 1];
        bool crashed;
        const char *reason;
};

/* Is it news of a VM that has been destroyed? Another one may have its id by now. */
static bool was_over(struct fg_libvirt *lv, const char *id)
{
        struct fg_lv_vm *vm = fg_lv_vm_find(lv, id);
        struct fg_lv_end *end;

        HASH_FIND_STR(lv->ends, id, end);
        if (!end) {
                if (vm)
                        vm->stopped = true;
                return false;
        }
        end_free(lv, end);
        if (!vm)
                forget_late(lv, id);
        return true;
}

static void gone_done(struct fg_job *base)
{
        struct gone_note *note = FG_CONTAINER_OF(base, struct gone_note, job);

        if (!was_over(note->lv, note->id))
                fg_lv_vm_ended(note->lv, note->id, note->crashed, note->reason);
        free(note);
}

static const char *reason_of(int detail)
{
        switch (detail) {
        case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
                return "the guest halted";
        case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
                return "the VM was destroyed from outside";
        case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
                return "the guest crashed";
        default:
                return "QEMU died";
        }
}

int fg_lv_on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *userdata)
{
        struct fg_libvirt *lv = userdata;
        char uuid[VIR_UUID_STRING_BUFLEN];
        struct gone_note *note;

        if (event != VIR_DOMAIN_EVENT_STOPPED || virDomainGetUUIDString(dom, uuid) < 0)
                return 0;
        note = fg_calloc(1, sizeof(*note));
        if (!fg_id_from_uuid(uuid, note->id)) {
                free(note);
                return 0;
        }
        note->job.done = gone_done;
        note->lv = lv;
        note->crashed = detail != VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN;
        note->reason = reason_of(detail);
        fg_lane_post(lv->mail, &note->job);
        return 0;
}
