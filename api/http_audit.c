/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "api/http_private.h"
#include "core/clock.h"
#include "core/str.h"

void http_note_peer(struct fg_request *r)
{
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
                r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const struct sockaddr *address = info ? info->client_addr : NULL;

        if (address && address->sa_family == AF_INET)
                (void)inet_ntop(AF_INET,
                                &((const struct sockaddr_in *)(const void *)address)->sin_addr,
                                r->peer, sizeof(r->peer));
        else if (address && address->sa_family == AF_INET6)
                (void)inet_ntop(AF_INET6,
                                &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
                                r->peer, sizeof(r->peer));
        else
                (void)snprintf(r->peer, sizeof(r->peer), "unix");
}

void fg_request_note_error(struct fg_request *r, const char *exception)
{
        (void)snprintf(r->error, sizeof(r->error), "%s", exception);
}

void fg_request_note_act(struct fg_request *r, const char *action, const char *resource)
{
        (void)snprintf(r->action, sizeof(r->action), "%s", action);
        if (resource)
                (void)snprintf(r->resource, sizeof(r->resource), "%s", resource);
}

/* A key by its id and name; one that only claims to be a key by its id and '?'. */
static void describe(const struct fg_request *r, char *ret, size_t size)
{
        switch (r->identity.who) {
        case FG_WHO_PEER:
                (void)snprintf(ret, size, "uid:%u", (unsigned)r->identity.uid);
                break;
        case FG_WHO_TOKEN:
                (void)snprintf(ret, size, "token");
                break;
        case FG_WHO_KEY:
                (void)snprintf(ret, size, "%s/%s", r->identity.key_id, r->identity.name);
                break;
        case FG_WHO_NOBODY:
                (void)snprintf(ret, size, "%s?", r->claim.key_id);
                break;
        }
}

/* The query stays out: it may carry a signature. */
void http_audit(struct fg_request *r)
{
        /* Answered after the server has gone: nobody heard it. */
        struct fg_audit *audit = r->listener ? r->listener->http->config.audit : NULL;
        struct fg_audit_entry entry = { .time_ns = fg_now_ns(),
                                        .request = r->id,
                                        .peer = r->peer,
                                        .method = r->method,
                                        .action = *r->action ? r->action : NULL,
                                        .resource = *r->resource ? r->resource : NULL,
                                        .error = *r->error ? r->error : NULL,
                                        .status = r->status };
        fg_autofree char *path = NULL;
        char who[256];

        if (r->audited || !r->begun || !audit)
                return;
        r->audited = true;
        describe(r, who, sizeof(who));
        path = fg_asprintf("%.*s", (int)strcspn(r->uri, "?"), r->uri);
        entry.who = who;
        entry.path = path;
        fg_audit_write(audit, &entry);
}
