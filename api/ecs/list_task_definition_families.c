/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

struct list_families {
        char *prefix, *status, *next_token;
        int64_t max_results;
};

static const char *const statuses[] = { "ACTIVE", "INACTIVE", "ALL", NULL };

static const struct fg_field fields[] = {
        FG_ROW_STRING(list_families, prefix, "familyPrefix", .max = FG_NAME_MAX),
        FG_ROW_STRING(list_families, status, "status", .allowed = statuses),
        ECS_PAGE_ROWS(list_families),
};
const struct fg_object ecs_list_task_definition_families_input = FG_OBJECT(list_families, fields);

int ecs_list_task_definition_families(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        const struct list_families *in = call->in;
        int64_t limit = ecs_page_limit(in->max_results);
        char cursor[FG_PAGE_CURSOR_MAX + 1];
        fg_autojson *names = NULL;
        int active = -1;

        if (in->status && !fg_streq(in->status, "ALL"))
                active = fg_streq(in->status, "ACTIVE");
        if (ecs_page_start(call, in->next_token, cursor) < 0)
                return -1;
        names = fg_family_list(db, in->prefix ? in->prefix : "", cursor, active, limit + 1, err);
        if (!names)
                return -1;
        call->output = json_object_new_object();
        ecs_page_end(call, names, limit);
        fg_json_set(call->output, "families", fg_take_ptr(names));
        return 0;
}
