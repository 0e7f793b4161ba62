/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/cwlogs/ops.h"
#include "api/cwlogs/read.h"
#include "api/field_row.h"
#include "core/str.h"

#define NAMES_MAX 100

/* FilterLogEvents: all or some of a group's streams, merged by time. */
struct filter_input {
        char *group, *identifier, *prefix, *pattern, *token;
        struct fg_strings names;
        int64_t start, end, limit;
        bool interleaved, unmask;
};

static const struct fg_field filter_fields[] = {
        FG_ROW_STRING(filter_input, group, "logGroupName", .check = logs_check_group),
        FG_ROW_STRING(filter_input, identifier, "logGroupIdentifier", .max = 2048),
        FG_ROW_STRINGS(filter_input, names, "logStreamNames", .max = NAMES_MAX),
        FG_ROW_STRING(filter_input, prefix, "logStreamNamePrefix", .check = logs_check_stream),
        FG_ROW_INT(filter_input, start, "startTime", .min = 0, .max = INT64_MAX),
        FG_ROW_INT(filter_input, end, "endTime", .min = 0, .max = INT64_MAX),
        FG_ROW_STRING(filter_input, pattern, "filterPattern", .max = FG_FILTER_MAX),
        FG_ROW_STRING(filter_input, token, "nextToken"),
        FG_ROW_INT(filter_input, limit, "limit", .min = 1, .max = FG_LOGPAGE_EVENTS),
        FG_ROW_BOOL(filter_input, interleaved, "interleaved"),
        FG_ROW_BOOL(filter_input, unmask, "unmask"),
};

const struct fg_object logs_filter_log_events_input = FG_OBJECT(filter_input, filter_fields);

static struct logs_place place_of(const struct filter_input *q)
{
        return (struct logs_place){ &logs_filter_log_events_input, q, "" };
}

/* ---- which streams ---- */

/* Streams whose task still writes are looked at whatever their row says: it lags behind. */
#define IN_TIME                                                                                    \
        " AND (s.ended = 0 AND s.put = 0 OR s.last_ms >= ?2) "                                     \
        "AND (?3 = 0 OR s.first_ms < ?3)"

static int add_rows(sqlite3_stmt *stmt, struct json_object *list, struct fg_error *err)
{
        int r;

        while ((r = fg_db_step(stmt, err)) > 0)
                json_object_array_add(list, logs_source_json(stmt));
        return r;
}

static bool repeated(const struct filter_input *q, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (fg_streq(q->names.v[i], q->names.v[n]))
                        return true;
        return false;
}

static int add_named(struct cwlogs_db *db, const struct filter_input *q, int64_t group,
                     struct json_object *list, struct fg_error *err)
{
        static const char sql[] = "SELECT " LOGS_SOURCE_COLUMNS
                                  " FROM log_stream s WHERE s.group_id = ? AND s.name = ?";

        for (size_t i = 0; i < q->names.n; i++) {
                const size_t before = json_object_array_length(list);
                fg_autostmt *stmt = NULL;

                if (repeated(q, i))
                        continue;
                if (fg_db_prepare(db->db, &stmt, err, sql, "is", group, q->names.v[i]) < 0 ||
                    add_rows(stmt, list, err) < 0)
                        return -1;
                if (json_object_array_length(list) == before)
                        return fg_fail(err, FG_ERR_NOT_FOUND,
                                       "The specified log stream does not exist.");
        }
        return 0;
}

static int add_matching(struct cwlogs_db *db, const struct filter_input *q, int64_t group,
                        struct json_object *list, struct fg_error *err)
{
        static const char sql[] = "SELECT " LOGS_SOURCE_COLUMNS
                                  " FROM log_stream s WHERE s.group_id = ?1" IN_TIME
                                  " AND s.name >= ?4 AND s.name < ?4 || char(1114111)"
                                  " ORDER BY s.first_ms, s.id";
        const struct logs_place place = place_of(q);
        struct fg_logkey key = { 0 };
        fg_autostmt *stmt = NULL;
        int64_t start = q->start;

