/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest-init/health.h"
#include "guest-init/loop.h"
#include "guest-init/output.h"
#include "guest-init/probe.h"
#include "guest-init/restart.h"
#include "guest-init/start.h"

struct json_object;
struct fg_link;

enum fg_container_state {
        FG_CONTAINER_WAITING,  /* for images and for what it depends on */
        FG_CONTAINER_STARTING, /* its process sets itself up */
        FG_CONTAINER_RUNNING,
        FG_CONTAINER_DRAINING, /* has exited; its output is read before anything follows */
        FG_CONTAINER_EXITED,
        FG_CONTAINER_FAILED,  /* never started, for an error */
        FG_CONTAINER_SKIPPED, /* never started, because the task stopped before */
};

struct fg_container {
        unsigned index;
        struct json_object *spec; /* borrowed from the task */
        const char *name;
        bool essential;
        enum fg_container_state state;
        struct fg_link *link;
        struct fg_loop *loop;
        struct fg_start start; /* what its processes are made from */
        pid_t pid;
        struct fg_source report; /* our end; fd -1 when closed */
        int input;               /* the other end of an interactive one's stdin; -1: none */
        struct fg_start_report result;
        bool ready; /* the report said that the program was about to be executed */
        struct fg_timer kill_timer;
        struct fg_timer start_timer; /* startTimeout, for those that wait for it */
        bool start_expired;
        bool stop_sent;
        bool was_started;
        int signal, exit_code; /* of the last run */
        bool oom_killed;
        uint64_t oom_kills; /* of former runs */
        uint64_t exited_at; /* CLOCK_REALTIME, ns */

        struct fg_health health;
        struct fg_probe probe;
        struct fg_restart restart;
        bool last_run; /* it is not restarted any more */
        bool again;    /* to be restarted as soon as its output has been read */
        /* What the host was told of these, and by which event. */
        enum fg_health_status told_health;
        uint64_t told_restarts, health_seq, restart_seq;
};

void fg_container_init(struct fg_container *c, unsigned index, struct json_object *spec,
                       struct fg_link *link, struct fg_loop *loop);
/** fg_container_start() - @common: what all containers of the task have in common */
void fg_container_start(struct fg_container *c, const struct fg_start *common,
                        const char *image_dir);
/** fg_container_end_restarts() - whatever ends from now on stays ended */
void fg_container_end_restarts(struct fg_container *c);
/**
 * fg_container_tell() - tell of changes of health and of restarts
 * While an event of a kind is not acknowledged, no other follows: then the latest state is told.
 * So no absence of the host makes the guest's memory grow.
 */
void fg_container_tell(struct fg_container *c);
/** fg_container_reaped() - its first process has ended, and with it all of its processes */
void fg_container_reaped(struct fg_container *c, int status);
/** fg_container_drain() - once all output has been read, restart it or tell that it exited */
void fg_container_drain(struct fg_container *c);
/** fg_container_stop() - the image's stop signal now, SIGKILL after stopTimeout; idempotent */
void fg_container_stop(struct fg_container *c);
void fg_container_skip(struct fg_container *c);
void fg_container_fail(struct fg_container *c, const char *error, const char *message);
/** fg_container_ended() - nothing of it is running or will be */
bool fg_container_ended(const struct fg_container *c);

/* launch.c: pipes, cgroup and process of one run; the report is watched by @ready. */
int fg_container_launch(struct fg_container *c, void (*ready)(struct fg_source *s, uint32_t events),
                        struct fg_error *err);
void fg_container_close_report(struct fg_container *c);
/** fg_container_receive() - as read(2) of the next report; *ret_fd: what came with it, or -1 */
ssize_t fg_container_receive(struct fg_container *c, struct fg_start_report *ret, int *ret_fd);
/** fg_container_open_output() - stream @i (0 stdout, 1 stderr) is read from @take_fd from now on */
int fg_container_open_output(struct fg_container *c, unsigned i, int take_fd, struct fg_error *err);
