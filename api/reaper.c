/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit as the daemon did. QEMUs that outlive it move on to the next reaper up. */
static void leave(int status)
{
        if (WIFSIGNALED(status))
                _exit(128 + WTERMSIG(status));
        _exit(WEXITSTATUS(status));
}

static void reap(pid_t daemon)
{
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == daemon)
                        leave(status);
}

static void supervise(pid_t daemon, const sigset_t *signals)
{
        (void)prctl(PR_SET_NAME, "fgd-reaper");
        /* Pipes must end when the daemon closes them: whoever waits for READY reads to the end. */
        (void)close_range(STDERR_FILENO + 1, ~0U, 0);
        for (;;) {
                int sig;

                if (sigwait(signals, &sig) != 0)
                        continue;
                if (sig == SIGCHLD)
                        reap(daemon);
                else
                        (void)kill(daemon, sig);
        }
}

void fg_reaper_start(void)
{
        sigset_t signals, old;
        pid_t pid;

        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return;
        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        sigprocmask(SIG_BLOCK, &signals, &old);
        pid = fork();
        if (pid < 0)
                abort();
        if (pid > 0)
                supervise(pid, &signals);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever kills the one means both */
        sigprocmask(SIG_SETMASK, &old, NULL);
}
