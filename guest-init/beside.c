/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "guest-init/process.h"
#include "guest-init/start.h"

/* A further process in a container that runs. */

#define NAMESPACES   (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
#define NOT_FOUND    127 /* the exit codes of shells */
#define NOT_EXECUTED 126

static int enter(struct fg_start *s, int container, struct fg_error *err)
{
        fg_autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (fg_start_reset(err) < 0)
                return -1;
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(s->output[0], STDOUT_FILENO) < 0 ||
            dup2(s->output[1], STDERR_FILENO) < 0)
                return fg_fail_errno(err, errno, "set up stdio");
        if (fg_start_load_image(s, err) < 0)
                return fg_wrap(err, "image");
        if (setns(container, NAMESPACES) < 0)
                return fg_fail_errno(err, errno, "enter the container");
        return 0;
}

static _Noreturn void child(struct fg_start *s, int container)
{
        fg_cleanup(fg_process_finish) struct fg_process p = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        if (enter(s, container, &err) == 0 && fg_start_confine(s, &p, &err) == 0)
                (void)fg_process_exec(&p, -1, false, &err);
        (void)dprintf(STDERR_FILENO, "%s\n", err.msg);
        _exit(err.code == FG_ERR_NOT_FOUND ? NOT_FOUND : NOT_EXECUTED);
}

pid_t fg_start_beside(struct fg_start *s, pid_t beside, struct fg_error *err)
{
        fg_autoclose int container = (int)syscall(SYS_pidfd_open, beside, 0);
        pid_t pid;

        if (container < 0)
                return fg_fail_errno(err, errno, "open the container's namespaces");
        pid = fg_start_clone(0, s->cgroup, container, err);
        if (pid == 0)
                child(s, container);
        return pid;
}
