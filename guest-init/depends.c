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

static const struct {
        const char *name;
        enum fg_depends (*check)(const struct fg_container *c);
} conditions[] = {
        { "START", started },
        { "COMPLETE", completed },
        { "SUCCESS", succeeded },
};

static enum fg_depends check(struct fg_task *t, struct json_object *dependency)
{
        const char *name = fg_json_str(dependency, "containerName");
        const char *condition = fg_json_str(dependency, "condition");
        const struct fg_container *on = name ? fg_task_container(t, name) : NULL;

        for (size_t i = 0; on && condition && i < FG_ARRAY_SIZE(conditions); i++) {
                if (fg_streq(condition, conditions[i].name))
                        return conditions[i].check(on);
        }
        return FG_DEPENDS_NEVER;
}

enum fg_depends fg_depends_check(struct fg_task *t, const struct fg_container *c, char *ret_why,
                                 size_t len)
{
        struct json_object *list = fg_json_arr(c->spec, "dependsOn");
        enum fg_depends result = FG_DEPENDS_MET;

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *d = json_object_array_get_idx(list, i);
                const char *name = fg_json_str(d, "containerName");
                const char *condition = fg_json_str(d, "condition");
                enum fg_depends one = check(t, d);

                if (one == FG_DEPENDS_NEVER) {
                        (void)snprintf(
                                ret_why, len,
                                "container %s depends on %s (%s), which can no longer be met",
                                c->name, name ? name : "?", condition ? condition : "?");
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
