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

/* Tokens of pages of events: which events were asked for, and the place among them. */
struct logs_place {
        const struct fg_object *input;
        const void *in;     /* decoded; times and the size of a page do not matter */
        const char *prefix; /* what a token begins with */
};
struct json_object *logs_key_token(const struct logs_place *place, const struct fg_logkey *key);
/** logs_key_untoken() - -1: INVALID, it is no token that this question gave. */
int logs_key_untoken(const struct logs_place *place, const char *token, struct fg_logkey *ret,
                     struct fg_error *err);
