/* SPDX-License-Identifier: Apache-2.0 */
#include "api/taskstate.h"

#include <stddef.h>

#include "core/str.h"

#define T(name) (1u << FG_TASK_##name)
#define C(name) (1u << FG_CONTAINER_##name)

/* From each state, where it may go. */
static const unsigned task_moves[FG_TASK_STATES] = {
        [FG_TASK_PROVISIONING] = T(PENDING) | T(DEPROVISIONING) | T(STOPPED),
        [FG_TASK_PENDING] = T(ACTIVATING) | T(STOPPING) | T(DEPROVISIONING),
        [FG_TASK_ACTIVATING] = T(RUNNING) | T(DEACTIVATING) | T(STOPPING) | T(DEPROVISIONING),
        [FG_TASK_RUNNING] = T(DEACTIVATING) | T(STOPPING) | T(DEPROVISIONING),
        [FG_TASK_DEACTIVATING] = T(STOPPING) | T(DEPROVISIONING),
        [FG_TASK_STOPPING] = T(DEPROVISIONING),
        [FG_TASK_DEPROVISIONING] = T(STOPPED),
        [FG_TASK_STOPPED] = 0,
};

static const unsigned container_moves[FG_CONTAINER_STATES] = {
        [FG_CONTAINER_PENDING] = C(RUNNING) | C(STOPPED),
        [FG_CONTAINER_RUNNING] = C(STOPPED),
        [FG_CONTAINER_STOPPED] = 0,
};

#define X(name) [FG_TASK_##name] = #name,
static const char *const task_names[FG_TASK_STATES] = { FG_TASK_STATE_LIST(X) };
#undef X
#define X(name) [FG_CONTAINER_##name] = #name,
static const char *const container_names[FG_CONTAINER_STATES] = { FG_CONTAINER_STATE_LIST(X) };
#undef X
#define X(name) [FG_HEALTH_##name] = #name,
static const char *const healths[FG_HEALTHS] = { FG_HEALTH_LIST(X) };
#undef X
#define X(name, text) [FG_STOP_##name] = (text),
static const char *const stop_codes[FG_STOP_CODES] = { FG_STOP_CODE_LIST(X) };
#undef X

static int find(const char *const *names, int n, const char *name)
{
        for (int i = 0; i < n; i++)
                if (fg_streq(names[i], name))
                        return i;
        return -1;
}

bool fg_task_state_may_move(enum fg_task_state from, enum fg_task_state to)
{
        return task_moves[from] & (1u << to);
}

bool fg_task_state_reached(enum fg_task_state now, enum fg_task_state wanted)
{
        return now >= wanted;
}

const char *fg_task_state_name(enum fg_task_state state)
{
        return task_names[state];
}

bool fg_task_state_parse(const char *name, enum fg_task_state *ret)
{
        int i = find(task_names, FG_TASK_STATES, name);

        if (i < 0)
                return false;
        *ret = (enum fg_task_state)i;
        return true;
}

const char *fg_task_desired_status(enum fg_task_state state, bool stop)
{
        return stop || state > FG_TASK_RUNNING ? "STOPPED" : "RUNNING";
}

bool fg_container_state_may_move(enum fg_container_state from, enum fg_container_state to)
{
        return container_moves[from] & (1u << to);
}

const char *fg_container_state_name(enum fg_container_state state)
{
        return container_names[state];
}

bool fg_container_state_parse(const char *name, enum fg_container_state *ret)
{
        int i = find(container_names, FG_CONTAINER_STATES, name);

        if (i < 0)
                return false;
        *ret = (enum fg_container_state)i;
        return true;
}

const char *fg_health_name(enum fg_health health)
{
        return healths[health];
}

bool fg_health_parse(const char *name, enum fg_health *ret)
{
        int i = find(healths, FG_HEALTHS, name);

        if (i < 0)
                return false;
        *ret = (enum fg_health)i;
        return true;
}

const char *fg_stop_code_name(enum fg_stop_code code)
{
        return stop_codes[code];
}

bool fg_stop_code_parse(const char *name, enum fg_stop_code *ret)
{
        int i = find(stop_codes, FG_STOP_CODES, name);

        if (i < 0)
                return false;
        *ret = (enum fg_stop_code)i;
        return true;
}
