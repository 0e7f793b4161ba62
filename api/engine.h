/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/daemon.h"

/*
 * The life of tasks: takes a valid task definition through disk, image, VM and guest to its end,
 * one state machine per task (taskstate.h), every change a row before anyone is told. Loop only.
 */
struct fg_run;

struct fg_submission {
        struct fg_taskdef *def;          /* overrides applied; taken */
        struct json_object *overrides;   /* as shown in the task; taken; may be NULL */
        struct json_object *tags;        /* taken; may be NULL */
        struct fg_task_network *network; /* taken; NULL: the default one, where there is one */
        const char *cluster;             /* borrowed; NULL: the default one */
        int64_t revision;                /* of the registered definition; 0: there is none */
        const char *started_by, *group, *client_token, *request_hash; /* borrowed; may be NULL */
        size_t count;                         /* 1 to FG_SUBMIT_MAX equal tasks */
        const char *const *capacity_provider; /* of each of them, borrowed; NULL: none */
};

#define FG_SUBMIT_MAX 10

/**
 * @n tasks are durable and about to start. @err: why there are not more, NULL when these are all;
 * CAPACITY: some found no room.
 */
typedef void (*fg_submit_done_fn)(void *userdata, const char *const *ids, size_t n,
                                  const struct fg_error *err);

/** fg_engine_submit() - reserve room and store, in one commit; then done(). */
void fg_engine_submit(struct fg_daemon *d, struct fg_submission *s, fg_submit_done_fn done,
                      void *userdata);
/** fg_engine_stop() - ask a task to stop; done() when the wish is durable. NOT_FOUND: not active.
 */
void fg_engine_stop(struct fg_daemon *d, const char *id, const char *reason, fg_store_done_fn done,
                    void *userdata);
/** fg_engine_adopt() - after a restart: go on with the stored tasks, remove what nobody claims. */
int fg_engine_adopt(struct fg_daemon *d, struct fg_error *err);
/** fg_engine_gone() - for fg_vmm_new(): a VM ended by itself. */
void fg_engine_gone(void *daemon, const char *id, bool crashed, const char *reason);
/** fg_engine_shutdown() - forget all runs; tasks and VMs go on without the daemon. */
void fg_engine_shutdown(struct fg_daemon *d);
const struct fg_task *fg_engine_task(struct fg_daemon *d, const char *id); /* active ones; NULL */
/** fg_engine_token() - ids of the active tasks that a client token made, for the caller to put; or
 * NULL. */
struct json_object *fg_engine_token(struct fg_daemon *d, const char *token, const char **ret_hash);

/* ---- watching: told of durable changes ---- */

struct fg_watcher {
        struct fg_watcher *next, **prev;
        char id[FG_ID_LEN + 1];
        void (*changed)(struct fg_watcher *w, const struct fg_task *t);
        void (*pulling)(struct fg_watcher *w, const char *image, const struct fg_pull_progress *p);
};

void fg_watch(struct fg_daemon *d, struct fg_watcher *w);
void fg_unwatch(struct fg_watcher *w); /* safe to call twice, and from its callback */
