/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "guest-init/start.h"
#include "guest-init/user.h"

/* The program of a container: who, where, with what. All calls run inside its root. */
struct fg_process {
        char **argv; /* NULL-terminated, as are the others */
        char **env;
        const char *directory; /* borrowed */
        char *path;            /* of the executable, after fg_process_find() */
        struct fg_user user;
};

int fg_process_init(struct fg_process *p, const struct fg_start *s, struct fg_error *err);
void fg_process_finish(struct fg_process *p);
/** fg_process_limits() - the ulimits of @spec over Fargate's defaults */
int fg_process_limits(struct json_object *spec, struct fg_error *err);
/** fg_process_directory() - its working directory; borrowed */
const char *fg_process_directory(const struct fg_start *s);
int fg_process_chdir(const struct fg_process *p, struct fg_error *err);
/** fg_process_become() - its user and groups; capabilities are the caller's business */
int fg_process_become(const struct fg_process *p, struct fg_error *err);
/** fg_process_find() - the executable, looked for as its user with its PATH */
int fg_process_find(struct fg_process *p, struct fg_error *err);
/**
 * fg_process_exec() - execute it, with @reaper under a small init of ours
 * @report: close-on-exec; the reaper keeps it until the program runs
 * Return: only -1
 */
int fg_process_exec(struct fg_process *p, int report, bool reaper, struct fg_error *err);
/** fg_process_exec_error() - Docker's words for an execve() that failed. Return: -1 */
int fg_process_exec_error(const char *name, int sys, struct fg_error *err);
