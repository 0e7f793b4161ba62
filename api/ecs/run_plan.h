/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/ecs/run_input.h"

/* What RunTask decides about tasks before they are submitted. */

/**
 * ecs_plan_providers() - spread @count tasks over a strategy: its base first, then by weight
 * @strategy: of the cluster, taken when the request names neither a strategy nor a launch type
 * Return: false when there is no strategy, and @ret has nothing.
 */
bool ecs_plan_providers(const struct ecs_run_input *in, struct json_object *strategy, size_t count,
                        const char **ret);
/** ecs_plan_tags() - the tags of the tasks: those of the definition, of ECS, of the request. */
struct json_object *ecs_plan_tags(const struct ecs_run_input *in, struct json_object *def_tags,
                                  const char *cluster, struct fg_problems *problems);
