/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cmdline.h"

#include <time.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"

#define TSC_INTERVAL_NS (50 * FG_NS_PER_MSEC)
#define TSC_TRIES       16

/*
 * Of a SCSI disk, which comes while the guest runs, the kernel asks what it must, each question
 * being a trip to QEMU: neither further LUNs (NOLUN, NOREPORTLUN) nor a longer answer (INQUIRY_36),
 * supported commands (NO_RSOC), or pages about it (SKIP_VPD_PAGES). scsi/scsi_devinfo.h has them.
 */
#define SCSI_FLAGS "0x24040401"

/*
 * reboot=t panic=-1 oops=panic: every end of a guest is a triple fault, which a microvm without
 * ACPI turns into the end of its process. loglevel=0 would silence the panic, too. The driver of
 * dummy interfaces would else make one that every container sees.
 */
#define CMDLINE_COMMON                                                                             \
        "console=ttyS0 reboot=t panic=-1 oops=panic quiet loglevel=1 no_timer_check "              \
        "random.trust_cpu=on cryptomgr.notests rcupdate.rcu_expedited=1 "                          \
        "dummy.numdummies=0 scsi_mod.default_dev_flags=" SCSI_FLAGS

/*
 * Under TCG there is no kvm-clock: the guest would calibrate its TSC against an emulated timer,
 * which is slow and fails on a loaded host. The TSC is the host's, so the host's rate is given.
 * No patching of SMP code saves time at boot. The emulated CPU does not speculate, so mitigations
 * would only cost.
 */
#define CMDLINE_TCG "tsc=reliable noreplace-smp mitigations=off"

/* Saves half of the boot. With ACPI the local APIC has the only timer: none would ever fire. */
#define CMDLINE_TCG_NO_ACPI " nolapic_timer"

char *fg_cmdline_new(enum fg_accel accel, bool acpi, unsigned tsc_khz)
{
        fg_autofree char *tsc = NULL;

        if (accel == FG_ACCEL_KVM)
                return fg_strdup(CMDLINE_COMMON);
        if (tsc_khz != 0)
                tsc = fg_asprintf(" tsc_early_khz=%u", tsc_khz);
        return fg_asprintf("%s %s%s%s", CMDLINE_COMMON, CMDLINE_TCG,
                           acpi ? "" : CMDLINE_TCG_NO_ACPI, tsc ?: "");
}

#ifdef __x86_64__
#include <x86intrin.h>

struct tsc_sample {
        uint64_t ticks;
        uint64_t ns;
};

/* The pair read closest together of several: a preemption in between would spoil the rate. */
static struct tsc_sample tsc_read(void)
{
        struct tsc_sample best = { 0 };
        uint64_t width = UINT64_MAX;

        for (unsigned i = 0; i < TSC_TRIES; i++) {
                uint64_t before = __rdtsc(), ns = fg_mono_ns(), after = __rdtsc();

                if (after - before < width) {
                        width = after - before;
                        best = (struct tsc_sample){ before + width / 2, ns };
                }
        }
        return best;
}

unsigned fg_tsc_khz(void)
{
        struct timespec interval = { .tv_nsec = TSC_INTERVAL_NS };
        struct tsc_sample begin = tsc_read(), end;

        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &interval, NULL);
        end = tsc_read();
        return (unsigned)((end.ticks - begin.ticks) * FG_NS_PER_MSEC / (end.ns - begin.ns));
}
#else
unsigned fg_tsc_khz(void)
{
        return 0;
}
#endif
