/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cli/client.h"
#include "core/error.h"

struct fg_cli;
struct fg_logplace;
struct json_object;

/*
 * The log of one task. When followed it outlives its fgd: if that goes away and comes back within
 * some time, the stream goes on where it was, without a record lost or repeated.
 */
struct fg_logstream {
        struct fg_cli *cli;
        const char *id; /* borrowed; the whole one if followed, a beginning may stop fitting */
        const char *container; /* only this one's, or NULL */
        uint64_t since_ns;
        bool follow;
        bool events;
        /* Before each (re)opening, or NULL. Return: 0, or -1 to give up. */
        int (*opening)(void *userdata, struct fg_error *err);
        fg_client_line_fn *line;
        void *userdata;
        uint64_t newest_ns; /* private from here on: time of the newest record */
        SLIST_HEAD(, fg_logplace) places;
};

/**
 * fg_logstream_run() - hand over every line; with follow until the task has stopped
 * @ret: with follow, the stopped task; the caller puts it
 */
int fg_logstream_run(struct fg_logstream *s, struct json_object **ret, struct fg_error *err);
void fg_logstream_finish(struct fg_logstream *s);
