/* SPDX-License-Identifier: Apache-2.0 */
#include "images/registry.h"

#include <inttypes.h>
#include <string.h>

#include "core/buf.h"
#include "core/id.h"
#include "core/str.h"
#include "images/blobstore.h"
#include "images/token.h"
#include "images/transfer.h"

#define TRIES_MAX         5   /* without a new byte in between */
#define TRIES_TOTAL_MAX   100 /* of one download, however it crawls on */
#define BACKOFF_FIRST_MS  250
#define BACKOFF_MAX_MS    8000
#define RETRY_AFTER_MAX_S 30

struct fg_registry {
        const struct fg_registry_config *config;
        const struct fg_reference *ref;
        struct fg_transfer *http;
        struct fg_grant grant;
        bool plain, plain_allowed; /* HTTP now; HTTP when the peer turns out not to know TLS */
};

struct tries {
        unsigned idle, total;
};

void fg_grant_finish(struct fg_grant *grant)
{
        free(grant->base);
        free(grant->authorization);
        *grant = (struct fg_grant){ 0 };
}

static bool is_listed(const char *list, const char *host)
{
        size_t len = strlen(host);

        while (list && *list) {
                size_t n = strcspn(list, ",");

                if (n == len && memcmp(list, host, len) == 0)
                        return true;
                list += n + (list[n] == ',');
        }
        return false;
}

struct fg_registry *fg_registry_new(const struct fg_registry_config *config,
                                    const struct fg_reference *ref, const struct fg_grant *grant,
                                    const atomic_bool *cancel)
{
        struct fg_registry *r = fg_calloc(1, sizeof(*r));
        const char *host = fg_reference_host(ref);

        r->config = config;
        r->ref = ref;
        r->http = fg_transfer_new(config->ca_file, cancel);
        r->plain = is_listed(config->insecure, host);
        r->plain_allowed = r->plain || fg_host_is_loopback(host);
        if (grant && grant->base) {
                r->plain = fg_starts_with(grant->base, "http:");
                r->grant.authorization = fg_strdup(grant->authorization);
        }
        r->grant.base = fg_asprintf("%s://%s", r->plain ? "http" : "https", host);
        return r;
}

void fg_registry_free(struct fg_registry *r)
{
        if (!r)
                return;
        fg_transfer_free(r->http);
        fg_grant_finish(&r->grant);
        free(r);
}

void fg_registry_grant(const struct fg_registry *r, struct fg_grant *ret)
{
        ret->base = fg_strdup(r->grant.base);
        ret->authorization = fg_strdup(r->grant.authorization);
}

static void fall_back_to_plain(struct fg_registry *r)
{
        r->plain = true;
        free(r->grant.base);
        r->grant.base = fg_asprintf("http://%s", fg_reference_host(r->ref));
}

/* Half of the step is fixed, half is chance, so that many clients do not come back together. */
static uint64_t backoff_ms(unsigned tries, uint64_t retry_after_s)
{
        uint64_t step = (uint64_t)BACKOFF_FIRST_MS << (tries < 8 ? tries : 8), random;

        if (step > BACKOFF_MAX_MS)
                step = BACKOFF_MAX_MS;
        fg_random(&random, sizeof(random));
        step = step / 2 + random % (step / 2 + 1);
        return retry_after_s * 1000 > step ? retry_after_s * 1000 : step;
}

static int fail_status(const struct fg_transfer_reply *reply, struct fg_error *err)
{
        const char *text = reply->message ? reply->message : "";
        const char *colon = reply->message ? ": " : "";

        switch (reply->status) {
        case 404:
                return fg_fail(err, FG_ERR_NOT_FOUND, "not found: %s answered 404%s%s", reply->host,
                               colon, text);
        case 401:
        case 403:
                return fg_fail(err, FG_ERR_DENIED, "access denied: %s answered %ld%s%s",
                               reply->host, reply->status, colon, text);
        case 429:
                return fg_fail(err, FG_ERR_UPSTREAM, "too many requests: %s answered 429%s%s",
                               reply->host, colon, text);
        default:
                return fg_fail(err, FG_ERR_UPSTREAM, "unexpected status: %s answered %ld%s%s",
                               reply->host, reply->status, colon, text);
        }
}

