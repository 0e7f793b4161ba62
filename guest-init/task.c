/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/task.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/cgroup.h"
#include "guest-init/console.h"
#include "guest-init/rehearse.h"

struct fg_container *fg_task_container(struct fg_task *t, const char *name)
{
        for (size_t i = 0; i < t->container_count; i++) {
                if (fg_streq(t->containers[i].name, name))
                        return &t->containers[i];
        }
        return NULL;
}

static bool uses(const struct fg_container *c, const struct fg_task_image *image)
{
        return fg_streq(fg_json_str(fg_json_obj(c->spec, "image"), "manifest"), image->manifest);
}

struct fg_task_image *fg_task_image_of(struct fg_task *t, const struct fg_container *c)
{
        size_t i = 0;

        while (!uses(c, &t->images[i])) /* begin.c made one for each */
                i++;
        return &t->images[i];
}

void fg_task_stop(struct fg_task *t, const char *reason, const char *message)
{
        struct json_object *e;

        if (t->stopping)
                return;
        t->stopping = true;
        e = fg_events_new(&t->link.events, "task.stopping", fg_now_ns(), FG_EVENT_NO_BARRIER);
        fg_json_set_str(e, "reason", reason);
        fg_json_set_str(e, "message", message);
        for (size_t i = 0; i < t->container_count; i++)
                fg_container_end_restarts(&t->containers[i]);
        if (t->assembly.pid > 0)
                (void)kill(t->assembly.pid, SIGKILL);
}

static void fail_start(struct fg_task *t, const char *error, const char *message)
{
        fg_autofree char *text = fg_asprintf("%s: %s", error, message);

        fg_task_stop(t, "TaskFailedToStart", text);
}

static void handle_task(void *owner, struct json_object *message)
{
        struct fg_task *t = owner;
        struct fg_error err = FG_ERROR_INIT;

        if (fg_task_begin(t, message, &err) == 0)
                return;
        fg_console("task: %s", err.msg);
        for (size_t i = 0; i < t->container_count; i++)
                fg_container_fail(&t->containers[i], "ResourceInitializationError", err.msg);
        fail_start(t, "ResourceInitializationError", err.msg);
}

static void handle_stop(void *owner, const char *reason)
{
        struct fg_task *t = owner;

        if (t->spec)
                fg_task_stop(t, "UserInitiated", reason);
}

static void handle_rehearse(void *owner, struct json_object *message)
{
        struct json_object *disks = fg_json_arr(message, "disks");
        const bool blank = !disks || json_object_array_length(disks) == 0;
        struct json_object *m = json_object_new_object();
        struct fg_error err = FG_ERROR_INIT;
        struct fg_task *t = owner;

        fg_json_set_str(m, "type", "rehearsed");
        if (((!t->parked || blank) && fg_rehearse(t->parked, &err) < 0) ||
            fg_task_park(t, disks, &err) < 0) {
                fg_console("rehearsal: %s", err.msg);
                fg_json_set_str(m, "error", err.msg);
        }
        fg_link_say(&t->link, m);
}

static void handle_disks_lost(void *owner)
{
        struct fg_task *t = owner;

        t->disks.complete = true;
}

static void handle_blob(void *owner)
{
        struct fg_task *t = owner;

        fg_assembly_pump(&t->assembly);
}

static const struct fg_link_handler handler = {
        .task = handle_task,
        .stop = handle_stop,
        .rehearse = handle_rehearse,
        .disks_lost = handle_disks_lost,
        .blob = handle_blob,
};

void fg_task_init(struct fg_task *t, struct fg_loop *loop)
{
        *t = (struct fg_task){ .loop = loop };
        t->link.handler = &handler;
        t->link.owner = t;
        t->disks = (struct fg_disks){ .loop = loop, .events = { .fd = -1 } };
        t->metadata.listener = -1;
        t->pause.ns = -1;
        t->standby = (struct fg_standby)FG_STANDBY_INIT;
        t->assembly.loop = loop;
        t->assembly.blobs = &t->link.blobs;
}

static void tell_image(struct fg_task *t, const char *event)
{
        for (size_t i = 0; i < t->container_count; i++) {
                struct json_object *e;

                if (!uses(&t->containers[i], &t->images[t->image_next]))
                        continue;
                e = fg_events_new(&t->link.events, event, fg_now_ns(), FG_EVENT_NO_BARRIER);
                fg_json_set_str(e, "container", t->containers[i].name);
        }
}

static void image_done(struct fg_task *t)
{
        tell_image(t, "image.done");
        t->images[t->image_next++].done = true;
}

static void fail_image(struct fg_task *t, const char *message)
{
        const struct fg_task_image *image = &t->images[t->image_next];

        for (size_t i = 0; i < t->container_count; i++) {
                struct fg_container *c = &t->containers[i];

                if (c->state == FG_CONTAINER_WAITING && uses(c, image))
                        fg_container_fail(c, "CannotPullContainerError", message);
        }
        fail_start(t, "CannotPullContainerError", message);
}

static void image_reaped(struct fg_task *t, int status)
{
        struct fg_error err = FG_ERROR_INIT;

        if (fg_assembly_reaped(&t->assembly, status, &err) == 0) {
                image_done(t);
        } else if (!t->stopping) {
                fail_image(t, err.msg);
        }
}

