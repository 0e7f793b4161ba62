/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fake_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/str.h"
#include "vmm/paths.h"

#define START_TIMEOUT_MS 10000
#define KILL_TIMEOUT_MS  5000

static void actions_destroy(posix_spawn_file_actions_t *a)
{
        (void)posix_spawn_file_actions_destroy(a);
}

static void attr_destroy(posix_spawnattr_t *a)
{
        (void)posix_spawnattr_destroy(a);
}

static int spawn(const char *const argv[], int ready, const char *console, pid_t *ret)
{
        fg_cleanup(actions_destroy) posix_spawn_file_actions_t actions;
        fg_cleanup(attr_destroy) posix_spawnattr_t attr;
        sigset_t none;
        int r;

        sigemptyset(&none);
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawnattr_init(&attr);
        r = posix_spawnattr_setsigmask(&attr, &none);
        if (r == 0)
                r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, ready, 1);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, 2, console,
                                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        if (r == 0)
                r = posix_spawn(ret, argv[0], &actions, &attr, (char *const *)argv, environ);
        return r;
}

static int wait_ready(int fd, struct fg_error *err)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char c;
        int r;

        do
                r = poll(&p, 1, START_TIMEOUT_MS);
        while (r < 0 && errno == EINTR);
        if (r == 0)
                return fg_fail(err, FG_ERR_TIMEOUT, "the VM did not open its channel");
        if (r < 0 || read(fd, &c, 1) != 1)
                return fg_fail(err, FG_ERR_INTERNAL, "the VM ended before it opened its channel");
        return 0;
}

int fg_fake_process_start(const char *program, const char *run_dir, const char *id,
                          const char *scratch, struct fg_error *err)
{
        fg_autofree char *channel = fg_vm_path(run_dir, id, FG_VM_CHANNEL);
        fg_autofree char *console = fg_vm_path(run_dir, id, FG_FAKE_CONSOLE);
        const char *const argv[] = { program, channel, scratch ? scratch : "", NULL };
        fg_autoclose int ready = -1, theirs = -1;
        int fds[2], r;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        ready = fds[0];
        theirs = fds[1];
        r = spawn(argv, theirs, console, &pid);
        if (r != 0)
                return fg_fail_errno(err, r, "start %s", program);
        fg_closep(&theirs);
        theirs = -1;
        if (wait_ready(ready, err) == 0)
                return 0;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return -1;
}

/* A pid may have been given to another process since it was recorded; its arguments tell. */
static bool plays_channel(pid_t pid, const char *channel)
{
        fg_cleanup(fg_buf_finish) struct fg_buf args = FG_BUF_INIT(65536);
        fg_autofree char *path = fg_asprintf("/proc/%d/cmdline", (int)pid);
        struct fg_error err = FG_ERROR_INIT;
        const char *arg;

        if (fg_buf_read_file(&args, path, &err) < 0 || args.len == 0)
                return false;
        arg = args.data + strlen(args.data) + 1;
        return arg < args.data + args.len && fg_streq(arg, channel);
}

int fg_fake_process_open(const char *run_dir, const char *id, pid_t *ret_pid)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(32);
        fg_autofree char *path = fg_vm_path(run_dir, id, FG_FAKE_PID);
        fg_autofree char *channel = fg_vm_path(run_dir, id, FG_VM_CHANNEL);
        struct fg_error err = FG_ERROR_INIT;
        fg_autoclose int pidfd = -1;
        uint64_t pid;

        if (fg_buf_read_file(&text, path, &err) < 0 || text.len == 0 ||
            !fg_parse_u64(text.data, &pid) || pid == 0 || pid > INT32_MAX)
                return -1;
        pidfd = pidfd_open((pid_t)pid, 0);
        if (pidfd < 0 || !plays_channel((pid_t)pid, channel))
                return -1;
        *ret_pid = (pid_t)pid;
        return fg_take_fd(pidfd);
}

void fg_fake_process_reap(int pidfd)
{
        siginfo_t info;

        (void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
}

int fg_fake_process_kill(const char *run_dir, const char *id, struct fg_error *err)
{
        struct pollfd p = { .events = POLLIN };
        fg_autoclose int pidfd = -1;
        pid_t pid;
        int r;

        pidfd = fg_fake_process_open(run_dir, id, &pid);
        if (pidfd < 0)
                return 0;
        if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
                return fg_fail_errno(err, errno, "kill the VM's process %d", (int)pid);
        p.fd = pidfd;
        do
                r = poll(&p, 1, KILL_TIMEOUT_MS);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                return fg_fail(err, FG_ERR_TIMEOUT, "process %d does not end", (int)pid);
        fg_fake_process_reap(pidfd);
        return 0;
}
