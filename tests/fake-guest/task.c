/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake-guest/guest.h"

#include <signal.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"

#define STOP_TIMEOUT 30 /* seconds, unless the container says otherwise */

enum readiness { READY, NOT_YET, NEVER };

struct json_object *task_member(const struct guest *g, size_t container)
{
        struct json_object *body = json_object_new_object();

        fg_json_set_str(body, "container", g->containers[container].name);
        return body;
}

static size_t index_of(const struct guest *g, const struct container *c)
{
        return (size_t)(c - g->containers);
}

void task_begin(struct guest *g, struct json_object *msg)
{
        struct json_object *specs = fg_json_arr(msg, "containers");
        const size_t n = specs ? json_object_array_length(specs) : 0;

        g->task = json_object_get(msg);
        for (size_t i = 0; i < n && i < CONTAINERS_MAX; i++) {
                struct container *c = &g->containers[g->n_containers++];

                c->spec = json_object_array_get_idx(specs, i);
                c->name = fg_json_str(c->spec, "name");
                c->essential = fg_json_bool(c->spec, "essential", true);
                c->wake_ns = UINT64_MAX;
                for (size_t s = 0; s < 2; s++)
                        c->streams[s].ring = FG_BUF_INIT(RING_MAX);
        }
}

void task_stop(struct guest *g, const char *reason, const char *message)
{
        struct json_object *body;

        if (!g->task || g->stopping)
                return;
        g->stopping = true;
        image_abort(g);
        body = json_object_new_object();
        fg_json_set_str(body, "reason", reason);
        fg_json_set_str(body, "message", message);
        wire_event(g, "task.stopping", body);
}

static void gone(struct container *c)
{
        c->state = CONTAINER_GONE;
        c->streams[0].closed = true;
        c->streams[1].closed = true;
}

void task_container_failed(struct guest *g, size_t container, const char *error,
                           const char *message)
{
        struct container *c = &g->containers[container];
        struct json_object *body = task_member(g, container);

        gone(c);
        c->exit_code = -1;
        fg_json_set_str(body, "error", error);
        fg_json_set_str(body, "message", message);
        wire_event(g, "container.failed", body);
        if (c->essential)
                task_stop(g, "TaskFailedToStart", message);
}

void task_container_health(struct guest *g, struct container *c, const char *status)
{
        struct json_object *body = task_member(g, index_of(g, c));

        c->healthy = fg_streq(status, "HEALTHY");
        fg_json_set_str(body, "status", status);
        wire_event(g, "container.health", body);
}

static bool is_ignored(struct json_object *policy, int code)
{
        struct json_object *list = fg_json_arr(policy, "ignoredExitCodes");

        for (size_t i = 0; list && i < json_object_array_length(list); i++)
                if (json_object_get_int(json_object_array_get_idx(list, i)) == code)
                        return true;
        return false;
}

/* By its restartPolicy. Return: it runs again. */
static bool restart(struct guest *g, struct container *c, int code, bool oom)
{
        struct json_object *policy = fg_json_obj(c->spec, "restartPolicy"), *body;
        const uint64_t period = (uint64_t)fg_json_int(policy, "restartAttemptPeriod", 300);

        if (g->stopping || !fg_json_bool(policy, "enabled", false) || is_ignored(policy, code) ||
            fg_mono_ns() - c->started_ns < period * FG_NS_PER_SEC)
                return false;
        c->started_ns = fg_mono_ns();
        c->statement = 0;
        c->begun = false;
        c->done = 0;
        body = task_member(g, index_of(g, c));
        fg_json_set_int(body, "restartCount", ++c->restarts);
        fg_json_set_int(body, "exitCode", code);
        fg_json_set_bool(body, "oomKilled", oom);
        wire_event(g, "container.restarted", body);
        if (c->healthy)
                task_container_health(g, c, "UNKNOWN");
        return true;
}

void task_container_exited(struct guest *g, struct container *c, int code, int sig, bool oom)
{
        struct json_object *body;

        if (restart(g, c, code, oom))
                return;
        body = task_member(g, index_of(g, c));
        gone(c);
        c->exit_code = code;
        fg_json_set_int(body, "exitCode", code);
        fg_json_set_int(body, "signal", sig);
        fg_json_set_bool(body, "oomKilled", oom);
        fg_json_set_str(body, "reason",
                        oom ? "OutOfMemoryError: container killed due to memory usage" : NULL);
        wire_event(g, "container.exited", body);
        if (c->essential)
                task_stop(g, "EssentialContainerExited", "Essential container in task exited");
}

static struct container *find(struct guest *g, const char *name)
{
        for (size_t i = 0; i < g->n_containers; i++)
                if (name && fg_streq(g->containers[i].name, name))
                        return &g->containers[i];
        return NULL;
}

static enum readiness dependency(const struct container *on, const char *condition)
{
        const bool success = fg_streq(condition, "SUCCESS");

