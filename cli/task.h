/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

#include "core/error.h"

struct fg_cli;
struct json_object;

/* Words on the API's TASK object. Returned strings are borrowed from it. */

#define FG_TASK_SHORT 12 /* digits of an id that lists show */

const char *fg_task_id(struct json_object *task); /* 32 hex digits, or "" */
const char *fg_task_family(struct json_object *task);
/** fg_task_colour() - a colour name for libsmartcols, or NULL. */
const char *fg_task_colour(const char *status);

/** fg_task_get() - GET /v1/tasks/ID; @wait: a lastStatus to wait for, or NULL. */
int fg_task_get(struct fg_cli *cli, const char *id, const char *wait, struct json_object **ret,
                struct fg_error *err);

/** fg_task_print_phases() - name, ms since accepted, ms since the phase before. */
void fg_task_print_phases(struct json_object *task, FILE *out);
/** fg_task_print_cost() - one line, when the task has a meter. */
void fg_task_print_cost(struct json_object *task, FILE *out);
/** fg_task_print() - a readable summary on stdout. */
void fg_task_print(const struct fg_cli *cli, struct json_object *task);
