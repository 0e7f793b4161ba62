/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "guest-init/cgroup.h"
#include "guest-init/console.h"
#include "guest-init/container.h"
#include "guest-init/link.h"
#include "guest-init/standby.h"

enum { STDOUT, STDERR, REPORT, INPUT, PIPES };

/* Our ends and the container's. */
struct pipes {
        int ours[PIPES], theirs[PIPES];
};

#define PIPES_INIT                                                                                 \
        {                                                                                          \
                { -1, -1, -1, -1 },                                                                \
                {                                                                                  \
                        -1, -1, -1, -1                                                             \
                }                                                                                  \
        }

static void close_pipes(struct pipes *p)
{
        for (int i = 0; i < PIPES; i++) {
                fg_closep(&p->ours[i]);
                fg_closep(&p->theirs[i]);
        }
}

static int open_pipes(struct pipes *p, bool interactive, struct fg_error *err)
{
        for (int i = 0; i < PIPES; i++) {
                int pair[2];

                if (i == INPUT && !interactive)
                        continue;
                if (i == REPORT ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0
                                : pipe2(pair, O_CLOEXEC) < 0)
                        return fg_fail_errno(err, errno, "pipe");
                p->ours[i] = pair[i == INPUT];
                p->theirs[i] = pair[i != INPUT];
        }
        return 0;
}

/* The streams of a restarted container go on where they were. */
int fg_container_open_output(struct fg_container *c, unsigned i, int take_fd, struct fg_error *err)
{
        const uint16_t stream = (uint16_t)(2 * c->index + i);
        const int64_t buffer = fg_json_int(c->spec, "outputBufferBytes", 0);
        struct fg_output *o = &c->link->outputs[stream];

        if (o->ring)
                return fg_output_reopen(o, take_fd, err);
        if (fg_output_init(o, c->loop, stream, take_fd, err) < 0)
                return -1;
        return buffer > 0 ? fg_output_lossy(o, (size_t)buffer, err) : 0;
}

/* Return: whether the process of one that stood by is to become this one; else it is in the way. */
static bool has_standby(const struct fg_start *s)
{
        if (!s->standby || fg_standby_fits(s->standby, s))
                return s->standby;
        if (s->index == 0)
                fg_standby_end(s->standby);
        return false;
}

/* Return: its pid; 0: it is gone. */
static pid_t release_standby(const struct fg_container *c, struct pipes *p)
{
        struct fg_standby *b = c->start.standby;
        struct fg_error err;
        pid_t pid = fg_standby_release(b, c->start.task, &p->ours[STDOUT], &p->ours[REPORT], &err);

        if (pid > 0)
                return pid;
        fg_console("container %s is made anew: %s", c->name, err.msg);
        fg_standby_end(b);
        return 0;
}

static int watch(struct fg_container *c, struct pipes *p,
                 void (*ready)(struct fg_source *s, uint32_t events), struct fg_error *err)
{
        const bool terminal = fg_json_bool(c->spec, "pseudoTerminal", false);

        /* A terminal is stdout's source; it comes with the report. */
        if ((!terminal && fg_container_open_output(c, 0, fg_take_fd(p->ours[STDOUT]), err) < 0) ||
            fg_container_open_output(c, 1, fg_take_fd(p->ours[STDERR]), err) < 0)
                return -1;
        fg_closep(&c->input);
        c->input = fg_take_fd(p->ours[INPUT]);
        if (fcntl(p->ours[REPORT], F_SETFL, O_NONBLOCK) < 0)
                return fg_fail_errno(err, errno, "fcntl");
        c->report = (struct fg_source){ .fd = fg_take_fd(p->ours[REPORT]), .ready = ready };
        return fg_loop_add(c->loop, &c->report, EPOLLIN, err);
}

int fg_container_launch(struct fg_container *c, void (*ready)(struct fg_source *s, uint32_t events),
                        struct fg_error *err)
{
        const bool interactive = fg_json_bool(c->spec, "interactive", false);
        fg_cleanup(close_pipes) struct pipes p = PIPES_INIT;
        const bool standing = has_standby(&c->start);
        fg_autoclose int cgroup = fg_cgroup_new(c->index, c->spec, err);
        struct fg_start s = c->start;

        if (cgroup < 0)
                return -1;
        c->pid = standing ? release_standby(c, &p) : 0;
        if ((c->pid == 0 && open_pipes(&p, interactive, err) < 0) || watch(c, &p, ready, err) < 0) {
                if (c->pid > 0)
                        (void)kill(c->pid, SIGKILL);
                return -1;
        }
        s.cgroup = cgroup;
        s.output[0] = p.theirs[STDOUT];
        s.output[1] = p.theirs[STDERR];
        s.input = p.theirs[INPUT];
        s.report = p.theirs[REPORT];
        if (c->pid == 0)
                c->pid = fg_start(&s, err);
        return c->pid < 0 ? -1 : 0;
}

ssize_t fg_container_receive(struct fg_container *c, struct fg_start_report *ret, int *ret_fd)
{
        union {
                char space[CMSG_SPACE(sizeof(int))];
                struct cmsghdr aligned;
        } control;
        struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
        struct msghdr message = { .msg_iov = &iov,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(c->report.fd, &message, MSG_CMSG_CLOEXEC);
        const struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

        *ret_fd = -1;
        if (header && header->cmsg_type == SCM_RIGHTS)
                memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
        return n;
}

void fg_container_close_report(struct fg_container *c)
{
        if (c->report.fd < 0)
                return;
        fg_loop_del(c->loop, &c->report);
        (void)close(c->report.fd);
        c->report.fd = -1;
}
