/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cwlogs/tags.h"

#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/ops.h"
#include "api/field_row.h"
#include "core/str.h"

/* Tags of log groups, in the old form (by name) and the present one (by ARN). */

struct tags_input {
        char *group; /* a name, or an ARN */
        struct fg_pairs tags;
        struct fg_strings keys;
};

void logs_tags_check(struct fg_decode *d, const struct fg_pairs *tags)
{
        for (size_t i = 0; i < tags->n; i++) {
                const char *key = tags->v[i].name;
                const size_t len = strlen(key);

                if (len == 0 || len > 128 || strncasecmp(key, "aws:", 4) == 0)
                        fg_decode_problem(d, "tags", NULL,
                                          "tag key '%.*s': 1 to 128 bytes, not beginning with aws:",
                                          FG_CLIP(key));
                if (tags->v[i].value && strlen(tags->v[i].value) > 256)
                        fg_decode_problem(d, "tags", NULL,
                                          "tag %.*s: its value has more than 256 bytes",
                                          FG_CLIP(key));
        }
}

static void check(struct fg_decode *d, void *obj)
{
        const struct tags_input *in = obj;

        logs_tags_check(d, &in->tags);
}

static bool check_arn(struct fg_decode *d, const char *s)
{
        if (!fg_starts_with(s, "arn:") || cwlogs_arn_is_group(s))
                return true;
        fg_decode_problem(d, NULL, NULL, "'%.*s' is not the ARN of a log group", FG_CLIP(s));
        return false;
}

static const struct fg_field tag_group_fields[] = {
        FG_ROW_STRING(tags_input, group, "logGroupName", .required = true,
                      .check = logs_check_group),
        FG_ROW_MAP(tags_input, tags, "tags", .required = true, .max = LOGS_TAGS_MAX),
};
static const struct fg_field list_group_fields[] = {
        FG_ROW_STRING(tags_input, group, "logGroupName", .required = true,
                      .check = logs_check_group),
};
static const struct fg_field untag_group_fields[] = {
        FG_ROW_STRING(tags_input, group, "logGroupName", .required = true,
                      .check = logs_check_group),
        FG_ROW_STRINGS(tags_input, keys, "tags", .required = true, .max = LOGS_TAGS_MAX),
};
static const struct fg_field tag_resource_fields[] = {
        FG_ROW_STRING(tags_input, group, "resourceArn", .required = true, .max = 1011,
                      .check = check_arn),
        FG_ROW_MAP(tags_input, tags, "tags", .required = true, .max = LOGS_TAGS_MAX),
};
static const struct fg_field untag_resource_fields[] = {
        FG_ROW_STRING(tags_input, group, "resourceArn", .required = true, .max = 1011,
                      .check = check_arn),
        FG_ROW_STRINGS(tags_input, keys, "tagKeys", .required = true, .max = LOGS_TAGS_MAX),
};
static const struct fg_field resource_fields[] = {
        FG_ROW_STRING(tags_input, group, "resourceArn", .required = true, .max = 1011,
                      .check = check_arn),
};

const struct fg_object logs_tag_log_group_input = FG_OBJECT(tags_input, tag_group_fields,
                                                            .check = check);
const struct fg_object logs_list_tags_log_group_input = FG_OBJECT(tags_input, list_group_fields);
const struct fg_object logs_untag_log_group_input = FG_OBJECT(tags_input, untag_group_fields);
const struct fg_object logs_tag_resource_input = FG_OBJECT(tags_input, tag_resource_fields,
                                                           .check = check);
const struct fg_object logs_untag_resource_input = FG_OBJECT(tags_input, untag_resource_fields);
const struct fg_object logs_resource_input = FG_OBJECT(tags_input, resource_fields);

int logs_tags_set(struct cwlogs_db *db, int64_t group, const struct fg_pairs *tags,
                  struct fg_error *err)
{
        fg_autostmt *stmt = NULL;

        for (size_t i = 0; i < tags->n; i++)
                if (fg_db_run(db->db, err, "INSERT OR REPLACE INTO log_tag VALUES (?, ?, ?)", "iss",
                              group, tags->v[i].name, tags->v[i].value) < 0)
                        return -1;
        if (fg_db_prepare(db->db, &stmt, err, "SELECT count(*) FROM log_tag WHERE group_id = ?",
                          "i", group) < 0 ||
            fg_db_step(stmt, err) < 0)
                return -1;
        if (sqlite3_column_int64(stmt, 0) > LOGS_TAGS_MAX)
                return fg_fail(err, FG_ERR_INVALID, "a log group has at most %d tags",
                               LOGS_TAGS_MAX);
        return 0;
}

static int64_t find(struct cwlogs_db *db, const struct tags_input *q, struct fg_error *err)
{
        fg_autofree char *name = cwlogs_group_name(db, q->group, err);

        return name ? cwlogs_find_group(db, name, err) : -1;
}

static struct json_object *tag(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct tags_input *q = in;
        int64_t group = find(db, q, err);

        if (group < 0 || logs_tags_set(db, group, &q->tags, err) < 0)
                return NULL;
        return json_object_new_object();
}

static struct json_object *untag(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct tags_input *q = in;
        int64_t group = find(db, q, err);

        if (group < 0)
                return NULL;
        for (size_t i = 0; i < q->keys.n; i++)
                if (fg_db_run(db->db, err, "DELETE FROM log_tag WHERE group_id = ? AND key = ?",
                              "is", group, q->keys.v[i]) < 0)
                        return NULL;
        return json_object_new_object();
}

static struct json_object *list(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        static const char sql[] = "SELECT key, value FROM log_tag WHERE group_id = ? ORDER BY key";
        fg_autojson *result = json_object_new_object(), *tags = json_object_new_object();
        int64_t group = find(db, in, err);
        fg_autostmt *stmt = NULL;
        int r;

        if (group < 0 || fg_db_prepare(db->db, &stmt, err, sql, "i", group) < 0)
                return NULL;
        while ((r = fg_db_step(stmt, err)) > 0)
                fg_json_set_str(tags, fg_db_text(stmt, 0), fg_db_text(stmt, 1));
        if (r < 0)
                return NULL;
        fg_json_set(result, "tags", fg_take_ptr(tags));
        return fg_take_ptr(result);
}

void logs_tag_log_group(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, tag, call->in, logs_answer, call);
}

void logs_untag_log_group(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, untag, call->in, logs_answer, call);
}

void logs_list_tags_log_group(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, list, call->in, logs_answer, call);
}

void logs_tag_resource(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, tag, call->in, logs_answer, call);
}

void logs_untag_resource(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, untag, call->in, logs_answer, call);
}

void logs_list_tags_for_resource(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, list, call->in, logs_answer, call);
}
