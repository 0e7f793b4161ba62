/* SPDX-License-Identifier: Apache-2.0 */
#include "images/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"

#define MESSAGE_MAX 512

static void destroy_actions(posix_spawn_file_actions_t *a)
{
        (void)posix_spawn_file_actions_destroy(a);
}

static void destroy_attr(posix_spawnattr_t *a)
{
        (void)posix_spawnattr_destroy(a);
}

/* No environment, no other descriptors. */
static int spawn(const struct fg_helper *h, int errors, pid_t *ret, struct fg_error *err)
{
        const int fds[] = { h->in, h->out, errors };
        char *const envp[] = { NULL };
        fg_cleanup(destroy_actions) posix_spawn_file_actions_t actions;
        fg_cleanup(destroy_attr) posix_spawnattr_t attr;
        sigset_t none;
        int sys;

        sigemptyset(&none);
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawnattr_init(&attr);
        sys = posix_spawnattr_setsigmask(&attr, &none)
                      ?: posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
        for (int i = 0; i < 3 && !sys; i++)
                sys = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
        sys = sys ?: posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        sys = sys ?: posix_spawn(ret, h->program, &actions, &attr, (char *const *)h->argv, envp);
        return sys ? fg_fail_errno(err, sys, "start %s", h->program) : 0;
}

/* Its end, or a reason to end it. Return: 0, or -1 with the reason. */
static int await(const struct fg_helper *h, pid_t pid, struct fg_error *err)
{
        const uint64_t deadline = fg_mono_ns() + h->seconds * FG_NS_PER_SEC;
        fg_autoclose int end = pidfd_open(pid, 0);
        struct pollfd fds[] = { { .fd = end, .events = POLLIN },
                                { .fd = h->cancel, .events = POLLIN } };

        if (end < 0)
                return fg_fail_errno(err, errno, "watch %s", h->argv[0]);
        for (;;) {
                const uint64_t now = fg_mono_ns();
                int n;

                if (now >= deadline)
                        return fg_fail(err, FG_ERR_TIMEOUT, "%s took more than %u s", h->argv[0],
                                       h->seconds);
                n = poll(fds, FG_ARRAY_SIZE(fds), (int)((deadline - now) / FG_NS_PER_MSEC) + 1);
                if (n < 0 && errno != EINTR)
                        return fg_fail_errno(err, errno, "watch %s", h->argv[0]);
                if (n > 0 && fds[0].revents)
                        return 0;
                if (n > 0 && fds[1].revents)
                        return fg_fail(err, FG_ERR_CONFLICT, "cancelled");
        }
}

static int reap(pid_t pid, struct fg_error *err)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(err, errno, "wait");
        return status;
}

/* Its first line of complaint, so that a hostile file cannot fill our log. */
static void read_message(int fd, char ret[MESSAGE_MAX])
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(MESSAGE_MAX - 1);
        struct fg_error ignored;

        (void)fg_buf_read_fd(&text, fd, &ignored);
        (void)snprintf(ret, MESSAGE_MAX, "%.*s", (int)(text.data ? strcspn(text.data, "\n") : 0),
                       text.data ? text.data : "");
        for (char *p = ret; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
}

static enum fg_err code_of(int status)
{
        switch (status) {
        case FG_HELPER_WRONG:
                return FG_ERR_INVALID;
        case FG_HELPER_FULL:
                return FG_ERR_CAPACITY;
        default:
                return FG_ERR_INTERNAL;
        }
}

int fg_helper_run(const struct fg_helper *h, struct fg_error *err)
{
        fg_autoclose int message_in = -1, message_out = -1;
        struct fg_error reaping = FG_ERROR_INIT;
        char message[MESSAGE_MAX];
        int pipefd[2], ended, status;
        pid_t pid;

        /* What does not fit is lost: nobody reads before the end. */
        if (pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) < 0)
                return fg_fail_errno(err, errno, "pipe");
        message_in = pipefd[0];
        message_out = pipefd[1];
        if (spawn(h, message_out, &pid, err) < 0)
                return -1;
        (void)close(fg_take_fd(message_out));
        ended = await(h, pid, err);
        if (ended < 0)
                (void)kill(pid, SIGKILL);
        status = reap(pid, &reaping);
        if (ended < 0)
                return -1;
        if (status < 0) {
                *err = reaping;
                return -1;
        }
        read_message(message_in, message);
        if (WIFSIGNALED(status))
                return fg_fail(err, FG_ERR_INVALID, "%s ended with signal %d", h->argv[0],
                               WTERMSIG(status));
        if (WEXITSTATUS(status))
                return fg_fail(err, code_of(WEXITSTATUS(status)), "%s",
                               message[0] ? message : "it cannot be read");
        return 0;
}

char *fg_helper_path(const char *name, const char *variable)
{
        const char *configured = getenv(variable);
        char self[PATH_MAX], *slash;
        ssize_t n;

        if (configured && *configured)
                return fg_strdup(configured);
        /* In the build tree: <build>/<folder>/program, <build>/images/<name>. */
        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n > 0) {
                fg_autofree char *path = NULL;

                self[n] = '\0';
                slash = strrchr(self, '/');
                *slash = '\0';
                slash = strrchr(self, '/');
                if (slash)
                        *slash = '\0';
                path = fg_asprintf("%s/images/%s", self, name);
                if (fg_exists(path))
                        return fg_take_ptr(path);
        }
        return fg_asprintf(FG_LIBEXECDIR "/%s", name);
}
