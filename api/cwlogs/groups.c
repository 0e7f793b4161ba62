/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/cwlogs/awslogs.h"
#include "api/cwlogs/ops.h"
#include "api/cwlogs/tags.h"
#include "api/field_row.h"
#include "core/str.h"

#define PAGE_MAX 50

/* ---- what operations share ---- */

bool logs_check_group(struct fg_decode *d, const char *s)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_log_group_name_check(s, &err) == 0 || fg_decode_refuse(d, &err);
}

bool logs_check_token(struct fg_decode *d, const char *s)
{
        if (fg_page_token_valid(s))
                return true;
        fg_decode_problem(d, NULL, NULL, "The specified nextToken is invalid.");
        return false;
}

void logs_answer(void *call, struct json_object *result, const struct fg_error *err)
{
        if (err)
                fg_aws_fail_error(call, err);
        else
                fg_aws_reply(call, json_object_get(result));
}

char *logs_identify(const struct cwlogs_db *db, const char *name, const char *identifier,
                    struct fg_error *err)
{
        if (name && identifier) {
                fg_fail(err, FG_ERR_INVALID,
                        "LogGroupName and LogGroupIdentifier cannot both be given.");
                return NULL;
        }
        if (!name && !identifier) {
                fg_fail(err, FG_ERR_INVALID,
                        "Either LogGroupName or LogGroupIdentifier must be given.");
                return NULL;
        }
        return name ? fg_strdup(name) : cwlogs_group_name(db, identifier, err);
}

int logs_page_start(const char *list, const char *token, char cursor[FG_PAGE_CURSOR_MAX + 1],
                    struct fg_error *err)
{
        if (fg_page_cursor_of(list, token, cursor) < 0)
                return fg_fail(err, FG_ERR_INVALID, "The specified nextToken is invalid.");
        return 0;
}

static const struct fg_field group_fields[] = {
        FG_ROW_STRING(logs_group, name, "logGroupName", .required = true,
                      .check = logs_check_group),
};

const struct fg_object logs_group_input = FG_OBJECT(logs_group, group_fields);

/* ---- CreateLogGroup ---- */

struct create_group {
        char *name, *log_group_class;
        struct fg_pairs tags;
};

static const char *const classes[] = { "STANDARD", NULL }; /* of every group, then */

static int check_reserved(const char *name, struct fg_error *err)
{
        if (strncasecmp(name, "aws/", 4) != 0)
                return 0;
        return fg_fail(err, FG_ERR_INVALID, "Log groups starting with AWS/ are reserved for AWS.");
}

static bool check_new_group(struct fg_decode *d, const char *s)
{
        struct fg_error err = FG_ERROR_INIT;

        return (fg_log_group_name_check(s, &err) == 0 && check_reserved(s, &err) == 0) ||
               fg_decode_refuse(d, &err);
}

static void check_create(struct fg_decode *d, void *obj)
{
        const struct create_group *in = obj;

        logs_tags_check(d, &in->tags);
}

static const struct fg_field create_fields[] = {
        FG_ROW_STRING(create_group, name, "logGroupName", .required = true,
                      .check = check_new_group),
        FG_ROW_STRING(create_group, log_group_class, "logGroupClass", .allowed = classes),
        FG_ROW_MAP(create_group, tags, "tags", .max = LOGS_TAGS_MAX),
        FG_ROW_LATER("deletionProtectionEnabled"),
        FG_ROW_LATER("kmsKeyId"),
};

const struct fg_object logs_create_log_group_input = FG_OBJECT(create_group, create_fields,
                                                               .check = check_create);

int cwlogs_add_group(struct cwlogs_db *db, const char *name, struct fg_error *err)
{
        if (check_reserved(name, err) < 0)
                return -1;
        return fg_db_run(db->db, err,
                         "INSERT OR IGNORE INTO log_group (name, created_ms) VALUES (?, ?)", "si",
                         name, cwlogs_now_ms());
}

