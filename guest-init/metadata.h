/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest-init/http_server.h"
#include "guest-init/stats.h"

struct fg_container;
struct fg_task;

/*
 * The task metadata endpoint, versions 3 and 4, at http://169.254.170.2. What the guest cannot know
 * comes with the task message (its member `metadata`, docs/protocol.md), the rest is observed here.
 */
#define FG_METADATA_URI    "http://169.254.170.2"
#define FG_METADATA_ID_MAX 64

struct fg_metadata_container {
        const char *id;                               /* in the paths; "dockerId" of the message */
        struct json_object *spec;                     /* its member of metadata.containers */
        pid_t pid;                                    /* of the run that the times belong to */
        uint64_t created_at, started_at, finished_at; /* CLOCK_REALTIME, ns; 0: not yet */
        struct fg_stats_history history;
};

struct fg_metadata {
        struct fg_task *task;                     /* NULL: there is no endpoint */
        struct json_object *spec;                 /* borrowed from the task message */
        struct fg_metadata_container *containers; /* as many as the task has */
        const char *cgroup, *proc, *scratch;      /* where the numbers come from */
        uint64_t begun_at, pull_stopped_at;
        int listener; /* made before the task came; -1: none */
        struct fg_http_server server;
};

/** fg_metadata_init() - without serving it yet; -1: INVALID when the message is not right */
int fg_metadata_init(struct fg_metadata *m, struct fg_task *t, struct fg_error *err);
/** fg_metadata_park() - before the task is known: make the interface and listen */
int fg_metadata_park(struct fg_metadata *m, struct fg_error *err);
/** fg_metadata_unpark() - there is to be no endpoint: what was parked goes */
void fg_metadata_unpark(struct fg_metadata *m);
/** fg_metadata_serve() - at the socket that was parked, or at a new one */
int fg_metadata_serve(struct fg_metadata *m, struct fg_error *err);
/** fg_metadata_observe() - note the times of what has changed; after each step of the task */
void fg_metadata_observe(struct fg_metadata *m);
/** fg_metadata_answer() - a fg_http_answer_fn with a struct fg_metadata for owner */
int fg_metadata_answer(void *owner, const char *path, size_t len, struct fg_buf *body);
/** fg_metadata_id() - of container @index in @task, a task message; NULL when it has none */
const char *fg_metadata_id(struct json_object *task, unsigned index);

/* metadata_json.c: documents, put by the caller. @version: 3 or 4. */
struct json_object *fg_metadata_container_json(const struct fg_metadata *m, size_t index,
                                               unsigned version);
struct json_object *fg_metadata_task_json(const struct fg_metadata *m, unsigned version, bool tags);

/* metadata_link.c: eth0, its other end, and a socket that listens there. Return: it, or -1 */
int fg_metadata_listen(struct fg_error *err);
