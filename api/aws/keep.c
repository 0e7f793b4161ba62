/* SPDX-License-Identifier: Apache-2.0 */
#include "api/aws/keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"
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

#define MARK_LEN 16 /* a token's cursor is a mark, which binds it to its list, and the name */

static void make_mark(const struct fg_aws_list *l, const char *name, char ret[MARK_LEN + 1])
{
        fg_cleanup(fg_sha256_freep) struct fg_sha256 *h = fg_sha256_new();
        const char *const parts[] = { l->call->service->name, l->call->operation->name, l->query,
                                      name };
        char digest[FG_DIGEST_LEN + 1];

        for (size_t i = 0; i < FG_ARRAY_SIZE(parts); i++)
                fg_sha256_update(h, parts[i], strlen(parts[i]) + 1);
        fg_sha256_final(h, digest);
        (void)snprintf(ret, MARK_LEN + 1, "%s", digest + FG_DIGEST_LEN - MARK_LEN);
}

int fg_aws_list_start(struct fg_aws_list *l, const char *token, struct fg_error *err)
{
        char mark[MARK_LEN + 1] = "";

        l->after = l->cursor;
        if (!token)
                return 0;
        if (fg_page_cursor(token, l->cursor) == 0 && strlen(l->cursor) > MARK_LEN) {
                l->after = l->cursor + MARK_LEN;
                make_mark(l, l->after, mark);
        }
        if (*mark && fg_starts_with(l->cursor, mark))
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
        fg_autofree char *cursor = NULL, *token = NULL;
        char mark[MARK_LEN + 1];
        const char *name;

        if (n <= max)
                return;
        (void)json_object_array_del_idx(elements, max, n - max);
        name = fg_json_str(json_object_array_get_idx(elements, max - 1), l->key);
        make_mark(l, name, mark);
        cursor = fg_asprintf("%s%s", mark, name);
        token = fg_page_token(cursor);
        fg_json_set_str(out, "NextToken", token);
}

void fg_aws_wipe(char *text)
{
        if (text)
                explicit_bzero(text, strlen(text));
}
