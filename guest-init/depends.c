/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/task.h"

#include <stdio.h>

#include "core/json.h"
#include "core/str.h"

static enum fg_depends started(const struct fg_container *c)
{
        if (c->was_started)
                return FG_DEPENDS_MET;
        return fg_container_ended(c) ? FG_DEPENDS_NEVER : FG_DEPENDS_WAIT;
}

static enum fg_depends completed(const struct fg_container *c)
{
        if (c->state == FG_CONTAINER_EXITED)
                return FG_DEPENDS_MET;
        return fg_container_ended(c) ? FG_DEPENDS_NEVER : FG_DEPENDS_WAIT;
}

static enum fg_depends succeeded(const struct fg_container *c)
{
        if (c->state == FG_CONTAINER_EXITED && c->exit_code != 0)
                return FG_DEPENDS_NEVER;
        return completed(c);
}

static enum fg_depends healthy(const struct fg_container *c)
{
        if (c->health.status == FG_HEALTH_HEALTHY)
                return FG_DEPENDS_MET;
        return fg_container_ended(c) ? FG_DEPENDS_NEVER : FG_DEPENDS_WAIT;
}

static const struct {
        const char *name;
        enum fg_depends (*check)(const struct fg_container *c);
        bool timed; /* startTimeout limits the wait */
} conditions[] = {
        { "START", started, false },
        { "COMPLETE", completed, true },
        { "SUCCESS", succeeded, true },
        { "HEALTHY", healthy, true },
};

static enum fg_depends check(struct fg_task *t, struct json_object *dependency)
{
        const char *name = fg_json_str(dependency, "containerName");
        const char *condition = fg_json_str(dependency, "condition");
        const struct fg_container *on = name ? fg_task_container(t, name) : NULL;

        for (size_t i = 0; on && condition && i < FG_ARRAY_SIZE(conditions); i++) {
                enum fg_depends r;

                if (!fg_streq(condition, conditions[i].name))
                        continue;
                r = conditions[i].check(on);
                return r == FG_DEPENDS_WAIT && conditions[i].timed && on->start_expired
                               ? FG_DEPENDS_LATE
                               : r;
        }
        return FG_DEPENDS_NEVER;
}

/* Whose volumes are used must have them. */
static enum fg_depends check_volumes(struct fg_task *t, const struct fg_container *c, char *ret_why,
                                     size_t len)
{
        struct json_object *list = fg_json_arr(c->spec, "volumesFrom");
        enum fg_depends result = FG_DEPENDS_MET;

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *name = fg_json_str(json_object_array_get_idx(list, i),
                                               "sourceContainer");
                const struct fg_container *source = name ? fg_task_container(t, name) : NULL;
                enum fg_depends one = source ? started(source) : FG_DEPENDS_NEVER;

                if (one == FG_DEPENDS_NEVER) {
                        (void)snprintf(ret_why, len,
                                       "container %s has volumes from %s, which did not start",
                                       c->name, name ? name : "?");
                        return FG_DEPENDS_NEVER;
                }
                if (one == FG_DEPENDS_WAIT)
                        result = FG_DEPENDS_WAIT;
        }
        return result;
}

enum fg_depends fg_depends_check(struct fg_task *t, const struct fg_container *c, char *ret_why,
                                 size_t len)
{
        struct json_object *list = fg_json_arr(c->spec, "dependsOn");
        enum fg_depends result = check_volumes(t, c, ret_why, len);

        if (result == FG_DEPENDS_NEVER)
                return result;
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *d = json_object_array_get_idx(list, i);
                const char *name = fg_json_str(d, "containerName");
                const char *condition = fg_json_str(d, "condition");
                enum fg_depends one = check(t, d);

                if (one == FG_DEPENDS_NEVER || one == FG_DEPENDS_LATE) {
                        (void)snprintf(ret_why, len, "container %s depends on %s (%s), which %s",
                                       c->name, name ? name : "?", condition ? condition : "?",
                                       one == FG_DEPENDS_LATE
                                               ? "was not met within its startTimeout"
                                               : "can no longer be met");
                        return FG_DEPENDS_NEVER;
                }
                if (one == FG_DEPENDS_WAIT)
                        result = FG_DEPENDS_WAIT;
        }
        return result;
}

static bool depends_on(const struct fg_container *c, const char *name)
{
        struct json_object *list = fg_json_arr(c->spec, "dependsOn");

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                const char *on = fg_json_str(json_object_array_get_idx(list, i), "containerName");

                if (on && fg_streq(on, name))
                        return true;
        }
        return false;
}

bool fg_depends_needed(struct fg_task *t, const struct fg_container *c)
{
        for (size_t i = 0; i < t->container_count; i++) {
                const struct fg_container *other = &t->containers[i];

                if (other != c && !fg_container_ended(other) && depends_on(other, c->name))
                        return true;
        }
        return false;
}
