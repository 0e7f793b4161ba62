/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/ecs/ecs_private.h"
#include "core/clock.h"
#include "core/str.h"

struct deregister_task_definition {
        char *definition;
};

static const struct fg_field fields[] = {
        FG_ROW_STRING(deregister_task_definition, definition, "taskDefinition", .required = true,
                      .min = 1),
};
const struct fg_object ecs_deregister_task_definition_input = FG_OBJECT(deregister_task_definition,
                                                                        fields);

/* Twice is as good as once. */
int ecs_deregister_task_definition(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct deregister_task_definition *in = call->in;
        fg_cleanup(fg_definition_finish) struct fg_definition d = { 0 };
        int64_t revision;
        fg_autofree char *family = ecs_definition_split(call, in->definition, &revision);
        int found;

        if (family && revision == 0)
                return fg_aws_raise(call, "ClientException", "Revision is missing.");
        found = family ? fg_definition_get(db, family, revision, &d, err) : 0;
        if (found < 0)
                return -1;
        if (!found)
                return fg_aws_raise(call, "ClientException",
                                    "The specified task definition does not exist.");
        if (fg_streq(d.status, "ACTIVE")) {
                free(d.status);
                d.status = fg_strdup("INACTIVE");
                d.deregistered_ns = fg_now_ns();
                if (fg_definition_move(db, &d, "ACTIVE", err) < 0)
                        return -1;
        }
        return ecs_definition_answer(call, &d, NULL);
}
