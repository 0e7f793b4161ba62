/* SPDX-License-Identifier: Apache-2.0 */
#include "images/prepare_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/str.h"
#include "guest-init/caps.h"
#include "images/confine.h"
#include "images/prepare_watch.h"

#define NAMESPACES                                                                                 \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
         CLONE_NEWCGROUP)
#define OWN_MOUNT (MS_NOSUID | MS_NODEV)

/* Directories, or on a merged system links to directories, that programs are loaded from. */
static const char *const programs[] = { "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32" };

/* Of the unpacking code with libarchive, and of mkfs.erofs. Of fallocate(2), only what gives room
   back, see fg_confine_calls(). */
static const int allowed_calls[] = {
        SCMP_SYS(access),
        SCMP_SYS(arch_prctl),
        SCMP_SYS(brk),
        SCMP_SYS(chmod),
        SCMP_SYS(chown),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(close),
        SCMP_SYS(copy_file_range),
        SCMP_SYS(dup),
        SCMP_SYS(execve),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(fallocate),
        SCMP_SYS(fchmod),
        SCMP_SYS(fchmodat),
        SCMP_SYS(fchown),
        SCMP_SYS(fchownat),
        SCMP_SYS(fcntl),
        SCMP_SYS(fgetxattr),
        SCMP_SYS(flistxattr),
        SCMP_SYS(fremovexattr),
        SCMP_SYS(fsetxattr),
        SCMP_SYS(fstat),
        SCMP_SYS(fstatfs),
        SCMP_SYS(fsync),
        SCMP_SYS(ftruncate),
        SCMP_SYS(futex),
        SCMP_SYS(getcwd),
        SCMP_SYS(getdents64),
        SCMP_SYS(getegid),
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getpid),
        SCMP_SYS(getppid),
        SCMP_SYS(getrandom),
        SCMP_SYS(getrlimit),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(gettid),
        SCMP_SYS(getuid),
        SCMP_SYS(getxattr),
        SCMP_SYS(ioctl),
        SCMP_SYS(lchown),
        SCMP_SYS(lgetxattr),
        SCMP_SYS(linkat),
        SCMP_SYS(listxattr),
        SCMP_SYS(llistxattr),
        SCMP_SYS(lremovexattr),
        SCMP_SYS(lseek),
        SCMP_SYS(lsetxattr),
        SCMP_SYS(lstat),
        SCMP_SYS(madvise),
        SCMP_SYS(mkdir),
        SCMP_SYS(mkdirat),
        SCMP_SYS(mknodat),
        SCMP_SYS(mmap),
        SCMP_SYS(mprotect),
        SCMP_SYS(mremap),
        SCMP_SYS(munmap),
        SCMP_SYS(newfstatat),
        SCMP_SYS(openat),
        SCMP_SYS(openat2),
        SCMP_SYS(pread64),
        SCMP_SYS(prlimit64),
        SCMP_SYS(pwrite64),
        SCMP_SYS(read),
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(recvmsg),
        SCMP_SYS(renameat),
        SCMP_SYS(rseq),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(set_robust_list),
        SCMP_SYS(set_tid_address),
        SCMP_SYS(setxattr),
        SCMP_SYS(stat),
        SCMP_SYS(statfs),
        SCMP_SYS(statx),
        SCMP_SYS(symlinkat),
        SCMP_SYS(sysinfo),
        SCMP_SYS(umask),
        SCMP_SYS(uname),
        SCMP_SYS(unlink),
        SCMP_SYS(unlinkat),
        SCMP_SYS(utimensat),
        SCMP_SYS(write),
        SCMP_SYS(writev),
};

static int wait_for(pid_t pid, struct fg_error *err)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(err, errno, "wait");
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- identities ---- */

static int write_map(pid_t pid, const char *name, const char *text, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/proc/%d/%s", (int)pid, name);
        fg_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return fg_fail_errno(err, errno, "write %s", path);
        return 0;
}

static int map_ids(pid_t pid, struct fg_error *err)
{
        const bool root = geteuid() == 0;
        fg_autofree char *uids = root ? fg_asprintf("0 %u %u", FG_SANDBOX_FIRST_ID, FG_SANDBOX_IDS)
                                      : fg_asprintf("0 %u 1", (unsigned)geteuid());
        fg_autofree char *gids = root ? fg_strdup(uids)
                                      : fg_asprintf("0 %u 1", (unsigned)getegid());

        if (!root && write_map(pid, "setgroups", "deny", err) < 0)
                return -1;
        return write_map(pid, "uid_map", uids, err) < 0 || write_map(pid, "gid_map", gids, err) < 0
                       ? -1
                       : 0;
}

/* setgroups() is refused where a user mapped only himself; there is nothing to drop then. */
static int become_root(struct fg_error *err)
{
        if ((setgroups(0, NULL) < 0 && errno != EPERM) || setresgid(0, 0, 0) < 0 ||
            setresuid(0, 0, 0) < 0)
                return fg_fail_errno(err, errno, "become root of the sandbox");
        return 0;
}

/* ---- the root directory ---- */

/* By its path, since a descriptor is of the outer mount namespace; and with the outer identity,
   since the sandbox's own may not search the directories above. */
static int go_to(int work, struct fg_error *err)
{
        fg_autofree char *link = fg_asprintf("/proc/self/fd/%d", work);
        char path[PATH_MAX];
        ssize_t n = readlink(link, path, sizeof(path) - 1);

        if (n < 0)
                return fg_fail_errno(err, errno, "the working directory");
        path[n] = '\0';
        return chdir(path) < 0 ? fg_fail_errno(err, errno, "%s", path) : 0;
}

