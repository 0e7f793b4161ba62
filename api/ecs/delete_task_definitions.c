/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/ecs/ecs_private.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

struct delete_task_definitions {
        struct fg_strings definitions;
};

static const struct fg_field fields[] = {
        FG_ROW_STRINGS(delete_task_definitions, definitions, "taskDefinitions", .required = true,
                       .min = 1, .max = 10),
};
const struct fg_object ecs_delete_task_definitions_input = FG_OBJECT(delete_task_definitions,
                                                                     fields);

/* What is asked for: 1, or 0 with the reason of a failure. */
static int mark(sqlite3 *db, struct fg_definition *d, const char **ret_reason, struct fg_error *err)
{
        fg_autofree char *from = fg_strdup(d->status);

        *ret_reason = "The specified task definition is still in ACTIVE status. Please deregister "
                      "the target and try again.";
        if (fg_streq(from, "ACTIVE"))
                return 0;
        if (fg_streq(from, "DELETE_IN_PROGRESS"))
                return 1;
        free(d->status);
        d->status = fg_strdup("DELETE_IN_PROGRESS");
        d->delete_ns = fg_now_ns();
        return fg_definition_move(db, d, from, err) < 0 ? -1 : 1;
}

static int delete_one(struct fg_aws_call *call, sqlite3 *db, const char *text, struct fg_error *err)
{
        fg_cleanup(fg_definition_finish) struct fg_definition d = { 0 };
        const char *reason = "The specified task definition does not exist. Specify a valid "
                             "account, family, revision and try again.";
        int64_t revision;
        fg_autofree char *family = ecs_definition_split(call, text, &revision);
        int r = 0;

        if (family && revision > 0)
                r = fg_definition_get(db, family, revision, &d, err);
        if (r > 0)
                r = mark(db, &d, &reason, err);
        if (r < 0)
                return -1;
        if (r > 0)
                json_object_array_add(fg_json_arr(call->output, "taskDefinitions"),
                                      ecs_definition_show(call, &d));
        else
                ecs_fail_item(fg_json_arr(call->output, "failures"), text, reason, NULL);
        return 0;
}

/* The rows go with housekeeping, once no task needs them any more. */
int ecs_delete_task_definitions(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct delete_task_definitions *in = call->in;

        call->output = json_object_new_object();
        fg_json_set(call->output, "taskDefinitions", json_object_new_array());
        fg_json_set(call->output, "failures", json_object_new_array());
        for (size_t i = 0; i < in->definitions.n; i++)
                if (delete_one(call, db, in->definitions.v[i], err) < 0)
                        return -1;
        return 0;
}
