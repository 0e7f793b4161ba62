/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "api/aside.h"
#include "api/disk.h"
#include "api/event.h"
#include "api/network.h"
#include "api/run.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"

/*
 * After a restart: every stored task that had not stopped is taken up again, by its identity, and
 * every VM, socket and directory that no stored task claims is removed.
 */

/* ---- what nobody claims ---- */

static void on_orphan_destroyed(void *userdata, const char *id, const struct fg_error *err)
{
        (void)userdata;
        if (err)
                fg_log_error("task=%s its left-over VM cannot be removed: %s", id, err->msg);
        else
                fg_log_info("task=%s left-over VM removed", id);
}

static void on_dir_removed(void *userdata, const struct fg_error *err)
{
        (void)userdata;
        if (err)
                fg_log_error("left-over files cannot be removed: %s", err->msg);
}

/* Calls @fn for each task id that names an entry of @dir and no task claims. */
static void each_unclaimed(struct fg_daemon *d, const char *dir,
                           void (*fn)(struct fg_daemon *d, const char *id, const char *path))
{
        fg_cleanup(closedirp) DIR *handle = opendir(dir);
        struct dirent *entry;

        while (handle && (entry = readdir(handle))) {
                fg_autofree char *path = fg_asprintf("%s/%s", dir, entry->d_name);

                if (fg_id_valid(entry->d_name) && !run_find(d, entry->d_name) &&
                    !aside_has(d, entry->d_name))
                        fn(d, entry->d_name, path);
        }
}

static void remove_files(struct fg_daemon *d, const char *id, const char *path)
{
        (void)id;
        fg_disk_remove(d->io, path, on_dir_removed, NULL);
}

static void remove_vm(struct fg_daemon *d, const char *id, const char *path)
{
        (void)path;
        fg_vmm_destroy(d->vmm, id, on_orphan_destroyed, NULL);
}

static void remove_unclaimed(struct fg_daemon *d)
{
        fg_autofree char *tasks = fg_asprintf("%s/tasks", d->config.state_dir);

        each_unclaimed(d, tasks, remove_files);
        each_unclaimed(d, d->config.run_dir, remove_vm);
}

/* Expired tasks lose their row first: a crash in between leaves their logs. */
static void remove_logs(struct fg_daemon *d, const char *id, const char *path)
{
        (void)path;
        if (!fg_store_has(d->store, id) && !fg_cwlogs_holds(d->cwlogs, id))
                fg_logstore_remove(d->logs, id, NULL, NULL);
}

static void remove_unclaimed_logs(struct fg_daemon *d)
{
        fg_autofree char *logs = fg_asprintf("%s/logs", d->config.state_dir);

        each_unclaimed(d, logs, remove_logs);
}

/* ---- what goes on ---- */

/* Images that were resolved keep their blobs; the others are fetched again. */
static void pin_images(struct fg_run *run)
{
        for (size_t i = 0; i < run->task->n_containers; i++) {
                const char *manifest = run->task->containers[i].manifest;

                run->images[i].ready = *manifest && fg_images_pin(run->d->images, manifest) == 0;
        }
}

/* When the task was last known to live: by the daemon's beat, or by what is stored of it. */
static uint64_t last_sign(const struct fg_run *run)
{
        const struct fg_task *t = run->task;
        const uint64_t times[] = { t->created_ns,      t->pull_started_ns, t->pull_stopped_ns,
                                   t->connectivity_ns, t->started_ns,      t->stopping_ns };
        uint64_t last = fg_store_last_beat(run->d->store);

        for (size_t i = 0; i < FG_ARRAY_SIZE(times); i++)
                if (times[i] > last)
                        last = times[i];
        return last;
}

static void vm_lost(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_fail(&err, FG_ERR_INTERNAL, "the task's microVM ended while fgd was not running");
        /* Nobody knows when; nobody pays for the time in which nobody looked. */
        run->task->execution_stopped_ns = last_sign(run);
        end_failed(run, "ResourceInitializationError", &err);
}

static void on_restart(void *userdata, const char *id, const struct fg_error *err)
{
        struct fg_run *run = run_find(userdata, id);

        if (!run)
                return;
        run->orphan_vm = false;
        if (err)
                end_failed(run, "ResourceInitializationError", err);
        else
                start_begin(run);
}