static int bind_program(const char *name, struct fg_error *err)
{
        fg_autofree char *from = fg_asprintf("/%s", name);
        char target[256];
        struct stat st;
        ssize_t n;

        if (lstat(from, &st) < 0)
                return errno == ENOENT ? 0 : fg_fail_errno(err, errno, "%s", from);
        if (S_ISLNK(st.st_mode)) {
                n = readlink(from, target, sizeof(target) - 1);
                if (n < 0)
                        return fg_fail_errno(err, errno, "%s", from);
                target[n] = '\0';
                return symlink(target, name) < 0 ? fg_fail_errno(err, errno, "link %s", name) : 0;
        }
        if (mkdir(name, 0755) < 0 || mount(from, name, NULL, MS_BIND | MS_REC, NULL) < 0 ||
            mount(NULL, name, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | OWN_MOUNT, NULL) < 0)
                return fg_fail_errno(err, errno, "show %s", from);
        return 0;
}

/* The present directory becomes FG_SANDBOX_WORK. /tmp is where the new root hangs for a moment. */
static int make_root(struct fg_error *err)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("sandbox", "/tmp", "tmpfs", OWN_MOUNT, "mode=0755,size=64k") < 0 ||
            mkdir("/tmp" FG_SANDBOX_WORK, 0700) < 0 ||
            mount(".", "/tmp" FG_SANDBOX_WORK, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, "/tmp" FG_SANDBOX_WORK, NULL, MS_BIND | MS_REMOUNT | MS_NOEXEC | OWN_MOUNT,
                  NULL) < 0 ||
            chdir("/tmp") < 0)
                return fg_fail_errno(err, errno, "make a root directory");
        for (size_t i = 0; i < FG_ARRAY_SIZE(programs); i++)
                if (bind_program(programs[i], err) < 0)
                        return -1;
        if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
            chdir("/") < 0 || mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | OWN_MOUNT, NULL) < 0)
                return fg_fail_errno(err, errno, "enter the root directory");
        return 0;
}

/* ---- processes ---- */

/* Root of the sandbox has not got the right to raise them again. */
static int limit(const struct fg_sandbox_limits *limits, struct fg_error *err)
{
        if (!FG_SANITIZED && fg_confine_limit(RLIMIT_AS, limits->memory, err) < 0)
                return -1;
        if (fg_confine_limit(RLIMIT_CPU, limits->cpu_seconds, err) < 0 ||
            fg_confine_limit(RLIMIT_FSIZE, limits->file_bytes, err) < 0)
                return -1;
        return fg_confine_limit(RLIMIT_CORE, 0, err);
}

static int enter(int gate, int work, const struct fg_sandbox_limits *limits, struct fg_error *err)
{
        char go;

        if (read(gate, &go, 1) != 1)
                return fg_fail(err, FG_ERR_INTERNAL, "no identities were given");
        if (limit(limits, err) < 0)
                return -1;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fg_fail_errno(err, errno, "prctl");
        if (go_to(work, err) < 0 || become_root(err) < 0 || make_root(err) < 0)
                return -1;
        /* A change of identity clears it. */
        return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? fg_fail_errno(err, errno, "prctl") : 0;
}

static _Noreturn void child(int gate, int work, const struct fg_sandbox_limits *limits,
                            int (*inside)(void *data), void *data)
{
        struct fg_error err = FG_ERROR_INIT;

        if (enter(gate, work, limits, &err) == 0)
                _exit(inside(data));
        (void)dprintf(STDERR_FILENO, "sandbox: %s\n", err.msg);
        _exit(127);
}

int fg_sandbox_run(int work, const struct fg_sandbox_limits *limits, int (*inside)(void *data),
                   void *data, struct fg_error *err)
{
        struct clone_args args = { .flags = NAMESPACES, .exit_signal = SIGCHLD };
        fg_autoclose int gate_out = -1, gate_in = -1;
        int gate[2];
        pid_t pid;

        if (pipe2(gate, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        gate_out = gate[0];
        gate_in = gate[1];
        if (geteuid() == 0 && fchown(work, FG_SANDBOX_FIRST_ID, FG_SANDBOX_FIRST_ID) < 0)
                return fg_fail_errno(err, errno, "give the working directory away");
        pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0) {
                (void)close(fg_take_fd(gate_in));
                child(gate_out, work, limits, inside, data);
        }
        if (pid < 0)
                return fg_fail_errno(err, errno, "namespaces (are user namespaces switched off?)");
        if (map_ids(pid, err) < 0 || write(gate_in, "", 1) != 1) {
                (void)kill(pid, SIGKILL);
                (void)wait_for(pid, &(struct fg_error){ 0 });
                return -1;
        }
        return fg_sandbox_watch(pid, work, limits->bytes, err);
}

static _Noreturn void step(unsigned long caps, int (*inside)(void *data), void *data)
{
        struct fg_error err = FG_ERROR_INIT;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                _exit(127);
        if (fg_caps_limit(caps, &err) == 0 &&
            fg_confine_calls(allowed_calls, FG_ARRAY_SIZE(allowed_calls), &err) == 0)
                _exit(inside(data));
        (void)dprintf(STDERR_FILENO, "sandbox: %s\n", err.msg);
        _exit(127);
}

int fg_sandbox_step(unsigned long caps, int (*inside)(void *data), void *data, struct fg_error *err)
{
        pid_t pid = fork();

        if (pid == 0)
                step(caps, inside, data);
        return pid < 0 ? fg_fail_errno(err, errno, "fork") : wait_for(pid, err);
}
