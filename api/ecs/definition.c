/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

/* "FAMILY" or "FAMILY:REVISION", a number as it is written; 0 in *ret_revision: none. */
static bool split(const char *name, size_t *ret_len, int64_t *ret_revision)
{
        const char *colon = strchrnul(name, ':');
        uint64_t revision;

        *ret_len = (size_t)(colon - name);
        *ret_revision = 0;
        if (!*colon)
                return true;
        if (colon[1] == '0' || !fg_parse_u64(colon + 1, &revision) || revision > INT64_MAX)
                return false;
        *ret_revision = (int64_t)revision;
        return true;
}

char *ecs_definition_split(const struct fg_aws_call *call, const char *text, int64_t *ret_revision)
{
        const char *name = fg_arn_name(text, call->names, "ecs", "task-definition");
        size_t len;

        *ret_revision = 0;
        return name && split(name, &len, ret_revision) ? fg_asprintf("%.*s", (int)len, name) : NULL;
}

bool ecs_check_definition(struct fg_decode *d, const char *s)
{
        static const char part[] = ":task-definition/";
        const char *behind = fg_starts_with(s, "arn:") ? strstr(s, part) : NULL;
        const char *name = behind ? behind + strlen(part) : s;
        int64_t revision;
        size_t len;

        if (split(name, &len, &revision) && len > 0 && len <= FG_NAME_MAX &&
            fg_name_span(name) == len)
                return true;
        fg_decode_problem(d, NULL, "FAMILY, FAMILY:REVISION or an ARN",
                          "'%.*s' is not a task definition", FG_CLIP(s));
        return false;
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
