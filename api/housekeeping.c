/* SPDX-License-Identifier: Apache-2.0 */
#include "api/housekeeping.h"

#include "api/pool.h"
#include "core/clock.h"
#include "core/log.h"

#define BEAT_SECONDS   5
#define EXPIRE_SECONDS 600

/*
 * One timer. While tasks run it stores a beat, because the last one bounds what a crash of the host
 * can hide from the bill; it also serves retention and the idle exit.
 */

static void on_expired(void *userdata, struct json_object *ids, const struct fg_error *err)
{
        struct fg_daemon *d = userdata;

        if (err) {
                fg_log_warn("old tasks cannot be removed: %s", err->msg);
                return;
        }
        if (json_object_array_length(ids) > 0)
                fg_cwlogs_tasks_expired(d->cwlogs, ids);
}

static void expire(struct fg_daemon *d)
{
        uint64_t now = fg_now_ns();
        uint64_t keep = d->config.retention_hours * 3600 * FG_NS_PER_SEC;

        fg_store_expire(d->store, now > keep ? now - keep : 0, on_expired, d);
        keep = d->config.events_hours * 3600 * FG_NS_PER_SEC;
        fg_store_expire_events(d->store, now > keep ? now - keep : 0);
}

/* True when it is time to leave. */
static bool idle_too_long(struct fg_daemon *d)
{
        uint64_t now = fg_mono_ns();

        if (d->config.idle_exit_seconds == 0)
                return false;
        if (d->runs || fg_http_open_requests(d->http) > 0 ||
            fg_http_total_requests(d->http) != d->idle_requests) {
                d->idle_requests = fg_http_total_requests(d->http);
                d->idle_since_ns = now;
                return false;
        }
        return now - d->idle_since_ns >= d->config.idle_exit_seconds * FG_NS_PER_SEC;
}

static uint64_t next_seconds(const struct fg_daemon *d)
{
        uint64_t idle = d->config.idle_exit_seconds;

        return idle && idle < BEAT_SECONDS ? idle : BEAT_SECONDS;
}

static int on_beat(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_daemon *d = userdata;
        uint64_t now = fg_mono_ns();

        (void)usec;
        if (d->runs)
                fg_store_beat(d->store, fg_now_ns());
        fg_cwlogs_tick(d->cwlogs);
        if (now - d->expired_ns >= EXPIRE_SECONDS * FG_NS_PER_SEC) {
                d->expired_ns = now;
                expire(d);
        }
        fg_pool_refill(d->pool);
        if (idle_too_long(d)) {
                fg_log_info("nothing to do for %llu s, leaving",
                            (unsigned long long)d->config.idle_exit_seconds);
                fg_daemon_leave(d);
                return 0;
        }
        (void)sd_event_source_set_time_relative(source, next_seconds(d) * 1000000);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int fg_housekeeping_start(struct fg_daemon *d, struct fg_error *err)
{
        int r;

        d->idle_since_ns = d->expired_ns = fg_mono_ns();
        expire(d);
        r = sd_event_add_time_relative(d->event, &d->beat, CLOCK_MONOTONIC,
                                       next_seconds(d) * 1000000, 100000, on_beat, d);
        return r < 0 ? fg_fail_errno(err, -r, "timer") : 0;
}

void fg_housekeeping_stop(struct fg_daemon *d)
{
        d->beat = sd_event_source_disable_unref(d->beat);
}
