/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/libvirt_job.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/netns.h"
#include "core/str.h"
#include "vmm/cgroup.h"
#include "vmm/embed.h"
#include "vmm/paths.h"

struct fg_lv_job *fg_lv_job_new(struct fg_libvirt *lv, const char *id, fg_vmm_done_fn done,
                                void *userdata)
{
        struct fg_lv_job *job = fg_calloc(1, sizeof(*job));

        job->lv = lv;
        job->process = -1;
        (void)snprintf(job->id, sizeof(job->id), "%s", id);
        job->done = done;
        job->userdata = userdata;
        return job;
}

static void job_free(struct fg_lv_job *job)
{
        free(job->scratch);
        for (size_t i = 0; i < FG_VM_DISKS_MAX; i++)
                free(job->disks[i]);
        free(job->ram);
        free(job->state);
        free(job->netns);
        free(job->xml);
        fg_closep(&job->process);
        free(job);
}

void fg_lv_job_finish(struct fg_lv_job *job)
{
        job->done(job->userdata, job->id, job->failed ? &job->err : NULL);
        job_free(job);
}

/* ---- the table ---- */

struct fg_lv_vm *fg_lv_vm_find(struct fg_libvirt *lv, const char *id)
{
        struct fg_lv_vm *vm;

        HASH_FIND_STR(lv->vms, id, vm);
        return vm;
}

static struct fg_lv_vm *vm_new(struct fg_libvirt *lv, const char *id)
{
        struct fg_lv_vm *vm = fg_calloc(1, sizeof(*vm));

        (void)snprintf(vm->id, sizeof(vm->id), "%s", id);
        vm->lv = lv;
        HASH_ADD_STR(lv->vms, id, vm);
        return vm;
}

void fg_lv_vm_free(struct fg_libvirt *lv, struct fg_lv_vm *vm)
{
        HASH_DEL(lv->vms, vm);
        lv->base.info.paused -= vm->full;
        sd_event_source_disable_unref(vm->process);
        fg_console_free(vm->console);
        free(vm);
}

/* The console is for diagnosis only: a VM runs without it. */
static void vm_watch(struct fg_libvirt *lv, struct fg_lv_vm *vm)
{
        fg_autofree char *path = fg_vm_path(lv->base.run_dir, vm->id, FG_DOMAIN_CONSOLE);
        struct fg_error ignored;

        (void)fg_console_new(lv->base.event, path, &vm->console, &ignored);
}

/* ---- start ---- */

static int limit_memory(virDomainPtr dom, unsigned mib, struct fg_error *err)
{
        virTypedParameterPtr params = NULL;
        int n = 0, max = 0, r;

        r = virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_MEMORY_HARD_LIMIT, mib * 1024ULL);
        if (r == 0)
                r = virDomainSetMemoryParameters(dom, params, n, VIR_DOMAIN_AFFECT_LIVE);
        virTypedParamsFree(params, n);
        return r < 0 ? fg_virt_fail(err, "limit memory") : 0;
}

static int give_scratch(const struct fg_lv_job *job, struct fg_error *err)
{
        const struct fg_qemu_user *user = &job->lv->user;

        if (!user->separate)
                return 0;
        if (fg_qemu_user_reaches(user, job->scratch, err) < 0)
                return -1;
        if (lchown(job->scratch, user->uid, user->gid) < 0)
                return fg_fail_errno(err, errno, "give %s to QEMU", job->scratch);
        return 0;
}

static int show_disks(const struct fg_lv_job *job, struct fg_error *err)
{
        for (size_t i = 0; i < FG_VM_DISKS_MAX && job->disks[i]; i++)
                if (fg_lv_show_disk(job->lv, job->disks[i], err) < 0)
                        return -1;
        return 0;
}

struct birth {
        const struct fg_lv_job *job;
        virDomainPtr dom;
};

/* libvirt's error belongs to the thread, too. */
static int call_create(void *userdata, struct fg_error *err)
{
        struct birth *b = userdata;

        b->dom = virDomainCreateXML(b->job->lv->conn, b->job->xml,
                                    b->job->state ? VIR_DOMAIN_START_PAUSED : 0);
        return b->dom ? 0 : fg_virt_fail(err, "start QEMU");
}

/* The embedded driver opens the TAP, and starts QEMU, in the namespace of the calling thread. */
static virDomainPtr create_domain(const struct fg_lv_job *job, struct fg_error *err)
{
        struct birth b = { .job = job };

        (void)(job->netns ? fg_netns_run_path(job->netns, call_create, &b, err)
                          : call_create(&b, err));
        return b.dom;
}

/* The limit comes after the start: in the XML libvirt would take it for locked memory as well and
   raise a resource limit, which a process without CAP_SYS_RESOURCE may not. */
