/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/libvirt.h"

#include <libvirt/virterror.h>
#include <stdio.h>

#include "core/str.h"

/*
 * The quota is the whole process's: under emulation the threads of the vCPUs do the work, but disks
 * and sockets are served by its main thread. That it can serve them is worth a tenth of a CPU, or
 * a container that has all its share computing would starve its own output.
 */
#define PERIOD_USEC   100000
#define EMULATOR_USEC (PERIOD_USEC / 10)

struct cpu_job {
        struct fg_job job;
        struct fg_libvirt *lv;
        char id[FG_ID_LEN + 1];
        unsigned units;
        bool failed;
        struct fg_error err;
        fg_vmm_done_fn done;
        void *userdata;
};

static int set_quota(virDomainPtr dom, unsigned units)
{
        long long quota = (long long)PERIOD_USEC * units / 1024 + EMULATOR_USEC;
        virTypedParameterPtr params = NULL;
        int n = 0, max = 0, r;

        r = virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD,
                                    PERIOD_USEC);
        if (r == 0)
                r = virTypedParamsAddLLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA,
                                           quota);
        if (r == 0)
                r = virDomainSetSchedulerParametersFlags(dom, params, n, VIR_DOMAIN_AFFECT_LIVE);
        virTypedParamsFree(params, n);
        return r;
}

static void limit_work(struct fg_job *base)
{
        struct cpu_job *job = FG_CONTAINER_OF(base, struct cpu_job, job);
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;
        char uuid[FG_UUID_LEN + 1];

        fg_id_to_uuid(job->id, uuid);
        dom = virDomainLookupByUUIDString(job->lv->conn, uuid);
        if (!dom || set_quota(dom, job->units) < 0)
                job->failed = fg_virt_fail(&job->err, "limit the CPU of VM %s", job->id) < 0;
        /* One that has ended needs no limit. */
        if (job->failed && (!dom || virDomainIsActive(dom) == 0))
                job->failed = false;
}

static void limit_done(struct fg_job *base)
{
        struct cpu_job *job = FG_CONTAINER_OF(base, struct cpu_job, job);

        job->done(job->userdata, job->id, job->failed ? &job->err : NULL);
        free(job);
}

void fg_lv_limit_cpu(struct fg_vmm *vmm, const char *id, unsigned units, fg_vmm_done_fn done,
                     void *userdata)
{
        struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        struct cpu_job *job = fg_calloc(1, sizeof(*job));

        job->job = (struct fg_job){ .work = limit_work, .done = limit_done };
        job->lv = lv;
        (void)snprintf(job->id, sizeof(job->id), "%s", id);
        job->units = units;
        job->done = done;
        job->userdata = userdata;
        fg_lane_submit(lv->lane, &job->job);
}
