/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth/result.h"
#include "core/cleanup.h"
#include "core/error.h"

/*
 * AWS Signature Version 4, the side that verifies. Pure: no clock, no keys, no HTTP server. The
 * struct fg_sigv4 holds buffers, digest contexts and derived keys that are used again, so that
 * verifying allocates nothing; one thread at a time.
 * Source: "Create a signed AWS API request" and "Authenticating Requests: Using Query Parameters"
 * of the AWS documentation.
 */
#define FG_SIGV4_HEADERS_MAX 64
#define FG_SIGV4_SKEW_SEC    300
#define FG_SIGV4_EXPIRES_MAX 604800 /* seconds a presigned request may live */
#define FG_SIGV4_KEY_ID_MAX  64
#define FG_SIGV4_SCOPE_MAX   32 /* bytes of a region, of a service */

struct fg_sigv4_header {
        const char *name, *value;
};

/* A request as it came. Borrowed throughout. */
struct fg_sigv4_message {
        const char *method;
        const char *uri; /* "/path?query", not decoded */
        const struct fg_sigv4_header *headers;
        size_t n_headers;
        const void *body;
        size_t body_len;
        bool body_may_be_unsigned; /* UNSIGNED-PAYLOAD is accepted: something else protects it */
};

/* What it says of its signature; nothing of it is proven before fg_sigv4_verify(). */
struct fg_sigv4_claim {
        char key_id[FG_SIGV4_KEY_ID_MAX + 1];
        char date[9], region[FG_SIGV4_SCOPE_MAX + 1], service[FG_SIGV4_SCOPE_MAX + 1];
        char stamp[17]; /* "20150830T123600Z" */
        uint64_t time;  /* the same, seconds since the epoch */
        bool presigned; /* the signature is in the query, and lives so many seconds: */
        uint64_t expires;
        char signed_headers[1025]; /* "host;x-amz-date" */
        unsigned char signature[32];
};

struct fg_sigv4;

struct fg_sigv4 *fg_sigv4_new(void); /* aborts out of memory */
void fg_sigv4_free(struct fg_sigv4 *v);
FG_DEFINE_CLEANUP(struct fg_sigv4 *, fg_sigv4_free)

/** fg_sigv4_parse() - OK; MISSING: there is no signature; INCOMPLETE: @err says what is wrong. */
enum fg_auth_result fg_sigv4_parse(const struct fg_sigv4_message *m, struct fg_sigv4_claim *ret,
                                   struct fg_error *err);
/** fg_sigv4_check_time() - @now: seconds since the epoch. OK, SIGNATURE or EXPIRED. */
enum fg_auth_result fg_sigv4_check_time(const struct fg_sigv4_claim *claim, uint64_t now,
                                        struct fg_error *err);
/** fg_sigv4_verify() - OK or SIGNATURE. @secret belongs to claim->key_id, always the same one. */
enum fg_auth_result fg_sigv4_verify(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                                    const struct fg_sigv4_claim *claim, const char *secret,
                                    struct fg_error *err);
/** fg_sigv4_forget() - wipe what was derived from the secret of @key_id. */
void fg_sigv4_forget(struct fg_sigv4 *v, const char *key_id);

/**
 * fg_sigv4_canonical() - the canonical request, borrowed until the next call; NULL: @err
 * @as_sent: with path and query exactly as they came, see fg_sigv4_verify()'s code
 */
const char *fg_sigv4_canonical(struct fg_sigv4 *v, const struct fg_sigv4_message *m,
                               const struct fg_sigv4_claim *claim, bool as_sent,
                               struct fg_error *err);