static struct json_object *create_group(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct create_group *c = in;
        int n = cwlogs_add_group(db, c->name, err);
        int64_t group;

        if (n == 0)
                fg_fail(err, FG_ERR_CONFLICT, "The specified log group already exists");
        if (n <= 0)
                return NULL;
        group = sqlite3_last_insert_rowid(db->db);
        return logs_tags_set(db, group, &c->tags, err) < 0 ? NULL : json_object_new_object();
}

void logs_create_log_group(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, create_group, call->in, logs_answer, call);
}

/* ---- DeleteLogGroup ---- */

static struct json_object *delete_group(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct logs_group *g = in;
        int64_t group = cwlogs_find_group(db, g->name, err);
        struct json_object *freed;

        if (group < 0)
                return NULL;
        freed = cwlogs_free_streams(db, group, NULL, err);
        if (freed && fg_db_run(db->db, err, "DELETE FROM log_group WHERE id = ?", "i", group) < 0) {
                json_object_put(freed);
                return NULL;
        }
        return freed;
}

void logs_deleted(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct fg_aws_call *call = userdata;

        if (err) {
                fg_aws_fail_error(call, err);
                return;
        }
        cwlogs_forget(call->d->cwlogs, result);
        fg_aws_reply(call, NULL);
}

void logs_delete_log_group(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, delete_group, call->in, logs_deleted, call);
}

/* ---- DescribeLogGroups ---- */

struct describe_groups {
        char *prefix, *pattern, *token, *log_group_class;
        int64_t limit;
};

static const struct fg_field describe_fields[] = {
        FG_ROW_STRING(describe_groups, prefix, "logGroupNamePrefix", .max = FG_LOG_NAME_MAX),
        FG_ROW_STRING(describe_groups, pattern, "logGroupNamePattern", .max = FG_LOG_NAME_MAX),
        FG_ROW_STRING(describe_groups, token, "nextToken", .check = logs_check_token),
        FG_ROW_INT(describe_groups, limit, "limit", .min = 1, .max = PAGE_MAX),
        FG_ROW_LATER("accountIdentifiers"),
        FG_ROW_LATER("includeLinkedAccounts"),
        FG_ROW_STRING(describe_groups, log_group_class, "logGroupClass", .allowed = classes),
        FG_ROW_LATER("logGroupIdentifiers"),
};

const struct fg_object logs_describe_log_groups_input = FG_OBJECT(describe_groups, describe_fields);

static struct json_object *group_json(const struct cwlogs_db *db, sqlite3_stmt *row)
{
        struct json_object *g = json_object_new_object();
        const char *name = fg_db_text(row, 0);
        fg_autofree char *arn = cwlogs_group_arn(db, name);
        fg_autofree char *all = fg_asprintf("%s:*", arn);

        fg_json_set_str(g, "logGroupName", name);
        fg_json_set_int(g, "creationTime", sqlite3_column_int64(row, 1));
        if (sqlite3_column_int64(row, 2) > 0)
                fg_json_set_int(g, "retentionInDays", sqlite3_column_int64(row, 2));
        fg_json_set_int(g, "metricFilterCount", 0);
        fg_json_set_str(g, "arn", all);
        fg_json_set_str(g, "logGroupArn", arn);
        fg_json_set_str(g, "logGroupClass", classes[0]);
        fg_json_set_int(g, "storedBytes", sqlite3_column_int64(row, 3));
        return g;
}

