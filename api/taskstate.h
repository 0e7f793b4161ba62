/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * The life of a task, as in ECS. States are listed in the order of a life: every move goes down the
 * list, STOPPED is the end. What holds resources (PENDING and later) goes to STOPPED only through
 * DEPROVISIONING, so that whoever sees STOPPED knows that nothing is left.
 */
#define FG_TASK_STATE_LIST(X)                                                                      \
        X(PROVISIONING)   /* accepted and durable; waits for room on the host */                   \
        X(PENDING)        /* room is reserved; the image is being fetched */                       \
        X(ACTIVATING)     /* the VM boots, the guest assembles root filesystems */                 \
        X(RUNNING)        /* containers were started */                                            \
        X(DEACTIVATING)   /* leaves load balancers; nothing to do without them */                  \
        X(STOPPING)       /* containers are being stopped */                                       \
        X(DEPROVISIONING) /* VM and disk are being removed */                                      \
        X(STOPPED)

#define FG_CONTAINER_STATE_LIST(X)                                                                 \
        X(PENDING)                                                                                 \
        X(RUNNING)                                                                                 \
        X(STOPPED)

#define FG_HEALTH_LIST(X)                                                                          \
        X(UNKNOWN)                                                                                 \
        X(HEALTHY)                                                                                 \
        X(UNHEALTHY)

#define FG_STOP_CODE_LIST(X)                                                                       \
        X(NONE, "")                                                                                \
        X(FAILED_TO_START, "TaskFailedToStart")                                                    \
        X(ESSENTIAL_EXITED, "EssentialContainerExited")                                            \
        X(USER_INITIATED, "UserInitiated")                                                         \
        X(SERVICE_SCHEDULER, "ServiceSchedulerInitiated")                                          \
        X(SPOT_INTERRUPTION, "SpotInterruption")                                                   \
        X(TERMINATION_NOTICE, "TerminationNotice")

enum fg_task_state {
#define X(name) FG_TASK_##name,
        FG_TASK_STATE_LIST(X)
#undef X
                FG_TASK_STATES
};

enum fg_container_state {
#define X(name) FG_CONTAINER_##name,
        FG_CONTAINER_STATE_LIST(X)
#undef X
                FG_CONTAINER_STATES
};

enum fg_health {
#define X(name) FG_HEALTH_##name,
        FG_HEALTH_LIST(X)
#undef X
                FG_HEALTHS
};

enum fg_stop_code {
#define X(name, text) FG_STOP_##name,
        FG_STOP_CODE_LIST(X)
#undef X
                FG_STOP_CODES
};

/** fg_task_state_may_move() - is the move allowed? Staying is not a move. */
bool fg_task_state_may_move(enum fg_task_state from, enum fg_task_state to);
/** fg_task_state_reached() - is a task in @now at @wanted or past it? */
bool fg_task_state_reached(enum fg_task_state now, enum fg_task_state wanted);
const char *fg_task_state_name(enum fg_task_state state); /* "RUNNING" */
bool fg_task_state_parse(const char *name, enum fg_task_state *ret);
/** fg_task_desired_status() - ECS's desiredStatus; @stop: somebody asked it to stop. */
const char *fg_task_desired_status(enum fg_task_state state, bool stop);

bool fg_container_state_may_move(enum fg_container_state from, enum fg_container_state to);
const char *fg_container_state_name(enum fg_container_state state);
bool fg_container_state_parse(const char *name, enum fg_container_state *ret);

const char *fg_health_name(enum fg_health health); /* "HEALTHY" */
bool fg_health_parse(const char *name, enum fg_health *ret);

const char *fg_stop_code_name(enum fg_stop_code code); /* "UserInitiated"; "" for NONE */
bool fg_stop_code_parse(const char *name, enum fg_stop_code *ret);
