/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/cwlogs/filter.h"
#include "api/cwlogs/page.h"

/*
 * One page of events, from one stream or many. Work is done in steps of bounded size, so that one
 * request never keeps the lane from the others; and it ends after a bounded number of them: then
 * the page is shorter, or empty, and says where to go on. Lane only.
 */
struct fg_logsource { /* one stream */
        int64_t id;
        char *name;
        char key[33];    /* directory in the log store */
        char *container; /* log in it */
        char *starts;    /* pattern that begins an event, or NULL */
        bool datetime;   /* `starts` is a datetime format */
        bool put;
        bool unordered; /* put events came out of order: all of them have to be read */
        bool ended;
        uint64_t first_ms; /* no event is older */
};

struct fg_logsearch {
        char *dir; /* the log store's */
        struct fg_logsource *sources;
        size_t n_sources;
        struct fg_filter *filter; /* NULL: all events */
        struct fg_logkey from;    /* included */
        struct fg_logkey until;   /* not included */
        uint64_t now_ms;
        struct fg_logpage page;

        /* how far it is */
        size_t at;
        struct fg_logview *view;
        struct fg_pattern *starts;
        size_t segment;              /* `last`: to be looked at next, + 1 */
        struct fg_logkey pass_until; /* `last`: what later segments hold was seen */
        struct fg_logkey pass_first; /* `last`: the first event of this pass, once there is one */
        bool pass_any;
        uint64_t share; /* bytes the source at hand may still take */
        uint64_t scanned;
};

/**
 * fg_logsearch_step() - go on
 * Return: 1: there is more to do; 0: the page is finished; -1: error.
 */
int fg_logsearch_step(struct fg_logsearch *s, struct fg_error *err);
void fg_logsearch_free(struct fg_logsearch *s);
FG_DEFINE_CLEANUP(struct fg_logsearch *, fg_logsearch_free)
