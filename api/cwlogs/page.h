/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/cwlogs/view.h"

/*
 * The events of one answer: of all that are offered, in any order, the first ones by their keys (or
 * the last ones), as many as an answer may hold.
 */
#define FG_LOGPAGE_EVENTS 10000
#define FG_LOGPAGE_BYTES  (1024u * 1024) /* with FG_LOGPAGE_EXTRA for each event, as AWS counts */
#define FG_LOGPAGE_EXTRA  26

struct fg_logkey { /* the order of a group's events */
        uint64_t time_ms;
        int64_t stream; /* the row's id */
        uint64_t position;
};

struct fg_logitem {
        struct fg_logkey key;
        uint64_t ingestion_ms;
        char *data;
        size_t len;
        const char *stream_name; /* the source's */
};

struct fg_logpage {
        struct fg_logitem *items; /* a heap; sorted by fg_logpage_finish() */
        size_t n, limit;
        size_t bytes;
        bool last;    /* the last ones are wanted */
        bool bounded; /* there is more, from `bound` on (`last`: up to it) */
        struct fg_logkey bound;
};

int fg_logkey_compare(const struct fg_logkey *a, const struct fg_logkey *b);
void fg_logpage_init(struct fg_logpage *p, size_t limit, bool last);
void fg_logpage_free(struct fg_logpage *p); /* what it holds */
/** fg_logpage_wants() - false: the event, and all behind it, are beyond the page. */
bool fg_logpage_wants(const struct fg_logpage *p, const struct fg_logkey *key);
/** fg_logpage_add() - @e is copied. */
void fg_logpage_add(struct fg_logpage *p, const struct fg_logkey *key, const struct fg_logevent *e,
                    const char *stream_name);
/** fg_logpage_cut() - from @key on, nothing was looked at: the page ends before it. */
void fg_logpage_cut(struct fg_logpage *p, const struct fg_logkey *key);
void fg_logpage_finish(struct fg_logpage *p); /* sorts, drops what lies beyond the bound */
