/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

/* 1: the flags name a virtualisation extension, 0: they do not. */
static int cpu_virtualises(const char *cpuinfo, struct fg_error *err)
{
        fg_cleanup(fclosep) FILE *file = fopen(cpuinfo, "re");
        fg_autofree char *line = NULL;
        size_t size = 0;

        if (!file)
                return fg_fail_errno(err, errno, "%s", cpuinfo);
        while (getline(&line, &size, file) >= 0) {
                char *words = line, *word;

                if (strncmp(line, "flags", 5) != 0)
                        continue;
                while ((word = strsep(&words, " \t\n")))
                        if (strcmp(word, "vmx") == 0 || strcmp(word, "svm") == 0)
                                return 1;
        }
        return 0;
}

static bool qemu_may_open(const struct fg_accel_host *host, const struct stat *st)
{
        mode_t both = S_IROTH | S_IWOTH;

        if (host->uid == 0 || host->uid == geteuid()) /* we have just opened it */
                return true;
        if (host->uid == st->st_uid)
                return (st->st_mode >> 6 & both) == both;
        if (host->gid == st->st_gid || host->extra_gid == st->st_gid)
                return (st->st_mode >> 3 & both) == both;
        return (st->st_mode & both) == both;
}

/* 0: KVM works, @reason says why; -1: it does not, @err says why. */
static int kvm_works(const struct fg_accel_host *host, struct fg_accel_choice *choice,
                     struct fg_error *err)
{
        fg_autoclose int fd = open(host->kvm, O_RDWR | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fg_fail_errno(err, errno, "%s cannot be opened", host->kvm);
        if (!qemu_may_open(host, &st)) {
                choice->kvm_hidden = true;
                (void)snprintf(choice->warning, sizeof(choice->warning),
                               "%s is closed to QEMU's user (mode %04o, owner %u:%u): give it to "
                               "group kvm with mode 0660",
                               host->kvm, (unsigned)(st.st_mode & 07777), st.st_uid, st.st_gid);
        }
        r = cpu_virtualises(host->cpuinfo, err);
        if (r < 0)
                return -1;
        if (r == 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "%s opens, but the CPU has neither vmx nor svm: guests would be "
                               "emulated instruction by instruction",
                               host->kvm);
        r = host->probe(host->kvm, err);
        if (r < 0)
                return fg_wrap(err, "%s opens, but runs no guest", host->kvm);
        if (r == 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "%s opens, but a probe guest did not end in time", host->kvm);
        (void)snprintf(choice->reason, sizeof(choice->reason),
                       "%s opens, the CPU virtualises, and a probe guest ended in time", host->kvm);
        return 0;
}

int fg_accel_choose(const struct fg_accel_host *host, enum fg_accel wanted,
                    struct fg_accel_choice *ret, struct fg_error *err)
{
        struct fg_error why = FG_ERROR_INIT;
        bool works;

        *ret = (struct fg_accel_choice){ .accel = FG_ACCEL_TCG };
        works = kvm_works(host, ret, &why) == 0;
        if (wanted == FG_ACCEL_TCG) {
                (void)snprintf(ret->reason, sizeof(ret->reason), "configured");
                return 0;
        }
        if (works) {
                ret->accel = FG_ACCEL_KVM;
                return 0;
        }
        if (wanted == FG_ACCEL_KVM) {
                *err = why;
                return fg_wrap(err, "accel=kvm");
        }
        (void)snprintf(ret->reason, sizeof(ret->reason), "software emulation, because %.200s",
                       why.msg);
        return 0;
}
