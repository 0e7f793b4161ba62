/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/libvirt.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"

struct list_job {
        struct fg_job job;
        struct fg_libvirt *lv;
        struct fg_vm *vms;
        int n;
        struct fg_error err;
        fg_vmm_list_fn done;
        void *userdata;
};

/* Ours: the name, the UUID, and an owner in our metadata that is this fgd's. */
static bool vm_of(const struct fg_libvirt *lv, virDomainPtr dom, struct fg_vm *ret)
{
        fg_autofree char *metadata = NULL;
        char uuid[VIR_UUID_STRING_BUFLEN], name[sizeof(FG_DOMAIN_PREFIX) + FG_ID_LEN];
        int state = VIR_DOMAIN_NOSTATE;

        if (virDomainGetUUIDString(dom, uuid) < 0 || !fg_id_from_uuid(uuid, ret->id))
                return false;
        (void)snprintf(name, sizeof(name), FG_DOMAIN_PREFIX "%s", ret->id);
        if (!fg_streq(virDomainGetName(dom), name))
                return false;
        metadata = virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, FG_DOMAIN_NAMESPACE, 0);
        if (!metadata || !strstr(metadata, lv->owner))
                return false;
        ret->running = (virDomainGetState(dom, &state, NULL, 0) == 0 &&
                        state == VIR_DOMAIN_RUNNING) ||
                       fg_lv_disk_full(dom);
        return true;
}

int fg_lv_find_all(struct fg_libvirt *lv, struct fg_vm **ret, struct fg_error *err)
{
        virDomainPtr *domains = NULL;
        int n = virConnectListAllDomains(lv->conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
        int found = 0;

        if (n < 0)
                return fg_virt_fail(err, "list VMs");
        *ret = fg_calloc((size_t)n + 1, sizeof(**ret));
        for (int i = 0; i < n; i++) {
                if (vm_of(lv, domains[i], &(*ret)[found]))
                        found++;
                (void)virDomainFree(domains[i]);
        }
        free(domains);
        return found;
}

static void list_work(struct fg_job *base)
{
        struct list_job *job = FG_CONTAINER_OF(base, struct list_job, job);

        job->n = fg_lv_find_all(job->lv, &job->vms, &job->err);
}

static void list_done(struct fg_job *base)
{
        struct list_job *job = FG_CONTAINER_OF(base, struct list_job, job);

        if (job->n < 0)
                job->done(job->userdata, NULL, 0, &job->err);
        else
                job->done(job->userdata, job->vms, (size_t)job->n, NULL);
        free(job->vms);
        free(job);
}

void fg_lv_list(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata)
{
        struct list_job *job = fg_calloc(1, sizeof(*job));

        job->job = (struct fg_job){ .work = list_work, .done = list_done };
        job->lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        job->done = done;
        job->userdata = userdata;
        fg_lane_submit(job->lv->lane, &job->job);
}
