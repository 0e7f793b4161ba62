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
        static const char *const lists[] = { "SecretList", "Parameters" };
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

void fg_aws_wipe(char *text)
{
        if (text)
                explicit_bzero(text, strlen(text));
}
