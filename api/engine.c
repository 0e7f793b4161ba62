/* SPDX-License-Identifier: Apache-2.0 */
#include "api/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/aside.h"
#include "api/event_feed.h"
#include "api/isolation.h"
#include "api/network.h"
#include "api/pool.h"
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
        struct fg_daemon *d;
        struct fg_run *runs[FG_SUBMIT_MAX]; /* until they are stored, nobody else ends them */
        size_t n;
        fg_submit_done_fn done;
        void *userdata;
        struct fg_error err; /* of those that found no room */
};

static void on_accepted(void *userdata, const struct fg_error *err)
{
        struct submit *submit = userdata;
        char ids[FG_SUBMIT_MAX][FG_ID_LEN + 1];
        const char *list[FG_SUBMIT_MAX];

        for (size_t i = 0; i < submit->n; i++) {
                memcpy(ids[i], submit->runs[i]->task->id, sizeof(ids[i]));
                list[i] = ids[i];
        }
        if (err) {
                for (size_t i = 0; i < submit->n; i++) {
                        if (submit->runs[i]->warm)
                                fg_pool_discard(submit->d->pool, submit->runs[i]->task->id);
                        run_free(submit->runs[i]);
                }
                submit->done(submit->userdata, NULL, 0, err);
                free(submit);
                return;
        }
        fg_event_feed_committed(submit->d);
        submit->done(submit->userdata, list, submit->n, submit->err.code ? &submit->err : NULL);
        for (size_t i = 0; i < submit->n; i++) {
                struct fg_run *run = run_find(submit->d, ids[i]);

                if (!run)
                        continue;
                submit->d->tasks_accepted++;
                fg_log_info("task=%s family=%s accepted cpu=%s memory=%s", ids[i],
                            run->task->def->family, run->task->def->cpu, run->task->def->memory);
                run_tell_changed(run);
                start_begin(run);
        }
        free(submit);
}

/* What the definition says of the network, unless the request says so itself. */
static void network_as_defined(struct fg_submission *s)
{
        const struct fg_extensions *e = s->def->fgrun;
        struct fg_task_network *asked = s->network;

        if (!e || (e->publish.n == 0 && e->network_bytes_per_second == 0))
                return;
        s->network = fg_task_network_defined(asked, e);
        fg_task_network_free(asked);
}

static void claim(struct fg_daemon *d, const struct fg_submission *s, struct fg_pool_claim *ret)
{
        struct fg_net_port ports[FG_NET_PORTS_MAX];
        struct fg_net_request request = { 0 };

        if (s->network)
                request = fg_task_network_request(s->network, ports);
        fg_pool_claim(d->pool, s->def, &request, ret);
}

/* With a warm guest that waits for such a task, or room of its own. NULL: neither. */
static struct fg_run *run_of(struct fg_daemon *d, const struct fg_submission *s, size_t i,
                             struct fg_error *err)
{
        const uint64_t memory = (uint64_t)s->def->memory_mib + fg_vmm_info(d->vmm)->overhead_mib;
        struct fg_pool_claim guest;
        struct fg_run *run;
        struct fg_task *t;
        bool warm;

        if (isolation_container(s->def))
                guest = (struct fg_pool_claim){ .way = FG_WAY_COLD,
                                                .why = "a container of the host has no guest" };
        else
                claim(d, s, &guest);
        warm = guest.id[0] != '\0';
        if (!warm)
                fg_pool_yield(d->pool, memory);
        if (fg_capacity_take(&d->capacity, (uint64_t)s->def->cpu_units, memory, err) < 0) {
                if (warm)
                        fg_pool_discard(d->pool, guest.id);
                return NULL;
        }
        t = fg_task_new(warm ? guest.id : NULL, fg_taskdef_copy(s->def), fg_now_ns());
        run = run_new(d, t);
        run->warm = warm;
        fg_task_came(t, guest.way, guest.why);
        memcpy(run->template, guest.template, sizeof(run->template));
        if (guest.way == FG_WAY_WARM_IMAGE || guest.mounted)
                disks_mounted(run);
        t->overrides = json_object_get(s->overrides);
        t->tags = json_object_get(s->tags);
        t->cluster = fg_strdup(s->cluster ? s->cluster : d->names.cluster);
        t->revision = s->revision;
        t->network = s->network ? fg_task_network_copy(s->network) : NULL;
        t->started_by = fg_strdup(s->started_by);
        t->group = s->group ? fg_strdup(s->group) : fg_asprintf("family:%s", t->def->family);
        if (s->capacity_provider)
                t->capacity_provider = fg_strdup(s->capacity_provider[i]);
        run->client_token = fg_strdup(s->client_token);
        run->request_hash = fg_strdup(s->request_hash);
        if (network_reserve(run, err) == 0)
                return run;
        run_free(run);
        if (warm)
                fg_pool_discard(d->pool, guest.id);
        return NULL;
}

