/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/str.h"

struct describe_task_definition {
        char *definition;
        struct fg_strings include;
};

static const char *const parts[] = { "TAGS", NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRING(describe_task_definition, definition, "taskDefinition", .required = true,
                      .min = 1),
        FG_ROW_STRINGS(describe_task_definition, include, "include", .allowed = parts),
};
const struct fg_object ecs_describe_task_definition_input = FG_OBJECT(describe_task_definition,
                                                                      fields);

int ecs_describe_task_definition(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct describe_task_definition *in = call->in;
        fg_cleanup(fg_definition_finish) struct fg_definition d = { 0 };
        fg_autofree char *resource = NULL;
        struct json_object *tags = NULL;
        int found = ecs_definition_get(call, db, in->definition, &d, err);

        if (found < 0)
                return -1;
        if (!found)
                return fg_aws_raise(call, "ClientException", "Unable to describe task definition.");
        if (ecs_has(&in->include, "TAGS")) {
                resource = fg_asprintf("task-definition/%s:%lld", d.family, (long long)d.revision);
                tags = fg_tags_get(db, resource, err);
                if (!tags)
                        return -1;
        }
        return ecs_definition_answer(call, &d, tags);
}
