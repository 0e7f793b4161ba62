/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/disk.h"
#include "api/network.h"
#include "api/pool.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define RETRY_SECONDS      5
#define LAST_WORDS_SECONDS 2  /* for output still in the socket of a dead VM */
#define STOP_EXTRA_SECONDS 20 /* beyond the containers' own stop timeouts */

/* ---- tear-down: VM, then network and files, then the row ---- */

static void tear_down(struct fg_run *run);

static int on_tear_down(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source;
        (void)usec;
        tear_down(userdata);
        return 0;
}

static void retry_tear_down(struct fg_run *run, const struct fg_error *err)
{
        fg_log_error("task=%s cannot be cleaned up, trying again: %s", run->task->id, err->msg);
        run_set_deadline(run, RETRY_SECONDS, on_tear_down);
}

static void on_removed(void *userdata, const struct fg_error *err)
{
        struct fg_run *run = run_ref_take(userdata);

        if (!run)
                return;
        if (err) {
                retry_tear_down(run, err);
                return;
        }
        fg_task_move(run->task, FG_TASK_STOPPED, fg_now_ns());
        run_save(run, NULL, NULL);
}

static void on_detached(struct fg_run *run, const struct fg_error *err)
{
        fg_autofree char *dir = run_dir(run);

        if (err)
                retry_tear_down(run, err);
        else
                fg_disk_remove(run->d->io, dir, on_removed, run_ref_new(run));
}

static void on_destroyed(void *userdata, const char *id, const struct fg_error *err)
{
        struct fg_run *run = run_find(userdata, id);

        if (!run)
                return;
        if (err) {
                retry_tear_down(run, err);
                return;
        }
        fg_session_free(fg_take_ptr(run->session));
        fg_cwlogs_task_end(run->d->cwlogs, run->task);
        network_detach(run, on_detached);
}

static void tear_down(struct fg_run *run)
{
        run->tearing_down = true;
        run_set_deadline(run, 0, NULL);
        fg_vmm_destroy(run->d->vmm, run->task->id, on_destroyed, run->d);
}

void end_continue(struct fg_run *run)
{
        if (!run->disk_making && !run->vm_starting && run->attaching == 0 && !run->tearing_down)
                tear_down(run);
}

void end_run(struct fg_run *run)
{
        struct fg_task *t = run->task;
        uint64_t now = fg_now_ns();

        if (run->ending)
                return;
        run->ending = true;
        for (size_t i = 0; i < t->n_containers; i++) {
                if (run->images[i].pull)
                        fg_pull_cancel(fg_take_ptr(run->images[i].pull));
                if (t->containers[i].state != FG_CONTAINER_STOPPED) {
                        t->containers[i].state = FG_CONTAINER_STOPPED;
                        t->containers[i].finished_ns = now;
                }
        }
        if (run->disk_making)
                fg_disk_cancel(run->disk_making);
        fg_task_move(t, FG_TASK_DEPROVISIONING, now);
        run_save(run, NULL, NULL);
        fg_pool_refill(run->d->pool); /* it may have written nothing */
        end_continue(run);
}

/* ---- reasons to end ---- */

void end_failed(struct fg_run *run, const char *what, const struct fg_error *err)
{
        /* ECS's error names are for tasks that never ran. */
        bool ran = run->task->started_ns != 0;
        fg_autofree char *reason = fg_asprintf("%s%s%s", ran ? "" : what, ran ? "" : ": ",
                                               err->msg);
        enum fg_stop_code code = ran ? FG_STOP_TERMINATION_NOTICE : FG_STOP_FAILED_TO_START;

        if (run->ending)
                return;
        fg_log_warn("task=%s failed: %s", run->task->id, reason);
        fg_task_want_stop(run->task, code, reason, fg_now_ns());
        end_run(run);
}

void end_vm_failed(struct fg_run *run, const struct fg_error *err)
{
        if (!restore_failed(run, err->msg))
                end_failed(run, "ResourceInitializationError", err);
}

static int on_stop_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_run *run = userdata;

        (void)source;
        (void)usec;
        fg_log_warn("task=%s its guest did not stop in time, ending the VM", run->task->id);
        end_run(run);
        return 0;
}

static unsigned stop_seconds(const struct fg_task *t)
{
        int64_t seconds = STOP_EXTRA_SECONDS;

        for (size_t i = 0; i < t->n_containers; i++) {
                int64_t own = t->containers[i].def->stop_timeout;

                seconds += own ? own : FG_STOP_TIMEOUT_DEFAULT;
        }
        return (unsigned)seconds;
}

void end_expect(struct fg_run *run)
{
        if (run->stopping) /* hearing of it again gives the guest no more time */
                return;
        run->stopping = true;
        run_set_deadline(run, stop_seconds(run->task), on_stop_deadline);
}

void end_stop(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        if (run->ending)
                return;
        if (run->session && run->task_sent && !run->session_down) {
                if (run->stop_sent)
                        return;
                run->stop_sent = true;
                end_expect(run);
                if (fg_session_stop(run->session, run->task->stopped_reason, &err) < 0)
                        end_run(run);
                return;
        }
        /* A guest that may have its task is asked once it answers; otherwise nothing runs yet. */
        if (!run->orphan_vm)
                end_run(run);
}

/* ---- the VM or its channel went away ---- */

static void vm_ended(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_fail(&err, FG_ERR_INTERNAL, "the task's microVM ended unexpectedly: %s",
                run->end_reason ? run->end_reason : "its channel was closed");
        end_vm_failed(run, &err);
}

static int on_last_words(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source;
        (void)usec;
        vm_ended(userdata);
        return 0;
}

void end_vm_gone(struct fg_run *run, bool crashed, const char *reason)
{
        run->vm_gone = true;
        if (run->ending)
                return;
        free(run->end_reason);
        run->end_reason = fg_asprintf("%s%s", crashed ? "" : "the guest powered off: ", reason);
        /* What the guest had written is still in the socket: read it to its end first. */
        if (run->session && !run->session_down)
                run_set_deadline(run, LAST_WORDS_SECONDS, on_last_words);
        else if (!run->vm_starting)
                vm_ended(run);
}

void end_session_down(struct fg_run *run, const struct fg_error *err)
{
        run->session_down = true;
        if (run->ending)
                return;
        if (err->code == FG_ERR_INVALID || err->code == FG_ERR_CAPACITY) {
                end_vm_failed(run, err);
        } else if (run->vm_gone) {
                vm_ended(run);
        } else {
                free(run->end_reason);
                run->end_reason = fg_strdup(err->msg);
                run_set_deadline(run, LAST_WORDS_SECONDS, on_last_words);
        }
}
