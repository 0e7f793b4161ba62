/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/container.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"
#include "guest-init/cgroup.h"
#include "guest-init/link.h"

#define STOP_TIMEOUT_DEFAULT 30 /* s; ECS's */
#define TO(state)            (1u << FG_CONTAINER_##state)

/* Every move a container can make. */
static const unsigned moves[] = {
        [FG_CONTAINER_WAITING] = TO(STARTING) | TO(FAILED) | TO(SKIPPED),
        [FG_CONTAINER_STARTING] = TO(RUNNING) | TO(FAILED),
        [FG_CONTAINER_RUNNING] = TO(DRAINING),
        [FG_CONTAINER_DRAINING] = TO(EXITED),
        [FG_CONTAINER_EXITED] = 0,
        [FG_CONTAINER_FAILED] = 0,
        [FG_CONTAINER_SKIPPED] = 0,
};

static void move(struct fg_container *c, enum fg_container_state to)
{
        assert(moves[c->state] & (1u << to));
        c->state = to;
}

bool fg_container_ended(const struct fg_container *c)
{
        return moves[c->state] == 0;
}

static void kill_now(struct fg_timer *t)
{
        struct fg_container *c = FG_CONTAINER_OF(t, struct fg_container, kill_timer);

        if (c->pid > 0)
                (void)kill(c->pid, SIGKILL);
}

void fg_container_init(struct fg_container *c, unsigned index, struct json_object *spec,
                       struct fg_link *link, struct fg_loop *loop)
{
        *c = (struct fg_container){ .index = index,
                                    .spec = spec,
                                    .name = fg_json_str(spec, "name"),
                                    .essential = fg_json_bool(spec, "essential", true),
                                    .link = link,
                                    .loop = loop,
                                    .report.fd = -1,
                                    .kill_timer.fire = kill_now };
        fg_loop_add_timer(loop, &c->kill_timer);
}

static struct json_object *new_event(struct fg_container *c, const char *event, uint64_t at,
                                     int barrier)
{
        struct json_object *e = fg_events_new(&c->link->events, event, at, barrier);

        fg_json_set_str(e, "container", c->name);
        return e;
}

void fg_container_fail(struct fg_container *c, const char *error, const char *message)
{
        struct json_object *e = new_event(c, "container.failed", fg_now_ns(), FG_EVENT_NO_BARRIER);

        fg_json_set_str(e, "error", error);
        fg_json_set_str(e, "message", message);
        (void)snprintf(c->result.message, sizeof(c->result.message), "%s: %s", error, message);
        move(c, FG_CONTAINER_FAILED);
}

void fg_container_skip(struct fg_container *c)
{
        move(c, FG_CONTAINER_SKIPPED);
}

static void close_report(struct fg_container *c)
{
        if (c->report.fd < 0)
                return;
        fg_loop_del(c->loop, &c->report);
        (void)close(c->report.fd);
        c->report.fd = -1;
}

static void started(struct fg_container *c)
{
        struct json_object *e = new_event(c, "container.started", fg_now_ns(), FG_EVENT_NO_BARRIER);

        fg_json_set_int(e, "pid", c->pid);
        fg_json_set_int(e, "uid", c->result.uid);
        c->was_started = true;
        move(c, FG_CONTAINER_RUNNING);
}

/* Reads what the process has said so far; its end of the pipe closes when the program runs. */
static void read_report(struct fg_container *c)
{
        struct fg_start_report r;
        ssize_t n;

        while (c->report.fd >= 0 && (n = read(c->report.fd, &r, sizeof(r))) >= 0) {
                if (n == 0) {
                        close_report(c);
                } else if (n == sizeof(r)) {
                        r.error[sizeof(r.error) - 1] = '\0';
                        r.message[sizeof(r.message) - 1] = '\0';
                        c->ready = r.kind == FG_START_READY;
                        c->result = r;
                }
        }
        if (c->report.fd < 0 && c->ready && c->state == FG_CONTAINER_STARTING)
                started(c);
}

static void report_ready(struct fg_source *s, uint32_t events)
{
        read_report(FG_CONTAINER_OF(s, struct fg_container, report));
}

struct pipes {
        int read[3], write[3]; /* stdout, stderr, report */
};

static void close_pipes(struct pipes *p)
{
        for (int i = 0; i < 3; i++) {
                fg_closep(&p->read[i]);
                fg_closep(&p->write[i]);
        }
}

static int open_pipes(struct pipes *p, struct fg_error *err)
{
        for (int i = 0; i < 3; i++) {
                int pair[2];

                if (pipe2(pair, O_CLOEXEC) < 0)
                        return fg_fail_errno(err, errno, "pipe");
                p->read[i] = pair[0];
                p->write[i] = pair[1];
        }
        return 0;
}

