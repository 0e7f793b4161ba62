/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "vmm/loop.h"
#include "vmm/vmm.h"

struct json_object;

/* What a pod is made of; borrowed. */
struct fg_pod {
        char id[FG_ID_LEN + 1];
        const char *root; /* an empty directory */
        const char *init; /* the guest's init, as a program of the host */
        unsigned cpu_units, memory_mib;
        struct fg_loop_disk scratch;
        struct fg_loop_disk disks[FG_VM_DISKS_MAX];
        char serials[FG_VM_DISKS_MAX][FG_VM_SERIAL_LEN + 1];
        size_t n_disks;
        bool scope;   /* its cgroup is one of systemd's */
        bool network; /* it stays in the network namespace that the runtime is in */
};

/** fg_pod_spec() - the OCI runtime's config.json; caller puts it. */
struct json_object *fg_pod_spec(const struct fg_pod *pod);
