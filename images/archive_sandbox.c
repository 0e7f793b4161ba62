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

#define NOBODY        65534
#define MEMORY_MAX    (UINT64_C(1) << 30)
#define FILE_SIZE_MAX (UINT64_C(64) << 30)
#define CPU_SECONDS   1800
#define FILES_MAX     32

/* A sanitizer's runtime needs address space and system calls of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if SANITIZED
const char *__asan_default_options(void);

/* The leak checker reads /proc, which is out of reach behind the chroot. */
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}
#endif

FG_DEFINE_CLEANUP(scmp_filter_ctx, seccomp_release)

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

static int limit(int resource, uint64_t value, struct fg_error *err)
{
        struct rlimit l = { .rlim_cur = value, .rlim_max = value };

        return setrlimit(resource, &l) < 0 ? fg_fail_errno(err, errno, "setrlimit") : 0;
}

static int limit_all(struct fg_error *err)
{
        if (!SANITIZED && limit(RLIMIT_AS, MEMORY_MAX, err) < 0)
                return -1;
        if (limit(RLIMIT_FSIZE, FILE_SIZE_MAX, err) < 0 || limit(RLIMIT_CORE, 0, err) < 0 ||
            limit(RLIMIT_CPU, CPU_SECONDS, err) < 0 || limit(RLIMIT_NOFILE, FILES_MAX, err) < 0)
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

static int filter_calls(struct fg_error *err)
{
        fg_cleanup(seccomp_releasep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = filter ? 0 : -ENOMEM;

        for (size_t i = 0; i < FG_ARRAY_SIZE(allowed_calls) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
        if (r == 0)
                r = seccomp_load(filter);
        return r < 0 ? fg_fail_errno(err, -r, "seccomp") : 0;
}

int fg_archive_sandbox(int dir, struct fg_error *err)
{
        bool root = geteuid() == 0;

        if (limit_all(err) < 0 || enter(dir, err) < 0 || (root && drop_user(err) < 0))
                return fg_wrap(err, "sandbox");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return fg_fail_errno(err, errno, "sandbox: prctl");
        if (!SANITIZED && filter_calls(err) < 0)
                return fg_wrap(err, "sandbox");
        return 0;
}
