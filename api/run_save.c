/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/event.h"
#include "api/event_feed.h"
#include "api/network.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define RETRY_USEC 1000000

/* Storing what is known of tasks, and what follows once it is durable. */

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
        run_tell_changed(run);
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
        run_tell_changed(run);
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

/* One version of a task, as the record that is stored, with the texts the record borrows. */
struct version {
        struct json_object *document, *ours, *snapshot;
        char *definition, *event;
        struct fg_record record;
};

static void version_make(struct fg_run *run, struct version *v)
{
        const struct fg_task *t = run->task;
        bool stopped = t->state == FG_TASK_STOPPED;
        uint64_t now_ns = fg_now_ns();

        v->document = fg_task_to_ecs(t, &run->d->names);
        v->ours = fg_task_ours(t, &run->d->names);
        v->snapshot = stopped ? NULL : fg_task_snapshot(t);
        v->definition = fg_task_definition(t);
        v->event = event_of(run, now_ns);
        v->record = (struct fg_record){
                .id = t->id,
                .cluster = t->cluster,
                .family = t->def->family,
                .definition = v->definition,
                .status = fg_task_state_name(t->state),
                .started_by = t->started_by,
                .group = t->group,
                .wants_stop = t->stop_wanted,
                .created_ns = t->created_ns,
                .stopped_ns = t->stopped_ns,
                .document = fg_json_text(v->document),
                .ours = fg_json_text(v->ours),
                .snapshot = v->snapshot ? fg_json_text(v->snapshot) : NULL,
                .tags = t->tags ? fg_json_text(t->tags) : NULL,
                .meter_start_ns = t->pull_started_ns,
                .meter_end_ns = stopped ? t->execution_stopped_ns : 0,
                .cpu_units = (unsigned)t->def->cpu_units,
                .memory_mib = (unsigned)t->def->memory_mib,
                .storage_gib = (unsigned)fg_taskdef_storage_gib(t->def),
                .event = v->event,
                .event_ns = now_ns,
        };
}

static void version_finish(struct version *v)
{
        json_object_put(v->document);
        json_object_put(v->ours);
        json_object_put(v->snapshot);
        free(v->definition);
        free(v->event);
}

void run_save(struct fg_run *run, fg_store_done_fn done, void *userdata)
{
        const struct fg_task *t = run->task;
        struct save *save = fg_calloc(1, sizeof(*save));
        struct version v;

        version_make(run, &v);
        *save = (struct save){ .ref = { .d = run->d },
                               .state = t->state,
                               .event_seq = t->event_seq,
                               .sendable = t->state >= FG_TASK_ACTIVATING &&
                                           start_images_ready(run),
                               .event = v.event != NULL,
                               .done = done,
                               .userdata = userdata };
        memcpy(save->ref.id, t->id, sizeof(save->ref.id));
        fg_store_save(run->d->store, &v.record, on_saved, save);
        network_follow(run);
        version_finish(&v);
}

void run_add(struct fg_daemon *d, struct fg_run *const *runs, size_t n,
             const struct fg_token *token, fg_store_done_fn done, void *userdata)
{
        struct version *versions = fg_calloc(n, sizeof(*versions));
        struct fg_record *records = fg_calloc(n, sizeof(*records));

        for (size_t i = 0; i < n; i++) {
                version_make(runs[i], &versions[i]);
                records[i] = versions[i].record;
        }
        fg_store_add(d->store, records, n, token, done, userdata);
        for (size_t i = 0; i < n; i++)
                version_finish(&versions[i]);
        free(versions);
        free(records);
}
