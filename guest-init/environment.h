/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "guest-init/start.h"

/**
 * fg_environment_new() - Docker's rules: defaults, then the image's, then the task's; HOME last
 * Fargate's region and execution environment are defaults, the addresses of the metadata endpoint
 * cannot be set otherwise.
 * Return: a NULL-terminated list of "NAME=value" on the heap, as are its strings
 */
char **fg_environment_new(const struct fg_start *s, const char *home);
/** fg_environment_get() - borrowed; NULL when @name is not set */
const char *fg_environment_get(char *const *env, const char *name);