static int start(struct fg_container *c, struct json_object *task, const char *image_dir,
                 struct fg_error *err)
{
        fg_cleanup(close_pipes) struct pipes p = { { -1, -1, -1 }, { -1, -1, -1 } };
        fg_autoclose int cgroup = fg_cgroup_new(c->index, c->spec, err);
        struct fg_output *outputs = &c->link->outputs[2 * (size_t)c->index];
        struct fg_start s = { .index = c->index,
                              .task = task,
                              .spec = c->spec,
                              .image_dir = image_dir,
                              .cgroup = cgroup };
        const int64_t buffer = fg_json_int(c->spec, "outputBufferBytes", 0);

        if (cgroup < 0 || open_pipes(&p, err) < 0)
                return -1;
        s.output[0] = p.write[0];
        s.output[1] = p.write[1];
        s.report = p.write[2];
        for (uint16_t i = 0; i < 2; i++) {
                if (fg_output_init(&outputs[i], c->loop, (uint16_t)(2 * c->index + i),
                                   fg_take_fd(p.read[i]), err) < 0)
                        return -1;
                if (buffer > 0 && fg_output_lossy(&outputs[i], (size_t)buffer, err) < 0)
                        return -1;
        }
        if (fcntl(p.read[2], F_SETFL, O_NONBLOCK) < 0)
                return fg_fail_errno(err, errno, "fcntl");
        c->report = (struct fg_source){ .fd = fg_take_fd(p.read[2]), .ready = report_ready };
        if (fg_loop_add(c->loop, &c->report, EPOLLIN, err) < 0)
                return -1;
        c->pid = fg_start(&s, err);
        return c->pid < 0 ? -1 : 0;
}

void fg_container_start(struct fg_container *c, struct json_object *task, const char *image_dir)
{
        struct fg_error err = FG_ERROR_INIT;

        move(c, FG_CONTAINER_STARTING);
        if (start(c, task, image_dir, &err) == 0)
                return;
        c->pid = 0;
        close_report(c);
        fg_container_fail(c, "CannotCreateContainerError", err.msg);
}

/* Output that nobody will write any more is still to be read. */
static void end_output(struct fg_container *c)
{
        for (size_t i = 0; i < 2; i++)
                fg_output_exited(&c->link->outputs[2 * (size_t)c->index + i]);
}

static void failed_to_start(struct fg_container *c)
{
        const struct fg_start_report r = c->result;

        if (r.error[0])
                fg_container_fail(c, r.error, r.message);
        else if (c->stop_sent)
                fg_container_fail(c, "CannotStartContainerError",
                                  "the task was stopped while the container was being created");
        else
                fg_container_fail(c, "CannotStartContainerError",
                                  "the container's process died while it was being set up");
}

void fg_container_reaped(struct fg_container *c, int status)
{
        c->pid = 0;
        c->status = status;
        c->exited_at = fg_now_ns();
        c->kill_timer.deadline = 0;
        read_report(c);
        close_report(c);
        end_output(c);
        if (c->state == FG_CONTAINER_STARTING)
                failed_to_start(c);
        else
                move(c, FG_CONTAINER_DRAINING);
}

void fg_container_drain(struct fg_container *c)
{
        const int sig = WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0;
        const struct fg_output *o = &c->link->outputs[2 * (size_t)c->index];
        struct json_object *e;
        bool oom;

        if (c->state != FG_CONTAINER_DRAINING || !o[0].eof || !o[1].eof)
                return;
        c->exit_code = sig ? 128 + sig : WEXITSTATUS(c->status);
        oom = c->exit_code == 128 + SIGKILL && fg_cgroup_oom_killed(c->index);
        e = new_event(c, "container.exited", c->exited_at, (int)c->index);
        fg_json_set_int(e, "exitCode", c->exit_code);
        fg_json_set_int(e, "signal", sig);
        fg_json_set_bool(e, "oomKilled", oom);
        if (oom)
                fg_json_set_str(e, "reason",
                                "OutOfMemoryError: Container killed due to memory usage");
        fg_cgroup_remove(c->index);
        move(c, FG_CONTAINER_EXITED);
}

void fg_container_stop(struct fg_container *c)
{
        const int64_t timeout = fg_json_int(c->spec, "stopTimeout", STOP_TIMEOUT_DEFAULT);

        if (c->stop_sent || c->pid <= 0)
                return;
        c->stop_sent = true;
        if (c->state == FG_CONTAINER_STARTING) {
                (void)kill(c->pid, SIGKILL);
                return;
        }
        (void)kill(c->pid, c->result.stop_signal);
        c->kill_timer.deadline = fg_mono_ns() +
                                 (uint64_t)(timeout < 0 ? 0 : timeout) * FG_NS_PER_SEC;
}
