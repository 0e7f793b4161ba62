/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vmm.h"

#include "core/str.h"
#include "vmm/backend.h"

int fg_vmm_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
               void *userdata, struct fg_vmm **ret, struct fg_error *err)
{
        if (fg_starts_with(config->uri, FG_FAKE_SCHEME))
                return fg_fake_new(event, config, gone, userdata, ret, err);
        return fg_libvirt_new(event, config, gone, userdata, ret, err);
}

void fg_vmm_free(struct fg_vmm *vmm)
{
        if (vmm)
                vmm->ops->free(vmm);
}

const struct fg_vmm_info *fg_vmm_info(const struct fg_vmm *vmm)
{
        return &vmm->info;
}

void fg_vmm_start(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                  void *userdata)
{
        vmm->ops->start(vmm, spec, done, userdata);
}

void fg_vmm_attach(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                   fg_vmm_done_fn done, void *userdata)
{
        vmm->ops->attach(vmm, id, disk, done, userdata);
}

void fg_vmm_destroy(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata)
{
        vmm->ops->destroy(vmm, id, done, userdata);
}

void fg_vmm_limit_cpu(struct fg_vmm *vmm, const char *id, unsigned units, fg_vmm_done_fn done,
                      void *userdata)
{
        vmm->ops->limit_cpu(vmm, id, units, done, userdata);
}

void fg_vmm_list(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata)
{
        vmm->ops->list(vmm, done, userdata);
}

const char *fg_vmm_console_tail(struct fg_vmm *vmm, const char *id)
{
        return vmm->ops->console_tail(vmm, id);
}

uint64_t fg_vmm_memory_kib(struct fg_vmm *vmm, const char *id)
{
        return vmm->ops->memory_kib(vmm, id);
}
