/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

char *ecs_definition_split(const struct fg_aws_call *call, const char *text, int64_t *ret_revision)
{
        const char *name = fg_arn_name(text, call->names, "ecs", "task-definition");
        fg_autofree char *family = fg_strdup(name);
        char *colon = family ? strchr(family, ':') : NULL;
        uint64_t revision;

        *ret_revision = 0;
        if (!family)
                return NULL;
        if (colon) {
                if (!fg_parse_u64(colon + 1, &revision) || revision < 1 || revision > INT64_MAX)
                        return NULL;
                *ret_revision = (int64_t)revision;
                *colon = '\0';
        }
        return fg_take_ptr(family);
}

static struct json_object *texts(const char *const *list)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; list[i]; i++)
                json_object_array_add(array, json_object_new_string(list[i]));
        return array;
}

struct json_object *ecs_definition_show(const struct fg_aws_call *call,
                                        const struct fg_definition *d)
{
        static const char *const compatibilities[] = { "EC2", "FARGATE", NULL };
        struct json_object *show = NULL;
        fg_autofree char *arn = fg_arn(call->names, "ecs", "task-definition/%s:%lld", d->family,
                                       (long long)d->revision);

        if (json_object_deep_copy(d->document, &show, NULL) < 0)
                abort();
        fg_json_set_str(show, "taskDefinitionArn", arn);
        fg_json_set_int(show, "revision", d->revision);
        fg_json_set_str(show, "status", d->status);
        fg_json_set(show, "compatibilities", texts(compatibilities));
        fg_json_set(show, "requiresAttributes", ecs_required_attributes(d->document));
        fg_json_set_str(show, "registeredBy", d->registered_by);
        fg_aws_set_time(show, "registeredAt", d->registered_ns);
        fg_aws_set_time(show, "deregisteredAt", d->deregistered_ns);
        return show;
}

int ecs_definition_get(struct fg_aws_call *call, sqlite3 *db, const char *text,
                       struct fg_definition *ret, struct fg_error *err)
{
        int64_t revision;
        fg_autofree char *family = ecs_definition_split(call, text, &revision);

        return family ? fg_definition_get(db, family, revision, ret, err) : 0;
}

int ecs_definition_answer(struct fg_aws_call *call, const struct fg_definition *d,
                          struct json_object *take_tags)
{
        call->output = json_object_new_object();
        fg_json_set(call->output, "taskDefinition", ecs_definition_show(call, d));
        if (take_tags)
                fg_json_set(call->output, "tags", take_tags);
        return 0;
}
