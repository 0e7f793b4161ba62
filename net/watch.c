/* SPDX-License-Identifier: Apache-2.0 */
#include "net/private.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

/*
 * The uplink's program is looked after: when it ends, it is started again, in the lane. One that
 * ends at once is given a rest in between.
 */
#define REST_NS (10 * FG_NS_PER_SEC)

struct fg_watch {
        struct fg_job job; /* one at a time */
        struct fg_net *net;
        sd_event *event;
        sd_event_source *end, *rest;
        uint64_t since_ns;
        int pidfd;
        bool closing, failed;
        struct fg_error err;
};

static void again_work(struct fg_job *job)
{
        struct fg_watch *w = FG_CONTAINER_OF(job, struct fg_watch, job);
        struct fg_vpc *vpc = &w->net->vpc;

        w->failed = vpc->uplink->open(vpc, &w->err) < 0;
        w->pidfd = w->failed ? -1 : vpc->uplink->find(vpc);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct fg_watch *w = userdata;

        (void)source;
        (void)usec;
        w->rest = sd_event_source_disable_unref(w->rest);
        fg_lane_submit(w->net->lane, &w->job);
        return 0;
}

static void start_again(struct fg_watch *w)
{
        const uint64_t due = w->since_ns + REST_NS, now = fg_mono_ns();

        w->since_ns = now > due ? now : due;
        if (now >= due)
                fg_lane_submit(w->net->lane, &w->job);
        else
                (void)sd_event_add_time_relative(w->event, &w->rest, CLOCK_MONOTONIC,
                                                 (due - now) / 1000, 0, on_rested, w);
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct fg_watch *w = userdata;

        (void)source;
        (void)fd;
        (void)revents;
        w->end = sd_event_source_disable_unref(w->end);
        fg_closep(&w->pidfd);
        fg_log_warn("the VPC's way out has ended (pasta); it is opened again");
        start_again(w);
        return 0;
}

static void again_done(struct fg_job *job)
{
        struct fg_watch *w = FG_CONTAINER_OF(job, struct fg_watch, job);

        if (w->closing)
                return;
        if (w->failed)
                fg_log_error("tasks have no way out of the VPC: %s", w->err.msg);
        else
                fg_log_info("the VPC's way out is open again");
        if (w->pidfd < 0 || sd_event_add_io(w->event, &w->end, w->pidfd, EPOLLIN, on_end, w) < 0) {
                fg_closep(&w->pidfd);
                start_again(w);
        }
}

void fg_watch_start(struct fg_net *net, sd_event *event)
{
        struct fg_watch *w;

        if (!net->vpc.uplink->find)
                return;
        w = net->watch = fg_calloc(1, sizeof(*w));
        w->job = (struct fg_job){ .work = again_work, .done = again_done };
        w->net = net;
        w->event = event;
        w->pidfd = net->vpc.uplink->find(&net->vpc);
        if (w->pidfd < 0 || sd_event_add_io(event, &w->end, w->pidfd, EPOLLIN, on_end, w) < 0)
                start_again(w);
}

void fg_watch_close(struct fg_watch *w)
{
        if (!w)
                return;
        w->closing = true;
        w->end = sd_event_source_disable_unref(w->end);
        w->rest = sd_event_source_disable_unref(w->rest);
}

void fg_watch_free(struct fg_watch *w)
{
        if (w)
                fg_closep(&w->pidfd);
        free(w);
}
