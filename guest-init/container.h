/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest-init/loop.h"
#include "guest-init/output.h"
#include "guest-init/start.h"

struct json_object;
struct fg_link;

enum fg_container_state {
        FG_CONTAINER_WAITING,  /* for images and for what it depends on */
        FG_CONTAINER_STARTING, /* its process sets itself up */
        FG_CONTAINER_RUNNING,
        FG_CONTAINER_DRAINING, /* has exited; its output is still being read */
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
        pid_t pid;
        struct fg_source report; /* read end; fd -1 when closed */
        struct fg_start_report result;
        bool ready; /* the report said that the program was about to be executed */
        struct fg_timer kill_timer;
        bool stop_sent;
        bool was_started;
        int status; /* of waitpid() */
        int exit_code;
        uint64_t exited_at; /* CLOCK_REALTIME, ns */
};

void fg_container_init(struct fg_container *c, unsigned index, struct json_object *spec,
                       struct fg_link *link, struct fg_loop *loop);
void fg_container_start(struct fg_container *c, struct json_object *task, const char *image_dir);
/** fg_container_reaped() - its first process has ended, and with it all of its processes */
void fg_container_reaped(struct fg_container *c, int status);
/** fg_container_drain() - once all output has been read, tell that it exited */
void fg_container_drain(struct fg_container *c);
/** fg_container_stop() - the image's stop signal now, SIGKILL after stopTimeout; idempotent */
void fg_container_stop(struct fg_container *c);
void fg_container_skip(struct fg_container *c);
void fg_container_fail(struct fg_container *c, const char *error, const char *message);
/** fg_container_ended() - nothing of it is running or will be */
bool fg_container_ended(const struct fg_container *c);