/* One try, with at most one round of authentication and one step down to HTTP in it. */
static int attempt(struct fg_registry *r, const char *path, struct fg_transfer_request *rq,
                   struct fg_transfer_reply *reply, struct fg_error *err)
{
        for (bool answered = false;;) {
                fg_autofree char *url = fg_asprintf("%s%s", r->grant.base, path);
                char *answer;

                rq->url = url;
                rq->plain = r->plain;
                rq->authorization = r->grant.authorization;
                if (fg_transfer_get(r->http, rq, reply, err) < 0) {
                        if (!reply->tls_failed || r->plain || !r->plain_allowed)
                                return -1;
                        fall_back_to_plain(r);
                        continue;
                }
                if (reply->status >= 200 && reply->status <= 299)
                        return 0;
                if (reply->status != 401 || answered)
                        return fail_status(reply, err);
                answered = true;
                answer = fg_token_answer(r->http, r->config, r->ref, reply->challenge, r->plain,
                                         &reply->transient, err);
                if (!answer)
                        return -1;
                free(r->grant.authorization);
                r->grant.authorization = answer;
        }
}

/* Waits before the next try, or says that there is none: -1, and @err tells how often. */
static int next_try(struct fg_registry *r, struct tries *t, const struct fg_transfer_reply *reply,
                    struct fg_error *err)
{
        uint64_t wait = reply->retry_after;

        t->idle++;
        t->total++;
        if (!reply->transient || t->idle >= TRIES_MAX || t->total >= TRIES_TOTAL_MAX) {
                size_t len = strlen(err->msg);

                if (t->total > 1)
                        (void)snprintf(err->msg + len, sizeof(err->msg) - len,
                                       " (after %u attempts)", t->total);
                return -1;
        }
        if (wait > RETRY_AFTER_MAX_S)
                return fg_wrap(err, "asked to come back in %" PRIu64 " s", wait);
        return fg_transfer_wait(r->http, backoff_ms(t->idle - 1, wait), err);
}

static int on_small(void *userdata, const void *data, size_t len, struct fg_error *err)
{
        return fg_buf_append(userdata, data, len, err);
}

static int fetch_small(struct fg_registry *r, const char *path, const char *accept,
                       struct fg_buf *ret, struct fg_transfer_reply *reply, struct fg_error *err)
{
        struct fg_transfer_request rq = { .accept = accept, .write = on_small, .userdata = ret };
        struct tries tries = { 0 };

        do {
                fg_buf_clear(ret);
                if (attempt(r, path, &rq, reply, err) == 0)
                        return 0;
        } while (next_try(r, &tries, reply, err) == 0);
        return -1;
}

static int check_digest(const char *said, const char *expected, const struct fg_buf *body,
                        struct fg_error *err)
{
        char actual[FG_DIGEST_LEN + 1];

        fg_digest_of(body->data ? body->data : "", body->len, actual);
        if (expected && !fg_streq(actual, expected))
                return fg_fail(err, FG_ERR_UPSTREAM, "%s came with wrong content (digest %s)",
                               expected, actual);
        if (said && fg_starts_with(said, "sha256:") && !fg_streq(actual, said))
                return fg_fail(err, FG_ERR_UPSTREAM,
                               "Docker-Content-Digest %.100s, but the content has %s", said,
                               actual);
        return 0;
}

int fg_registry_manifest(struct fg_registry *r, const char *digest, struct fg_buf *ret,
                         char **ret_media_type, struct fg_error *err)
{
        fg_cleanup(fg_transfer_reply_finish) struct fg_transfer_reply reply = { 0 };
        fg_autofree char *path = NULL;

        if (!digest && r->ref->digest[0])
                digest = r->ref->digest;
        path = fg_asprintf("/v2/%s/manifests/%s", r->ref->repository,
                           digest ? digest : r->ref->tag);
        if (fetch_small(r, path, FG_MANIFEST_ACCEPT, ret, &reply, err) < 0 ||
            check_digest(reply.digest, digest, ret, err) < 0)
                return -1;
        *ret_media_type = fg_take_ptr(reply.content_type);
        return 0;
}

