/* SPDX-License-Identifier: Apache-2.0 */
#include "api/engine.h"

#include <stdlib.h>
#include <string.h>

#include "api/run.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

/*
 * The story of a task:
 *
 *   fg_engine_submit()    room reserved, PROVISIONING durable, the client has its id
 *   start_begin()         PENDING: images are fetched while the disk is made and the VM boots
 *   start_session()       ACTIVATING: the guest answers; with images and VM ready it gets its task
 *   guest_event()         RUNNING once every container has started; exits, output, health
 *   end_run()             DEPROVISIONING: VM, sockets, disk removed; STOPPED and billed in one
 * commit
 */

struct submit {
        struct run_ref ref;
        fg_submit_done_fn done;
        void *userdata;
};

static void on_accepted(void *userdata, const struct fg_error *err)
{
        struct submit submit = *(struct submit *)userdata;
        struct fg_run *run = run_find(submit.ref.d, submit.ref.id);

        free(userdata);
        submit.done(submit.userdata, submit.ref.id, err);
        if (!run)
                return;
        if (err) {
                run_free(run);
                return;
        }
        submit.ref.d->tasks_accepted++;
        fg_log_info("task=%s family=%s accepted cpu=%s memory=%s", run->task->id,
                    run->task->def->family, run->task->def->cpu, run->task->def->memory);
        start_begin(run);
}

void fg_engine_submit(struct fg_daemon *d, struct fg_submission *s, fg_submit_done_fn done,
                      void *userdata)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = fg_take_ptr(s->def);
        fg_autojson *overrides = fg_take_ptr(s->overrides), *tags = fg_take_ptr(s->tags);
        struct fg_error err = FG_ERROR_INIT;
        struct submit *submit;
        struct fg_run *run;

        if (fg_capacity_take(&d->capacity, (uint64_t)def->cpu_units,
                             (uint64_t)def->memory_mib + fg_vmm_info(d->vmm)->overhead_mib,
                             &err) < 0) {
                done(userdata, NULL, &err);
                return;
        }
        run = run_new(d, fg_task_new(fg_take_ptr(def), fg_now_ns()));
        run->task->overrides = fg_take_ptr(overrides);
        run->task->tags = fg_take_ptr(tags);
        run->task->started_by = fg_strdup(s->started_by);
        run->task->group = fg_strdup(s->group);
        run->client_token = fg_strdup(s->client_token);
        run->request_hash = fg_strdup(s->request_hash);
        submit = fg_calloc(1, sizeof(*submit));
        *submit = (struct submit){ .ref = { .d = d }, .done = done, .userdata = userdata };
        memcpy(submit->ref.id, run->task->id, sizeof(submit->ref.id));
        run_save(run, on_accepted, submit);
}

void fg_engine_stop(struct fg_daemon *d, const char *id, const char *reason, fg_store_done_fn done,
                    void *userdata)
{
        struct fg_run *run = run_find(d, id);
        struct fg_error err = FG_ERROR_INIT;

        if (!run) {
                fg_fail(&err, FG_ERR_NOT_FOUND, "task %s is not active", id);
                done(userdata, &err);
                return;
        }
        fg_task_want_stop(run->task, FG_STOP_USER_INITIATED,
                          reason && *reason ? reason : "Task stopped by user", fg_now_ns());
        run_save(run, done, userdata);
        end_stop(run);
}

void fg_engine_gone(void *daemon, const char *id, bool crashed, const char *reason)
{
        struct fg_run *run = run_find(daemon, id);

        if (run)
                end_vm_gone(run, crashed, reason);
}

void fg_engine_shutdown(struct fg_daemon *d)
{
        struct fg_run *run, *next;

        HASH_ITER (hh, d->runs, run, next)
                run_free(run);
}

const struct fg_task *fg_engine_task(struct fg_daemon *d, const char *id)
{
        struct fg_run *run = run_find(d, id);

        return run ? run->task : NULL;
}

const struct fg_task *fg_engine_token(struct fg_daemon *d, const char *token, const char **ret_hash)
{
        struct fg_run *run, *next;

        HASH_ITER (hh, d->runs, run, next) {
                if (run->client_token && fg_streq(run->client_token, token)) {
                        *ret_hash = run->request_hash;
                        return run->task;
                }
        }
        return NULL;
}
