/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/taskdef.h"
#include "core/json.h"

/* A small valid definition with two patches: members of the task, and of its first container. */
struct json_object *fg_test_document(const char *task_patch, const char *container_patch);
/** fg_test_image_check() - refuses "BAD" only. */
int fg_test_image_check(const char *reference, struct fg_error *err);
/** fg_test_decode() - a definition that must be valid; fails the test otherwise. */
struct fg_taskdef *fg_test_decode(const char *task_patch, const char *container_patch);
/** fg_test_problem_equal() - is problem @i this one? A @message that ends with "…" is a beginning.
 */
void fg_test_problem_equal(const struct fg_problems *problems, size_t i, const char *path,
                           const char *message);
/** fg_test_golden() - compare with tests/api/golden/@name; FG_REGEN=1 writes it instead. */
void fg_test_golden(struct json_object *json, const char *name);