int fg_registry_small_blob(struct fg_registry *r, const char *digest, struct fg_buf *ret,
                           struct fg_error *err)
{
        fg_cleanup(fg_transfer_reply_finish) struct fg_transfer_reply reply = { 0 };
        fg_autofree char *path = fg_asprintf("/v2/%s/blobs/%s", r->ref->repository, digest);

        if (fetch_small(r, path, NULL, ret, &reply, err) < 0)
                return -1;
        return check_digest(NULL, digest, ret, err);
}

/* "bytes 10-99/100" must continue exactly where the part ends. */
static bool range_fits(const char *range, uint64_t at, uint64_t size)
{
        fg_autofree char *from = NULL, *total = NULL;
        const char *dash, *slash;
        uint64_t a, b;

        if (!range || !fg_starts_with(range, "bytes "))
                return false;
        range += strlen("bytes ");
        dash = strchr(range, '-');
        slash = dash ? strchr(dash, '/') : NULL;
        if (!slash)
                return false;
        from = fg_asprintf("%.*s", (int)(dash - range), range);
        total = fg_strdup(slash + 1);
        if (!fg_parse_u64(from, &a) || a != at)
                return false;
        return fg_streq(total, "*") || (fg_parse_u64(total, &b) && b == size);
}

static int begin_blob(void *userdata, long status, const char *range, struct fg_error *err)
{
        struct fg_blob_writer *w = userdata;

        if (status == 206) {
                if (range_fits(range, fg_blob_writer_at(w), fg_blob_writer_size(w)))
                        return 0;
                if (fg_blob_writer_restart(w, err) < 0)
                        return -1;
                return fg_fail(err, FG_ERR_UPSTREAM, "wrong Content-Range \"%.100s\"",
                               range ? range : "");
        }
        /* The whole blob again: the server does not do ranges. */
        return fg_blob_writer_at(w) ? fg_blob_writer_restart(w, err) : 0;
}

static int write_blob(void *userdata, const void *data, size_t len, struct fg_error *err)
{
        return fg_blob_writer_append(userdata, data, len, err);
}

/* One try for the rest of a blob. Bad content is worth another try, a full disk is not. */
static int attempt_blob(struct fg_registry *r, const char *path, struct fg_blob_writer *w,
                        struct fg_transfer_reply *reply, struct fg_error *err)
{
        struct fg_transfer_request rq = {
                .from = fg_blob_writer_at(w),
                .begin = begin_blob,
                .write = write_blob,
                .userdata = w,
        };

        if (rq.from < fg_blob_writer_size(w) || rq.from == 0) {
                if (attempt(r, path, &rq, reply, err) < 0) {
                        if (reply->status == 416 && fg_blob_writer_restart(w, err) == 0)
                                reply->transient = true;
                        if (reply->status / 100 == 2 && err->code == FG_ERR_UPSTREAM)
                                reply->transient = true;
                        return -1;
                }
        }
        if (fg_blob_writer_commit(w, err) == 0)
                return 0;
        reply->transient = err->code == FG_ERR_UPSTREAM;
        return -1;
}

int fg_registry_blob(struct fg_registry *r, struct fg_blob_writer *w, struct fg_error *err)
{
        fg_cleanup(fg_transfer_reply_finish) struct fg_transfer_reply reply = { 0 };
        fg_autofree char *path = fg_asprintf("/v2/%s/blobs/%s", r->ref->repository,
                                             fg_blob_writer_digest(w));
        struct tries tries = { 0 };
        uint64_t before;

        do {
                before = fg_blob_writer_at(w);
                fg_transfer_reply_finish(&reply);
                if (attempt_blob(r, path, w, &reply, err) == 0)
                        return 0;
                if (fg_blob_writer_at(w) > before)
                        tries.idle = 0;
        } while (next_try(r, &tries, &reply, err) == 0);
        return -1;
}
