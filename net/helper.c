/* SPDX-License-Identifier: Apache-2.0 */
#include "net/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/netns.h"
#include "core/process.h"
#include "core/str.h"
#include "net/ns.h"

#define STOP_MS     2000
#define CMDLINE_MAX 8192
#define CAPS_MAX    64

/* ---- one that runs ---- */

static bool is_ours(const struct fg_helper *h, const struct fg_buf *cmdline)
{
        bool named = false;

        for (size_t at = 0; at < cmdline->len && !named; at += strlen(cmdline->data + at) + 1)
                named = fg_ends_with(cmdline->data + at, h->pid_file);
        return cmdline->len > 0 && named && fg_ends_with(cmdline->data, h->program);
}

static bool is_inside(const struct fg_helper *h, int pid)
{
        fg_autofree char *path = fg_asprintf("/proc/%d/ns/net", pid);
        fg_autoclose int there = h->ns < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);

        return h->ns < 0 || (there >= 0 && fg_ns_inode(there) == fg_ns_inode(h->ns));
}

static int find(const struct fg_helper *h, struct fg_buf *cmdline)
{
        fg_cleanup(fclosep) FILE *f = fopen(h->pid_file, "re");
        fg_autofree char *args = NULL;
        fg_autoclose int fd = -1;
        struct fg_error ignored;
        int pid;

        if (!f || fscanf(f, "%d", &pid) != 1 || pid <= 1)
                return -1;
        fd = (int)syscall(SYS_pidfd_open, pid, 0);
        args = fg_asprintf("/proc/%d/cmdline", pid);
        if (fd < 0 || fg_buf_read_file(cmdline, args, &ignored) < 0 || !is_ours(h, cmdline) ||
            !is_inside(h, pid))
                return -1;
        return fg_take_fd(fd);
}

static void end(int pidfd)
{
        struct pollfd gone = { .fd = pidfd, .events = POLLIN };

        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
        if (poll(&gone, 1, STOP_MS) == 0) {
                (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
                (void)poll(&gone, 1, STOP_MS);
        }
}

static bool same_words(const struct fg_buf *cmdline, char *const argv[])
{
        size_t at = 0;

        for (size_t i = 0; argv[i]; i++) {
                if (at >= cmdline->len || !fg_streq(cmdline->data + at, argv[i]))
                        return false;
                at += strlen(argv[i]) + 1;
        }
        return at == cmdline->len;
}

/* ---- starting one ---- */

/*
 * What an ordinary user starts has no capabilities, whatever fgd has in its user namespace; those
 * in the ambient set of the thread go along.
 */
static int lend(uint64_t caps, bool on, struct fg_error *err)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        if (geteuid() == 0 || caps == 0)
                return 0;
        if (!on)
                (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if (syscall(SYS_capget, &header, data) < 0)
                return fg_fail_errno(err, errno, "capabilities");
        data[0].inheritable = on ? (uint32_t)caps : 0;
        data[1].inheritable = on ? (uint32_t)(caps >> 32) : 0;
        if (syscall(SYS_capset, &header, data) < 0)
                return fg_fail_errno(err, errno, "inheritable capabilities");
        for (unsigned long cap = 0; on && cap < CAPS_MAX; cap++)
                if (caps & (UINT64_C(1) << cap) &&
                    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
                        return fg_fail_errno(err, errno, "ambient capabilities");
        return 0;
}

/* The last line it said. */
static const char *complaint(struct fg_buf *output)
{
        char *last;

        if (output->len == 0)
                return "";
        while (output->len > 0 && output->data[output->len - 1] == '\n')
                output->data[--output->len] = '\0';
        last = strrchr(output->data, '\n');
        return last ? last + 1 : output->data;
}

struct launch {
        const struct fg_helper *h;
        char *const *argv;
        struct fg_buf *output;
};

/* It answers once it has become a daemon, which it does when it is ready. */
static int run(void *userdata, struct fg_error *err)
{
        struct launch *l = userdata;
        struct fg_error ignored;
        int status = -1;

        if (lend(l->h->caps, true, err) == 0)
                status = fg_spawn((const char *const *)l->argv, l->output, err);
        (void)lend(l->h->caps, false, &ignored);
        return status;
}

static int spawn(const struct fg_helper *h, char *const argv[], struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf output = FG_BUF_INIT(4096);
        struct launch l = { .h = h, .argv = argv, .output = &output };
        int status = h->ns < 0 ? run(&l, err) : fg_netns_run(h->ns, run, &l, err);

        if (status < 0)
                return err->sys == ENOENT
                               ? fg_fail(err, FG_ERR_NOT_FOUND, "there is no %s (package %s)",
                                         h->program, h->package)
                               : -1;
        return status == 0 ? 0
                           : fg_fail(err, FG_ERR_INTERNAL, "%s did not start (%d): %s", h->program,
                                     status, complaint(&output));
}

int fg_helper_start(const struct fg_helper *h, char *const argv[], struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf cmdline = FG_BUF_INIT(CMDLINE_MAX);
        fg_autoclose int running = find(h, &cmdline);

        if (running >= 0 && same_words(&cmdline, argv))
                return 0;
        if (running >= 0)
                end(running);
        return spawn(h, argv, err);
}

int fg_helper_find(const struct fg_helper *h)
{
        fg_cleanup(fg_buf_finish) struct fg_buf cmdline = FG_BUF_INIT(CMDLINE_MAX);

        return find(h, &cmdline);
}

void fg_helper_stop(const struct fg_helper *h)
{
        fg_cleanup(fg_buf_finish) struct fg_buf cmdline = FG_BUF_INIT(CMDLINE_MAX);
        fg_autoclose int running = find(h, &cmdline);

        if (running >= 0)
                end(running);
}
