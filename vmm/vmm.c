/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vmm.h"

#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/str.h"
#include "vmm/backend.h"
#include "vmm/cgroup.h"
#include "vmm/qemu_user.h"

/* ---- VMs and pods ---- */

struct list_call {
        struct fg_vmm *pods;
        fg_vmm_list_fn done;
        void *userdata;
};

struct fg_vmm *fg_vmm_of(struct fg_vmm *vmm, const char *id)
{
        return vmm->pods && fg_pods_have(vmm->pods, id) ? vmm->pods : vmm;
}

int fg_vmm_pods(const struct fg_vmm *vmm, struct fg_error *err)
{
        if (!vmm->pods)
                return fg_fail(err, FG_ERR_INVALID, "needs an fgd that runs as root");
        return fg_cgroup_for_pods(FG_CGROUP_ROOT, fg_cgroup_by_systemd(), err);
}

bool fg_vmm_pods_split(void)
{
        return fg_exists(FG_CGROUP_ROOT "/cgroup.controllers");
}

/* The books of the pods are on the loop. */
static void on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err)
{
        struct list_call *c = userdata;
        fg_autofree struct fg_vm *all = NULL;
        size_t pods;

        if (err) {
                c->done(c->userdata, vms, n, err);
        } else {
                all = fg_pods_list(c->pods, n, &pods);
                if (n > 0)
                        memcpy(all, vms, n * sizeof(*all));
                c->done(c->userdata, all, n + pods, NULL);
        }
        free(c);
}

static int new_main(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                    void *userdata, struct fg_vmm **ret, struct fg_error *err)
{
        if (fg_starts_with(config->uri, FG_FAKE_SCHEME))
                return fg_fake_new(event, config, gone, userdata, ret, err);
        return fg_libvirt_new(event, config, gone, userdata, ret, err);
}

int fg_vmm_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
               void *userdata, struct fg_vmm **ret, struct fg_error *err)
{
        fg_cleanup(fg_vmm_freep) struct fg_vmm *vmm = NULL;

        if (new_main(event, config, gone, userdata, &vmm, err) < 0)
                return -1;
        if (config->init && geteuid() == 0 &&
            fg_pods_new(event, config, gone, userdata, &vmm->pods, err) < 0)
                return fg_wrap(err, "containers");
        *ret = fg_take_ptr(vmm);
        return 0;
}

void fg_vmm_free(struct fg_vmm *vmm)
{
        struct fg_vmm *pods = vmm ? vmm->pods : NULL;

        /* The list of VMs, if it comes only now, is told with that of the pods. */
        if (vmm)
                vmm->ops->free(vmm);
        if (pods)
                pods->ops->free(pods);
}

const struct fg_vmm_info *fg_vmm_info(const struct fg_vmm *vmm)
{
        return &vmm->info;
}

gid_t fg_vmm_readers(void)
{
        struct fg_error ignored; /* fg_vmm_new() says it */
        struct fg_qemu_user user;

        return fg_qemu_user_get(&user, &ignored) < 0 ? getegid() : user.gid;
}

void fg_vmm_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                  void *userdata)
{
        if (spec->pod)
                vmm = vmm->pods; /* as fg_vmm_pods() has said */
        vmm->ops->start(vmm, spec, done, userdata);
}

void fg_vmm_attach(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                   fg_vmm_done_fn done, void *userdata)
{
        vmm->ops->attach(vmm, id, disk, done, userdata);
}

void fg_vmm_save(struct fg_vmm *vmm, const char *id, const struct fg_vm_template *template,
                 fg_vmm_done_fn done, void *userdata)
{
        vmm->ops->save(vmm, id, template, done, userdata);
}

void fg_vmm_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata)
{
        vmm = fg_vmm_of(vmm, id);
        vmm->ops->destroy(vmm, id, done, userdata);
}

void fg_vmm_limit_cpu(struct fg_vmm *vmm, const char *id, unsigned units, fg_vmm_done_fn done,
                      void *userdata)
{
        vmm->ops->limit_cpu(vmm, id, units, done, userdata);
}

void fg_vmm_list(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata)
{
        struct list_call *c;

        if (!vmm->pods) {
                vmm->ops->list(vmm, done, userdata);
                return;
        }
        c = fg_calloc(1, sizeof(*c));
        *c = (struct list_call){ .pods = vmm->pods, .done = done, .userdata = userdata };
        vmm->ops->list(vmm, on_list, c);
}

const char *fg_vmm_console_tail(struct fg_vmm *vmm, const char *id)
{
        vmm = fg_vmm_of(vmm, id);
        return vmm->ops->console_tail(vmm, id);
}

uint64_t fg_vmm_memory_kib(struct fg_vmm *vmm, const char *id)
{
        vmm = fg_vmm_of(vmm, id);
        return vmm->ops->memory_kib(vmm, id);
}
