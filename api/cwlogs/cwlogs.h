/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "api/logstore.h"
#include "api/task.h"
#include "core/json.h"

/*
 * CloudWatch Logs: log groups and their streams, in logs.db. A stream is the output of one of a
 * task's containers, as it is in the log store (view.h), or holds what PutLogEvents gave it, in a
 * log of the log store of its own. How operations become events of groups: docs/logs.md.
 * Loop only; nothing blocks unless it says so.
 */
struct fg_cwlogs;

struct fg_cwlogs_options { /* borrowed; strings are copied */
        const char *database;
        const char *logs_dir; /* the log store's */
        struct fg_logstore *logs;
        const char *region, *account; /* of ARNs */
};

/** fg_cwlogs_new() - blocks (start-up only). */
int fg_cwlogs_new(sd_event *event, const struct fg_cwlogs_options *options, struct fg_cwlogs **ret,
                  struct fg_error *err);
/** fg_cwlogs_free() - before the log store. */
void fg_cwlogs_free(struct fg_cwlogs *logs);
FG_DEFINE_CLEANUP(struct fg_cwlogs *, fg_cwlogs_free)

/* @result: borrowed for the call; NULL exactly when @err is set. */
typedef void (*fg_cwlogs_fn)(void *userdata, struct json_object *result,
                             const struct fg_error *err);

/* ---- tasks: their streams ---- */

/**
 * fg_cwlogs_task_start() - make the streams of @task's containers that log to awslogs
 * May be repeated. @fn: NOT_FOUND in AWS's words when a group does not exist.
 * Return: false: none does, and @fn is not called.
 */
bool fg_cwlogs_task_start(struct fg_cwlogs *logs, const struct fg_task *task, fg_cwlogs_fn fn,
                          void *userdata);
/** fg_cwlogs_task_resume() - output will come, maybe after a restart of fgd. */
void fg_cwlogs_task_resume(struct fg_cwlogs *logs, const struct fg_task *task);
/** fg_cwlogs_task_output() - output of that time is stored, @bytes in all. */
void fg_cwlogs_task_output(struct fg_cwlogs *logs, const char *task, const char *container,
                           uint64_t time_ns, uint64_t bytes);
/** fg_cwlogs_task_end() - nothing more will be written. */
void fg_cwlogs_task_end(struct fg_cwlogs *logs, const struct fg_task *task);
/**
 * fg_cwlogs_tasks_expired() - the records of tasks are gone
 * @ids: array of strings; their logs are removed now, or when their streams go.
 */
void fg_cwlogs_tasks_expired(struct fg_cwlogs *logs, struct json_object *ids);

/** fg_cwlogs_holds() - does a stream need this log? Blocks (start-up only). */
bool fg_cwlogs_holds(struct fg_cwlogs *logs, const char *key);
/** fg_cwlogs_tick() - now and then: saves what is known of streams, lets old events go. */
void fg_cwlogs_tick(struct fg_cwlogs *logs);
