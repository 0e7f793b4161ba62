/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/ecs/ecs_private.h"

/* What operations on tasks have in common. */

#define ECS_TASK_NOT_FOUND "The referenced task was not found."

/** ecs_check_task() - for rows: an id, or the end of an ARN, has the length of one. */
bool ecs_check_task(struct fg_decode *d, const char *s);
/**
 * ecs_task_id() - of "ID", "arn:…:task/ID" or "arn:…:task/CLUSTER/ID"
 * @ret: borrowed from @text; NULL: it is none
 * Return: 0; -1: raised, it is of another cluster.
 */
int ecs_task_id(struct fg_aws_call *call, const char *cluster, const char *text, const char **ret);
/** ecs_task_arn() - of what may be an id or an ARN, for failures; caller frees. */
char *ecs_task_arn(const struct fg_aws_call *call, const char *cluster, const char *text);
/** ecs_task_show() - the Task of an answer, with its tags or none. Return: found. */
int ecs_task_show(struct fg_aws_call *call, sqlite3 *db, const char *cluster, const char *id,
                  bool tags, struct json_object **ret, struct fg_error *err);
/** ecs_open_cluster() - the name of a stored cluster, ACTIVE or not; NULL: raised, or @err. */
const char *ecs_open_cluster(struct fg_aws_call *call, sqlite3 *db, const char *text,
                             struct fg_error *err);
