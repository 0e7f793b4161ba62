/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"
#include "vmm/vmm.h"

#define FG_DOMAIN_PREFIX    "fgrun-"
#define FG_DOMAIN_NAMESPACE "urn:fgrun:vm:1" /* of our element in <metadata> */
#define FG_DOMAIN_XML_MAX   (64u * 1024)
#define FG_DOMAIN_CONSOLE   "console.sock" /* in the VM's directory; QEMU listens, fgd connects */

/* What all VMs of a host have in common. Strings are borrowed. */
struct fg_domain_config {
        enum fg_accel accel; /* KVM or TCG */
        const char *owner;   /* tells this fgd's VMs from another's on the same libvirt */
        const char *run_dir;
        const char *kernel;
        const char *initrd;
        const char *cmdline;
        bool acpi;
};

/**
 * fg_domain_xml() - libvirt's description of a VM; pure
 * Errors: INVALID (a string XML cannot carry), CAPACITY.
 */
int fg_domain_xml(const struct fg_domain_config *config, const struct fg_vm_spec *spec,
                  struct fg_buf *out, struct fg_error *err);

/** fg_domain_hotplug_xml() - of the disk that is the @index-th to be added to a running VM */
int fg_domain_hotplug_xml(const struct fg_vm_disk *disk, unsigned index, struct fg_buf *out,
                          struct fg_error *err);

/** fg_domain_overhead_mib() - the most a VM's process may use beyond the guest's RAM. */
unsigned fg_domain_overhead_mib(enum fg_accel accel);
