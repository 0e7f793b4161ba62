/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/task.h"

/* What a change of a task's state looks like to those who wait for it: docs/events.md. */
#define FG_EVENT_DETAIL_TYPE "ECS Task State Change"

/**
 * fg_event_state() - what makes a change an event, as one string
 * lastStatus and desiredStatus of the task, lastStatus of its containers, and what belongs to them.
 * Two versions of a task with the same string are the same state. Caller frees.
 */
char *fg_event_state(const struct fg_task *t);

/**
 * fg_event_text() - the event in the form of EventBridge, as compact JSON; caller frees
 * @task: the task as clients see it (fg_task_to_json()); what is fgrun's own is removed from it
 */
char *fg_event_text(struct json_object *task, const struct fg_names *names, uint64_t now_ns);
