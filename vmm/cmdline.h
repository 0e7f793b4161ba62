/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "vmm/vmm.h"

/**
 * fg_cmdline_new() - the guest kernel's command line
 * @accel:   KVM or TCG
 * @acpi:    the machine has ACPI, and with it other timers
 * @tsc_khz: what the guest's TSC counts at, from fg_tsc_khz(); used under TCG only, 0 leaves it out
 * Return: heap string, the caller frees.
 */
char *fg_cmdline_new(enum fg_accel accel, bool acpi, unsigned tsc_khz);

/** fg_tsc_khz() - measure the host's time stamp counter (takes 50 ms); 0 where there is none. */
unsigned fg_tsc_khz(void);