static struct json_object *describe_groups(struct cwlogs_db *db, const void *in,
                                           struct fg_error *err)
{
        static const char sql[] =
                "SELECT g.name, g.created_ms, g.retention_days,\n"
                "  (SELECT coalesce(sum(bytes), 0) FROM log_stream s WHERE s.group_id = g.id)\n"
                "FROM log_group g WHERE g.name > ?1 AND substr(g.name, 1, length(?2)) = ?2\n"
                "AND instr(g.name, ?3) > 0 ORDER BY g.name LIMIT ?4";
        const struct describe_groups *q = in;
        const int64_t limit = q->limit ? q->limit : PAGE_MAX;
        fg_autofree char *asked = fg_asprintf("DescribeLogGroups\n%s\n%s",
                                              q->prefix ? q->prefix : "",
                                              q->pattern ? q->pattern : "");
        fg_autofree char *token = NULL;
        char after[FG_PAGE_CURSOR_MAX + 1];
        fg_autojson *result = json_object_new_object(), *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int r = 1;

        if (logs_page_start(asked, q->token, after, err) < 0 ||
            fg_db_prepare(db->db, &stmt, err, sql, "sssi", after, q->prefix ? q->prefix : "",
                          q->pattern ? q->pattern : "", limit + 1) < 0)
                return NULL;
        for (int64_t n = 0; n <= limit && (r = fg_db_step(stmt, err)) > 0; n++) {
                if (n == limit) /* the last one given is where the next page goes on */
                        token = fg_page_token_of(
                                asked, fg_json_str(json_object_array_get_idx(list, (size_t)n - 1),
                                                   "logGroupName"));
                else
                        json_object_array_add(list, group_json(db, stmt));
        }
        if (r < 0)
                return NULL;
        fg_json_set(result, "logGroups", fg_take_ptr(list));
        fg_json_set_str(result, "nextToken", token);
        return fg_take_ptr(result);
}

void logs_describe_log_groups(struct fg_aws_call *call)
{
        const struct describe_groups *q = call->in;

        if (q->prefix && q->pattern)
                fg_aws_fail(call, "InvalidParameterException",
                            "LogGroup name prefix and LogGroup name pattern are mutually exclusive "
                            "parameters.");
        else
                cwlogs_query(call->d->cwlogs, describe_groups, call->in, logs_answer, call);
}

/* ---- retention ---- */

struct retention {
        char *name;
        int64_t days;
};

static bool check_days(struct fg_decode *d, int64_t days, const void *obj)
{
        static const int64_t allowed[] = { 1,    3,    5,    7,    14,   30,  60,  90,
                                           120,  150,  180,  365,  400,  545, 731, 1096,
                                           1827, 2192, 2557, 2922, 3288, 3653 };

        (void)obj;
        for (size_t i = 0; i < FG_ARRAY_SIZE(allowed); i++)
                if (allowed[i] == days)
                        return true;
        fg_decode_problem(
                d, NULL, NULL,
                "Value '%lld' at 'retentionInDays' failed to satisfy constraint: Member "
                "must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, "
                "365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]",
                (long long)days);
        return false;
}

static const struct fg_field retention_fields[] = {
        FG_ROW_STRING(retention, name, "logGroupName", .required = true, .check = logs_check_group),
        FG_ROW_INT(retention, days, "retentionInDays", .required = true, .min = 1, .max = 3653,
                   .check_int = check_days),
};

const struct fg_object logs_retention_input = FG_OBJECT(retention, retention_fields);

static struct json_object *set_retention(struct cwlogs_db *db, const char *name, int64_t days,
                                         struct fg_error *err)
{
        int64_t group = cwlogs_find_group(db, name, err);

        if (group < 0 ||
            fg_db_run(db->db, err, "UPDATE log_group SET retention_days = ? WHERE id = ?", "ii",
                      days, group) < 0)
                return NULL;
        return json_object_new_object();
}

static struct json_object *put_retention(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct retention *q = in;

        return set_retention(db, q->name, q->days, err);
}

static struct json_object *delete_retention(struct cwlogs_db *db, const void *in,
                                            struct fg_error *err)
{
        const struct logs_group *q = in;

        return set_retention(db, q->name, 0, err);
}

void logs_put_retention_policy(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, put_retention, call->in, logs_answer, call);
}

void logs_delete_retention_policy(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, delete_retention, call->in, logs_answer, call);
}
