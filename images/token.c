/* SPDX-License-Identifier: Apache-2.0 */
#include "images/token.h"

#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/str.h"

#define TOKEN_MAX 65536

static int on_token(void *userdata, const void *data, size_t len, struct fg_error *err)
{
        return fg_buf_append(userdata, data, len, err);
}

static char *token_url(const struct fg_challenge *c, const struct fg_reference *ref)
{
        fg_autofree char *fallback = fg_asprintf("repository:%s:pull", ref->repository);
        fg_autofree char *scope = fg_transfer_escape(c->scope ? c->scope : fallback);
        fg_autofree char *service = fg_transfer_escape(c->service ? c->service : "");

        return fg_asprintf("%s%sscope=%s%s%s", c->realm, strchr(c->realm, '?') ? "&" : "?", scope,
                           c->service ? "&service=" : "", service);
}

static char *read_token(const struct fg_buf *body, struct fg_error *err)
{
        fg_autojson *doc = fg_json_parse(body->data ? body->data : "", body->len, err);
        const char *token = fg_json_str(doc, "token");

        if (!token || !*token)
                token = fg_json_str(doc, "access_token");
        /* It becomes a header: nothing in it may end the line. */
        if (!token || !*token || strpbrk(token, "\r\n")) {
                fg_fail(err, FG_ERR_UPSTREAM, "the answer holds no token");
                return NULL;
        }
        return fg_asprintf("Bearer %s", token);
}

static char *fetch_token(struct fg_transfer *http, const char *url, const char *basic, bool plain,
                         bool *ret_transient, struct fg_error *err)
{
        fg_cleanup(fg_transfer_reply_finish) struct fg_transfer_reply reply = { 0 };
        fg_cleanup(fg_buf_finish) struct fg_buf body = FG_BUF_INIT(TOKEN_MAX);
        struct fg_transfer_request rq = {
                .url = url,
                .authorization = basic,
                .plain = plain,
                .write = on_token,
                .userdata = &body,
        };
        int r = fg_transfer_get(http, &rq, &reply, err);

        *ret_transient = reply.transient;
        if (r < 0)
                return NULL;
        if (reply.status >= 200 && reply.status <= 299)
                return read_token(&body, err);
        fg_fail(err, reply.status == 401 || reply.status == 403 ? FG_ERR_DENIED : FG_ERR_UPSTREAM,
                "%s answered %ld%s%s%s", reply.host, reply.status, reply.message ? ": " : "",
                reply.message ? reply.message : "",
                basic || reply.transient ? "" : " (no credentials for this registry)");
        return NULL;
}

static char *answer_bearer(struct fg_transfer *http, const struct fg_challenge *c,
                           const struct fg_reference *ref, const char *basic, bool plain,
                           bool *ret_transient, struct fg_error *err)
{
        fg_autofree char *url = token_url(c, ref);
        char *answer;

        if (!fg_starts_with(c->realm, "https://") && !plain) {
                fg_fail(err, FG_ERR_UPSTREAM, "token server \"%.100s\" does not use TLS", c->realm);
                return NULL;
        }
        answer = fetch_token(http, url, basic, plain, ret_transient, err);
        if (!answer)
                fg_wrap(err, "failed to fetch a token");
        return answer;
}

char *fg_token_answer(struct fg_transfer *http, const struct fg_registry_config *config,
                      const struct fg_reference *ref, const char *challenge, bool plain,
                      bool *ret_transient, struct fg_error *err)
{
        fg_cleanup(fg_credentials_finish) struct fg_credentials credentials = { 0 };
        fg_cleanup(fg_challenge_finish) struct fg_challenge c = { 0 };
        fg_autofree char *basic = NULL;
        int found;

        *ret_transient = false;
        if (fg_challenge_parse(challenge ? challenge : "", &c, err) < 0)
                return NULL;
        found = fg_credentials_find(config->docker_config, ref->registry, &credentials, err);
        if (found < 0)
                return NULL;
        if (found)
                basic = fg_credentials_basic(&credentials);
        if (c.scheme == FG_AUTH_BEARER)
                return answer_bearer(http, &c, ref, basic, plain, ret_transient, err);
        if (c.scheme == FG_AUTH_BASIC && basic)
                return fg_take_ptr(basic);
        fg_fail(err, FG_ERR_DENIED, "authentication required%s",
                c.scheme == FG_AUTH_BASIC ? ": no credentials for this registry"
                                          : ", but the registry does not say how");
        return NULL;
}
