/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/ecs/ecs_private.h"
#include "api/task_network.h"

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
