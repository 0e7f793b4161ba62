/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <microhttpd.h>
#include <netinet/in.h>

#include "api/http.h"
#include "core/buf.h"
#include "core/id.h"

struct listener {
        struct listener *next;
        struct fg_http *http;
        struct MHD_Daemon *mhd;
        int fd;
        char *unix_path; /* to unlink at the end; NULL for TCP */
        bool tcp;        /* a signature or the token decides; else peer credentials do */
        sd_event_source *io;
        sd_event_source *timer;
        sd_event_source *kick; /* run MHD soon: in this mode a resume wakes nobody */
        /* http_wait.c: connections, and those that owe us a request, in the order of their
         * deadlines */
        unsigned n_open, n_dropped;
        struct connection *waiting, **waiting_end;
        sd_event_source *deadline;
};

struct fg_http {
        sd_event *event;
        struct fg_http_config config;
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

#define HTTP_ARG_MAX 256

struct fg_request {
        struct fg_request *next, **prev; /* of fg_http.requests */
        struct listener *listener;
        struct MHD_Connection *connection;
        struct fg_buf body;
        struct json_object *json;
        char *uri; /* as it came */
        char arg[HTTP_ARG_MAX];
        char *allow; /* of an answer 405: the methods that are */
        char id[FG_UUID_LEN + 1];
        const struct fg_route *route;
        struct MHD_Response *response;
        int status;
        struct fg_sigv4_claim claim;
        struct fg_identity identity;
        char method[16], peer[INET6_ADDRSTRLEN];
        char action[96], resource[256], error[64]; /* for the audit log; "": nothing */
        bool audited;
        bool noted;    /* that it will be carried out */
        bool begun;    /* its headers were looked at */
        bool refused;  /* what else it sends is thrown away */
        size_t thrown; /* bytes */
        size_t owed;   /* of the body, before its deadline is put off */
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
int http_add_listener(struct fg_http *http, int fd, char *take_path, struct fg_error *err);
/** http_auth_begin(), http_auth_finish() - by headers alone, and with the body. */
enum fg_auth_result http_auth_begin(struct fg_request *r, const char *method, struct fg_error *err);
enum fg_auth_result http_auth_finish(struct fg_request *r, const char *method,
                                     struct fg_error *err);
void http_note_peer(struct fg_request *r); /* its address, while it is connected */
void http_audit(struct fg_request *r);     /* write its line, once */
/** http_speaks_aws() - whether it went to "/": who does understands the errors of AWS, others ours.
 */
bool http_speaks_aws(const struct fg_request *r);
/** http_refuse() - answer in the form of the protocol that was used. */
void http_refuse(struct fg_request *r, enum fg_auth_result result, const struct fg_error *err);
/** http_dispatch() - hand a complete request to its route's handler, or answer it here. */
void http_dispatch(struct fg_request *r, const char *method, const char *path);
void http_reply_closing(struct fg_request *r); /* 503: fgd is shutting down */
/** http_suspend(), http_resume() - idempotent; suspended requests watch for the client's hang-up.
 */
void http_suspend(struct fg_request *r);
void http_resume(struct fg_request *r);
void http_request_free(struct fg_request *r);
/* MHD_NotifyConnectionCallback */
void http_on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code);
/** http_wait_start() - before a listener's first connection; negative: errno. */
int http_wait_start(struct listener *l);
/** http_wait_for_client() - from now on the client has idle_seconds to go on, or is cut off. When
 * no more connections can be taken, it has two. */
void http_wait_for_client(struct listener *l, struct MHD_Connection *connection);
/** http_wait_over() - its request is complete: it may wait as long as the answer takes. */
void http_wait_over(struct listener *l, struct MHD_Connection *connection);