void fg_task_reaped(struct fg_task *t, pid_t pid, int status)
{
        if (pid == t->assembly.pid) {
                image_reaped(t, status);
                return;
        }
        if (fg_standby_reaped(&t->standby, pid))
                return;
        for (size_t i = 0; i < t->container_count; i++) {
                if (fg_probe_reaped(&t->containers[i], pid, status))
                        return;
                if (t->containers[i].pid == pid)
                        fg_container_reaped(&t->containers[i], status);
        }
}

/* A prepared image is a disk; what the host prepared needs no child that is afraid of it. Return:
   false: it is still on its way. */
static bool mount_image(struct fg_task *t)
{
        struct fg_task_image *image = &t->images[t->image_next];
        struct fg_error err = FG_ERROR_INIT;
        int r = fg_disks_mount(&t->disks, image->disk, image->dir, &err);

        if (r > 0)
                image_done(t);
        if (r < 0)
                fail_image(t, err.msg);
        if (r == 0 && t->disks.complete)
                fg_task_unpack(t, image);
        return r > 0 || !image->disk;
}

static void assemble_next(struct fg_task *t)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_task_image *image;

        while (t->image_next < t->image_count && t->assembly.pid == 0) {
                image = &t->images[t->image_next];
                if (!image->begun)
                        tell_image(t, "image.begin");
                image->begun = true;
                if (image->disk && !mount_image(t))
                        return;
                if (!image->done &&
                    fg_assembly_start(&t->assembly, image->manifest, image->dir, &err) < 0) {
                        fail_image(t, err.msg);
                        return;
                }
        }
}

/* Return: whether something is or was brought under way that will lead to a further step. */
static bool start_ready(struct fg_task *t)
{
        const struct fg_start common = { .task = t->spec,
                                         .pid_ns = t->pause.ns,
                                         .standby = &t->standby };
        bool alive = t->image_next < t->image_count;
        char why[512];

        for (size_t i = 0; i < t->container_count && !t->stopping; i++) {
                struct fg_container *c = &t->containers[i];

                if (c->state == FG_CONTAINER_WAITING && t->image_next == t->image_count) {
                        switch (fg_depends_check(t, c, why, sizeof(why))) {
                        case FG_DEPENDS_MET:
                                fg_container_start(c, &common, fg_task_image_of(t, c)->dir);
                                break;
                        case FG_DEPENDS_NEVER:
                                fg_task_stop(t, "TaskFailedToStart", why);
                                break;
                        case FG_DEPENDS_WAIT:
                        default:
                                continue;
                        }
                        alive = true;
                }
                alive = alive || (c->state != FG_CONTAINER_WAITING && !fg_container_ended(c));
        }
        return alive;
}

/* A container stops when nothing that depends on it is left. */
static void stop_ready(struct fg_task *t)
{
        for (size_t i = 0; i < t->container_count; i++) {
                if (t->containers[i].state == FG_CONTAINER_WAITING)
                        fg_container_skip(&t->containers[i]);
        }
        for (size_t i = 0; i < t->container_count; i++) {
                if (!fg_depends_needed(t, &t->containers[i]))
                        fg_container_stop(&t->containers[i]);
        }
}

/* What the end of a container means for the others. Return: how many have ended. */
static size_t follow_ends(struct fg_task *t)
{
        size_t ended = 0;

        for (size_t i = 0; i < t->container_count; i++) {
                struct fg_container *c = &t->containers[i];

                fg_container_drain(c);
                fg_container_tell(c);
                if (c->essential && c->state == FG_CONTAINER_FAILED)
                        fg_task_stop(t, "TaskFailedToStart", c->result.message);
                if (c->essential && c->state == FG_CONTAINER_EXITED)
                        fg_task_stop(t, "EssentialContainerExited",
                                     "Essential container in task exited");
                ended += fg_container_ended(c);
        }
        return ended;
}

/* From the moment that the first program is executed. */
static void limit_cpu(struct fg_task *t)
{
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < t->container_count && !t->cpu_limited; i++)
                t->cpu_limited = t->containers[i].ready;
        if (t->cpu_limited && fg_cgroup_limit_cpu(t->spec, &err) < 0)
                fail_start(t, "ResourceInitializationError", err.msg);
}

static void proceed(struct fg_task *t)
{
        if (t->stopping) {
                stop_ready(t);
                return;
        }
        assemble_next(t);
        if (!start_ready(t))
                fg_task_stop(t, "TaskFailedToStart", "containers depend on each other");
}

void fg_task_step(struct fg_task *t)
{
        size_t ended, before = SIZE_MAX;

        if (!t->spec || t->stopped)
                return;
        if (!t->cpu_limited)
                limit_cpu(t);
        /* An end may allow or forbid what comes next, and that may end at once. */
        while ((ended = follow_ends(t)) != before && ended < t->container_count) {
                proceed(t);
                before = ended;
        }
        if (t->stopping && ended < t->container_count)
                stop_ready(t);
        if (follow_ends(t) == t->container_count && t->assembly.pid == 0) {
                (void)fg_events_new(&t->link.events, "task.stopped", fg_now_ns(),
                                    FG_EVENT_NO_BARRIER);
                t->stopped = true;
        }
}

bool fg_task_over(const struct fg_task *t)
{
        return t->stopped && fg_link_settled(&t->link);
}
