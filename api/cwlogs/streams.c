/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cwlogs/awslogs.h"
#include "api/cwlogs/ops.h"
#include "api/field_row.h"
#include "core/id.h"
#include "core/str.h"

#define PAGE_MAX 50

bool logs_check_stream(struct fg_decode *d, const char *s)
{
        struct fg_error err = FG_ERROR_INIT;

        return fg_log_stream_name_check(s, &err) == 0 || fg_decode_refuse(d, &err);
}

static const struct fg_field stream_fields[] = {
        FG_ROW_STRING(logs_stream, group, "logGroupName", .required = true,
                      .check = logs_check_group),
        FG_ROW_STRING(logs_stream, name, "logStreamName", .required = true,
                      .check = logs_check_stream),
};

const struct fg_object logs_stream_input = FG_OBJECT(logs_stream, stream_fields);

/* ---- CreateLogStream ---- */

static struct json_object *create_stream(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        static const char sql[] =
                "INSERT OR IGNORE INTO log_stream (group_id, name, created_ms, key, container, put)"
                " VALUES (?, ?, ?, ?, 'events', 1)";
        const struct logs_stream *s = in;
        int64_t group = cwlogs_find_group(db, s->group, err);
        char key[FG_ID_LEN + 1];
        int n;

        if (group < 0)
                return NULL;
        fg_id_new(key);
        n = fg_db_run(db->db, err, sql, "isis", group, s->name, cwlogs_now_ms(), key);
        if (n == 0)
                fg_fail(err, FG_ERR_CONFLICT, "The specified log stream already exists");
        return n > 0 ? json_object_new_object() : NULL;
}

void logs_create_log_stream(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, create_stream, call->in, logs_answer, call);
}

/* ---- DeleteLogStream ---- */

static int collect_keys(struct cwlogs_db *db, struct json_object *list, struct fg_error *err)
{
        static const char sql[] =
                "SELECT key FROM gone WHERE key NOT IN (SELECT key FROM log_stream)";
        fg_autostmt *stmt = NULL;
        int r;

        if (fg_db_prepare(db->db, &stmt, err, sql, "") < 0)
                return -1;
        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, json_object_new_string(fg_db_text(stmt, 0)));
        return r;
}

struct json_object *cwlogs_free_streams(struct cwlogs_db *db, int64_t group, const char *name,
                                        struct fg_error *err)
{
        static const char note[] =
                "INSERT OR IGNORE INTO gone SELECT key FROM log_stream\n"
                "WHERE group_id = ?1 AND (?2 = '' OR name = ?2) AND (put OR expired)";
        static const char drop[] =
                "DELETE FROM log_stream WHERE group_id = ?1 AND (?2 = '' OR name = ?2)";
        fg_autojson *result = json_object_new_object(), *list = json_object_new_array();
        int n;

        if (fg_db_exec(db->db,
                       "CREATE TEMP TABLE IF NOT EXISTS gone (key TEXT PRIMARY KEY);"
                       "DELETE FROM gone;",
                       err) < 0 ||
            fg_db_run(db->db, err, note, "is", group, name ? name : "") < 0)
                return NULL;
        n = fg_db_run(db->db, err, drop, "is", group, name ? name : "");
        if (n == 0 && name)
                fg_fail(err, FG_ERR_NOT_FOUND, "The specified log stream does not exist.");
        if (n < 0 || (n == 0 && name) || collect_keys(db, list, err) < 0)
                return NULL;
        fg_json_set(result, "logs", fg_take_ptr(list));
        return fg_take_ptr(result);
}

static struct json_object *delete_stream(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct logs_stream *s = in;
        int64_t group = cwlogs_find_group(db, s->group, err);

        return group < 0 ? NULL : cwlogs_free_streams(db, group, s->name, err);
}

void logs_delete_log_stream(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, delete_stream, call->in, logs_deleted, call);
}

/* ---- DescribeLogStreams ---- */

struct describe_streams {
        char *group, *identifier, *prefix, *order_by, *token;
        bool descending;
        int64_t limit;
};

static const char *const orders[] = { "LogStreamName", "LastEventTime", NULL };

static const struct fg_field describe_fields[] = {
        FG_ROW_STRING(describe_streams, group, "logGroupName", .check = logs_check_group),
        FG_ROW_STRING(describe_streams, identifier, "logGroupIdentifier", .max = 2048),
        FG_ROW_STRING(describe_streams, prefix, "logStreamNamePrefix", .check = logs_check_stream),
        FG_ROW_STRING(describe_streams, order_by, "orderBy", .allowed = orders),
        FG_ROW_STRING(describe_streams, token, "nextToken", .check = logs_check_token),
        FG_ROW_BOOL(describe_streams, descending, "descending"),
        FG_ROW_INT(describe_streams, limit, "limit", .min = 1, .max = PAGE_MAX),
};

static void check_describe(struct fg_decode *d, void *obj)
{
        const struct describe_streams *in = obj;

        if (in->prefix && in->order_by && fg_streq(in->order_by, "LastEventTime"))
                fg_decode_problem(d, "orderBy", NULL,
                                  "Cannot order by LastEventTime with a logStreamNamePrefix.");
}

const struct fg_object logs_describe_log_streams_input = FG_OBJECT(
        describe_streams, describe_fields, .check = check_describe);