        if (fg_streq(condition, "HEALTHY") && (on->healthy || on->state != CONTAINER_GONE))
                return on->healthy ? READY : NOT_YET;
        if (fg_streq(condition, "HEALTHY"))
                return NEVER;
        if (on->state == CONTAINER_GONE && (!on->started || (success && on->exit_code != 0)))
                return NEVER;
        if (fg_streq(condition, "START"))
                return on->started ? READY : NOT_YET;
        return on->state == CONTAINER_GONE ? READY : NOT_YET;
}

static enum readiness dependencies(struct guest *g, const struct container *c)
{
        struct json_object *on = fg_json_arr(c->spec, "dependsOn");
        const size_t n = on ? json_object_array_length(on) : 0;
        enum readiness all = READY;

        for (size_t i = 0; i < n; i++) {
                struct json_object *d = json_object_array_get_idx(on, i);
                const char *condition = fg_json_str(d, "condition");
                struct container *other = find(g, fg_json_str(d, "containerName"));
                enum readiness one = other && condition ? dependency(other, condition) : NEVER;

                if (one > all)
                        all = one;
        }
        return all;
}

/* Whether some container that is not gone yet depends on @c: it then stops before @c does. */
static bool is_needed(struct guest *g, const struct container *c)
{
        for (size_t i = 0; i < g->n_containers; i++) {
                struct json_object *on = fg_json_arr(g->containers[i].spec, "dependsOn");
                const size_t n = on ? json_object_array_length(on) : 0;

                if (g->containers[i].state != CONTAINER_RUNNING)
                        continue;
                for (size_t k = 0; k < n; k++)
                        if (find(g, fg_json_str(json_object_array_get_idx(on, k),
                                                "containerName")) == c)
                                return true;
        }
        return false;
}

static bool start(struct guest *g, struct container *c)
{
        const enum readiness ready = dependencies(g, c);
        const size_t i = index_of(g, c);
        struct json_object *body;

        if (!c->image_ready)
                return false;
        if (ready == NEVER) {
                task_container_failed(g, i, "CannotStartContainerError",
                                      "a container that it depends on has failed");
                return true;
        }
        if (ready == NOT_YET)
                return false;
        if (!script_executable(c)) {
                task_container_failed(g, i, "CannotStartContainerError",
                                      "exec: no such file or directory");
                return true;
        }
        c->state = CONTAINER_RUNNING;
        c->started = true;
        c->started_ns = fg_mono_ns();
        body = task_member(g, i);
        fg_json_set_int(body, "pid", (int64_t)(100 + i));
        fg_json_set_int(body, "uid", 0);
        wire_event(g, "container.started", body);
        return true;
}

static void stop_container(struct guest *g, struct container *c)
{
        const int64_t timeout = fg_json_int(c->spec, "stopTimeout", STOP_TIMEOUT);

        if (c->kill_ns == 0 && !is_needed(g, c)) {
                c->kill_ns = fg_mono_ns() + (uint64_t)timeout * FG_NS_PER_SEC;
                if (!c->ignores_stop)
                        task_container_exited(g, c, 128 + SIGTERM, SIGTERM, false);
        } else if (c->kill_ns > 0 && fg_mono_ns() >= c->kill_ns) {
                task_container_exited(g, c, 128 + SIGKILL, SIGKILL, false);
        }
}

static bool step_container(struct guest *g, struct container *c)
{
        const enum container_state before = c->state;

        if (c->state == CONTAINER_WAITING && g->stopping)
                gone(c);
        else if (c->state == CONTAINER_WAITING)
                return start(g, c);
        else if (c->state == CONTAINER_RUNNING)
                script_run(g, c);
        if (c->state == CONTAINER_RUNNING && g->stopping)
                stop_container(g, c);
        return c->state != before;
}

/* The next image is on a disk that is waited for, which the mark then says by its size. */
static bool waits(const struct guest *g)
{
        struct json_object *image = fg_json_obj(g->containers[g->next_image].spec, "image");

        return fg_json_str(image, "disk") && !g->disks_lost && truncate(g->no_disks, 1) == 0;
}

void task_step(struct guest *g)
{
        bool moved = g->task != NULL;
        bool all_gone = true;

        while (moved) {
                moved = false;
                if (!g->stopping && !g->image.active && g->next_image < g->n_containers &&
                    !waits(g)) {
                        image_begin(g, g->next_image++);
                        moved = !g->image.active;
                }
                for (size_t i = 0; i < g->n_containers; i++)
                        moved |= step_container(g, &g->containers[i]);
        }
        for (size_t i = 0; i < g->n_containers; i++)
                all_gone &= g->containers[i].state == CONTAINER_GONE;
        if (!g->task || !all_gone || g->stopped)
                return;
        task_stop(g, "EssentialContainerExited", "all containers have exited");
        wire_event(g, "task.stopped", NULL);
        g->stopped = true;
}

uint64_t task_wake_ns(const struct guest *g)
{
        uint64_t wake = UINT64_MAX;

        for (size_t i = 0; i < g->n_containers; i++) {
                const struct container *c = &g->containers[i];

                if (c->state != CONTAINER_RUNNING)
                        continue;
                if (c->wake_ns < wake)
                        wake = c->wake_ns;
                if (c->kill_ns > 0 && c->kill_ns < wake)
                        wake = c->kill_ns;
        }
        return wake;
}
