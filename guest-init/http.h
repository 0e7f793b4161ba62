/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

/* The little of HTTP/1.1 that the metadata endpoint needs: a GET without a body, one a connection.
 */

#define FG_HTTP_HEAD_MAX   8192 /* bytes of a request */
#define FG_HTTP_FIELDS_MAX 64
#define FG_HTTP_OK         200
#define FG_HTTP_NOT_FOUND  404
#define FG_HTTP_TOO_MANY   429
#define FG_HTTP_INTERNAL   500

struct fg_http_request {
        const char *path; /* borrowed from the bytes; without the query */
        size_t path_len;
};

/**
 * fg_http_parse() - a request's head, from its first byte
 * Return: 0 when more bytes are wanted, FG_HTTP_OK, or the status of the error to answer with
 */
int fg_http_parse(const char *data, size_t len, struct fg_http_request *ret);
/** fg_http_respond() - a whole answer; the connection is to be closed after it. @json: its body */
int fg_http_respond(struct fg_buf *out, int status, const char *json, struct fg_error *err);
/** fg_http_reason() - "Not Found" */
const char *fg_http_reason(int status);
