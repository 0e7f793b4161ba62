/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/keep.h"

#include <errno.h>
#include <string.h>

#include "core/str.h"

static void convert(struct json_object *obj)
{
        static const char *const keys[] = { "CreatedDate", "LastChangedDate", "DeletedDate",
                                            "DeletionDate", "LastModifiedDate" };

        for (size_t i = 0; i < FG_ARRAY_SIZE(keys); i++)
                if (fg_json_get(obj, keys[i]))
                        fg_aws_set_time(obj, keys[i], (uint64_t)fg_json_int(obj, keys[i], 0));
}

static void convert_all(struct json_object *result)
{
        static const char *const lists[] = { "SecretList", "Parameters", "Versions" };
        struct json_object *list;

        convert(result);
        convert(fg_json_obj(result, "Parameter"));
        for (size_t i = 0; i < FG_ARRAY_SIZE(lists); i++) {
                list = fg_json_arr(result, lists[i]);
                for (size_t n = 0; list && n < json_object_array_length(list); n++)
                        convert(json_object_array_get_idx(list, n));
        }
}

static void on_kept(void *arg, struct json_object *result, const struct fg_error *err)
{
        struct fg_aws_call *call = arg;

        fg_json_wipe(call->body);
        if (err && err->code == FG_ERR_CONFLICT && err->sys == EBUSY) {
                fg_aws_fail(call, "InvalidRequestException", "%s", err->msg);
        } else if (err && call->exception) {
                fg_aws_fail(call, call->exception, "%s", err->msg);
        } else if (err) {
                fg_aws_fail_error(call, err);
        } else {
                convert_all(result);
                fg_aws_reply(call, json_object_get(result));
        }
}

void fg_aws_keep(struct fg_aws_call *call, fg_keeper_work_fn work)
{
        fg_keeper_run(call->d->keeper, work, on_kept, call);
}

/* ---- pages ---- */

static char *list_text(const struct fg_aws_list *l)
{
        return fg_asprintf("%s:%s\n%s", l->call->service->name, l->call->operation->name, l->query);
}

int fg_aws_list_start(struct fg_aws_list *l, const char *token, struct fg_error *err)
{
        fg_autofree char *list = list_text(l);

        if (fg_page_cursor_of(list, token, l->after) == 0)
                return 0;
        l->call->exception = l->call->service->exceptions.token;
        return fg_fail(err, FG_ERR_INVALID,
                       "NextToken: it is not one that %s gave for the same question",
                       l->call->operation->name);
}

void fg_aws_list_end(const struct fg_aws_list *l, struct json_object *out,
                     struct json_object *elements, size_t max)
{
        size_t n = json_object_array_length(elements);
        fg_autofree char *list = NULL, *token = NULL;

        if (n <= max)
                return;
        (void)json_object_array_del_idx(elements, max, n - max);
        list = list_text(l);
        token = fg_page_token_of(list,
                                 fg_json_str(json_object_array_get_idx(elements, max - 1), l->key));
        fg_json_set_str(out, "NextToken", token);
}

void fg_aws_wipe(char *text)
{
        if (text)
                explicit_bzero(text, strlen(text));
}
