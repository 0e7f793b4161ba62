/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/aws/page.h"
#include "api/cwlogs/read.h"
#include "core/buf.h"
#include "core/str.h"

/* What GetLogEvents and FilterLogEvents have in common: from rows to sources, from events to JSON.
 */

#define DAY_MS INT64_C(86400000)

/* ---- sources ---- */

struct json_object *logs_source_json(sqlite3_stmt *row)
{
        static const char *const numbers[] = { "id",    "put",   "unordered", "datetime",
                                               "first", "ended", NULL };
        struct json_object *s = json_object_new_object();

        for (int i = 0; numbers[i]; i++)
                fg_json_set_int(s, numbers[i], sqlite3_column_int64(row, i));
        fg_json_set_str(s, "name", fg_db_text(row, 6));
        fg_json_set_str(s, "key", fg_db_text(row, 7));
        fg_json_set_str(s, "container", fg_db_text(row, 8));
        fg_json_set_str(s, "starts", fg_db_text(row, 9));
        return s;
}

static void add_source(struct fg_logsearch *s, struct fg_cwlogs *logs, struct json_object *from)
{
        struct fg_logsource *source = &s->sources[s->n_sources++];
        const char *starts = fg_json_str(from, "starts");

        *source = (struct fg_logsource){
                .id = fg_json_int(from, "id", 0),
                .name = fg_strdup(fg_json_str(from, "name")),
                .container = fg_strdup(fg_json_str(from, "container")),
                .starts = *starts ? fg_strdup(starts) : NULL,
                .datetime = fg_json_int(from, "datetime", 0) != 0,
                .put = fg_json_int(from, "put", 0) != 0,
                .unordered = fg_json_int(from, "unordered", 0) != 0,
                .first_ms = (uint64_t)fg_json_int(from, "first", 0),
        };
        (void)snprintf(source->key, sizeof(source->key), "%s", fg_json_str(from, "key"));
        source->ended = !fg_logstore_has_writer(logs->store, source->key);
}

struct fg_logsearch *logs_search_new(struct fg_cwlogs *logs, struct json_object *sources,
                                     int64_t limit, bool last)
{
        struct fg_logsearch *s = fg_calloc(1, sizeof(*s));
        const size_t n = json_object_array_length(sources);

        s->sources = fg_calloc(n + 1, sizeof(*s->sources));
        for (size_t i = 0; i < n; i++)
                add_source(s, logs, json_object_array_get_idx(sources, i));
        s->now_ms = (uint64_t)cwlogs_now_ms();
        s->until.time_ms = UINT64_MAX;
        fg_logpage_init(&s->page, (size_t)limit, last);
        return s;
}

void logs_search_range(struct fg_logsearch *s, int64_t start_ms, int64_t end_ms,
                       int64_t retention_days)
{
        const int64_t kept = (int64_t)s->now_ms - retention_days * DAY_MS;

        if (retention_days > 0 && kept > start_ms)
                start_ms = kept;
        s->from = (struct fg_logkey){ .time_ms = (uint64_t)start_ms, .stream = INT64_MIN };
        if (end_ms > 0)
                s->until = (struct fg_logkey){ .time_ms = (uint64_t)end_ms, .stream = INT64_MIN };
}

void logs_search_from(struct fg_logsearch *s, const struct fg_logkey *key)
{
        if (fg_logkey_compare(key, &s->from) > 0)
                s->from = *key;
}

/* ---- events ---- */

/* Bytes that are not UTF-8 become U+FFFD each, as JSON cannot hold them. */
static struct json_object *message_json(const char *data, size_t len)
{
        static const char replacement[] = "\xef\xbf\xbd";
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(3 * len + 1);
        struct fg_error err = FG_ERROR_INIT;

        if (fg_utf8_valid(data, len))
                return json_object_new_string_len(data, (int)len);
        for (size_t at = 0, n; at < len; at += n) {
                for (n = 1; n < 4 && at + n < len && ((unsigned char)data[at + n] & 0xc0) == 0x80;)
                        n++;
                while (n > 1 && !fg_utf8_valid(data + at, n))
                        n--;
                if (fg_utf8_valid(data + at, n))
                        (void)fg_buf_append(&b, data + at, n, &err);
                else
                        (void)fg_buf_puts(&b, replacement, &err);
        }
        return json_object_new_string_len(b.data, (int)b.len);
}

struct json_object *logs_events_json(const struct fg_logsearch *s, bool many)
{
        struct json_object *list = json_object_new_array();

        for (size_t i = 0; i < s->page.n; i++) {
                const struct fg_logitem *item = &s->page.items[i];
                struct json_object *e = json_object_new_object();
                char id[64];

                if (many)
                        fg_json_set_str(e, "logStreamName", item->stream_name);
                fg_json_set_int(e, "timestamp", (int64_t)item->key.time_ms);
                fg_json_set(e, "message", message_json(item->data, item->len));
                fg_json_set_int(e, "ingestionTime", (int64_t)item->ingestion_ms);
                if (many) {
                        (void)snprintf(id, sizeof(id), "%016" PRIu64 "%020" PRId64 "%020" PRIu64,
                                       item->key.time_ms, item->key.stream, item->key.position);
                        fg_json_set_str(e, "eventId", id);
                }
                json_object_array_add(list, e);
        }
        return list;
}

/* ---- tokens ---- */

static char *question(const struct logs_place *place)
{
        static const char *const others[] = { "endTime",       "interleaved", "limit", "nextToken",
                                              "startFromHead", "startTime",   "unmask" };
        fg_autojson *json = fg_object_encode(place->input, place->in);

        for (size_t i = 0; i < FG_ARRAY_SIZE(others); i++)
                json_object_object_del(json, others[i]);
        return fg_asprintf("events\n%s", fg_json_text(json));
}

struct json_object *logs_key_token(const struct logs_place *place, const struct fg_logkey *key)
{
        fg_autofree char *list = question(place), *token = NULL, *text = NULL;
        char cursor[64];

        (void)snprintf(cursor, sizeof(cursor), "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
                       key->time_ms, (uint64_t)key->stream, key->position);
        token = fg_page_token_of(list, cursor);
        text = fg_asprintf("%s%s", place->prefix, token);
        return json_object_new_string(text);
}

int logs_key_untoken(const struct logs_place *place, const char *token, struct fg_logkey *ret,
                     struct fg_error *err)
{
        fg_autofree char *list = question(place);
        char cursor[FG_PAGE_CURSOR_MAX + 1];
        uint64_t stream = 0;

        if (!fg_starts_with(token, place->prefix) ||
            fg_page_cursor_of(list, token + strlen(place->prefix), cursor) < 0 ||
            strlen(cursor) != 48 ||
            sscanf(cursor, "%16" SCNx64 "%16" SCNx64 "%16" SCNx64, &ret->time_ms, &stream,
                   &ret->position) != 3)
                return fg_fail(err, FG_ERR_INVALID, "The specified nextToken is invalid.");
        ret->stream = (int64_t)stream;
        return 0;
}
