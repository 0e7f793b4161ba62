/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs while fgrun is built: compiles Docker's default seccomp profile for x86-64 to BPF and writes
 * it to stdout as C arrays, so that the guest neither links libseccomp nor compiles at each boot.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"

static const char allowed[] =
        "accept accept4 access adjtimex alarm arch_prctl bind brk capget capset chdir chmod chown "
        "chroot clock_adjtime clock_getres clock_gettime clock_nanosleep close close_range connect "
        "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
        "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
        "exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat "
        "fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr "
        "fstat fstatfs fsync ftruncate futex futex_waitv futimesat getcpu getcwd getdents "
        "getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid "
        "getppid getpriority getrandom getresgid getresuid getrlimit get_robust_list getrusage "
        "getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getxattr "
        "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy "
        "io_getevents io_pgetevents ioprio_get ioprio_set io_setup io_submit kill "
        "landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link "
        "linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise membarrier "
        "memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap "
        "modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend "
        "mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
        "name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open "
        "pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 "
        "preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 "
        "ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom "
        "recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall "
        "rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
        "rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_getaffinity sched_getattr "
        "sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler "
        "sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
        "sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg "
        "sendto setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid "
        "setresgid setresuid setreuid setrlimit set_robust_list setsid setsockopt "
        "set_thread_area set_tid_address setuid setxattr shmat shmctl shmdt shmget shutdown "
        "sigaltstack signalfd signalfd4 socketpair splice stat statfs statx symlink symlinkat "
        "sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete "
        "timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime "
        "timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes "
        "vfork vmsplice wait4 waitid write writev";

static const char with_ptrace[] = "kcmp pidfd_getfd process_madvise";

/* Only these do not weaken the address space layout of whoever runs next. */
static const uint32_t personalities[] = { PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
                                          UINT32_MAX };

static const uint64_t new_namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                       CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

/* Return: 0 or a negative errno. */
static int allow_list(scmp_filter_ctx ctx, const char *list)
{
        fg_autofree char *copy = strdup(list);
        char *rest = copy, *name;

        while ((name = strsep(&rest, " "))) {
                int nr = seccomp_syscall_resolve_name(name);
                int r = nr < 0 ? -EINVAL : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);

                if (r < 0) {
                        (void)fprintf(stderr, "%s: %s\n", name, strerror(-r));
                        return r;
                }
        }
        return 0;
}

static int allow_in_part(scmp_filter_ctx ctx)
{
        int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces, 0));

        for (size_t i = 0; r >= 0 && i < FG_ARRAY_SIZE(personalities); i++)
                r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                                     SCMP_A0(SCMP_CMP_EQ, personalities[i]));
        /* vsock would lead out of the guest. */
        if (r >= 0)
                r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                     SCMP_A0(SCMP_CMP_NE, AF_VSOCK));
        /* Its flags are behind a pointer; with ENOSYS the C libraries fall back to clone. */
        if (r >= 0)
                r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        return r;
}

static int print_array(scmp_filter_ctx ctx, const char *name)
{
        fg_cleanup(fclosep) FILE *f = tmpfile();
        uint64_t insn;
        int r;

        if (!f)
                return -errno;
        r = seccomp_export_bpf(ctx, fileno(f));
        if (r < 0)
                return r;
        rewind(f);
        (void)printf("static const uint64_t %s[] = {\n", name);
        while (fread(&insn, sizeof(insn), 1, f) == 1)
                (void)printf("        UINT64_C(0x%016llx),\n", (unsigned long long)insn);
        (void)printf("};\n");
        return 0;
}

static int print_profile(const char *name, const char *more)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) : -ENOMEM;

        if (r >= 0)
                r = allow_list(ctx, allowed);
        if (r >= 0 && more)
                r = allow_list(ctx, more);
        if (r >= 0)
                r = allow_in_part(ctx);
        if (r >= 0)
                r = print_array(ctx, name);
        if (r < 0)
                (void)fprintf(stderr, "seccomp profile %s: %s\n", name, strerror(-r));
        seccomp_release(ctx);
        return r;
}

int main(void)
{
        (void)printf("/* Generated by seccomp_build.c: struct sock_filter as 64-bit words. */\n"
                     "#include <stdint.h>\n");
        if (print_profile("default_filter", NULL) < 0 ||
            print_profile("ptrace_filter", with_ptrace) < 0)
                return 1;
        return fflush(stdout) == 0 ? 0 : 1;
}