        if (q->token && logs_key_untoken(&place, q->token, &key, err) < 0)
                return -1;
        if ((int64_t)key.time_ms > start)
                start = (int64_t)key.time_ms;
        if (fg_db_prepare(db->db, &stmt, err, sql, "iiis", group, start, q->end,
                          q->prefix ? q->prefix : "") < 0)
                return -1;
        return add_rows(stmt, list, err);
}

static int by_first(const void *a, const void *b)
{
        struct json_object *const *x = a, *const *y = b;
        const int64_t first = fg_json_int(*x, "first", 0), second = fg_json_int(*y, "first", 0);

        return first < second ? -1 : first > second;
}

static struct json_object *find(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        const struct filter_input *q = in;
        fg_autofree char *name = logs_identify(db, q->group, q->identifier, err);
        fg_autojson *result = json_object_new_object(), *sources = json_object_new_array();
        fg_autostmt *stmt = NULL;
        int64_t group;

        if (!name || (group = cwlogs_find_group(db, name, err)) < 0 ||
            fg_db_prepare(db->db, &stmt, err, "SELECT retention_days FROM log_group WHERE id = ?",
                          "i", group) < 0 ||
            fg_db_step(stmt, err) < 0)
                return NULL;
        fg_json_set_int(result, "retention", sqlite3_column_int64(stmt, 0));
        if ((q->names.n > 0 ? add_named : add_matching)(db, q, group, sources, err) < 0)
                return NULL;
        json_object_array_sort(sources, by_first);
        fg_json_set(result, "sources", fg_take_ptr(sources));
        return fg_take_ptr(result);
}

/* ---- the search ---- */

static struct json_object *render(const struct fg_logsearch *s, const void *in)
{
        struct json_object *output = json_object_new_object();
        const struct logs_place place = place_of(in);

        fg_json_set(output, "events", logs_events_json(s, true));
        /* As AWS has it by now: always there, always empty. */
        fg_json_set(output, "searchedLogStreams", json_object_new_array());
        if (s->page.bounded)
                fg_json_set(output, "nextToken", logs_key_token(&place, &s->page.bound));
        return output;
}

static int prepare(struct fg_logsearch *s, const struct filter_input *q, int64_t retention,
                   struct fg_error *err)
{
        const struct logs_place place = place_of(q);
        struct fg_logkey key;

        logs_search_range(s, q->start, q->end, retention);
        if (q->token) {
                if (logs_key_untoken(&place, q->token, &key, err) < 0)
                        return -1;
                logs_search_from(s, &key);
        }
        if (!q->pattern)
                return 0;
        s->filter = fg_filter_parse(q->pattern, err);
        return s->filter ? 0 : -1;
}

static void on_found(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct fg_aws_call *call = userdata;
        const struct filter_input *q = call->in;
        fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = NULL;
        struct fg_error wrong = FG_ERROR_INIT;

        if (err) {
                fg_aws_fail_error(call, err);
                return;
        }
        s = logs_search_new(call->d->cwlogs, fg_json_arr(result, "sources"), q->limit, false);
        if (prepare(s, q, fg_json_int(result, "retention", 0), &wrong) < 0)
                fg_aws_fail_error(call, &wrong);
        else
                cwlogs_search(call->d->cwlogs, fg_take_ptr(s), render, q, logs_answer, call);
}

void logs_filter_log_events(struct fg_aws_call *call)
{
        const struct filter_input *q = call->in;

        if (q->names.n > 0 && q->prefix)
                fg_aws_fail(call, "InvalidParameterException",
                            "Cannot specify both logStreamNames and logStreamNamePrefix.");
        else if (q->start && q->end && q->start > q->end)
                fg_aws_fail(call, "InvalidParameterException",
                            "startTime must not be after endTime.");
        else
                cwlogs_query(call->d->cwlogs, find, call->in, on_found, call);
}
