/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/buf.h"
#include "guest-init/http.h"
#include "guest-init/loop.h"

/*
 * A small server on the loop, for clients that are not trusted: it never blocks and never waits
 * longer than its limits. One request a connection; what cannot be answered at once is an error.
 */
#define FG_HTTP_CONNECTIONS 16
#define FG_HTTP_ANSWER_MAX  (512u * 1024)
#define FG_HTTP_SECONDS     10 /* from accept to close */
#define FG_HTTP_PER_SECOND  40 /* requests; as of ECS's own agent */
#define FG_HTTP_BURST       60

/** Writes the JSON of @path (not terminated) to @body. Return: the status */
typedef int (*fg_http_answer_fn)(void *owner, const char *path, size_t len, struct fg_buf *body);

enum fg_http_phase {
        FG_HTTP_FREE,
        FG_HTTP_READING,
        FG_HTTP_WRITING,
        FG_HTTP_CLOSING, /* everything was sent; the client has not closed yet */
};

struct fg_http_connection {
        struct fg_source source;
        struct fg_http_server *server;
        enum fg_http_phase phase;
        uint64_t deadline; /* CLOCK_MONOTONIC, ns */
        char in[FG_HTTP_HEAD_MAX];
        size_t in_len;
        struct fg_buf out;
        size_t sent;
};

struct fg_http_server {
        struct fg_loop *loop;
        struct fg_source listener;
        bool listening; /* watched by the loop */
        struct fg_timer timer;
        fg_http_answer_fn answer;
        void *owner;
        uint64_t limit_ns;  /* FG_HTTP_SECONDS */
        uint64_t credit_at; /* when @credit was right, CLOCK_MONOTONIC */
        uint64_t credit;    /* requests that may be answered now, in thousandths */
        struct fg_http_connection connections[FG_HTTP_CONNECTIONS];
};

/** fg_http_server_init() - @take_fd: a listening socket that does not block */
int fg_http_server_init(struct fg_http_server *s, struct fg_loop *loop, int take_fd,
                        fg_http_answer_fn answer, void *owner, struct fg_error *err);
