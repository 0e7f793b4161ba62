/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/cwlogs/ops.h"
#include "api/cwlogs/read.h"
#include "api/field_row.h"
#include "core/str.h"

/*
 * GetLogEvents: one stream, forwards or backwards. A token says where to go on: "f/…" from an event
 * on, "b/…" before one. At the end of a stream the answer has the token it was asked with.
 */
#define FORWARD  "f/"
#define BACKWARD "b/"

struct get_input {
        char *group, *identifier, *stream, *token;
        int64_t start, end, limit;
        bool from_head, unmask;
};

static const struct fg_field get_fields[] = {
        FG_ROW_STRING(get_input, group, "logGroupName", .check = logs_check_group),
        FG_ROW_STRING(get_input, identifier, "logGroupIdentifier", .max = 2048),
        FG_ROW_STRING(get_input, stream, "logStreamName", .required = true,
                      .check = logs_check_stream),
        FG_ROW_INT(get_input, start, "startTime", .min = 0, .max = INT64_MAX),
        FG_ROW_INT(get_input, end, "endTime", .min = 0, .max = INT64_MAX),
        FG_ROW_STRING(get_input, token, "nextToken"),
        FG_ROW_INT(get_input, limit, "limit", .min = 1, .max = FG_LOGPAGE_EVENTS),
        FG_ROW_BOOL(get_input, from_head, "startFromHead"),
        FG_ROW_BOOL(get_input, unmask, "unmask"),
};

const struct fg_object logs_get_log_events_input = FG_OBJECT(get_input, get_fields);

static struct logs_place place_of(const struct get_input *q, const char *prefix)
{
        return (struct logs_place){ &logs_get_log_events_input, q, prefix };
}

static struct json_object *find(struct cwlogs_db *db, const void *in, struct fg_error *err)
{
        static const char sql[] =
                "SELECT " LOGS_SOURCE_COLUMNS ", g.retention_days FROM log_stream s\n"
                "JOIN log_group g ON g.id = s.group_id WHERE g.id = ? AND s.name = ?";
        const struct get_input *q = in;
        fg_autofree char *name = logs_identify(db, q->group, q->identifier, err);
        struct json_object *result, *sources;
        fg_autostmt *stmt = NULL;
        int64_t group;
        int r;

        if (!name || (group = cwlogs_find_group(db, name, err)) < 0 ||
            fg_db_prepare(db->db, &stmt, err, sql, "is", group, q->stream) < 0)
                return NULL;
        r = fg_db_step(stmt, err);
        if (r == 0)
                fg_fail(err, FG_ERR_NOT_FOUND, "The specified log stream does not exist.");
        if (r <= 0)
                return NULL;
        result = json_object_new_object();
        sources = json_object_new_array();
        json_object_array_add(sources, logs_source_json(stmt));
        fg_json_set(result, "sources", sources);
        fg_json_set_int(result, "retention", sqlite3_column_int64(stmt, 10));
        return result;
}

/* Tokens for the page's both ends; an empty page leaves them where they were. */
static void set_tokens(struct json_object *output, const struct fg_logsearch *s,
                       const struct get_input *q)
{
        const struct logs_place ahead = place_of(q, FORWARD), behind = place_of(q, BACKWARD);
        const bool last = s->page.last;
        struct fg_logkey forward = last ? s->until : s->from, backward = forward;

        if (s->page.n > 0) {
                backward = s->page.items[0].key;
                forward = s->page.items[s->page.n - 1].key;
                forward.position++;
        } else if (last && s->until.time_ms == UINT64_MAX) {
                /* Nothing yet: whatever comes will be after the beginning. */
                forward = s->from;
        }
        fg_json_set(output, "nextForwardToken", logs_key_token(&ahead, &forward));
        fg_json_set(output, "nextBackwardToken", logs_key_token(&behind, &backward));
}

static struct json_object *render(const struct fg_logsearch *s, const void *in)
{
        struct json_object *output = json_object_new_object();

        fg_json_set(output, "events", logs_events_json(s, false));
        set_tokens(output, s, in);
        return output;
}

static int set_range(struct fg_logsearch *s, const struct get_input *q, int64_t retention,
                     struct fg_error *err)
{
        const struct logs_place place = place_of(q, s->page.last ? BACKWARD : FORWARD);
        struct fg_logkey key;

        logs_search_range(s, q->start, q->end, retention);
        if (!q->token)
                return 0;
        if (logs_key_untoken(&place, q->token, &key, err) < 0)
                return -1;
        if (s->page.last)
                s->until = key;
        else
                logs_search_from(s, &key);
        return 0;
}

static void on_found(void *userdata, struct json_object *result, const struct fg_error *err)
{
        struct fg_aws_call *call = userdata;
        const struct get_input *q = call->in;
        const bool last = q->token ? fg_starts_with(q->token, BACKWARD) : !q->from_head;
        fg_cleanup(fg_logsearch_freep) struct fg_logsearch *s = NULL;
        struct fg_error wrong = FG_ERROR_INIT;

        if (err) {
                fg_aws_fail_error(call, err);
                return;
        }
        s = logs_search_new(call->d->cwlogs, fg_json_arr(result, "sources"), q->limit, last);
        if (set_range(s, q, fg_json_int(result, "retention", 0), &wrong) < 0)
                fg_aws_fail_error(call, &wrong);
        else
                cwlogs_search(call->d->cwlogs, fg_take_ptr(s), render, q, logs_answer, call);
}

void logs_get_log_events(struct fg_aws_call *call)
{
        const struct get_input *q = call->in;

        if (q->start && q->end && q->start >= q->end)
                fg_aws_fail(call, "InvalidParameterException", "startTime must be before endTime.");
        else
                cwlogs_query(call->d->cwlogs, find, call->in, on_found, call);
}