/* A task may be stricter than the configuration, not laxer. */
static int check_pull(const struct fg_daemon *d, const struct fg_taskdef *def, struct fg_error *err)
{
        for (size_t i = 0; i < def->containers.n && !disks_allowed(d); i++) {
                const char *wish = fg_taskdef_image_pull(def, i);

                if (wish && fg_streq(wish, "prepared"))
                        return fg_fail(err, FG_ERR_INVALID,
                                       "fgrun.imagePull: 'prepared' is refused for container %s: "
                                       "the host prepares no images (image_pull, kernel in "
                                       "fgd.conf); 'guest' is allowed",
                                       def->containers.v[i].name);
        }
        return 0;
}

/* Said at once, not when the task starts. */
static int check_files(const struct fg_daemon *d, const struct fg_taskdef *def,
                       struct fg_error *err)
{
        for (size_t i = 0; i < def->containers.n && !d->config.s3_root; i++)
                if (def->containers.v[i].environment_files.n > 0)
                        return fg_fail(
                                err, FG_ERR_INVALID,
                                "environmentFiles of container %s: this fgd has no buckets; "
                                "s3_root = DIR in fgd.conf makes BUCKET/KEY a file below DIR",
                                def->containers.v[i].name);
        return 0;
}

void fg_engine_submit(struct fg_daemon *d, struct fg_submission *s, fg_submit_done_fn done,
                      void *userdata)
{
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = s->def;
        fg_autojson *overrides = s->overrides, *tags = s->tags;
        struct fg_token token = { .token = s->client_token, .hash = s->request_hash };
        struct submit *submit = fg_calloc(1, sizeof(*submit));

        network_as_defined(s);
        assert(s->count >= 1 && s->count <= FG_SUBMIT_MAX);
        *submit = (struct submit){ .d = d, .done = done, .userdata = userdata };
        for (size_t i = 0;
             i < s->count && check_files(d, def, &submit->err) == 0 &&
             check_pull(d, def, &submit->err) == 0 && isolation_check(d, s, &submit->err) == 0;
             i++) {
                struct fg_run *run = run_of(d, s, i, &submit->err);

                if (!run)
                        break;
                submit->runs[submit->n++] = run;
        }
        s->def = NULL;
        fg_task_network_free(fg_take_ptr(s->network));
        s->overrides = s->tags = NULL;
        if (submit->n > 0) {
                run_add(d, submit->runs, submit->n, token.token ? &token : NULL, on_accepted,
                        submit);
                return;
        }
        done(userdata, NULL, 0, &submit->err);
        free(submit);
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
        else
                (void)fg_pool_gone(((struct fg_daemon *)daemon)->pool, id);
}

void fg_engine_shutdown(struct fg_daemon *d)
{
        struct fg_run *run, *next;

        HASH_ITER (hh, d->runs, run, next)
                run_free(run);
        aside_free_all(d);
}

const struct fg_task *fg_engine_task(struct fg_daemon *d, const char *id)
{
        struct fg_run *run = run_find(d, id);

        return run ? run->task : NULL;
}

struct json_object *fg_engine_token(struct fg_daemon *d, const char *token, const char **ret_hash)
{
        struct json_object *ids = NULL;
        struct fg_run *run, *next;

        HASH_ITER (hh, d->runs, run, next) {
                if (!run->client_token || !fg_streq(run->client_token, token))
                        continue;
                if (!ids)
                        ids = json_object_new_array();
                json_object_array_add(ids, json_object_new_string(run->task->id));
                *ret_hash = run->request_hash;
        }
        return ids;
}
