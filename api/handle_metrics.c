/* SPDX-License-Identifier: Apache-2.0 */
#include "api/engine.h"
#include "api/pool.h"
#include "api/promtext.h"
#include "api/routes.h"
#include "api/run.h"
#include "api/webhook.h"
#include "core/clock.h"

#define METRICS_MAX (1u << 20)

static void put_tasks(struct fg_promtext *t, struct fg_daemon *d)
{
        int64_t counts[FG_TASK_STATES] = { 0 };
        struct fg_run *run, *next;
        uint64_t memory_kib = 0;

        HASH_ITER (hh, d->runs, run, next) {
                counts[run->task->state]++;
                memory_kib += fg_vmm_memory_kib(d->vmm, run->task->id);
        }
        fg_promtext_family(t, "fgrun_tasks", "gauge", "Active tasks by lastStatus.");
        for (int i = 0; i < FG_TASK_STOPPED; i++) {
                const char *labels[] = { "status", fg_task_state_name((enum fg_task_state)i),
                                         NULL };

                fg_promtext_value(t, labels, counts[i]);
        }
        fg_promtext_family(t, "fgrun_vm_resident_bytes", "gauge",
                           "Host memory of all VM processes.");
        fg_promtext_value(t, NULL, (int64_t)memory_kib * 1024);
}

static void put_one(struct fg_promtext *t, const char *name, const char *type, const char *help,
                    uint64_t value)
{
        fg_promtext_family(t, name, type, help);
        fg_promtext_value(t, NULL, (int64_t)value);
}

static void put_counters(struct fg_promtext *t, struct fg_daemon *d)
{
        put_one(t, "fgrun_tasks_accepted_total", "counter", "Tasks accepted since start.",
                d->tasks_accepted);
        put_one(t, "fgrun_tasks_stopped_total", "counter", "Tasks stopped since start.",
                d->tasks_stopped);
        put_one(t, "fgrun_tasks_failed_total", "counter", "Tasks that never started, since start.",
                d->tasks_failed);
        put_one(t, "fgrun_http_requests_total", "counter", "HTTP requests since start.",
                fg_http_total_requests(d->http));
        put_one(t, "fgrun_throttled_total", "counter", "Requests refused as too many, since start.",
                d->throttled);
        put_one(t, "fgrun_audit_lost_total", "counter", "Lines the audit log lost, since start.",
                fg_audit_lost(d->audit));
}

static void put_webhook(struct fg_promtext *t, struct fg_daemon *d)
{
        struct fg_webhook_state s = fg_webhook_state(d->webhook);

        put_one(t, "fgrun_webhook_delivered_total", "counter", "Events that the webhook has taken.",
                s.delivered);
        put_one(t, "fgrun_webhook_failures_total", "counter", "Attempts that failed.", s.failures);
        put_one(t, "fgrun_webhook_refused_total", "counter", "Events that it has refused for good.",
                s.refused);
        put_one(t, "fgrun_webhook_lost_total", "counter",
                "Events that retention took before it had them.", s.lost);
        put_one(t, "fgrun_webhook_failing_seconds", "gauge",
                "How long it has not taken anything; 0: it does.", s.failing_ns / FG_NS_PER_SEC);
}

static void put_room(struct fg_promtext *t, struct fg_daemon *d)
{
        const struct fg_capacity *c = &d->capacity;

        put_one(t, "fgrun_warm_guests", "gauge", "Booted guests that wait for a task.",
                fg_pool_ready(d->pool));
        put_one(t, "fgrun_capacity_cpu_units", "gauge", "CPU units that tasks may have.",
                c->cpu_units);
        put_one(t, "fgrun_capacity_cpu_units_used", "gauge",
                "CPU units promised to tasks and warm guests.", c->cpu_used);
        put_one(t, "fgrun_capacity_memory_bytes", "gauge", "Memory that tasks may have.",
                c->memory_mib << 20);
        put_one(t, "fgrun_capacity_memory_used_bytes", "gauge",
                "Memory promised to tasks and warm guests.", c->memory_used << 20);
        put_one(t, "fgrun_image_store_bytes", "gauge", "Size of the image store.",
                fg_images_bytes(d->images));
}

static void put_network(struct fg_promtext *t, struct fg_daemon *d)
{
        put_one(t, "fgrun_network_tasks", "gauge",
                "Tasks and warm guests that have a place in the network.", fg_net_tasks(d->net));
        put_one(t, "fgrun_network_tasks_max", "gauge", "Tasks that the VPC has room for.",
                fg_net_info(d->net)->usable ? FG_NET_TASKS_MAX : 0);
        put_one(t, "fgrun_network_ports", "gauge", "Published ports.", fg_net_ports(d->net));
}

static void put_starts(struct fg_promtext *t, struct fg_daemon *d)
{
        fg_promtext_family(t, "fgrun_start_seconds", "histogram",
                           "From the accepted request to the first container's start.");
        fg_promtext_histogram(t, NULL, &d->start_times);
}

void handle_metrics(void *daemon, struct fg_request *r)
{
        fg_cleanup(fg_buf_finish) struct fg_buf out = FG_BUF_INIT(METRICS_MAX);
        struct fg_daemon *d = daemon;
        struct fg_error err = FG_ERROR_INIT;
        struct fg_promtext t;

        fg_promtext_begin(&t, &out);
        put_tasks(&t, d);
        put_counters(&t, d);
        put_webhook(&t, d);
        put_room(&t, d);
        put_network(&t, d);
        put_starts(&t, d);
        if (fg_promtext_end(&t, &err) < 0)
                fg_reply_error(r, &err);
        else
                fg_reply_text(r, 200, FG_PROMTEXT_TYPE, out.data);
}
