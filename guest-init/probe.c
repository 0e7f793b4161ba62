/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/container.h"

#define CANNOT_RUN 126 /* the shells' exit code for a command that cannot be run */

static void close_pipe(struct fg_probe *p)
{
        if (p->pipe.fd < 0)
                return;
        fg_loop_del(p->loop, &p->pipe);
        (void)close(p->pipe.fd);
        p->pipe.fd = -1;
}

/* Everything is read, so that no check blocks on it, and the beginning is kept. */
static void read_output(struct fg_source *s, uint32_t events)
{
        struct fg_probe *p = FG_CONTAINER_OF(s, struct fg_probe, pipe);
        char text[4096];
        const ssize_t n = read(s->fd, text, sizeof(text));
        size_t room = FG_PROBE_OUTPUT_MAX - p->output_len;

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                close_pipe(p);
        if (n <= 0)
                return;
        if (room > (size_t)n)
                room = (size_t)n;
        memcpy(p->output + p->output_len, text, room);
        p->output_len += room;
        p->output[p->output_len] = '\0';
}

static void kill_late(struct fg_timer *t)
{
        struct fg_probe *p = FG_CONTAINER_OF(t, struct fg_probe, limit);
        const struct fg_container *c = FG_CONTAINER_OF(p, struct fg_container, probe);

        p->late = true;
        fg_cgroup_kill_probe(c->index);
}

static int open_output(struct fg_probe *p, int *ret_write, struct fg_error *err)
{
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "pipe");
        *ret_write = pair[1];
        p->pipe = (struct fg_source){ .fd = pair[0], .ready = read_output };
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ||
            fg_loop_add(p->loop, &p->pipe, EPOLLIN, err) < 0) {
                (void)close(pair[0]);
                p->pipe.fd = -1;
                return fg_fail_errno(err, errno, "watch a health check");
        }
        return 0;
}

static int run(struct fg_container *c, struct fg_error *err)
{
        fg_autoclose int cgroup = fg_cgroup_probe(c->index, err);
        fg_autoclose int output = -1;
        struct fg_start s = c->start;

        c->probe.output_len = 0;
        c->probe.output[0] = '\0';
        if (cgroup < 0 || open_output(&c->probe, &output, err) < 0)
                return -1;
        s.cgroup = cgroup;
        s.output[0] = s.output[1] = output;
        s.argv = c->health.argv;
        c->probe.pid = fg_start_beside(&s, c->pid, err);
        return c->probe.pid < 0 ? -1 : 0;
}

static void note(struct fg_container *c, int exit_code)
{
        fg_health_note(&c->health, exit_code, c->probe.began, fg_now_ns());
        c->probe.next.deadline = fg_mono_ns() + c->health.interval;
}

static void say(struct fg_probe *p, const char *text)
{
        (void)snprintf(p->output, sizeof(p->output), "%s", text);
        p->output_len = strlen(p->output);
}

static void run_next(struct fg_timer *t)
{
        struct fg_probe *p = FG_CONTAINER_OF(t, struct fg_probe, next);
        struct fg_container *c = FG_CONTAINER_OF(p, struct fg_container, probe);
        struct fg_error err = FG_ERROR_INIT;

        if (p->pid > 0) { /* of the container's former life, and about to be gone */
                t->deadline = fg_mono_ns() + FG_NS_PER_SEC;
                return;
        }
        p->began = fg_mono_ns();
        p->late = p->stale = false;
        if (run(c, &err) == 0) {
                p->limit.deadline = p->began + c->health.timeout;
                return;
        }
        p->pid = 0;
        close_pipe(p);
        say(p, err.msg);
        note(c, CANNOT_RUN);
}

void fg_probe_init(struct fg_probe *p, struct fg_loop *loop)
{
        *p = (struct fg_probe){
                .loop = loop, .pipe.fd = -1, .next.fire = run_next, .limit.fire = kill_late
        };
        fg_loop_add_timer(loop, &p->next);
        fg_loop_add_timer(loop, &p->limit);
}

void fg_probe_begin(struct fg_container *c)
{
        fg_health_begin(&c->health, fg_mono_ns(), fg_now_ns());
        if (c->health.argv)
                c->probe.next.deadline = c->health.started + c->health.interval;
}

void fg_probe_end(struct fg_container *c)
{
        c->probe.next.deadline = 0;
        c->probe.stale = true;
        if (c->probe.pid > 0)
                fg_cgroup_kill_probe(c->index);
}

bool fg_probe_reaped(struct fg_container *c, pid_t pid, int status)
{
        struct fg_probe *p = &c->probe;
        fg_autofree char *text = NULL;

        if (p->pid == 0 || pid != p->pid)
                return false;
        p->pid = 0;
        p->limit.deadline = 0;
        if (p->pipe.fd >= 0)
                read_output(&p->pipe, EPOLLIN);
        /* What it has left running in the background may go on, but is not listened to. */
        close_pipe(p);
        if (p->stale)
                return true;
        if (p->late) {
                text = fg_asprintf("Health check exceeded timeout (%llus)",
                                   (unsigned long long)(c->health.timeout / FG_NS_PER_SEC));
                say(p, text);
        }
        if (WIFEXITED(status) && !p->late)
                note(c, WEXITSTATUS(status));
        else
                note(c, p->late ? -1 : 128 + WTERMSIG(status));
        return true;
}
