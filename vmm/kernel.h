/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"
#include "vmm/qemu_user.h"

/* The files a guest boots from, where QEMU can read them. */
struct fg_boot_files {
        char *source; /* heap: where the kernel was copied from */
        char *kernel; /* heap */
        char *initrd; /* heap */
        bool acpi;    /* the kernel finds its devices through ACPI only */
};

/**
 * fg_boot_files_prepare() - copy kernel and initramfs into @dir
 * @kernel: a path, or FG_KERNEL_STOCK, whose modules are then added to the initramfs
 * QEMU's user may read but never write them: one VM that took over its QEMU must not choose what
 * the next VM boots. A copy also stays what it is while a new kernel is being installed.
 * Errors: NOT_FOUND, saying what makes the missing file.
 */
int fg_boot_files_prepare(const char *kernel, const char *initrd, const char *dir,
                          const struct fg_qemu_user *user, struct fg_boot_files *ret,
                          struct fg_error *err);
void fg_boot_files_finish(struct fg_boot_files *files);
