/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/cwlogs/private.h"

/* From rows to a search, and from its page to an answer. */

#define LOGS_SOURCE_COLUMNS                                                                        \
        "s.id, s.put, s.unordered, s.datetime, s.first_ms, s.ended, s.name, s.key, s.container, "  \
        "s.starts"

/** logs_source_json() - of a row with LOGS_SOURCE_COLUMNS; on the lane. */
struct json_object *logs_source_json(sqlite3_stmt *row);
/** logs_search_new() - @sources: array of them, in the order of their first events. */
struct fg_logsearch *logs_search_new(struct fg_cwlogs *logs, struct json_object *sources,
                                     int64_t limit, bool last);
/** logs_search_range() - from @start_ms to before @end_ms (0: no end), and not beyond retention. */
void logs_search_range(struct fg_logsearch *s, int64_t start_ms, int64_t end_ms,
                       int64_t retention_days);
void logs_search_from(struct fg_logsearch *s, const struct fg_logkey *key); /* not before it */
/** logs_events_json() - the page's; @many: with the names of their streams. */
struct json_object *logs_events_json(const struct fg_logsearch *s, bool many);
struct json_object *logs_key_token(const char *prefix, const struct fg_logkey *key);
int logs_key_untoken(const char *prefix, const char *token, struct fg_logkey *ret,
                     struct fg_error *err);
