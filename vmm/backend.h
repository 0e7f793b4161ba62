/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "vmm/vmm.h"

/*
 * What a hypervisor backend provides: libvirt, or the fake one of the tests. A backend embeds
 * struct fg_vmm as its first member and finds itself back with FG_CONTAINER_OF(). The semantics of
 * the functions are those of their namesakes in vmm.h.
 */
struct fg_backend_ops {
        void (*free)(struct fg_vmm *vmm);
        void (*start)(struct fg_vmm *vmm, const struct fg_vm_spec *spec, fg_vmm_done_fn done,
                      void *userdata);
        void (*attach)(struct fg_vmm *vmm, const char *id, const struct fg_vm_disk *disk,
                       fg_vmm_done_fn done, void *userdata);
        void (*save)(struct fg_vmm *vmm, const char *id, const struct fg_vm_template *template,
                     fg_vmm_done_fn done,
                     void *userdata); /* NULL where info.template_key is empty */
        void (*destroy)(struct fg_vmm *vmm, const char *id, fg_vmm_done_fn done, void *userdata);
        void (*list)(struct fg_vmm *vmm, fg_vmm_list_fn done, void *userdata);
        const char *(*console_tail)(struct fg_vmm *vmm, const char *id);
        uint64_t (*memory_kib)(struct fg_vmm *vmm, const char *id);
        void (*limit_cpu)(struct fg_vmm *vmm, const char *id, unsigned units, fg_vmm_done_fn done,
                          void *userdata); /* NULL where info.limits_cpu is false */
};

struct fg_vmm {
        struct fg_vmm *pods; /* the backend of pods beside this one, or NULL */
        const struct fg_backend_ops *ops;
        sd_event *event; /* borrowed; outlives the backend */
        char *run_dir;   /* the backend's: set by its constructor, freed by ops->free() */
        struct fg_vmm_info info;
};

#define FG_FAKE_SCHEME "fake:"

int fg_fake_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                void *userdata, struct fg_vmm **ret, struct fg_error *err);
/** fg_pods_new() - the backend of pods; those of a former process are adopted */
int fg_pods_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                void *userdata, struct fg_vmm **ret, struct fg_error *err);
bool fg_pods_have(struct fg_vmm *vmm, const char *id);
/** fg_pods_list() - heap array of @n, with @room more in front */
struct fg_vm *fg_pods_list(struct fg_vmm *vmm, size_t room, size_t *n);
/** fg_vmm_of() - the backend that has @id: that of pods, or @vmm */
struct fg_vmm *fg_vmm_of(struct fg_vmm *vmm, const char *id);
int fg_libvirt_new(sd_event *event, const struct fg_vmm_config *config, fg_vmm_gone_fn gone,
                   void *userdata, struct fg_vmm **ret, struct fg_error *err);
