/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/str.h"
#include "vmm/libvirt.h"

struct attach_job {
        struct fg_job job;
        struct fg_libvirt *lv;
        char id[FG_ID_LEN + 1];
        char *path, *xml;
        bool failed;
        struct fg_error err;
        fg_vmm_done_fn done;
        void *userdata;
};

int fg_lv_show_disk(const struct fg_libvirt *lv, const char *path, struct fg_error *err)
{
        const struct fg_qemu_user *user = &lv->user;
        struct stat st;

        if (!user->separate)
                return 0;
        if (fg_qemu_user_reaches(user, path, err) < 0)
                return -1;
        /* Not again: that would count as a change of the file. */
        if (lstat(path, &st) < 0 ||
            (st.st_gid != user->gid && lchown(path, (uid_t)-1, user->gid) < 0))
                return fg_fail_errno(err, errno, "show %s to QEMU", path);
        return 0;
}

static int attach(const struct attach_job *job, struct fg_error *err)
{
        fg_cleanup(virDomainFreep) virDomainPtr dom = NULL;
        char uuid[FG_UUID_LEN + 1];

        if (fg_lv_show_disk(job->lv, job->path, err) < 0)
                return -1;
        fg_id_to_uuid(job->id, uuid);
        dom = virDomainLookupByUUIDString(job->lv->conn, uuid);
        if (!dom || virDomainAttachDeviceFlags(dom, job->xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
                return fg_virt_fail(err, "add a disk to VM %s", job->id);
        return 0;
}

static void attach_work(struct fg_job *base)
{
        struct attach_job *job = FG_CONTAINER_OF(base, struct attach_job, job);

        if (!job->failed)
                job->failed = attach(job, &job->err) < 0;
}

static void attach_done(struct fg_job *base)
{
        struct attach_job *job = FG_CONTAINER_OF(base, struct attach_job, job);

        job->done(job->userdata, job->id, job->failed ? &job->err : NULL);
        free(job->path);
        free(job->xml);
        free(job);
}

void fg_lv_attach(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                  fg_vmm_done_fn done, void *userdata)
{
        struct fg_libvirt *lv = FG_CONTAINER_OF(vmm, struct fg_libvirt, base);
        fg_cleanup(fg_buf_finish) struct fg_buf xml = FG_BUF_INIT(FG_DOMAIN_XML_MAX);
        struct attach_job *job = fg_calloc(1, sizeof(*job));
        struct fg_lv_vm *vm;

        job->job = (struct fg_job){ .work = attach_work, .done = attach_done };
        job->lv = lv;
        (void)snprintf(job->id, sizeof(job->id), "%s", id);
        job->path = fg_strdup(disk->path);
        job->done = done;
        job->userdata = userdata;
        HASH_FIND_STR(lv->vms, id, vm);
        job->failed = fg_domain_hotplug_xml(disk, vm ? vm->attached++ : 0, &xml, &job->err) < 0;
        job->xml = fg_buf_take(&xml);
        fg_lane_submit(lv->lane, &job->job);
}
