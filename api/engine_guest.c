/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/run.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define REASON_MAX 1024 /* of a guest's text that is kept */

static char *guest_text(struct json_object *event, const char *key)
{
        const char *text = fg_json_str(event, key);

        return text ? strndup(text, REASON_MAX) : NULL;
}

static void set_reason(struct fg_container *c, char *take_reason)
{
        if (!take_reason)
                return;
        free(c->reason);
        c->reason = take_reason;
}

/* RUNNING when every container has been started, as in ECS; some may have ended already. */
static void check_running(struct fg_run *run, uint64_t now)
{
        struct fg_task *t = run->task;

        for (size_t i = 0; i < t->n_containers; i++)
                if (t->containers[i].started_ns == 0)
                        return;
        fg_task_move(t, FG_TASK_RUNNING, now);
        run_limit_cpu(run);
        disks_prepare_rest(run);
}

static void on_image_done(struct fg_run *run, struct fg_container *c, struct json_object *event,
                          uint64_t now)
{
        (void)c;
        (void)event;
        run->task->pull_stopped_ns = now;
        run->task->phase_ns[FG_PHASE_UNPACKED] = now; /* the last one counts */
}

static void on_started(struct fg_run *run, struct fg_container *c, struct json_object *event,
                       uint64_t now)
{
        (void)event;
        if (!fg_container_state_may_move(c->state, FG_CONTAINER_RUNNING))
                return;
        c->state = FG_CONTAINER_RUNNING;
        c->started_ns = now;
        if (run->task->phase_ns[FG_PHASE_STARTED] == 0)
                fg_histogram_observe(&run->d->start_times, now - run->task->created_ns);
        fg_task_phase(run->task, FG_PHASE_STARTED, now);
        limit_arm(run);
        check_running(run, now);
}

/* The first essential container to end, unless a stop was already wanted. */
static void note_end(struct fg_task *t, const struct fg_container *c)
{
        if (c->def->essential && !t->ended_by && !t->stop_wanted)
                t->ended_by = fg_strdup(c->def->name);
}

static void on_exited(struct fg_run *run, struct fg_container *c, struct json_object *event,
                      uint64_t now)
{
        note_end(run->task, c);
        c->state = FG_CONTAINER_STOPPED;
        c->finished_ns = now;
        c->exit_code = (int)(fg_json_int(event, "exitCode", 255) & 0xff);
        if (fg_json_bool(event, "oomKilled", false))
                set_reason(c, fg_strdup("OutOfMemoryError: Container killed due to memory usage"));
        else
                set_reason(c, guest_text(event, "reason"));
}

static void on_failed(struct fg_run *run, struct fg_container *c, struct json_object *event,
                      uint64_t now)
{
        fg_autofree char *error = guest_text(event, "error");
        fg_autofree char *message = guest_text(event, "message");

        note_end(run->task, c);
        c->state = FG_CONTAINER_STOPPED;
        c->finished_ns = now;
        set_reason(c, fg_asprintf("%s: %s", error ? error : "CannotStartContainerError",
                                  message ? message : "no reason given"));
}

static void on_health(struct fg_run *run, struct fg_container *c, struct json_object *event,
                      uint64_t now)
{
        const char *status = fg_json_str(event, "status");
        const enum fg_health before = fg_task_health(run->task);

        (void)now;
        if (!c->def->health_check || !status || !fg_health_parse(status, &c->health))
                return;
        if (fg_task_health(run->task) != before)
                fg_log_info("task=%s container=%s health=%s", run->task->id, c->def->name, status);
}

static void on_restarted(struct fg_run *run, struct fg_container *c, struct json_object *event,
                         uint64_t now)
{
        const int64_t count = fg_json_int(event, "restartCount", 0);

        (void)now;
        if (!c->def->restart_policy || count <= (int64_t)c->restart_count)
                return;
        c->restart_count = (uint64_t)count;
        fg_log_info("task=%s container=%s restarted exitCode=%d restartCount=%lld", run->task->id,
                    c->def->name, (int)(fg_json_int(event, "exitCode", 255) & 0xff),
                    (long long)count);
}

static void on_stopping(struct fg_run *run, struct fg_container *c, struct json_object *event,
                        uint64_t now)
{
        fg_autofree char *message = guest_text(event, "message");
        const char *reason = fg_json_str(event, "reason");
        enum fg_stop_code code = FG_STOP_ESSENTIAL_EXITED;

        (void)c;
        if (reason)
                (void)fg_stop_code_parse(reason, &code);
        if (code == FG_STOP_ESSENTIAL_EXITED || !message) {
                free(message);
                message = fg_strdup("Essential container in task exited");
        }
        fg_task_want_stop(run->task, code, message, now);
        fg_task_move(run->task, FG_TASK_DEACTIVATING, now);
        fg_task_move(run->task, FG_TASK_STOPPING, now);
        end_expect(run);
}

static void on_stopped(struct fg_run *run, struct fg_container *c, struct json_object *event,
                       uint64_t now)
{
        (void)c;
        (void)event;
        fg_task_want_stop(run->task, FG_STOP_ESSENTIAL_EXITED, "Essential container in task exited",
                          now);
        end_run(run);
}

static const struct {
        const char *name;
        bool of_container;
        void (*handle)(struct fg_run *run, struct fg_container *c, struct json_object *event,
                       uint64_t now);
} events[] = {
        { "image.begin", true, NULL },
        { "image.done", true, on_image_done },
        { "container.started", true, on_started },
        { "container.health", true, on_health },
        { "container.restarted", true, on_restarted },
        { "container.exited", true, on_exited },
        { "container.failed", true, on_failed },
        { "task.stopping", false, on_stopping },
        { "task.stopped", false, on_stopped },
};

/*
 * The guest's clock dates an event that happened while no fgd was listening; it can claim no time
 * before the last moment a daemon was known to live, nor after now.
 */
static uint64_t event_time(const struct fg_run *run, struct json_object *event)
{
        uint64_t at = (uint64_t)fg_json_int(event, "at", 0), now = fg_now_ns();
        uint64_t floor = fg_store_last_beat(run->d->store);

        if (floor < run->task->created_ns)
                floor = run->task->created_ns;
        if (at > now)
                return now;
        return at < floor ? floor : at;
}

void guest_event(struct fg_run *run, uint64_t seq, struct json_object *event)
{
        const char *name = fg_json_str(event, "event");
        struct fg_container *c = fg_task_container(run->task, fg_json_str(event, "container"));

        if (run->ending)
                return;
        for (size_t i = 0; run->task_sent && i < FG_ARRAY_SIZE(events); i++) {
                if (!fg_streq(events[i].name, name))
                        continue;
                if (events[i].of_container && !c)
                        break;
                run->task->event_seq = seq;
                run->task->version++;
                if (events[i].handle)
                        events[i].handle(run, c, event, event_time(run, event));
                if (!run->ending) /* else end_run() has saved it */
                        run_save(run, NULL, NULL);
                return;
        }
        {
                struct fg_error err = FG_ERROR_INIT;

                fg_fail(&err, FG_ERR_INVALID,
                        "the guest sent an unknown event, or one before its task");
                end_failed(run, "ResourceInitializationError", &err);
        }
}
