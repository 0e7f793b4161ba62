/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "api/auth/auth.h"
#include "api/auth/bucket.h"
#include "api/capacity.h"
#include "api/config.h"
#include "api/cwlogs/cwlogs.h"
#include "api/http.h"
#include "api/keeper.h"
#include "api/logstore.h"
#include "api/promtext.h"
#include "api/store.h"
#include "api/task.h"
#include "api/throttle.h"
#include "api/tls.h"
#include "core/lane.h"
#include "images/images.h"
#include "net/net.h"
#include "vmm/vmm.h"

struct fg_pool;
struct fg_templates;

/* All of the daemon's state. Owned by the loop; nothing in it is locked. */
struct fg_daemon {
        struct fg_config config;
        sd_event *event;
        struct fg_http *http;
        struct fg_auth *auth;
        struct fg_audit *audit; /* NULL: none */
        struct fg_tls tls;      /* empty: none */
        struct fg_bucket buckets[FG_THROTTLE_N];
        uint64_t throttled; /* requests, since start */
        struct fg_store *store;
        struct fg_images *images;
        struct fg_vmm *vmm;
        struct fg_cwlogs *cwlogs;
        struct fg_net *net;
        struct fg_logstore *logs;
        struct fg_keeper *keeper;
        struct fg_lane *io;
        struct fg_capacity capacity;
        struct fg_pool *pool;
        struct fg_templates *templates;
        struct fg_names names;
        struct fg_run *runs;     /* tasks that have not stopped, by id (uthash) */
        struct fg_aside *asides; /* stored tasks that cannot be read, until they are stopped */
        struct fg_watcher *watchers;
        struct fg_event_feed *event_feeds;
        struct fg_webhook *webhook;         /* NULL: none is configured */
        sd_event_source *beat;              /* housekeeping, while there is something to do */
        uint64_t idle_since_ns, expired_ns; /* CLOCK_MONOTONIC */
        uint64_t idle_requests;
        uint64_t started_ns;
        uint64_t tasks_accepted, tasks_stopped, tasks_failed; /* since start, for metrics */
        struct fg_histogram start_times;
        int state_lock;
        bool leaving;
        bool adopted; /* the list of VMs has come */
        struct fg_error adopt_error;
};

/** fg_daemon_leave() - end the loop once the warm guests have ended. Tasks go on. */
void fg_daemon_leave(struct fg_daemon *d);
/**
 * fg_daemon_run() - open everything, take up what an earlier life left, serve until told to stop
 * Return: 0, or -1 with what could not be set up.
 */
int fg_daemon_run(struct fg_config *take_config, struct fg_error *err);
