/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/disk.h"
#include "api/isolation.h"
#include "api/metadata.h"
#include "api/network.h"
#include "api/pool.h"
#include "api/spec.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define RESTORE_SECONDS 30  /* then it is booted */
#define BOOT_SECONDS    120 /* emulation on a loaded machine is slow; a hang is still noticed */

/* ---- images ---- */

bool start_images_ready(const struct fg_run *run)
{
        for (size_t i = 0; i < run->task->n_containers; i++)
                if (!run->images[i].ready)
                        return false;
        return true;
}

static void on_pull_progress(void *userdata, const struct fg_pull_progress *p)
{
        struct run_image *image = userdata;
        size_t i = (size_t)(image - image->run->images);

        run_tell_pull(image->run, image->run->task->containers[i].def->image, p);
        disks_sized(image, p->total_bytes);
}

static void on_pulled(void *userdata, const struct fg_image *result, const struct fg_error *err)
{
        struct run_image *image = userdata;
        struct fg_run *run = image->run;
        struct fg_container *c = &run->task->containers[image - run->images];

        image->pull = NULL;
        if (err) {
                free(c->reason);
                c->reason = fg_asprintf("CannotPullContainerError: %s", err->msg);
                end_failed(run, "CannotPullContainerError", err);
                return;
        }
        memcpy(c->manifest, result->manifest, sizeof(c->manifest));
        image->ready = true;
        disks_pulled(image, result);
        if (!start_images_ready(run))
                return;
        fg_task_phase(run->task, FG_PHASE_IMAGE_READY, fg_now_ns());
        run_save(run, NULL, NULL);
}

void start_pulls(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        for (size_t i = 0; i < run->task->n_containers && !run->ending; i++) {
                if (run->images[i].ready)
                        continue;
                if (fg_images_pull(run->d->images, run->task->containers[i].def->image,
                                   FG_PULL_ALWAYS, on_pull_progress, on_pulled, &run->images[i],
                                   &run->images[i].pull, &err) < 0) {
                        end_failed(run, "CannotPullContainerError", &err);
                        return;
                }
        }
}

/* ---- disk and VM ---- */

void start_vm_runs(struct fg_run *run, const struct fg_error *err)
{
        run->vm_starting = false;
        if (run->ending) {
                end_continue(run);
                return;
        }
        if (err) {
                end_vm_failed(run, err);
                return;
        }
        fg_task_move(run->task, FG_TASK_ACTIVATING, fg_now_ns());
        run_save(run, NULL, NULL);
        start_session(run);
}

/* To a VM that runs, once it is known which. */
static void add_disks(struct fg_run *run)
{
        struct fg_vm_disk disks[FG_VM_DISKS_MAX];

        run->disks_later = false;
        warm_attach(run, disks, disks_attach(run, disks));
        start_try_send(run);
}

static void on_started(void *userdata, const char *id, const struct fg_error *err)
{
        struct fg_run *run = run_find(userdata, id);

        if (run && !err && !run->ending && run->disks_later && disks_settled(run))
                add_disks(run);
        else if (run)
                start_vm_runs(run, err);
}

/* Return: -1: a disk of the template's guest is gone. */
static int choose_disks(struct fg_run *run, struct fg_vm_disk disks[FG_VM_DISKS_MAX],
                        struct fg_vm_spec *spec)
{
        int n;

        run->disks_later = spec->hotplug = !run->warm && ((run->template[0] && !run->mounted) ||
                                                          !disks_settled(run));
        if (spec->hotplug)
                return 0;
        n = run->template[0] ? restore_disks(run, disks)
                             : (int)(run->mounted ? 0 : disks_attach(run, disks));
        spec->disks = disks;
        spec->n_disks = n > 0 ? (size_t)n : 0;
        return n < 0 ? -1 : 0;
}

/* A boot does not wait for images that are prepared meanwhile. */
static bool may_start(const struct fg_run *run)
{
        const bool boots = !run->warm && !run->template[0] && !isolation_container(run->task->def);

        return run->disk_made && !run->net_attaching && (boots || disks_settled(run));
}

