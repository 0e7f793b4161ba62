/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * One blocking GET at a time over libcurl, redirects followed by hand so that credentials stay with
 * the host they are for. An object belongs to one lane thread.
 */
struct fg_transfer;

struct fg_transfer_request {
        const char *url;
        const char *accept;        /* NULL: anything */
        const char *authorization; /* header value, NULL: none; secret */
        uint64_t from;             /* > 0: Range: bytes=from- */
        bool plain;                /* http:// is allowed */
        /* Body of a 2xx answer: begin() once before its first byte (NULL: not needed), write() as
           it comes. -1 with @err set ends the transfer. */
        int (*begin)(void *userdata, long status, const char *content_range, struct fg_error *err);
        int (*write)(void *userdata, const void *data, size_t len, struct fg_error *err);
        void *userdata;
};

struct fg_transfer_reply {
        long status;          /* 0: no answer */
        bool transient;       /* trying again may help */
        bool tls_failed;      /* the peer does not speak TLS */
        uint64_t retry_after; /* seconds; 0: not said */
        char *content_type;
        char *digest;    /* Docker-Content-Digest */
        char *challenge; /* WWW-Authenticate values, comma-joined */
        char *host;      /* that answered, after redirects */
        char *message;   /* text of an error answer, shortened */
};

/** @ca_file: extra CA bundle or NULL. @cancel: when set, a transfer ends within about a second. */
struct fg_transfer *fg_transfer_new(const char *ca_file, const atomic_bool *cancel);
void fg_transfer_free(struct fg_transfer *h);
FG_DEFINE_CLEANUP(struct fg_transfer *, fg_transfer_free)

/**
 * fg_transfer_get() - any status is success of the exchange; look at @ret->status
 * @ret: filled on failure, too; fg_transfer_reply_finish() in any case
 * Return: 0, or -1: UPSTREAM, TIMEOUT, or what begin() and write() said.
 */
int fg_transfer_get(struct fg_transfer *h, const struct fg_transfer_request *rq,
                    struct fg_transfer_reply *ret, struct fg_error *err);
void fg_transfer_reply_finish(struct fg_transfer_reply *reply);
/** fg_transfer_wait() - sleep, unless cancelled: then -1 at once. */
int fg_transfer_wait(struct fg_transfer *h, uint64_t ms, struct fg_error *err);
/** fg_transfer_escape() - for a query value; caller frees. */
char *fg_transfer_escape(const char *s);
/** fg_url_host() - host[:port] of a URL; caller frees; NULL: not a URL. */
char *fg_url_host(const char *url);
