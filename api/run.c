/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/event.h"
#include "api/event_feed.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define RETRY_USEC 1000000

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
        free(run->images);
        free(run->client_token);
        free(run->request_hash);
        free(run->end_reason);
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

static void tell_changed(struct fg_run *run)
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

/* ---- saving ---- */

struct save {
        struct run_ref ref;
        enum fg_task_state state;
        uint64_t event_seq;
        bool sendable; /* with this stored, the guest may get the task */
        bool event;    /* an event was stored with it */
        fg_store_done_fn done;
        void *userdata;
};

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_run *run = userdata;

        (void)source;
        (void)usec;
        run->retry = sd_event_source_disable_unref(run->retry);
        run_save(run, NULL, NULL);
        return 0;
}

static void retry_save(struct fg_run *run, const struct fg_error *err)
{
        fg_log_error("task=%s cannot be stored, trying again: %s", run->task->id, err->msg);
        if (!run->retry)
                (void)sd_event_add_time_relative(run->d->event, &run->retry, CLOCK_MONOTONIC,
                                                 RETRY_USEC, 0, on_retry, run);
}

static void finish_stopped(struct fg_run *run)
{
        struct fg_daemon *d = run->d;
        const struct fg_task *t = run->task;

        fg_log_info("task=%s family=%s stopped code=%s reason=%s", t->id, t->def->family,
                    fg_stop_code_name(t->stop_code), t->stopped_reason ? t->stopped_reason : "");
        d->tasks_stopped++;
        if (t->stop_code == FG_STOP_FAILED_TO_START)
                d->tasks_failed++;
        fg_logstore_finish(d->logs, t->id);
        tell_changed(run);
        run_free(run);
}

static void on_saved(void *userdata, const struct fg_error *err)
{
        struct save save = *(struct save *)userdata;
        struct fg_run *run = run_find(save.ref.d, save.ref.id);

        free(userdata);
        if (run && err && save.event)
                free(fg_take_ptr(run->event_state)); /* it is told with what is stored next */
        if (!err && save.event)
                fg_event_feed_committed(save.ref.d);
        if (run && err && !save.done)
                retry_save(run, err);
        if (save.done)
                save.done(save.userdata, err);
        run = run_find(save.ref.d, save.ref.id);
        if (!run || err)
                return;
        if (save.state == FG_TASK_STOPPED) {
                finish_stopped(run);
                return;
        }
        if (run->session && run->task_sent && !run->session_down)
                fg_session_ack(run->session, save.event_seq);
        if (save.sendable && !run->sendable) {
                run->sendable = true;
                start_try_send(run);
        }
        tell_changed(run);
}

/* The event that this version of the task is, or NULL when its state is the one last told. */
static char *event_of(struct fg_run *run, uint64_t now_ns)
{
        fg_autofree char *state = fg_event_state(run->task);
        fg_autojson *task = NULL;

        if (run->event_state && fg_streq(run->event_state, state))
                return NULL;
        free(run->event_state);
        run->event_state = fg_take_ptr(state);
        task = fg_task_to_json(run->task, &run->d->names);
        return fg_event_text(task, &run->d->names, now_ns);
}

void run_save(struct fg_run *run, fg_store_done_fn done, void *userdata)
{
        const struct fg_task *t = run->task;
        bool stopped = t->state == FG_TASK_STOPPED;
        uint64_t now_ns = fg_now_ns();
        fg_autofree char *event = event_of(run, now_ns);
        fg_autojson *document = fg_task_to_json(t, &run->d->names);
        fg_autojson *snapshot = stopped ? NULL : fg_task_snapshot(t);
        struct save *save = fg_calloc(1, sizeof(*save));
        struct fg_record record = {
                .id = t->id,
                .family = t->def->family,
                .status = fg_task_state_name(t->state),
                .created_ns = t->created_ns,
                .stopped_ns = t->stopped_ns,
                .document = fg_json_text(document),
                .snapshot = snapshot ? fg_json_text(snapshot) : NULL,
                .client_token = run->client_token,
                .request_hash = run->request_hash,
                .meter_start_ns = t->pull_started_ns,
                .meter_end_ns = stopped ? t->execution_stopped_ns : 0,
                .cpu_units = (unsigned)t->def->cpu_units,
                .memory_mib = (unsigned)t->def->memory_mib,
                .storage_gib = (unsigned)fg_taskdef_storage_gib(t->def),
                .event = event,
                .event_ns = now_ns,
        };

        *save = (struct save){ .ref = { .d = run->d },
                               .state = t->state,
                               .event_seq = t->event_seq,
                               .sendable = t->state >= FG_TASK_ACTIVATING &&
                                           start_images_ready(run),
                               .event = event != NULL,
                               .done = done,
                               .userdata = userdata };
        memcpy(save->ref.id, t->id, sizeof(save->ref.id));
        fg_store_save(run->d->store, &record, on_saved, save);
}
