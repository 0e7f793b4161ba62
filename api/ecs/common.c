/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ecs/ecs_private.h"
#include "core/json.h"
#include "core/str.h"

#define PAGE_DEFAULT 100

bool ecs_has(const struct fg_strings *list, const char *value)
{
        for (size_t i = 0; i < list->n; i++)
                if (fg_streq(list->v[i], value))
                        return true;
        return false;
}

void ecs_fail_item(struct json_object *failures, const char *arn, const char *reason,
                   const char *detail)
{
        struct json_object *failure = json_object_new_object();

        fg_json_set_str(failure, "arn", arn);
        fg_json_set_str(failure, "reason", reason);
        fg_json_set_str(failure, "detail", detail);
        json_object_array_add(failures, failure);
}

int64_t ecs_page_limit(int64_t max_results)
{
        return max_results > 0 ? max_results : PAGE_DEFAULT;
}

struct json_object *ecs_question(const struct fg_aws_call *call)
{
        struct json_object *json = fg_object_encode(call->operation->input, call->in);
        const char *given = fg_json_str(json, "cluster");
        const char *cluster = fg_arn_name(given ? given : call->names->cluster, call->names, "ecs",
                                          "cluster");
        fg_autofree char *name = fg_strdup(cluster ? cluster : given);

        json_object_object_del(json, "cluster"); /* wherever it stood, it comes last */
        fg_json_set_str(json, "cluster", name);
        json_object_object_del(json, "clientToken");
        json_object_object_del(json, "maxResults");
        json_object_object_del(json, "nextToken");
        return json;
}

/* ---- pages ---- */

/* What a token belongs to; caller frees. */
static char *list_text(const struct fg_aws_call *call)
{
        fg_autojson *question = ecs_question(call);

        return fg_asprintf("ecs:%s\n%s", call->operation->name, fg_json_text(question));
}

int ecs_page_start(struct fg_aws_call *call, const char *token, char cursor[FG_PAGE_CURSOR_MAX + 1])
{
        fg_autofree char *list = token ? list_text(call) : NULL;

        if (fg_page_cursor_of(list, token, cursor) < 0)
                return fg_aws_raise(call, "InvalidParameterException", "Invalid token.");
        return 0;
}

void ecs_page_next(struct fg_aws_call *call, const char *cursor)
{
        fg_autofree char *list = list_text(call), *token = fg_page_token_of(list, cursor);

        fg_json_set_str(call->output, "nextToken", token);
}

void ecs_page_end(struct fg_aws_call *call, struct json_object *list, int64_t limit)
{
        size_t n = json_object_array_length(list);

        if (n <= (size_t)limit)
                return;
        (void)json_object_array_del_idx(list, (size_t)limit, n - (size_t)limit);
        ecs_page_next(call,
                      json_object_get_string(json_object_array_get_idx(list, (size_t)limit - 1)));
}

struct json_object *ecs_arns(const struct fg_aws_call *call, const char *type,
                             struct json_object *names)
{
        struct json_object *arns = json_object_new_array();

        for (size_t i = 0; i < json_object_array_length(names); i++) {
                fg_autofree char *arn = fg_arn(
                        call->names, "ecs", "%s/%s", type,
                        json_object_get_string(json_object_array_get_idx(names, i)));

                json_object_array_add(arns, json_object_new_string(arn));
        }
        return arns;
}