static void take_up(struct fg_run *run)
{
        struct fg_task *t = run->task;

        if (t->state == FG_TASK_DEPROVISIONING) {
                run->ending = true;
                end_continue(run);
        } else if (t->state < FG_TASK_ACTIVATING) {
                /* No guest can have got the task yet: start over, whatever VM there may be. */
                run->orphan_vm = true;
                fg_vmm_destroy(run->d->vmm, t->id, on_restart, run->d);
        } else if (run->orphan_vm) {
                run->sendable = start_images_ready(run);
                run->disk_lost = t->state < FG_TASK_RUNNING; /* on its way when fgd ended */
                start_session(run);
                limit_arm(run);
                if (t->state < FG_TASK_RUNNING) /* a later guest has all it needs */
                        start_pulls(run);
                else
                        run_limit_cpu(run); /* the former fgd may not have come to it */
        } else {
                vm_lost(run);
        }
}

static void on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err)
{
        struct fg_daemon *d = userdata;
        struct fg_run *run, *next;

        d->adopted = true;
        if (d->leaving)
                return;
        if (err) {
                d->adopt_error = *err;
                return;
        }
        for (size_t i = 0; i < n; i++) {
                run = run_find(d, vms[i].id);
                if (run)
                        run->orphan_vm = vms[i].running;
                else if (!aside_has(d, vms[i].id))
                        fg_vmm_destroy(d->vmm, vms[i].id, on_orphan_destroyed, NULL);
        }
        HASH_ITER (hh, d->runs, run, next) {
                network_follow(run);
                take_up(run);
        }
        aside_end_all(d);
        remove_unclaimed(d);
}

/* The promise to a task was made before: it holds even if the host has become smaller. */
static void reserve(struct fg_daemon *d, const struct fg_task *t)
{
        d->capacity.cpu_used += (uint64_t)t->def->cpu_units;
        d->capacity.memory_used += (uint64_t)t->def->memory_mib + fg_vmm_info(d->vmm)->overhead_mib;
}

/* Tasks of a version that had one cluster and no names for groups. */
static void settle(struct fg_daemon *d, struct fg_task *t)
{
        if (!t->cluster)
                t->cluster = fg_strdup(d->names.cluster);
        if (!t->group)
                t->group = fg_asprintf("family:%s", t->def->family);
}

/* The task of a row, or NULL when it is damaged. */
static struct fg_task *restore(struct json_object *stored, struct fg_error *err)
{
        fg_cleanup(fg_task_freep) struct fg_task *t = NULL;
        const char *problem = fg_json_str(stored, "problem");

        if (problem)
                fg_fail(err, FG_ERR_INTERNAL, "%s", problem);
        else
                t = fg_task_restore(fg_json_obj(stored, "snapshot"), err);
        if (t && !fg_streq(t->id, fg_json_str(stored, "id"))) {
                fg_fail(err, FG_ERR_INTERNAL, "it has the id of another task, %s", t->id);
                return NULL;
        }
        return fg_take_ptr(t);
}

/* What it held is held again. Where that cannot be, its next step says so. */
static void take_network(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        if (run->task->network && network_reserve(run, &err) < 0)
                fg_log_warn("task=%s its network: %s", run->task->id, err.msg);
}

static int load(struct fg_daemon *d, struct fg_error *err)
{
        fg_autojson *list = fg_store_load(d->store, err);

        if (!list)
                return -1;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *stored = json_object_array_get_idx(list, i);
                struct fg_error why = FG_ERROR_INIT;
                struct fg_task *t = restore(stored, &why);
                struct fg_run *run;

                if (!t) {
                        aside_new(d, stored, &why);
                        continue;
                }
                settle(d, t);
                reserve(d, t);
                run = run_new(d, t);
                run->event_state = fg_event_state(t); /* it was stored with its event */
                take_network(run);
                pin_images(run);
        }
        if (json_object_array_length(list) > 0)
                fg_log_info("tasks of an earlier life: %zu", json_object_array_length(list));
        return 0;
}

int fg_engine_adopt(struct fg_daemon *d, struct fg_error *err)
{
        if (load(d, err) < 0)
                return fg_wrap(err, "stored tasks");
        network_claim(d);
        remove_unclaimed_logs(d);
        fg_vmm_list(d->vmm, on_list, d);
        while (!d->adopted || (!d->adopt_error.code && aside_busy(d))) {
                int r = sd_event_run(d->event, UINT64_MAX);

                if (r < 0)
                        return fg_fail_errno(err, -r, "event loop");
                if (d->leaving)
                        return fg_fail(err, FG_ERR_CONFLICT, "told to leave while starting");
        }
        if (d->adopt_error.code) {
                *err = d->adopt_error;
                return fg_wrap(err, "list VMs");
        }
        return 0;
}
