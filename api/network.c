/* SPDX-License-Identifier: Apache-2.0 */
#include "api/network.h"

#include <stdlib.h>
#include <string.h>

#include "api/isolation.h"
#include "core/log.h"
#include "core/str.h"

#define POOL 8 /* TAPs made in advance */

/* ---- at start ---- */

/* The TAP and the VM must be in one namespace, which only works where libvirt is in this process.
 */
static char *why_not(const struct fg_config *c)
{
        if (fg_streq(c->network, "none"))
                return fg_strdup("network = none in its configuration");
        if (!fg_streq(c->hypervisor, "embed") && !fg_starts_with(c->hypervisor, "fake:"))
                return fg_asprintf(
                        "hypervisor = %s: another process starts the VMs, outside of the "
                        "network namespace",
                        c->hypervisor);
        return c->network_denied ? fg_strdup(c->network_denied) : NULL;
}

void network_prepare(struct fg_config *config)
{
        fg_autofree char *unusable = why_not(config);
        struct fg_error err = FG_ERROR_INIT;

        if (!unusable && fg_net_become(config->state_dir, &err) < 0)
                config->network_denied = fg_strdup(err.msg);
}

int network_open(struct fg_daemon *d, struct fg_error *err)
{
        fg_cleanup(network_config_finish) struct network_config file = { .n_subnets = 0 };
        fg_autofree char *unusable = NULL;
        struct fg_net_config config = {
                .state_dir = d->config.state_dir,
                .run_dir = d->config.run_dir,
                .subnets = file.subnets,
                .groups = file.groups,
                .quarantine_s = (unsigned)d->config.network_quarantine_seconds,
                .pool = POOL
        };
        const struct fg_net_info *info;

        if (network_config_load(d->config.network_config, &file, err) < 0)
                return -1;
        unusable = why_not(&d->config);
        config.unusable = unusable;
        config.n_subnets = file.n_subnets;
        config.n_groups = file.n_groups;
        if (fg_net_new(d->event, &config, &d->net, err) < 0)
                return -1;
        info = fg_net_info(d->net);
        if (!info->usable && fg_streq(d->config.network, "vpc"))
                return fg_fail(err, FG_ERR_DENIED, "network = vpc: %s", info->reason);
        if (info->usable)
                fg_log_info("network %s: %s; resolver: %s", info->vpc, info->reason,
                            info->resolver);
        else
                fg_log_info("tasks get no network: %s", info->reason);
        return 0;
}

struct json_object *network_info_json(const struct fg_daemon *d)
{
        const struct fg_net_info *info = fg_net_info(d->net);
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "mode", info->usable ? "vpc" : "none");
        fg_json_set_str(obj, "reason", info->reason);
        if (!info->usable)
                return obj;
        fg_json_set_str(obj, "vpc", info->vpc);
        fg_json_set_str(obj, "resolver", info->resolver);
        fg_json_set_str(obj, "ipv6Outside", *info->outside6 ? info->outside6 : "yes");
        return obj;
}

/* ---- a task's beginning ---- */

static void give_attachment_id(struct fg_task_network *n)
{
        char id[FG_ID_LEN + 1];

        if (*n->attachment)
                return;
        fg_id_new(id);
        fg_id_to_uuid(id, n->attachment);
}

int network_reserve(struct fg_run *run, struct fg_error *err)
{
        struct fg_daemon *d = run->d;
        struct fg_net_port ports[FG_NET_PORTS_MAX];
        struct fg_net_request request;

        if (!run->task->network) {
                if (!fg_net_info(d->net)->usable)
                        return 0;
                run->task->network = fg_task_network_empty();
        }
        give_attachment_id(run->task->network);
        request = fg_task_network_request(run->task->network, ports);
        if (request.bytes_per_second == 0)
                request.bytes_per_second = d->config.network_task_kib * 1024;
        request.pair = isolation_container(run->task->def);
        return fg_net_reserve(d->net, run->task->id, &request, err);
}

struct waiting {
        struct run_ref ref;
        void (*attached)(struct fg_run *run);
        void (*detached)(struct fg_run *run, const struct fg_error *err);
};

static struct waiting *waiting_new(const struct fg_run *run)
{
        struct waiting *w = fg_calloc(1, sizeof(*w));

        w->ref.d = run->d;
        memcpy(w->ref.id, run->task->id, sizeof(w->ref.id));
        return w;
}

static void on_attached(void *userdata, const char *task, const struct fg_net_attachment *a,
                        const struct fg_error *err)
{
        struct waiting w = *(struct waiting *)userdata;
        struct fg_run *run = run_find(w.ref.d, w.ref.id);

        (void)task;
        free(userdata);
        if (!run)
                return;
        run->net_attaching = false;
        if (run->ending)
                return;
        if (err) {
                end_failed(run, "ResourceInitializationError", err);
                return;
        }
        run->task->network->a = *a;
        run_save(run, NULL, NULL);
        w.attached(run);
}

void network_attach(struct fg_run *run, void (*next)(struct fg_run *run))
{
        struct waiting *w;

        if (!run->task->network)
                return;
        run->net_attaching = true;
        w = waiting_new(run);
        w->attached = next;
        fg_net_attach(run->d->net, run->task->id, on_attached, w);
}

/* ---- and its end ---- */

static void on_detached(void *userdata, const char *task, const struct fg_error *err)
{
        struct waiting w = *(struct waiting *)userdata;
        struct fg_run *run = run_find(w.ref.d, w.ref.id);

        (void)task;
        free(userdata);
        if (run)
                w.detached(run, err);
}

void network_detach(struct fg_run *run,
                    void (*next)(struct fg_run *run, const struct fg_error *err))
{
        struct waiting *w;

        if (!run->task->network || !fg_net_info(run->d->net)->usable) {
                next(run, NULL);
                return;
        }
        w = waiting_new(run);
        w->detached = next;
        fg_net_detach(run->d->net, run->task->id, on_detached, w);
}

void network_follow(struct fg_run *run)
{
        const struct fg_task *t = run->task;
        fg_autofree char *name = fg_asprintf("%s." FG_NET_DOMAIN, t->def->family);

        if (t->network)
                fg_net_name(run->d->net, t->id, name,
                            t->state == FG_TASK_RUNNING && !t->stop_wanted);
}

void network_claim(struct fg_daemon *d)
{
        size_t n = 0;
        fg_autofree const char **ids = fg_calloc(HASH_COUNT(d->runs) + 1, sizeof(*ids));
        struct fg_run *run, *next;

        if (!fg_net_info(d->net)->usable)
                return;
        HASH_ITER (hh, d->runs, run, next)
                ids[n++] = run->task->id;
        fg_net_claim(d->net, ids, n);
}
