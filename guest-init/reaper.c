/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/str.h"
#include "guest-init/process.h"

/*
 * PID 1 of a container with initProcessEnabled. It runs as the container's user under its seccomp
 * filter, and has nothing of the guest's init in its memory.
 */

extern char **environ;

static _Noreturn void run_program(int report, const char *path, char **argv, const sigset_t *mask)
{
        struct fg_start_report failed = { .kind = FG_START_FAILED,
                                          .error = "CannotStartContainerError" };
        struct fg_error err = FG_ERROR_INIT;

        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        (void)execve(path, argv, environ);
        (void)fg_process_exec_error(argv[0], errno, &err);
        (void)snprintf(failed.message, sizeof(failed.message), "%s", err.msg);
        if (write(report, &failed, sizeof(failed)) < 0)
                _exit(126);
        _exit(127);
}

/* Reaps until the program has ended. Return: its exit status, or -1 while it runs. */
static int reap(pid_t program)
{
        int status, result = -1;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (pid == program)
                        result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return result;
}

int fg_start_reaper(int argc, char **argv)
{
        sigset_t all, old;
        uint64_t report;
        pid_t program;
        int result = -1, sig;

        if (argc < 4 || !fg_parse_u64(argv[1], &report))
                return 126;
        (void)fcntl((int)report, F_SETFD, FD_CLOEXEC);
        sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, &old);
        program = fork();
        if (program == 0)
                run_program((int)report, argv[2], argv + 3, &old);
        (void)close((int)report);
        if (program < 0)
                return 126;
        while (result < 0) {
                sig = sigwaitinfo(&all, NULL);
                if (sig == SIGCHLD)
                        result = reap(program);
                else if (sig > 0)
                        (void)kill(program, sig);
        }
        return result;
}