static void set_time(struct json_object *s, const char *name, int64_t ms)
{
        if (ms > 0)
                fg_json_set_int(s, name, ms);
}

static struct json_object *stream_json(const char *group_arn, sqlite3_stmt *row)
{
        struct json_object *s = json_object_new_object();
        const char *name = fg_db_text(row, 1);
        fg_autofree char *arn = fg_asprintf("%s:log-stream:%s", group_arn, name);
        char sequence[24];

        (void)snprintf(sequence, sizeof(sequence), "%" PRId64,
                       (int64_t)sqlite3_column_int64(row, 0));
        fg_json_set_str(s, "logStreamName", name);
        fg_json_set_int(s, "creationTime", sqlite3_column_int64(row, 2));
        set_time(s, "firstEventTimestamp", sqlite3_column_int64(row, 3));
        set_time(s, "lastEventTimestamp", sqlite3_column_int64(row, 4));
        set_time(s, "lastIngestionTime", sqlite3_column_int64(row, 5));
        fg_json_set_str(s, "uploadSequenceToken", sequence);
        fg_json_set_str(s, "arn", arn);
        fg_json_set_int(s, "storedBytes", 0); /* as AWS, which has ceased to say */
        return s;
}

/* A page goes on behind a name, or behind a time and a row: "<ms>.<id>". */
struct after {
        char name[FG_PAGE_CURSOR_MAX + 1];
        int64_t ms, id;
};

static int read_after(const struct describe_streams *q, const char *asked, bool by_time,
                      struct after *ret, struct fg_error *err)
{
        char end;

        ret->ms = ret->id = q->descending ? INT64_MAX : -1;
        if (logs_page_start(asked, q->token, ret->name, err) < 0)
                return -1;
        if (by_time && *ret->name &&
            sscanf(ret->name, "%19" SCNd64 ".%19" SCNd64 "%c", &ret->ms, &ret->id, &end) != 2)
                return fg_fail(err, FG_ERR_INVALID, "The specified nextToken is invalid.");
        return 0;
}

static char *describe_sql(const struct describe_streams *q, bool by_time)
{
        const char *than = q->descending ? "<" : ">", *order = q->descending ? "DESC" : "ASC";

        if (by_time)
                return fg_asprintf("SELECT id, name, created_ms, first_ms, last_ms, ingested_ms "
                                   "FROM log_stream WHERE group_id = ?1 AND (last_ms, id) %s "
                                   "(?4, ?5) ORDER BY last_ms %s, id %s LIMIT ?6",
                                   than, order, order);
        return fg_asprintf("SELECT id, name, created_ms, first_ms, last_ms, ingested_ms "
                           "FROM log_stream WHERE group_id = ?1 AND (?2 = '' OR name %s ?2) "
                           "AND name >= ?3 AND name < ?3 || char(1114111) "
                           "ORDER BY name %s LIMIT ?6",
                           than, order);
}

static int list_streams(struct cwlogs_db *db, const struct describe_streams *q, const char *group,
                        struct json_object *result, struct fg_error *err)
{
        const bool by_time = q->order_by && fg_streq(q->order_by, "LastEventTime");
        const char *prefix = q->prefix ? q->prefix : "";
        const int64_t limit = q->limit ? q->limit : PAGE_MAX;
        fg_autofree char *asked = fg_asprintf("DescribeLogStreams\n%s\n%s\n%d%d", group, prefix,
                                              by_time, q->descending);
        fg_autofree char *arn = cwlogs_group_arn(db, group), *sql = describe_sql(q, by_time);
        fg_autofree char *last = NULL, *token = NULL;
        struct json_object *list = json_object_new_array();
        fg_autostmt *stmt = NULL;
        struct after after;
        int64_t group_id, n = 0;
        int r = 1;

        fg_json_set(result, "logStreams", list);
        if (read_after(q, asked, by_time, &after, err) < 0 ||
            (group_id = cwlogs_find_group(db, group, err)) < 0 ||
            fg_db_prepare(db->db, &stmt, err, sql, "issiii", group_id, after.name, prefix, after.ms,
                          after.id, limit + 1) < 0)
                return -1;
        for (; n < limit && (r = fg_db_step(stmt, err)) > 0; n++) {
                free(last);
                last = by_time ? fg_asprintf("%" PRId64 ".%" PRId64,
                                             (int64_t)sqlite3_column_int64(stmt, 4),
                                             (int64_t)sqlite3_column_int64(stmt, 0))
                               : fg_strdup(fg_db_text(stmt, 1));
                json_object_array_add(list, stream_json(arn, stmt));
        }
        if (r > 0)
                r = fg_db_step(stmt, err);
        if (r > 0)
                token = fg_page_token_of(asked, last);
        fg_json_set_str(result, "nextToken", token);
        return r < 0 ? -1 : 0;
}

static struct json_object *describe_streams(struct cwlogs_db *db, const void *in,
                                            struct fg_error *err)
{
        const struct describe_streams *q = in;
        fg_autofree char *group = logs_identify(db, q->group, q->identifier, err);
        fg_autojson *result = json_object_new_object();

        if (!group || list_streams(db, q, group, result, err) < 0)
                return NULL;
        return fg_take_ptr(result);
}

void logs_describe_log_streams(struct fg_aws_call *call)
{
        cwlogs_query(call->d->cwlogs, describe_streams, call->in, logs_answer, call);
}
