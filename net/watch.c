/* SPDX-License-Identifier: Apache-2.0 */
#include "net/private.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

/*
 * The programs beside the VPC are looked after: when one ends, it is started again, in the lane.
 * One that ends at once is given a rest in between.
 */
#define REST_NS (10 * FG_NS_PER_SEC)

static int find_uplink(const struct fg_vpc *vpc)
{
        return vpc->uplink->find ? vpc->uplink->find(vpc) : -1;
}

static int open_uplink(struct fg_vpc *vpc, struct fg_error *err)
{
        return vpc->uplink->open(vpc, err);
}

static const struct program {
        const char *name;
        int (*find)(const struct fg_vpc *vpc); /* its pidfd, or -1 */
        int (*start)(struct fg_vpc *vpc, struct fg_error *err);
} programs[FG_WATCHES] = {
        { "pasta, the way out of the VPC", find_uplink, open_uplink },
        { "dnsmasq, the resolver of tasks", fg_vpc_resolver_find, fg_vpc_resolver_start },
};

struct fg_watch {
        struct fg_job job; /* one at a time */
        const struct program *program;
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

        w->failed = w->program->start(vpc, &w->err) < 0;
        w->pidfd = w->failed ? -1 : w->program->find(vpc);
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
        fg_log_warn("%s, has ended; it is started again", w->program->name);
        start_again(w);
        return 0;
}

static void again_done(struct fg_job *job)
{
        struct fg_watch *w = FG_CONTAINER_OF(job, struct fg_watch, job);

        if (w->closing)
                return;
        if (w->failed)
                fg_log_error("%s, is not there: %s", w->program->name, w->err.msg);
        else
                fg_log_info("%s, is there again", w->program->name);
        if (w->pidfd < 0 || sd_event_add_io(w->event, &w->end, w->pidfd, EPOLLIN, on_end, w) < 0) {
                fg_closep(&w->pidfd);
                start_again(w);
        }
}

static struct fg_watch *watch_new(struct fg_net *net, sd_event *event, const struct program *p)
{
        struct fg_watch *w;
        int pidfd = p->find(&net->vpc);

        /* It need not be: root's uplink has no program, and dnsmasq may not be installed. */
        if (pidfd < 0)
                return NULL;
        w = fg_calloc(1, sizeof(*w));
        w->job = (struct fg_job){ .work = again_work, .done = again_done };
        w->program = p;
        w->net = net;
        w->event = event;
        w->pidfd = pidfd;
        if (sd_event_add_io(event, &w->end, w->pidfd, EPOLLIN, on_end, w) < 0)
                fg_log_error("%s, is not looked after", p->name);
        return w;
}

void fg_watch_start(struct fg_net *net, sd_event *event)
{
        for (size_t i = 0; i < FG_WATCHES; i++)
                net->watches[i] = watch_new(net, event, &programs[i]);
}

void fg_watch_close(struct fg_net *net)
{
        for (size_t i = 0; i < FG_WATCHES; i++) {
                struct fg_watch *w = net->watches[i];

                if (!w)
                        continue;
                w->closing = true;
                w->end = sd_event_source_disable_unref(w->end);
                w->rest = sd_event_source_disable_unref(w->rest);
        }
}

void fg_watch_free(struct fg_net *net)
{
        for (size_t i = 0; i < FG_WATCHES; i++) {
                if (net->watches[i])
                        fg_closep(&net->watches[i]->pidfd);
                free(net->watches[i]);
        }
}
