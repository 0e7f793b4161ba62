/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/error.h"

/*
 * HTTP requests to one fgd, over libcurl, one at a time. An answer that is not 2xx becomes an
 * error with fgd's code and message; a peer that cannot be reached is UPSTREAM (DENIED where the
 * socket may not be opened) with its errno.
 */
struct fg_client;
struct fg_endpoint;
struct json_object;

struct fg_client *fg_client_new(const struct fg_endpoint *endpoint, struct fg_error *err);
void fg_client_free(struct fg_client *client);
FG_DEFINE_CLEANUP(struct fg_client *, fg_client_free)

struct fg_request {
        const char *method;
        const char *path;         /* with its query */
        struct json_object *body; /* borrowed, or NULL */
};

/** fg_client_call() - the answer as JSON; the caller puts it. */
int fg_client_call(struct fg_client *client, const struct fg_request *request,
                   struct json_object **ret, struct fg_error *err);

/* One JSON line of a stream, borrowed. Return: 0, or -1 to end the request with @err. */
typedef int fg_client_line_fn(void *userdata, struct json_object *line, struct fg_error *err);

/**
 * fg_client_stream() - hand over each JSON line as it arrives, until the answer ends
 * A line {"error": ERROR} is not handed over: it ends the request with that error.
 */
int fg_client_stream(struct fg_client *client, const struct fg_request *request,
                     fg_client_line_fn *line, void *userdata, struct fg_error *err);

/**
 * fg_client_watch() - call @ready whenever @fd is readable during a request
 * @ready: returns 0, or -1 to end the request with the error
 */
void fg_client_watch(struct fg_client *client, int fd,
                     int (*ready)(void *userdata, struct fg_error *err), void *userdata);

/**
 * fg_client_post_later() - send a POST beside the requests that are being made (from their
 * callbacks), again and again until an fgd has answered it; one at a time, others are ignored
 * @body: kept as long. What is answered is dropped, unless it is an error of the server's.
 */
void fg_client_post_later(struct fg_client *client, const char *path, struct json_object *body);

/** fg_client_pause() - wait for @ms milliseconds; only the watched descriptor is served. */
int fg_client_pause(struct fg_client *client, unsigned ms, struct fg_error *err);

/** fg_client_unreachable() - the last request failed because fgd is not there, or is going away. */
bool fg_client_unreachable(const struct fg_client *client);
/** fg_client_socket() - the path of the unix socket, borrowed; NULL for TCP. */
const char *fg_client_socket(const struct fg_client *client);
/** fg_client_problems() - the validation errors of the last failed answer; borrowed, or NULL. */
struct json_object *fg_client_problems(const struct fg_client *client);

/** fg_query_add() - append "?key=value" or "&key=value", escaped; NULL values are left out. */
int fg_query_add(struct fg_buf *path, const char *key, const char *value, struct fg_error *err);