/* With its network card and the disks that are there. */
void start_vm(struct fg_run *run)
{
        const struct fg_task_network *network = run->task->network;
        fg_autofree char *dir = run_dir(run);
        fg_autofree char *scratch = fg_asprintf("%s/scratch.img", dir);
        const struct fg_templates *templates = run->d->templates;
        fg_autofree char *ram = fg_templates_path(templates, run->template, FG_TEMPLATE_RAM);
        fg_autofree char *state = fg_templates_path(templates, run->template, FG_TEMPLATE_STATE);
        const struct fg_vm_template template = { .ram = ram, .state = state };
        struct fg_vm_spec spec = { .scratch = scratch,
                                   .template = run->template[0] ? &template : NULL };
        struct fg_vm_disk disks[FG_VM_DISKS_MAX];
        struct fg_vm_nic nic;

        if (run->session && run->disks_later && !run->ending && disks_settled(run))
                add_disks(run);
        if (run->ending || run->vm_asked || !may_start(run))
                return;
        memcpy(spec.id, run->task->id, sizeof(spec.id));
        spec.vcpus = (unsigned)((run->task->def->cpu_units + 1023) / 1024);
        spec.memory_mib = (unsigned)run->task->def->memory_mib;
        spec.pod = isolation_container(run->task->def);
        spec.cpu_units = (unsigned)run->task->def->cpu_units;
        if (choose_disks(run, disks, &spec) < 0 &&
            restore_failed(run, "an image of its guest is gone"))
                return;
        if (network) {
                nic = (struct fg_vm_nic){ .netns = fg_net_netns(run->d->net, run->task->id),
                                          .tap = network->a.tap,
                                          .mac = network->a.mac };
                spec.nic = &nic;
        }
        run->vm_asked = run->vm_starting = true;
        if (run->warm)
                warm_attach(run, disks, spec.n_disks);
        else
                fg_vmm_start(run->d->vmm, &spec, on_started, run->d);
}

static void on_disk(void *userdata, const struct fg_error *err)
{
        struct fg_run *run = run_ref_take(userdata);

        if (!run)
                return;
        run->disk_making = NULL;
        if (run->ending) {
                end_continue(run);
                return;
        }
        if (err) {
                end_vm_failed(run, err);
                return;
        }
        run->disk_made = true;
        start_vm(run);
}

/* ---- log streams ---- */

static void on_logs(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct fg_run *run = run_ref_take(userdata);

        (void)result;
        if (!run || run->ending)
                return;
        if (err) {
                end_failed(run, "ResourceInitializationError", err);
                return;
        }
        run->logs_ready = true;
        start_try_send(run);
}

/* The guest gets its task when there is something to log to; streams that are there are kept. */
static void start_logs(struct fg_run *run)
{
        struct run_ref *ref;

        if (run->logs_asked)
                return;
        run->logs_asked = true;
        ref = run_ref_new(run);
        if (fg_cwlogs_task_start(run->d->cwlogs, run->task, on_logs, ref))
                return;
        free(ref);
        run->logs_ready = true;
}

void start_disk(struct fg_run *run)
{
        fg_autofree char *dir = run_dir(run);
        fg_autofree char *disk = fg_asprintf("%s/scratch.img", dir);

        run->disk_making = run->template[0]
                                   ? restore_disk(run, disk, on_disk)
                                   : fg_disk_make(run->d->io, run->d->config.cache_dir, disk,
                                                  (unsigned)fg_taskdef_storage_gib(run->task->def),
                                                  on_disk, run_ref_new(run));
}

void start_begin(struct fg_run *run)
{
        uint64_t now = fg_now_ns();

        if (run->task->stop_wanted) {
                end_run(run);
                return;
        }
        start_logs(run);
        if (!run->warm && !run->template[0] && run->task->way != FG_WAY_COLD)
                fg_task_came(run->task, FG_WAY_COLD, "fgd was restarted, and began it again");
        fg_task_move(run->task, FG_TASK_PENDING, now);
        fg_task_phase(run->task, FG_PHASE_SCHEDULED, now);
        if (run->task->pull_started_ns == 0)
                run->task->pull_started_ns = now;
        run_save(run, NULL, NULL);
        start_variables(run);
        run->disk_made = run->warm;
        if (!run->warm)
                start_disk(run);
        network_attach(run, start_vm);
        disks_begin(run);
        start_pulls(run);
        start_vm(run);
}

/* ---- the guest ---- */

/* A guest without a task: it gets its task, once; it may not have lost one. */
static void on_blank_guest(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_fail(&err, FG_ERR_INVALID, "the guest has started anew");
        if (run->task->event_seq > 0)
                end_failed(run, "ResourceInitializationError", &err);
        else if (run->task->stop_wanted)
                end_run(run);
        else {
                start_logs(run); /* also when a former fgd has done so */
                start_try_send(run);
        }
}

static void on_ready(void *userdata, bool has_task)
{
        struct fg_run *run = userdata;
        struct fg_error err = FG_ERROR_INIT;
        uint64_t now = fg_now_ns();

        if (run->ending)
                return;
        run_set_deadline(run, 0, NULL);
        run->guest_ready = true;
        run->orphan_vm = false;
        fg_task_phase(run->task, FG_PHASE_VM_READY, now);
        if (run->task->connectivity_ns == 0)
                run->task->connectivity_ns = now;
        if (!has_task) {
                on_blank_guest(run);
                return;
        }
        fg_log_info("task=%s taken up again", run->task->id);
        run->task_sent = true;
        if (fg_session_resume(run->session, &err) < 0)
                end_failed(run, "ResourceInitializationError", &err);
        else if (run->task->stop_wanted)
                end_stop(run);
        else
                warm_tell_lost(run);
}

