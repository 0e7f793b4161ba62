/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/isolation.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

struct run_ref *run_ref_new(const struct fg_run *run)
{
        struct run_ref *ref = fg_calloc(1, sizeof(*ref));

        ref->d = run->d;
        memcpy(ref->id, run->task->id, sizeof(ref->id));
        return ref;
}

struct fg_run *run_ref_take(struct run_ref *ref)
{
        struct fg_run *run = run_find(ref->d, ref->id);

        free(ref);
        return run;
}

struct fg_run *run_find(struct fg_daemon *d, const char *id)
{
        struct fg_run *run = NULL;

        HASH_FIND_STR(d->runs, id, run);
        return run;
}

struct fg_run *run_new(struct fg_daemon *d, struct fg_task *take_task)
{
        struct fg_run *run = fg_calloc(1, sizeof(*run));

        run->d = d;
        run->task = take_task;
        run->images = fg_calloc(take_task->n_containers, sizeof(*run->images));
        for (size_t i = 0; i < take_task->n_containers; i++)
                run->images[i].run = run;
        HASH_ADD_KEYPTR(hh, d->runs, take_task->id, FG_ID_LEN, run);
        return run;
}

void run_free(struct fg_run *run)
{
        struct fg_daemon *d = run->d;
        struct fg_task *t = run->task;

        HASH_DEL(d->runs, run);
        fg_session_free(run->session);
        fg_net_release(d->net, t->id);
        for (size_t i = 0; i < t->n_containers; i++) {
                if (run->images[i].pull)
                        fg_pull_cancel(run->images[i].pull);
                if (run->images[i].ready)
                        fg_images_unpin(d->images, t->containers[i].manifest);
                disks_forget(&run->images[i]);
        }
        fg_capacity_give(&d->capacity, (uint64_t)t->def->cpu_units,
                         (uint64_t)t->def->memory_mib + fg_vmm_info(d->vmm)->overhead_mib);
        sd_event_source_disable_unref(run->deadline);
        sd_event_source_disable_unref(run->retry);
        sd_event_source_disable_unref(run->limit);
        free(run->images);
        free(run->client_token);
        free(run->request_hash);
        free(run->end_reason);
        fg_secret_finish(&run->variables);
        free(run->event_state);
        fg_task_free(t);
        free(run);
}

void run_set_deadline(struct fg_run *run, unsigned seconds, sd_event_time_handler_t fn)
{
        run->deadline = sd_event_source_disable_unref(run->deadline);
        if (seconds)
                (void)sd_event_add_time_relative(run->d->event, &run->deadline, CLOCK_MONOTONIC,
                                                 (uint64_t)seconds * 1000000, 0, fn, run);
}

static void on_cpu_limited(void *userdata, const char *id, const struct fg_error *err)
{
        (void)userdata;
        if (err)
                fg_log_warn("task=%s only its guest limits its CPU: %s", id, err->msg);
}

/* Whole vCPUs limit themselves: QEMU has one thread for each. */
void run_limit_cpu(struct fg_run *run)
{
        unsigned units = (unsigned)run->task->def->cpu_units;
        struct fg_vmm *vmm = run->d->vmm;

        if (!isolation_container(run->task->def) && units % 1024 != 0 &&
            fg_vmm_info(vmm)->limits_cpu && fg_streq(run->d->config.cpu_limit, "host"))
                fg_vmm_limit_cpu(vmm, run->task->id, units, on_cpu_limited, NULL);
}

char *run_dir(const struct fg_run *run)
{
        return fg_asprintf("%s/tasks/%s", run->d->config.state_dir, run->task->id);
}

/* ---- watchers ---- */

void fg_watch(struct fg_daemon *d, struct fg_watcher *w)
{
        w->next = d->watchers;
        w->prev = &d->watchers;
        if (w->next)
                w->next->prev = &w->next;
        d->watchers = w;
}

void fg_unwatch(struct fg_watcher *w)
{
        if (!w->prev)
                return;
        if (w->next)
                w->next->prev = w->prev;
        *w->prev = w->next;
        w->next = NULL;
        w->prev = NULL;
}

void run_tell_changed(struct fg_run *run)
{
        struct fg_watcher *next;

        for (struct fg_watcher *w = run->d->watchers; w; w = next) {
                next = w->next;
                if (fg_streq(w->id, run->task->id))
                        w->changed(w, run->task);
        }
}

void run_tell_pull(struct fg_run *run, const char *image, const struct fg_pull_progress *p)
{
        struct fg_watcher *next;

        for (struct fg_watcher *w = run->d->watchers; w; w = next) {
                next = w->next;
                if (w->pulling && fg_streq(w->id, run->task->id))
                        w->pulling(w, image, p);
        }
}
