/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/taskdef.h"
#include "secrets/secrets.h"

/* The variables of a task that its definition only points to: `secrets`, `environmentFiles`. */

bool fg_variables_needed(const struct fg_taskdef *def);

/**
 * fg_variables_resolve() - all of them, as the `variable` messages of docs/protocol.md
 * @s3_root: where environment files lie; NULL: nowhere
 * @ret:     one message per line; what must win comes last
 * Return: 0, or -1 with a reason in ECS's words. Blocks; on the vault's lane.
 */
int fg_variables_resolve(struct fg_vault *v, const struct fg_taskdef *def, const char *s3_root,
                         struct fg_secret *ret, struct fg_error *err);
