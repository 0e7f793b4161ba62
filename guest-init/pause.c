/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/pause.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"
#include "guest-init/caps.h"
#include "guest-init/console.h"
#include "guest-init/filter.h"

#define SELF   "/proc/self/exe"
#define EMPTY  "/run" /* what becomes the root is mounted here */
#define NOBODY 65534

static int leave_root(struct fg_error *err)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", EMPTY, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0") <
                    0 ||
            chdir(EMPTY) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
            umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return fg_fail_errno(err, errno, "change the root");
        return 0;
}

static int give_up(struct fg_error *err)
{
        if (leave_root(err) < 0 || fg_filter_load(0, err) < 0 || fg_caps_bound(0, err) < 0)
                return -1;
        if (prctl(PR_SET_NAME, FG_PAUSE_NAME) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return fg_fail_errno(err, errno, "become nobody");
        return fg_caps_set(0, err);
}

int fg_pause_main(int argc, char **argv)
{
        struct fg_error err = FG_ERROR_INIT;
        uint64_t done;
        sigset_t all;
        int i;

        sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        if (argc != 2 || !fg_parse_u64(argv[1], &done))
                return 126;
        if (give_up(&err) < 0) {
                (void)dprintf((int)done, "%s", err.msg);
                return 126;
        }
        for (i = 0; i < 3; i++)
                (void)close(i);
        (void)close((int)done);
        for (;;) {
                (void)sigwaitinfo(&all, NULL);
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
        }
}

static _Noreturn void child(int done)
{
        fg_autofree char *number = fg_asprintf("%d", done);
        char *const argv[] = { (char *)FG_PAUSE_NAME, number, NULL };
        char *const env[] = { NULL };

        if (setsid() >= 0 && fcntl(done, F_SETFD, 0) >= 0)
                (void)execve(SELF, argv, env);
        (void)dprintf(done, "cannot execute it");
        _exit(126);
}

/* Its words are an error; silence until it has closed the pipe is success. */
static int wait_for(int done, struct fg_error *err)
{
        char text[256];
        ssize_t n;

        do
                n = read(done, text, sizeof(text) - 1);
        while (n < 0 && errno == EINTR);
        if (n == 0)
                return 0;
        text[n > 0 ? n : 0] = '\0';
        return fg_fail(err, FG_ERR_INTERNAL, "the task's process namespace: %s", text);
}

int fg_pause_start(struct fg_pause *p, struct fg_error *err)
{
        struct clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
                                            CLONE_NEWUTS,
                                   .exit_signal = SIGCHLD };
        fg_autoclose int read_end = -1, write_end = -1;
        fg_autofree char *path = NULL;
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        read_end = pair[0];
        write_end = pair[1];
        p->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
        if (p->pid == 0)
                child(write_end);
        if (p->pid < 0)
                return fg_fail_errno(err, errno, "clone3");
        fg_closep(&write_end);
        write_end = -1;
        path = fg_asprintf("/proc/%d/ns/pid", p->pid);
        p->ns = open(path, O_RDONLY | O_CLOEXEC);
        if (p->ns < 0)
                return fg_fail_errno(err, errno, "open %s", path);
        return wait_for(read_end, err);
}
