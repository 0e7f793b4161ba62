/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "api/taskdef.h"

/* What a guest tells its containers and cannot know: `metadata` of docs/protocol.md. Pure. */

#define FG_DOCKER_ID_MAX 64

struct fg_metadata {
        const char *id, *region;
        const char *vpc; /* NULL: the task has no network */
        int64_t pull_started_ns;
        const struct fg_taskdef *def; /* overrides applied */
        struct json_object *task;     /* as DescribeTasks has it */
        struct json_object *tags;     /* of the task, or NULL */
};

/** fg_metadata_to_json() - the caller puts it; everything in @m is borrowed */
struct json_object *fg_metadata_to_json(const struct fg_metadata *m);
/** fg_docker_id() - as Fargate's: the task's id, then ten digits made from @runtime_id's */
void fg_docker_id(const char *task_id, const char *runtime_id, char ret[FG_DOCKER_ID_MAX]);
