/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

struct list_task_definitions {
        char *family, *status, *sort, *next_token;
        int64_t max_results;
};

static const char *const statuses[] = { "ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS", NULL };
static const char *const orders[] = { "ASC", "DESC", NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRING(list_task_definitions, family, "familyPrefix", .max = FG_NAME_MAX),
        FG_ROW_STRING(list_task_definitions, status, "status", .allowed = statuses),
        FG_ROW_STRING(list_task_definitions, sort, "sort", .allowed = orders),
        ECS_PAGE_ROWS(list_task_definitions),
};
const struct fg_object ecs_list_task_definitions_input = FG_OBJECT(list_task_definitions, fields);

int ecs_list_task_definitions(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct list_task_definitions *in = call->in;
        int64_t limit = ecs_page_limit(in->max_results);
        struct fg_definition_range range = { .status = in->status ? in->status : "ACTIVE",
                                             .only = in->family,
                                             .descending = in->sort && fg_streq(in->sort, "DESC"),
                                             .limit = limit + 1 };
        char cursor[FG_PAGE_CURSOR_MAX + 1];
        fg_autofree char *family = NULL;
        fg_autojson *names = NULL;

        if (ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        family = ecs_definition_split(call, cursor, &range.revision);
        range.family = family ? family : "";
        names = fg_definition_list(db, &range, err);
        if (!names)
                return -1;
        call->output = json_object_new_object();
        ecs_page_end(call, names, limit);
        fg_json_set(call->output, "taskDefinitionArns", ecs_arns(call, "task-definition", names));
        return 0;
}
