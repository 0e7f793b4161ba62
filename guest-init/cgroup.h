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
/**
 * fg_cgroup_limit_cpu() - fewer CPU units than the VM has processors: a quota for the whole task
 * Not before a program of the task runs: what makes its container would wait for periods to end.
 */
int fg_cgroup_limit_cpu(struct json_object *task, struct fg_error *err);
/** fg_cgroup_new() - the (perhaps old) group of container @index. Return: its directory, or -1 */
int fg_cgroup_new(unsigned index, struct json_object *container, struct fg_error *err);
/** fg_cgroup_oom_kills() - how many processes of the container the kernel killed for its memory */
uint64_t fg_cgroup_oom_kills(unsigned index);
/** fg_cgroup_probe() - the group of the container's health checks, within its own. Return: as new
 */
int fg_cgroup_probe(unsigned index, struct fg_error *err);
void fg_cgroup_kill_probe(unsigned index); /* the check that runs, and all it has started */
void fg_cgroup_kill(unsigned index);       /* every process of the container */
void fg_cgroup_remove(unsigned index);
/** fg_ordinary() - for a child: the OOM killer spares PID 1, and it comes first; others do not */
int fg_ordinary(struct fg_error *err);