static void on_event(void *userdata, uint64_t seq, struct json_object *event)
{
        guest_event(userdata, seq, event);
}

static void on_first_output(void *userdata, uint64_t time_ns)
{
        struct fg_run *run = userdata;

        /* The guest's clock may be wrong, or lie. */
        if (time_ns < run->task->created_ns)
                time_ns = run->task->created_ns;
        fg_task_phase(run->task, FG_PHASE_FIRST_OUTPUT, time_ns);
        run_save(run, NULL, NULL);
        fg_pool_refill(run->d->pool); /* not before: a boot would slow the task's first steps */
}

static void on_down(void *userdata, const struct fg_error *err)
{
        end_session_down(userdata, err);
}

static unsigned patience(const struct fg_run *run)
{
        return run->template[0] ? RESTORE_SECONDS : BOOT_SECONDS;
}

static int on_boot_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_run *run = userdata;
        struct fg_error err = FG_ERROR_INIT;

        (void)source;
        (void)usec;
        fg_fail(&err, FG_ERR_TIMEOUT, "the guest did not answer within %u s; its console: %s",
                patience(run), fg_vmm_console_tail(run->d->vmm, run->task->id));
        end_vm_failed(run, &err);
        return 0;
}

void start_session(struct fg_run *run)
{
        static const struct fg_session_ops ops = { .ready = on_ready,
                                                   .event = on_event,
                                                   .first_output = on_first_output,
                                                   .down = on_down };
        struct fg_session_parts parts = { .vmm = run->d->vmm,
                                          .images = run->d->images,
                                          .logs = run->d->logs,
                                          .cwlogs = run->d->cwlogs,
                                          .io = run->d->io };
        struct fg_error err = FG_ERROR_INIT;

        if (fg_session_new(&parts, run->task, &ops, run, &run->session, &err) < 0) {
                end_vm_failed(run, &err);
                return;
        }
        run_set_deadline(run, patience(run), on_boot_deadline);
}

static struct json_object *metadata_of(const struct fg_run *run)
{
        const struct fg_task *t = run->task;
        fg_autojson *task = fg_task_to_ecs(t, &run->d->names);
        const struct fg_metadata m = { .id = t->id,
                                       .region = run->d->names.region,
                                       .vpc = t->network ? fg_net_info(run->d->net)->vpc : NULL,
                                       .pull_started_ns = (int64_t)t->pull_started_ns,
                                       .def = t->def,
                                       .task = task,
                                       .tags = t->tags };

        return fg_metadata_to_json(&m);
}

/* As on Fargate, where a host is named for its address. */
static const char *hostname_of(const struct fg_task *t, char short_id[13])
{
        if (t->network)
                return t->network->a.name;
        (void)snprintf(short_id, 13, "%.12s", t->id);
        return short_id;
}

static struct json_object *task_message(const struct fg_run *run)
{
        fg_autojson *metadata = metadata_of(run);
        const struct fg_task *t = run->task;
        struct fg_spec_image images[FG_CONTAINERS_MAX];
        char serials[FG_CONTAINERS_MAX][FG_VM_SERIAL_LEN + 1];
        unsigned char random[32];
        char random_hex[2 * sizeof(random) + 1], short_id[13];
        struct fg_spec spec = { .id = t->id,
                                .now_ns = (int64_t)fg_now_ns(),
                                .random = random_hex,
                                .hostname = hostname_of(t, short_id),
                                .network = t->network ? &t->network->a : NULL,
                                .scratch = "/dev/vda",
                                .metadata = metadata,
                                .def = t->def,
                                .images = images };

        fg_random(random, sizeof(random));
        fg_hex(random, sizeof(random), random_hex);
        for (size_t i = 0; i < t->n_containers; i++) {
                const struct fg_container *c = &t->containers[i];

                images[i] = (struct fg_spec_image){ .reference = c->def->image,
                                                    .manifest = c->manifest };
                if (!fg_task_disk(t, i))
                        continue;
                disks_serial(c->disk, serials[i]);
                images[i].disk = serials[i];
        }
        return fg_spec_to_json(&spec);
}

void start_try_send(struct fg_run *run)
{
        struct fg_error err = FG_ERROR_INIT;
        fg_autojson *message = NULL;

        if (!run->logs_ready)
                return;
        if (run->task_sent || run->ending || !run->guest_ready || !run->sendable ||
            run->disks_later)
                return;
        start_variables(run); /* after a restart they are fetched again */
        if (!run->variables_ready)
                return;
        message = task_message(run);
        if (fg_session_send_variables(run->session, &run->variables, &err) < 0 ||
            fg_session_send_task(run->session, message, &err) < 0) {
                end_failed(run, "ResourceInitializationError", &err);
                return;
        }
        run->task_sent = true;
        fg_secret_finish(&run->variables);
        warm_tell_lost(run);
}
