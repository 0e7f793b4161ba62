/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "api/ecs/ecs_private.h"
#include "api/taskdef.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "images/images.h"

/* The input is a task definition, which has tables of its own (taskdef.h). */
struct registration {
        struct fg_definition definition;
        struct json_object *tags;
};

static void registration_free(void *state)
{
        struct registration *r = state;

        fg_definition_finish(&r->definition);
        json_object_put(r->tags);
        free(r);
}

static int store(struct fg_aws_call *call, sqlite3 *db, struct fg_error *err)
{
        struct registration *r = call->state;
        fg_autofree char *resource = NULL;

        if (fg_definition_add(db, &r->definition, err) < 0)
                return -1;
        resource = fg_asprintf("task-definition/%s:%lld", r->definition.family,
                               (long long)r->definition.revision);
        if (fg_tags_put(db, resource, fg_json_text(r->tags), err) < 0)
                return -1;
        return ecs_definition_answer(call, &r->definition, json_object_get(r->tags));
}

void ecs_register_task_definition(struct fg_aws_call *call)
{
        fg_cleanup(fg_problems_finish) struct fg_problems problems = FG_PROBLEMS_INIT;
        fg_cleanup(fg_taskdef_freep) struct fg_taskdef *def = NULL;
        struct registration *r;

        def = fg_taskdef_decode(call->body, fg_reference_check, &problems);
        if (!def) {
                fg_aws_fail_problems(call, &problems);
                return;
        }
        r = fg_calloc(1, sizeof(*r));
        call->state = r;
        call->free_state = registration_free;
        r->tags = fg_tags_to_json(&def->tags);
        r->definition = (struct fg_definition){ .family = fg_strdup(def->family),
                                                .registered_by = fg_strdup(call->caller),
                                                .registered_ns = fg_now_ns(),
                                                .document = fg_taskdef_to_json(def) };
        json_object_object_del(r->definition.document, "tags");
        fg_aws_work(call, store, true, NULL);
}
