/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/network.h"
#include "api/pool.h"
#include "api/routes.h"
#include "api/templates.h"
#include "api/webhook.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"

#define HEALTH_SECONDS 5

/* ---- GET /v1/info ---- */

static struct json_object *capacity_json(const struct fg_capacity *c)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_int(obj, "cpuUnits", (int64_t)c->cpu_units);
        fg_json_set_int(obj, "cpuUnitsUsed", (int64_t)c->cpu_used);
        fg_json_set_int(obj, "memoryMiB", (int64_t)c->memory_mib);
        fg_json_set_int(obj, "memoryMiBUsed", (int64_t)c->memory_used);
        return obj;
}

static struct json_object *hypervisor_json(const struct fg_vmm_info *info)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "name", info->hypervisor);
        fg_json_set_str(obj, "libvirt", info->libvirt);
        fg_json_set_str(obj, "uri", info->uri);
        fg_json_set_str(obj, "accelerator", info->accel);
        fg_json_set_str(obj, "acceleratorReason", info->accel_reason);
        fg_json_set_str(obj, "kernel", info->kernel);
        fg_json_set_int(obj, "overheadMiB", info->overhead_mib);
        return obj;
}

static struct json_object *directories_json(const struct fg_config *c)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "state", c->state_dir);
        fg_json_set_str(obj, "cache", c->cache_dir);
        fg_json_set_str(obj, "run", c->run_dir);
        return obj;
}

static struct json_object *webhook_json(const struct fg_webhook_state *s)
{
        struct json_object *obj = json_object_new_object();

        fg_json_set_str(obj, "url", s->url);
        fg_json_set_str(obj, "state", s->failing_ns ? "failing" : "ok");
        if (s->failing_ns) {
                fg_json_set_int(obj, "failingSeconds", (int64_t)(s->failing_ns / FG_NS_PER_SEC));
                fg_json_set_str(obj, "error", s->error);
        }
        fg_json_set_int(obj, "delivered", (int64_t)s->delivered);
        fg_json_set_int(obj, "refused", (int64_t)s->refused);
        fg_json_set_int(obj, "lost", (int64_t)s->lost);
        return obj;
}

static struct json_object *paused_json(const struct fg_daemon *d, unsigned paused)
{
        fg_autofree char *text = fg_asprintf("the disk of %s is full: %u VMs are paused until "
                                             "there is room",
                                             d->config.state_dir, paused);

        return json_object_new_string(text);
}

void handle_info(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const struct fg_vmm_info *info = fg_vmm_info(d->vmm);
        struct json_object *body = json_object_new_object();
        struct json_object *warnings = json_object_new_array();
        struct fg_webhook_state webhook = fg_webhook_state(d->webhook);
        char started[FG_RFC3339_MAX];

        fg_rfc3339(d->started_ns, started);
        fg_json_set_str(body, "version", FG_VERSION);
        fg_json_set_str(body, "startedAt", started);
        fg_json_set_str(body, "listen", d->config.listen);
        if (*d->tls.fingerprint)
                fg_json_set_str(body, "tlsFingerprint", d->tls.fingerprint);
        fg_json_set(body, "capacity", capacity_json(&d->capacity));
        fg_json_set(body, "pool", fg_pool_to_json(d->pool, false));
        fg_json_set(body, "templates", fg_templates_to_json(d->templates));
        fg_json_set(body, "hypervisor", hypervisor_json(info));
        fg_json_set(body, "network", network_info_json(d));
        fg_json_set(body, "directories", directories_json(&d->config));
        fg_json_set_int(body, "imageBytes", (int64_t)fg_images_bytes(d->images));
        if (*info->warning)
                json_object_array_add(warnings, json_object_new_string(info->warning));
        if (info->paused > 0)
                json_object_array_add(warnings, paused_json(d, info->paused));
        if (d->webhook)
                fg_json_set(body, "webhook", webhook_json(&webhook));
        fg_json_set(body, "warnings", warnings);
        fg_reply_json(r, 200, body);
}

/* ---- GET /v1/usage ---- */

static void on_usage(void *userdata, struct json_object *result, const struct fg_error *err)
{
        if (err)
                fg_reply_error(userdata, err);
        else
                fg_reply_json(userdata, 200, json_object_get(result));
}

/* A time in the query: 0 when absent. */
static int query_time(const struct fg_request *r, const char *name, uint64_t *ret,
                      struct fg_error *err)
{
        const char *text = fg_request_query(r, name);

        *ret = text ? fg_rfc3339_parse(text) : 0;
        if (text && *ret == 0)
                return fg_fail(err, FG_ERR_INVALID,
                               "%s = %s: expected an RFC 3339 time or seconds since the epoch",
                               name, text);
        return 0;
}

void handle_usage(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        const char *by = fg_request_query(r, "by");
        struct fg_error err = FG_ERROR_INIT;
        uint64_t since, until;

        by = by ? by : "task";
        if (!fg_streq(by, "task") && !fg_streq(by, "family") && !fg_streq(by, "day"))
                fg_fail(&err, FG_ERR_INVALID, "by = %s: expected task, family or day", by);
        else if (query_time(r, "since", &since, &err) == 0 &&
                 query_time(r, "until", &until, &err) == 0) {
                fg_store_usage(d->store, by, since, until, on_usage, r);
                return;
        }
        fg_reply_error(r, &err);
}

/* ---- GET /healthz: the loop answers by running this; the others are asked ---- */

struct health {
        struct fg_request *r;
        const char *full; /* the state directory, when it is; borrowed */
        sd_event_source *deadline;
        bool store_ok, vmm_ok;
        unsigned waiting; /* callbacks still to come */
};

static void health_reply(struct health *h)
{
        struct fg_error err = FG_ERROR_INIT;

        if (!h->r)
                return;
        if (!h->store_ok || !h->vmm_ok)
                fg_fail(&err, FG_ERR_CAPACITY, "%s does not answer",
                        h->store_ok ? "the hypervisor" : "the database");
        else if (h->full)
                fg_fail(&err, FG_ERR_CAPACITY, "the disk of %s is full: less than %u MiB are free",
                        h->full, FG_ROOM_MIN >> 20);
        if (err.code)
                fg_reply_error(h->r, &err);
        else
                fg_reply_text(h->r, 200, "text/plain", "ok\n");
        h->r = NULL;
}

static void health_step(struct health *h)
{
        if (--h->waiting > 0)
                return;
        health_reply(h);
        sd_event_source_disable_unref(h->deadline);
        free(h);
}

static void on_ping(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct health *h = userdata;

        (void)result;
        h->store_ok = err == NULL;
        health_step(h);
}

static void on_list(void *userdata, const struct fg_vm *vms, size_t n, const struct fg_error *err)
{
        struct health *h = userdata;

        (void)vms;
        (void)n;
        h->vmm_ok = err == NULL;
        health_step(h);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source;
        (void)usec;
        health_reply(userdata);
        return 0;
}

void handle_health(void *daemon, struct fg_request *r)
{
        struct fg_daemon *d = daemon;
        struct health *h = fg_calloc(1, sizeof(*h));

        h->r = r;
        h->full = fg_has_room(d->config.state_dir) ? NULL : d->config.state_dir;
        h->waiting = 2;
        (void)sd_event_add_time_relative(d->event, &h->deadline, CLOCK_MONOTONIC,
                                         HEALTH_SECONDS * 1000000, 0, on_deadline, h);
        fg_store_ping(d->store, on_ping, h);
        fg_vmm_list(d->vmm, on_list, h);
}
