/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>

#include "api/aws/aws.h"
#include "api/http_private.h"
#include "core/str.h"

/* One row per way to be refused, as api/auth/result.h has it. */
static const struct {
        const char *json, *query;
        int json_status, query_status, rest_status;
} results[] = {
#define RESULT_ROW(name, json, query, json_status, query_status, rest_status)                      \
        [FG_AUTH_##name] = { json, query, json_status, query_status, rest_status },
        FG_AUTH_LIST(RESULT_ROW)
#undef RESULT_ROW
};

bool http_speaks_aws(const struct fg_request *r)
{
        return fg_streq(r->uri, "/") || fg_starts_with(r->uri, "/?");
}

void http_refuse(struct fg_request *r, enum fg_auth_result result, const struct fg_error *err)
{
        struct json_object *body;

        if (http_speaks_aws(r)) {
                bool json = fg_request_header(r, "X-Amz-Target") != NULL;

                fg_aws_refuse(r, json ? results[result].json_status : results[result].query_status,
                              json ? results[result].json : results[result].query, err->msg);
                return;
        }
        fg_request_note_error(r, results[result].json);
        body = json_object_new_object();
        fg_json_set_str(body, "__type", results[result].json);
        fg_json_set_str(body, "message", err->msg);
        fg_reply_json(r, results[result].rest_status, body);
}

/* ---- the unix socket: who is at the other end ---- */

static enum fg_auth_result check_peer(struct fg_request *r, struct fg_error *err)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
                r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct ucred cred;
        socklen_t len = sizeof(cred);

        if (info && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
            (cred.uid == 0 || cred.uid == geteuid())) {
                r->identity = (struct fg_identity){ .who = FG_WHO_PEER, .uid = cred.uid };
                return FG_AUTH_OK;
        }
        fg_fail(err, FG_ERR_DENIED, "only root and the user that runs fgd may use this socket");
        return FG_AUTH_DENIED;
}

/* ---- TCP: the token, or a signature ---- */

struct collected {
        struct fg_sigv4_header list[FG_SIGV4_HEADERS_MAX];
        size_t n;
        bool too_many;
};

static enum MHD_Result collect(void *userdata, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
        struct collected *c = userdata;

        (void)kind;
        c->too_many = c->n == FG_SIGV4_HEADERS_MAX;
        if (c->too_many)
                return MHD_NO;
        c->list[c->n++] = (struct fg_sigv4_header){ name, value ? value : "" };
        return MHD_YES;
}

static struct fg_sigv4_message message_of(struct fg_request *r, const char *method,
                                          struct collected *headers)
{
        size_t len;
        const char *body = fg_request_body(r, &len);

        headers->n = 0;
        headers->too_many = false;
        (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, collect, headers);
        return (struct fg_sigv4_message){ .method = method,
                                          .uri = r->uri,
                                          .headers = headers->list,
                                          .n_headers = headers->n,
                                          .body = body,
                                          .body_len = len,
                                          .body_may_be_unsigned = r->listener->http->config.tls };
}

enum fg_auth_result http_auth_begin(struct fg_request *r, const char *method, struct fg_error *err)
{
        struct fg_sigv4_message m;
        struct collected headers;

        if (!r->listener->tcp)
                return check_peer(r, err);
        m = message_of(r, method, &headers);
        if (headers.too_many) {
                fg_fail(err, FG_ERR_DENIED, "more than %d headers", FG_SIGV4_HEADERS_MAX);
                return FG_AUTH_INCOMPLETE;
        }
        return fg_auth_begin(r->listener->http->config.auth, &m, &r->claim, err);
}

enum fg_auth_result http_auth_finish(struct fg_request *r, const char *method, struct fg_error *err)
{
        struct fg_sigv4_message m;
        struct collected headers;

        if (!r->listener->tcp)
                return FG_AUTH_OK;
        m = message_of(r, method, &headers);
        return fg_auth_finish(r->listener->http->config.auth, &m, &r->claim, &r->identity, err);
}

/* ---- for handlers ---- */

const struct fg_identity *fg_request_identity(const struct fg_request *r)
{
        return &r->identity;
}

int fg_request_authorize(struct fg_request *r, const struct fg_act *act)
{
        struct fg_auth *auth = r->listener->http->config.auth;
        struct fg_error err = FG_ERROR_INIT;
        enum fg_auth_result result = fg_auth_allow(auth, &r->identity, act, &err);

        fg_request_note_act(r, act->action, NULL);
        if (result == FG_AUTH_OK && !r->noted) {
                r->noted = true;
                result = fg_auth_repeated(auth, &r->identity, act, &err);
        }
        if (result == FG_AUTH_OK)
                return 0;
        http_refuse(r, result, &err);
        return -1;
}
