/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/*
 * cgroup v2: FG_CGROUP_TASK holds the task's limits and one group for each container, named by its
 * index. PID 1 stays in the root, where no limit reaches it.
 */
#define FG_CGROUP_ROOT "/sys/fs/cgroup"
#define FG_CGROUP_TASK FG_CGROUP_ROOT "/task"

struct json_object;

int fg_cgroup_init_task(struct json_object *task, struct fg_error *err);
/** fg_cgroup_new() - the group of container @index. Return: its directory's descriptor, or -1 */
int fg_cgroup_new(unsigned index, struct json_object *container, struct fg_error *err);
/** fg_cgroup_oom_killed() - did the kernel ever kill a process of the container for its memory? */
bool fg_cgroup_oom_killed(unsigned index);
void fg_cgroup_remove(unsigned index);
/** fg_cgroup_killable() - undo, for a child, PID 1's own protection from the OOM killer */
int fg_cgroup_killable(struct fg_error *err);
