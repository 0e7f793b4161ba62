/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <microhttpd.h>

#include "api/http.h"
#include "core/buf.h"
#include "core/id.h"

struct listener {
        struct listener *next;
        struct fg_http *http;
        struct MHD_Daemon *mhd;
        int fd;
        char *unix_path; /* to unlink at the end; NULL for TCP */
        char *token;     /* NULL: peer credentials decide */
        sd_event_source *io;
        sd_event_source *timer;
        sd_event_source *kick; /* run MHD soon: in this mode a resume wakes nobody */
};

struct fg_http {
        sd_event *event;
        const struct fg_route *routes;
        struct fg_http_limits limits;
        void *daemon;
        struct listener *listeners;
        struct fg_request *requests;
        uint64_t total;
        bool closing;
};

struct fg_stream {
        struct fg_request *r;
        const struct fg_stream_ops *ops;
        void *userdata;
        struct fg_buf out;
        bool ended;
        bool draining; /* drained() is on the stack */
};

struct fg_request {
        struct fg_request *next, **prev; /* of fg_http.requests */
        struct listener *listener;
        struct MHD_Connection *connection;
        struct fg_buf body;
        struct json_object *json;
        char arg[256];
        char id[FG_UUID_LEN + 1];
        const struct fg_route *route;
        struct MHD_Response *response;
        int status;
        bool started;  /* the handler was called */
        bool answered; /* and has answered: it does not know the request any more */
        void (*left)(void *userdata);
        void *left_userdata;
        bool suspended; /* MHD does not touch the connection */
        bool gone;      /* the client hung up while suspended */
        struct fg_stream stream;
        sd_event_source *hangup; /* the client's socket while suspended */
};

/** http_add_listener() - takes the descriptor and the path, also on failure. */
int http_add_listener(struct fg_http *http, int fd, char *take_path, const char *token,
                      struct fg_error *err);
/** http_dispatch() - hand a complete request to its route's handler, or answer it here. */
void http_dispatch(struct fg_request *r, const char *method, const char *path);
void http_reply_closing(struct fg_request *r); /* 503: fgd is shutting down */
/** http_suspend(), http_resume() - idempotent; suspended requests watch for the client's hang-up.
 */
void http_suspend(struct fg_request *r);
void http_resume(struct fg_request *r);
void http_request_free(struct fg_request *r);
