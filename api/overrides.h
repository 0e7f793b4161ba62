/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/taskdef.h"

/* The overrides of RunTask: what one task does differently from its definition. */
#define FG_OVERRIDES_MAX 8192 /* bytes of compact JSON, as in ECS */

struct fg_container_override {
        char *name;
        struct fg_strings command;
        struct fg_pairs environment;
        FG_LIST(struct fg_environment_file) environment_files;
        int64_t cpu, memory, memory_reservation;
};

struct fg_overrides {
        FG_LIST(struct fg_container_override) containers;
        char *cpu, *memory;
        char *execution_role_arn, *task_role_arn;
        struct fg_ephemeral_storage *ephemeral_storage;
        struct fg_extensions *fgrun;
};

/**
 * fg_overrides_decode() - read overrides, and say what is wrong with them for any definition
 * @json:     borrowed; NULL: no overrides
 * @problems: paths begin with "$.overrides"
 * Return: the overrides, without what was bad: enough for fg_overrides_apply() to say the rest.
 */
struct fg_overrides *fg_overrides_decode(struct json_object *json, struct fg_problems *problems);
void fg_overrides_free(struct fg_overrides *overrides);
FG_DEFINE_CLEANUP(struct fg_overrides *, fg_overrides_free)

/** fg_overrides_to_json() - ECS's TaskOverride; every container of @def, if any, is named, as in
 * ECS.
 */
struct json_object *fg_overrides_to_json(const struct fg_overrides *overrides,
                                         const struct fg_taskdef *def);

/**
 * fg_overrides_apply() - the definition that the task really runs
 * Sizes are checked again: the path of a problem is where in the overrides the right value would
 * stand ("$.overrides.memory").
 * Return: a copy of @def with the overrides applied, or NULL when they do not fit.
 */
struct fg_taskdef *fg_overrides_apply(const struct fg_overrides *overrides,
                                      const struct fg_taskdef *def, struct fg_problems *problems);
