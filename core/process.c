/* SPDX-License-Identifier: Apache-2.0 */
#include "core/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"

static void destroy_actions(posix_spawn_file_actions_t *a)
{
        (void)posix_spawn_file_actions_destroy(a);
}

static void destroy_attr(posix_spawnattr_t *a)
{
        (void)posix_spawnattr_destroy(a);
}

/* The daemon blocks signals for its signalfd and ignores SIGPIPE; its children must not inherit
   that: pasta does not even start. */
static int init_attr(posix_spawnattr_t *attr)
{
        sigset_t none, defaults;

        sigemptyset(&none);
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        return posix_spawnattr_init(attr)
                       ?: posix_spawnattr_setsigmask(attr, &none)
                       ?: posix_spawnattr_setsigdefault(attr, &defaults)
                       ?: posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
                                                                 POSIX_SPAWN_SETSIGDEF);
}

static int wait_for(pid_t pid, const char *name, struct fg_error *err)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(err, errno, "wait for %s", name);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reads on past a full buffer, so that a chatty program never blocks on its pipe. */
static int drain(int fd, struct fg_buf *output, struct fg_error *err)
{
        char rest[4096];
        ssize_t n;

        if (fg_buf_read_fd(output, fd, err) == 0)
                return 0;
        if (err->code != FG_ERR_CAPACITY)
                return -1;
        do
                n = read(fd, rest, sizeof(rest));
        while (n > 0 || (n < 0 && errno == EINTR));
        return 0;
}

int fg_spawn(const char *const argv[], struct fg_buf *output, struct fg_error *err)
{
        fg_cleanup(destroy_actions) posix_spawn_file_actions_t actions;
        fg_cleanup(destroy_attr) posix_spawnattr_t attr;
        fg_autoclose int out = -1, in = -1;
        int pipefd[2], sys, status;
        struct fg_error read_error = FG_ERROR_INIT;
        pid_t pid;

        if (pipe2(pipefd, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        in = pipefd[0];
        out = pipefd[1];
        sys = posix_spawn_file_actions_init(&actions) ?: init_attr(&attr);
        if (sys)
                return fg_fail_errno(err, sys, "spawn %s", argv[0]);
        sys = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
                      ?: posix_spawn_file_actions_adddup2(&actions, out, 1)
                      ?: posix_spawn_file_actions_adddup2(&actions, out, 2)
                      ?: posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        if (!sys)
                sys = posix_spawnp(&pid, argv[0], &actions, &attr, (char *const *)argv, environ);
        if (sys)
                return fg_fail_errno(err, sys, "run %s", argv[0]);
        (void)close(fg_take_fd(out));
        if (output) {
                (void)drain(in, output, &read_error);
        } else {
                fg_cleanup(fg_buf_finish) struct fg_buf none = FG_BUF_INIT(0);

                (void)drain(in, &none, &read_error);
        }
        status = wait_for(pid, argv[0], err);
        return status;
}
