/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "api/auth/audit.h"
#include "api/auth/auth.h"
#include "core/cleanup.h"
#include "core/error.h"
#include "core/json.h"

struct fg_tls;

/*
 * HTTP/1.1 by libmicrohttpd inside the loop. A request reaches its handler whole; the handler
 * answers now or later, exactly once. While it waits the connection is suspended, and a client
 * that goes away is noticed through its socket. Loop thread only.
 */
struct fg_http;
struct fg_request;
struct fg_stream;

struct fg_http_limits {
        size_t body;           /* bytes of a request body */
        unsigned connections;  /* per listener */
        unsigned idle_seconds; /* a connection that neither sends nor takes anything; also for the
                                  headers of a request in all, and for each 64 KiB of its body */
};

typedef void (*fg_http_handler_fn)(void *daemon, struct fg_request *r);

/*
 * One row per request that is understood. "*" in a path matches one segment: fg_request_arg().
 * @action is what an access key must be allowed to do, by its name in IAM; a row without one is not
 * for access keys, only for the socket and the bearer token.
 */
struct fg_route {
        const char *method;
        const char *path;
        fg_http_handler_fn handler;
        const char *query; /* names of the parameters, as "a b c"; NULL: none; FG_QUERY_ANY */
        const char *action;
};

#define FG_QUERY_ANY         "*"
#define FG_ACTION_BY_HANDLER "" /* the handler finds out, and calls fg_request_authorize() */

struct fg_http_config {
        const struct fg_route *routes; /* ends with a NULL method */
        struct fg_http_limits limits;
        struct fg_auth *auth;     /* says who may call; borrowed, must outlive the server */
        struct fg_audit *audit;   /* every request is written there; borrowed; NULL: none */
        const struct fg_tls *tls; /* of TCP listeners; borrowed; NULL: they have none */
        void *daemon;             /* goes to every handler */
};

int fg_http_new(sd_event *event, const struct fg_http_config *config, struct fg_http **ret,
                struct fg_error *err);
/** fg_http_free() - answers what is open with 503, closes all. Handlers that still work may answer
 * later, to nobody. */
void fg_http_free(struct fg_http *http);
FG_DEFINE_CLEANUP(struct fg_http *, fg_http_free)
/** fg_http_listen_unix() - mode 0600; only root and the daemon's own user may talk. */
int fg_http_listen_unix(struct fg_http *http, const char *path, struct fg_error *err);
/** fg_http_listen_tcp() - "ADDR:PORT", "[V6]:PORT"; every request must be signed, or carry the
 * bearer token. */
int fg_http_listen_tcp(struct fg_http *http, const char *address, struct fg_error *err);
/** fg_http_tcp_address() - "ADDR:PORT" at which this host reaches a TCP listener; 0: there is none.
 */
int fg_http_tcp_address(const struct fg_http *http, char *ret, size_t size);
unsigned fg_http_open_requests(const struct fg_http *http);
uint64_t fg_http_total_requests(const struct fg_http *http);

const char *fg_request_id(const struct fg_request *r); /* a UUID, also in every answer's headers */
/** fg_request_flag() - 1, true, 0 or false; absent is false. -1: INVALID. */
int fg_request_flag(const struct fg_request *r, const char *name, bool *ret, struct fg_error *err);
/** fg_request_header_twice() - is there more than one of that name? */
bool fg_request_header_twice(const struct fg_request *r, const char *name);
const char *fg_request_header(const struct fg_request *r, const char *name); /* NULL: absent */
const char *fg_request_arg(const struct fg_request *r);                      /* the "*" segment */
const char *fg_request_query(const struct fg_request *r, const char *name);  /* NULL: absent */
/** fg_request_identity() - who sent it, proven; borrowed from the request. */
const struct fg_identity *fg_request_identity(const struct fg_request *r);
/** fg_request_authorize() - whether he may do that; -1: no, and the request has been answered. */
int fg_request_authorize(struct fg_request *r, const struct fg_act *act);
/* For the audit log: what is done to what, and the name of an error (fg_reply_error() notes it). */
void fg_request_note_act(struct fg_request *r, const char *action, const char *resource);
void fg_request_note_error(struct fg_request *r, const char *exception);
/** fg_request_json() - the body, borrowed; an empty body is {}. NULL: INVALID. */
struct json_object *fg_request_json(struct fg_request *r, struct fg_error *err);
/** fg_request_members() - the same, with no members but these (NULL ends the list). */
struct json_object *fg_request_members(struct fg_request *r, const char *const *allowed,
                                       struct fg_error *err);
const char *fg_request_body(const struct fg_request *r, size_t *ret_len);
/** fg_request_form() - what stands behind the "?" of the URI, as it came; "" when nothing does. */
const char *fg_request_form(const struct fg_request *r);

/**
 * fg_request_on_left() - instead of answering for ever into the void: when the client hangs up (or
 * fgd ends) before the answer, @left runs once and the request is dead. NULL: answer anyway.
 */
void fg_request_on_left(struct fg_request *r, void (*left)(void *userdata), void *userdata);

/* Answers; each ends the request. */
void fg_reply_json(struct fg_request *r, int status, struct json_object *take_body);
void fg_reply_text(struct fg_request *r, int status, const char *content_type, const char *text);
void fg_reply_error(struct fg_request *r, const struct fg_error *err);
/** fg_reply_problems() - 400 with all that is wrong with the @what, as docs/api.md has it. */
void fg_reply_problems(struct fg_request *r, const char *what, const struct fg_problems *problems);
/** fg_error_json() - {"__type","message"} as in docs/api.md. */
struct json_object *fg_error_json(const struct fg_error *err);

struct fg_stream_ops {
        void (*drained)(void *userdata); /* everything was taken: produce more */
        void (*closed)(void *userdata);  /* client gone or stream ended; the stream is dead */
};

/** fg_reply_stream() - answer 200 with a body produced over time; NULL: the client has left. */
struct fg_stream *fg_reply_stream(struct fg_request *r, const char *content_type,
                                  const struct fg_stream_ops *ops, void *userdata);
/** fg_stream_line() - queue a line of JSON, whole or not at all. -1: CAPACITY, the client is too
 * slow by 4 MiB. */
int fg_stream_line(struct fg_stream *s, struct json_object *take_line, struct fg_error *err);
/** fg_stream_text() - the same for any bytes. */
int fg_stream_text(struct fg_stream *s, const char *text, size_t len, struct fg_error *err);
size_t fg_stream_queued(const struct fg_stream *s);
/** fg_stream_end() - no more bytes; closed() follows once they are taken. */
void fg_stream_end(struct fg_stream *s);
