/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/container.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/console.h"
#include "guest-init/link.h"

#define STOP_TIMEOUT_DEFAULT 30 /* s; ECS's */
#define TO(state)            (1u << FG_CONTAINER_##state)

/* Every move a container can make. */
static const unsigned moves[] = {
        [FG_CONTAINER_WAITING] = TO(STARTING) | TO(FAILED) | TO(SKIPPED),
        [FG_CONTAINER_STARTING] = TO(RUNNING) | TO(FAILED) | TO(DRAINING), /* of a restart */
        [FG_CONTAINER_RUNNING] = TO(DRAINING),
        [FG_CONTAINER_DRAINING] = TO(EXITED) | TO(STARTING), /* again */
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

static void start_expired(struct fg_timer *t)
{
        FG_CONTAINER_OF(t, struct fg_container, start_timer)->start_expired = true;
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
                                    .input = -1,
                                    .kill_timer.fire = kill_now,
                                    .start_timer.fire = start_expired };
        fg_loop_add_timer(loop, &c->kill_timer);
        fg_loop_add_timer(loop, &c->start_timer);
        fg_health_init(&c->health, spec);
        fg_restart_init(&c->restart, spec);
        fg_probe_init(&c->probe, loop);
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

static void started(struct fg_container *c)
{
        const int64_t timeout = fg_json_int(c->spec, "startTimeout", 0);
        struct json_object *e;

        move(c, FG_CONTAINER_RUNNING);
        c->restart.since = fg_mono_ns();
        fg_probe_begin(c);
        if (c->was_started) {
                c->restart.count++;
                return;
        }
        c->was_started = true;
        if (timeout > 0)
                c->start_timer.deadline = c->restart.since + (uint64_t)timeout * FG_NS_PER_SEC;
        e = new_event(c, "container.started", fg_now_ns(), FG_EVENT_NO_BARRIER);
        fg_json_set_int(e, "pid", c->pid);
        fg_json_set_int(e, "uid", c->result.uid);
}

/* ---- news: what may change often ---- */

static bool outstanding(const struct fg_container *c, uint64_t seq)
{
        const struct fg_event *oldest = c->link->events.head;

        return seq > 0 && oldest && oldest->seq <= seq;
}

static void tell_restarts(struct fg_container *c)
{
        struct json_object *e = new_event(c, "container.restarted", fg_now_ns(),
                                          FG_EVENT_NO_BARRIER);

        fg_json_set_int(e, "restartCount", (int64_t)c->restart.count);
        fg_json_set_int(e, "exitCode", c->exit_code);
        fg_json_set_bool(e, "oomKilled", c->oom_killed);
        fg_json_set_int(e, "pid", c->pid);
        c->told_restarts = c->restart.count;
        c->restart_seq = c->link->events.seq;
}

static void tell_health(struct fg_container *c)
{
        struct json_object *e = new_event(c, "container.health", c->health.since,
                                          FG_EVENT_NO_BARRIER);

        fg_json_set_str(e, "status", fg_health_name(c->health.status));
        c->told_health = c->health.status;
        c->health_seq = c->link->events.seq;
}

static void tell(struct fg_container *c, bool last)
{
        if (c->restart.count != c->told_restarts && (last || !outstanding(c, c->restart_seq)))
                tell_restarts(c);
        if (c->health.status != c->told_health && (last || !outstanding(c, c->health_seq)))
                tell_health(c);
}

void fg_container_tell(struct fg_container *c)
{
        if (!fg_container_ended(c))
                tell(c, false);
}

/* Reads what the process has said so far; its end of the pipe closes when the program runs. */
static void read_report(struct fg_container *c)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_start_report r;
        int terminal;
        ssize_t n;

        while (c->report.fd >= 0 && (n = fg_container_receive(c, &r, &terminal)) >= 0) {
                if (terminal >= 0 && fg_container_open_output(c, 0, terminal, &err) < 0)
                        fg_console("%s: %s", c->name, err.msg);
                if (n == 0) {
                        fg_container_close_report(c);
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

static int launch(struct fg_container *c, struct fg_error *err)
{
        move(c, FG_CONTAINER_STARTING);
        c->ready = false;
        c->result = (struct fg_start_report){ 0 };
        if (fg_container_launch(c, report_ready, err) == 0)
                return 0;
        c->pid = 0;
        fg_container_close_report(c);
        return -1;
}

void fg_container_start(struct fg_container *c, const struct fg_start *common,
                        const char *image_dir)
{
        struct fg_error err = FG_ERROR_INIT;

        c->start = *common;
        c->start.index = c->index;
        c->start.spec = c->spec;
        c->start.image_dir = image_dir;
        if (launch(c, &err) < 0)
                fg_container_fail(c, "CannotCreateContainerError", err.msg);
}

static struct fg_output *output_of(const struct fg_container *c, size_t i)
{
        return &c->link->outputs[2 * (size_t)c->index + i];
}

/* Output that nobody will write any more is still to be read. */
static void end_output(struct fg_container *c)
{
        for (size_t i = 0; i < 2; i++) {
                output_of(c, i)->held = c->again;
                fg_output_exited(output_of(c, i));
        }
}

static bool output_ended(const struct fg_container *c)
{
        return output_of(c, 0)->eof && output_of(c, 1)->eof;
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

static void note_end(struct fg_container *c, int status)
{
        const uint64_t kills = fg_cgroup_oom_kills(c->index);

        c->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        c->exit_code = c->signal ? 128 + c->signal : WEXITSTATUS(status);
        c->oom_killed = c->exit_code == 128 + SIGKILL && kills > c->oom_kills;
        c->oom_kills = kills;
        c->again = !c->last_run && !c->stop_sent &&
                   fg_restart_wanted(&c->restart, c->exit_code, fg_mono_ns());
}

void fg_container_reaped(struct fg_container *c, int status)
{
        c->pid = 0;
        c->exited_at = fg_now_ns();
        c->kill_timer.deadline = 0;
        read_report(c);
        fg_container_close_report(c);
        fg_probe_end(c);
        fg_closep(&c->input);
        c->input = -1;
        if (c->start.pid_ns >= 0) /* otherwise its namespace has ended with it */
                fg_cgroup_kill(c->index);
        if (c->state == FG_CONTAINER_RUNNING)
                note_end(c, status);
        end_output(c);
        if (c->state == FG_CONTAINER_STARTING && !c->was_started)
                failed_to_start(c);
        else
                move(c, FG_CONTAINER_DRAINING);
}

void fg_container_end_restarts(struct fg_container *c)
{
        c->last_run = true;
        c->again = false;
        if (c->state == FG_CONTAINER_DRAINING)
                end_output(c);
}

/* Nothing of the failed attempt is left: the container has ended as its last run did. */
static void restart(struct fg_container *c)
{
        struct fg_error err = FG_ERROR_INIT;

        c->again = false;
        if (launch(c, &err) == 0)
                return;
        (void)snprintf(c->result.error, sizeof(c->result.error), "CannotCreateContainerError");
        (void)snprintf(c->result.message, sizeof(c->result.message), "%s", err.msg);
        end_output(c);
        move(c, FG_CONTAINER_DRAINING);
}

static void finish(struct fg_container *c)
{
        fg_autofree char *reason = NULL;
        struct json_object *e;

        tell(c, true);
        if (c->result.error[0])
                reason = fg_asprintf("%s: %s", c->result.error, c->result.message);
        else if (c->oom_killed)
                reason = fg_strdup("OutOfMemoryError: Container killed due to memory usage");
        e = new_event(c, "container.exited", c->exited_at, (int)c->index);
        fg_json_set_int(e, "exitCode", c->exit_code);
        fg_json_set_int(e, "signal", c->signal);
        fg_json_set_bool(e, "oomKilled", c->oom_killed);
        fg_json_set_str(e, "reason", reason);
        fg_cgroup_remove(c->index);
        move(c, FG_CONTAINER_EXITED);
}

void fg_container_drain(struct fg_container *c)
{
        if (c->state != FG_CONTAINER_DRAINING || !output_ended(c))
                return;
        if (c->again)
                restart(c);
        if (c->state == FG_CONTAINER_DRAINING && output_ended(c))
                finish(c);
}

void fg_container_stop(struct fg_container *c)
{
        const int64_t timeout = fg_json_int(c->spec, "stopTimeout", STOP_TIMEOUT_DEFAULT);

        if (c->stop_sent || c->pid <= 0)
                return;
        c->stop_sent = true;
        fg_probe_end(c);
        if (c->state == FG_CONTAINER_STARTING) {
                (void)kill(c->pid, SIGKILL);
                return;
        }
        (void)kill(c->pid, c->result.stop_signal);
        c->kill_timer.deadline = fg_mono_ns() +
                                 (uint64_t)(timeout < 0 ? 0 : timeout) * FG_NS_PER_SEC;
}
