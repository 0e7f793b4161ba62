/* SPDX-License-Identifier: Apache-2.0 */
#include "images/archive_sandbox.h"

#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "images/confine.h"

#define NOBODY        65534
#define MEMORY_MAX    (UINT64_C(1) << 30)
#define FILE_SIZE_MAX (UINT64_C(64) << 30)
#define CPU_SECONDS   1800
#define FILES_MAX     32

static const int allowed_calls[] = {
        SCMP_SYS(brk),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(close),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(fcntl),
        SCMP_SYS(fstat),
        SCMP_SYS(fsync),
        SCMP_SYS(futex),
        SCMP_SYS(getpid),
        SCMP_SYS(getrandom),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(lseek),
        SCMP_SYS(madvise),
        SCMP_SYS(mkdir),
        SCMP_SYS(mmap),
        SCMP_SYS(mprotect),
        SCMP_SYS(mremap),
        SCMP_SYS(munmap),
        SCMP_SYS(newfstatat),
        SCMP_SYS(openat),
        SCMP_SYS(read),
        SCMP_SYS(rename),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(umask),
        SCMP_SYS(unlink),
        SCMP_SYS(write),
        SCMP_SYS(writev),
};

static int limit_all(struct fg_error *err)
{
        if (!FG_SANITIZED && fg_confine_limit(RLIMIT_AS, MEMORY_MAX, err) < 0)
                return -1;
        if (fg_confine_limit(RLIMIT_FSIZE, FILE_SIZE_MAX, err) < 0 ||
            fg_confine_limit(RLIMIT_CORE, 0, err) < 0 ||
            fg_confine_limit(RLIMIT_CPU, CPU_SECONDS, err) < 0 ||
            fg_confine_limit(RLIMIT_NOFILE, FILES_MAX, err) < 0)
                return -1;
        return 0;
}

/* Root gives the directory to nobody; a user gets the right to chroot from a user namespace. */
static int enter(int dir, struct fg_error *err)
{
        if (geteuid() == 0) {
                if (fchown(dir, NOBODY, NOBODY) < 0)
                        return fg_fail_errno(err, errno, "chown");
        } else if (unshare(CLONE_NEWUSER) < 0) {
                return fg_fail_errno(err, errno, "user namespaces are needed");
        }
        if (fchdir(dir) < 0 || chroot(".") < 0)
                return fg_fail_errno(err, errno, "chroot");
        return 0;
}

static int drop_user(struct fg_error *err)
{
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return fg_fail_errno(err, errno, "become nobody");
        return 0;
}

int fg_archive_sandbox(int dir, struct fg_error *err)
{
        bool root = geteuid() == 0;

        if (limit_all(err) < 0 || enter(dir, err) < 0 || (root && drop_user(err) < 0))
                return fg_wrap(err, "sandbox");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return fg_fail_errno(err, errno, "sandbox: prctl");
        if (fg_confine_calls(allowed_calls, FG_ARRAY_SIZE(allowed_calls), err) < 0)
                return fg_wrap(err, "sandbox");
        return 0;
}