static int create(const struct fg_lv_job *job, struct fg_error *err)
{
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;

        if (give_scratch(job, err) < 0 || show_disks(job, err) < 0)
                return -1;
        /* A task that is begun anew has its former VM's id, which libvirt may still be ending. */
        if (fg_lv_end_domain(job->lv, job->id, err) < 0)
                return -1;
        if (job->ram && !job->state &&
            fg_lv_template_new(job->lv, job->ram, job->memory_mib, err) < 0)
                return -1;
        dom = create_domain(job, err);
        if (!dom)
                return -1;
        if ((job->limit_mib && limit_memory(dom, job->limit_mib, err) < 0) ||
            (job->state && fg_lv_template_load(dom, job->state, err) < 0)) {
                (void)virDomainDestroy(dom);
                return -1;
        }
        return 0;
}

static int open_process(const struct fg_libvirt *lv, const char *id)
{
        const pid_t pid = fg_lv_pid(lv, id);

        return pid ? pidfd_open(pid, 0) : -1;
}

static void start_work(struct fg_job *base)
{
        struct fg_lv_job *job = FG_CONTAINER_OF(base, struct fg_lv_job, job);
        fg_autofree char *dir = fg_vm_dir(job->lv->base.run_dir, job->id);
        struct fg_error ignored;

        if (job->failed)
                return;
        if (mkdir(dir, 0700) < 0) {
                job->failed = true;
                fg_fail_errno(&job->err, errno, "mkdir %s", dir);
                return;
        }
        if (create(job, &job->err) < 0) {
                job->failed = true;
                fg_wrap(&job->err, "VM %s", job->id);
                (void)fg_rm_rf(dir, &ignored);
                return;
        }
        job->process = open_process(job->lv, job->id);
}

/* The caller's done() may ask for the end of the VM, which stays in the table until it has ended.
 */
static void start_done(struct fg_job *base)
{
        struct fg_lv_job *job = FG_CONTAINER_OF(base, struct fg_lv_job, job);
        struct fg_libvirt *lv = job->lv;
        struct fg_lv_vm *vm = job->rejected ? NULL : fg_lv_vm_find(lv, job->id);

        if (!vm) {
                fg_lv_job_finish(job);
                return;
        }
        vm->starting = false;
        if (job->failed) {
                fg_lv_submit_ends(vm);
                fg_lv_vm_free(lv, vm);
                fg_lv_job_finish(job);
                return;
        }
        vm_watch(lv, vm);
        fg_lv_watch_process(vm, fg_take_fd(job->process));
        fg_lv_job_finish(job);
        fg_lv_go_on(vm);
        if (vm->gone)
                fg_lv_report_gone(lv, vm);
}

void fg_lv_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                 void *userdata)
{
        struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(FG_DOMAIN_XML_MAX);
        struct fg_lv_job *job = fg_lv_job_new(lv, spec->id, done, userdata);

        job->job = (struct fg_job){ .work = start_work, .done = start_done };
        job->scratch = fg_strdup(spec->scratch);
        for (size_t i = 0; i < spec->n_disks && i < FG_VM_DISKS_MAX; i++)
                job->disks[i] = fg_strdup(spec->disks[i].path);
        job->memory_mib = spec->memory_mib;
        job->ram = spec->template ? fg_strdup(spec->template->ram) : NULL;
        job->state = spec->template ? fg_strdup(spec->template->state) : NULL;
        job->netns = spec->nic ? fg_strdup(spec->nic->netns) : NULL;
        if (lv->limits)
                job->limit_mib = spec->memory_mib + lv->base.info.overhead_mib;
        if (fg_domain_xml(&lv->domain, spec, &xml, &job->err) < 0)
                job->failed = job->rejected = true;
        else if (fg_lv_vm_find(lv, spec->id))
                job->failed = job->rejected = fg_fail(&job->err, FG_ERR_CONFLICT, "VM %s exists",
                                                      spec->id) < 0;
        else
                vm_new(lv, spec->id)->starting = true;
        job->xml = fg_buf_take(&xml);
        fg_lane_submit(lv->lane, &job->job);
}

void fg_lv_adopt(struct fg_libvirt *lv, const char *id)
{
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;
        virDomainMemoryStatStruct stat;
        struct fg_lv_vm *vm;
        char uuid[FG_UUID_LEN + 1];

        fg_id_to_uuid(id, uuid);
        dom = virDomainLookupByUUIDString(lv->conn, uuid);
        /* Asks QEMU itself, and so waits for libvirt's reconnecting thread. Until that is through,
           ending the domain would miss it. */
        if (!dom || virDomainMemoryStats(dom, &stat, 1, 0) < 0)
                return;
        vm = vm_new(lv, id);
        vm_watch(lv, vm);
        vm->adopted = true;
        fg_lv_watch_process(vm, open_process(lv, id));
        if (fg_lv_disk_full(dom))
                fg_lv_wait_for_room(lv, vm);
}
