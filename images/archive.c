/* SPDX-License-Identifier: Apache-2.0 */
#include "images/archive.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
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

/* stdin: the tar; stdout: the directory; stderr: what went wrong. Nothing else, no environment. */
static int spawn(const char *program, const char *name, const int fds[3], pid_t *ret,
                 struct fg_error *err)
{
        char *const argv[] = { (char *)"fg-archive", (char *)name, NULL };
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
        sys = sys ?: posix_spawn(ret, program, &actions, &attr, argv, envp);
        return sys ? fg_fail_errno(err, sys, "start %s", program) : 0;
}

/* Its first line of complaint, so that a hostile file cannot fill our log. */
static int read_message(int fd, char ret[MESSAGE_MAX])
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(MESSAGE_MAX - 1);
        struct fg_error ignored;

        (void)fg_buf_read_fd(&text, fd, &ignored);
        (void)snprintf(ret, MESSAGE_MAX, "%.*s", (int)(text.data ? strcspn(text.data, "\n") : 0),
                       text.data ? text.data : "");
        for (char *p = ret; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
        return 0;
}

int fg_archive_convert(const char *program, const char *file, const char *name, const char *dir,
                       struct fg_error *err)
{
        fg_autoclose int tar = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        fg_autoclose int out = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fg_autoclose int message_in = -1, message_out = -1;
        char message[MESSAGE_MAX];
        int pipefd[2], status;
        pid_t pid;

        if (tar < 0)
                return fg_fail_errno(err, errno, "%s", file);
        if (out < 0)
                return fg_fail_errno(err, errno, "%s", dir);
        if (pipe2(pipefd, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        message_in = pipefd[0];
        message_out = pipefd[1];
        if (spawn(program, name, (int[]){ tar, out, message_out }, &pid, err) < 0)
                return -1;
        (void)close(fg_take_fd(message_out));
        (void)read_message(message_in, message);
        (void)close(fg_take_fd(message_in));
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return fg_fail_errno(err, errno, "wait for %s", program);
        if (WIFSIGNALED(status))
                return fg_fail(err, FG_ERR_INVALID, "%s: reading it ended with signal %d", file,
                               WTERMSIG(status));
        if (WEXITSTATUS(status))
                return fg_fail(err, FG_ERR_INVALID, "%s: %s", file,
                               message[0] ? message : "cannot be read");
        return 0;
}

char *fg_archive_program(void)
{
        const char *configured = getenv("FG_ARCHIVE");
        char self[PATH_MAX], *slash;
        ssize_t n;

        if (configured && *configured)
                return fg_strdup(configured);
        /* In the build tree: <build>/<folder>/program, <build>/images/fg-archive. */
        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n > 0) {
                fg_autofree char *path = NULL;

                self[n] = '\0';
                slash = strrchr(self, '/');
                *slash = '\0';
                slash = strrchr(self, '/');
                if (slash)
                        *slash = '\0';
                path = fg_asprintf("%s/images/fg-archive", self);
                if (fg_exists(path))
                        return fg_take_ptr(path);
        }
        return fg_strdup(FG_LIBEXECDIR "/fg-archive");
}
