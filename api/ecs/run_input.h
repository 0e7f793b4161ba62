/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/ecs/ecs_private.h"
#include "api/overrides.h"
#include "api/task_network.h"
#include "core/digest.h"

/* The input of RunTask. */
struct ecs_run_input {
        char *cluster, *definition, *group, *launch_type, *platform, *propagate, *started_by;
        char *client_token, *reference;
        int64_t count;
        bool managed_tags;
        struct json_object *overrides; /* decoded when the definition is known (overrides.h) */
        struct fg_pairs tags;
        FG_LIST(struct ecs_strategy_item) strategy;
        struct fg_network_configuration *network;
};

extern const struct fg_object ecs_run_task_input;

/** ecs_run_task_tags() - those of the definition, when they are wanted, else NULL. -1: failure. */
int ecs_run_task_tags(sqlite3 *db, const struct ecs_run_input *in, const struct fg_definition *d,
                      struct json_object **ret, struct fg_error *err);
/** ecs_run_task_digest() - of what the request asks for, the same however it is written. */
void ecs_run_task_digest(const struct fg_aws_call *call, const struct fg_overrides *overrides,
                         char ret[FG_DIGEST_LEN + 1]);
