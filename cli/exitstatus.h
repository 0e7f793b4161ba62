/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct json_object;

/*
 * The exit status of an attached run is the exit code of the essential container that ended the
 * task. The rest of the statuses is fg_err_exit() of the error that ended fgrun, and these:
 */
enum fg_exit_status {
        FG_EXIT_TASK_FAILED = 125, /* the task stopped and no essential container had run */
        FG_EXIT_INTERRUPTED = 130, /* Ctrl-C: detached, or stopped before a container ran */
};

/**
 * fg_exit_status_of() - of a stopped task
 * @task:       TASK of the API
 * @definition: its task definition: says which containers are essential; NULL: all
 */
int fg_exit_status_of(struct json_object *task, struct json_object *definition);
