/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/cleanup.h"

#define PROBE_TIMEOUT_MS 1000
#define GUEST_PAGE       4096

/*
 * Real mode:  mov ecx, 2000000; 1: dec ecx; jnz 1b; hlt
 * A CPU that virtualises needs about a millisecond; nested in software emulation, some ten; an
 * emulated instruction costs microseconds, so that KVM needs several seconds.
 */
static const unsigned char guest_code[] = {
        0x66, 0xb9, 0x80, 0x84, 0x1e, 0x00, /* mov ecx, 2000000 */
        0x66, 0x49,                         /* dec ecx */
        0x75, 0xfc,                         /* jnz -4 */
        0xf4,                               /* hlt */
};

enum probe_status { PROBE_ENDED = 0, PROBE_REFUSED = 1 };

/* In a child process, which may be killed in the middle: KVM_RUN has no time limit of its own. */
static enum probe_status run_guest(const char *kvm)
{
        struct kvm_userspace_memory_region region = { .memory_size = GUEST_PAGE };
        struct kvm_regs regs = { .rflags = 2 };
        struct kvm_sregs sregs;
        struct kvm_run *run;
        void *page;
        int fd, vm, cpu, size;

        fd = open(kvm, O_RDWR | O_CLOEXEC);
        vm = ioctl(fd, KVM_CREATE_VM, 0);
        page = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
                return PROBE_REFUSED;
        memcpy(page, guest_code, sizeof(guest_code));
        region.userspace_addr = (uintptr_t)page;
        cpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -1
                                                                 : ioctl(vm, KVM_CREATE_VCPU, 0);
        size = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);
        if (cpu < 0 || size < (int)sizeof(*run) || ioctl(cpu, KVM_GET_SREGS, &sregs) < 0)
                return PROBE_REFUSED;
        sregs.cs.base = 0;
        sregs.cs.selector = 0;
        run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
        if (run == MAP_FAILED || ioctl(cpu, KVM_SET_SREGS, &sregs) < 0 ||
            ioctl(cpu, KVM_SET_REGS, &regs) < 0)
                return PROBE_REFUSED;
        while (ioctl(cpu, KVM_RUN, 0) < 0)
                if (errno != EINTR && errno != EAGAIN)
                        return PROBE_REFUSED;
        return run->exit_reason == KVM_EXIT_HLT ? PROBE_ENDED : PROBE_REFUSED;
}

int fg_kvm_probe(const char *kvm, struct fg_error *err)
{
        fg_autoclose int pidfd = -1;
        struct pollfd ended;
        int status = 0, r;
        pid_t pid;

        pid = fork();
        if (pid < 0)
                return fg_fail_errno(err, errno, "fork");
        if (pid == 0)
                _exit(run_guest(kvm));
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        ended = (struct pollfd){ .fd = pidfd, .events = POLLIN };
        r = pidfd < 0 ? 0 : poll(&ended, 1, PROBE_TIMEOUT_MS);
        if (r <= 0)
                (void)kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r <= 0)
                return 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != PROBE_ENDED)
                return fg_fail(err, FG_ERR_INVALID, "the kernel refused the probe guest");
        return 1;
}
