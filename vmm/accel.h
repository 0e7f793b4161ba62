/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "vmm/vmm.h"

/* What the choice is made from; tests give other files and another probe. */
struct fg_accel_host {
        const char *kvm;     /* "/dev/kvm" */
        const char *cpuinfo; /* "/proc/cpuinfo" */
        uid_t uid;           /* QEMU's user */
        gid_t gid;           /* QEMU's groups: its own and one more */
        gid_t extra_gid;
        /* Runs a small guest on @kvm. 1: it ended in time, 0: it did not, -1: error. */
        int (*probe)(const char *kvm, struct fg_error *err);
};

struct fg_accel_choice {
        enum fg_accel accel; /* KVM or TCG */
        char reason[256];    /* one sentence */
        char warning[512];   /* something to mend, or "" */
        bool kvm_hidden;     /* QEMU's user may not open the device although root may: libvirt
                                then probes QEMU again at each start, seconds each time */
};

/**
 * fg_accel_choose() - KVM only where it can run a stock guest
 * @wanted: AUTO never fails; KVM fails where KVM cannot work (NOT_FOUND, DENIED, INVALID)
 */
int fg_accel_choose(const struct fg_accel_host *host, enum fg_accel wanted,
                    struct fg_accel_choice *ret, struct fg_error *err);

/**
 * fg_kvm_probe() - count to two million in a guest of one page
 * Return: 1 within a second; 0 when it took longer: a KVM that emulates each instruction, on which
 * no kernel would ever boot; -1: KVM refused. Blocks for a second at most. Forks.
 */
int fg_kvm_probe(const char *kvm, struct fg_error *err);
