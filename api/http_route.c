/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/http_private.h"
#include "api/problem.h"
#include "core/str.h"

/* Matches "/v1/tasks/<arg>/stop" against "/v1/tasks/[*]/stop". */
static bool path_matches(const char *pattern, const char *path, char *ret_arg, size_t arg_size)
{
        const char *star = strchr(pattern, '*');
        const char *end;
        size_t len;

        ret_arg[0] = '\0';
        if (!star)
                return fg_streq(pattern, path);
        if (strncmp(pattern, path, (size_t)(star - pattern)) != 0)
                return false;
        path += star - pattern;
        end = strchrnul(path, '/');
        /* An ARN has slashes of its own: take the longest argument that leaves the suffix. */
        if (fg_starts_with(path, "arn:"))
                end = path + strlen(path) - (fg_ends_with(path, star + 1) ? strlen(star + 1) : 0);
        len = (size_t)(end - path);
        if (len == 0 || len >= arg_size || !fg_streq(end, star + 1))
                return false;
        memcpy(ret_arg, path, len);
        ret_arg[len] = '\0';
        return true;
}

/* "GET, POST": the methods of all routes that the path matches; NULL: none does. */
static char *allowed_methods(const struct fg_http *http, const char *path)
{
        char *list = NULL, arg[HTTP_ARG_MAX];

        for (const struct fg_route *route = http->config.routes; route->method; route++) {
                fg_autofree char *before = list;

                if (!path_matches(route->path, path, arg, sizeof(arg))) {
                        list = fg_take_ptr(before);
                        continue;
                }
                list = fg_asprintf("%s%s%s", before ? before : "", before ? ", " : "",
                                   route->method);
        }
        return list;
}

static void reply_no_route(struct fg_request *r, const char *method, const char *path)
{
        struct fg_error err = FG_ERROR_INIT;

        r->allow = allowed_methods(r->listener->http, path);
        if (r->allow)
                fg_fail(&err, FG_ERR_METHOD, "%s does not take %.*s; it takes %s", path,
                        FG_CLIP(method), r->allow);
        else
                fg_fail(&err, FG_ERR_NOT_FOUND, "no such path: %s (see docs/api.md)", path);
        fg_reply_error(r, &err);
}

void http_reply_closing(struct fg_request *r)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_fail(&err, FG_ERR_CAPACITY, "fgd is shutting down");
        fg_reply_error(r, &err);
}

struct query_check {
        const char *allowed;
        char unknown[64];
};

static enum MHD_Result on_parameter(void *userdata, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
        struct query_check *check = userdata;
        fg_autofree char *list = fg_strdup(check->allowed ? check->allowed : "");
        char *rest = list, *word;

        (void)kind;
        (void)value;
        /* Of a presigned request. */
        if (fg_starts_with(name, "X-Amz-"))
                return MHD_YES;
        while ((word = strsep(&rest, " ")))
                if (*word && fg_streq(word, name))
                        return MHD_YES;
        (void)snprintf(check->unknown, sizeof(check->unknown), "%.*s", FG_CLIP(name));
        return MHD_NO;
}

/* A parameter that nobody reads must not look as if it had done something. */
static int check_query(const struct fg_request *r, const struct fg_route *route,
                       struct fg_error *err)
{
        struct query_check check = { .allowed = route->query };

        if (route->query && fg_streq(route->query, FG_QUERY_ANY))
                return 0;
        (void)MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, on_parameter, &check);
        if (!*check.unknown)
                return 0;
        return fg_fail(err, FG_ERR_INVALID, "unknown query parameter '%s'; %s %s takes %s",
                       check.unknown, route->method, route->path,
                       route->query ? route->query : "none");
}

/* A request of the REST API is one for service "fgrun", and sees all clusters. */
static int authorize(struct fg_request *r)
{
        struct fg_error err = FG_ERROR_INIT;
        const struct fg_act act = { .service = "fgrun",
                                    .action = r->route->action,
                                    .cluster = "*" };

        if (!act.action && r->identity.who == FG_WHO_KEY) {
                fg_fail(&err, FG_ERR_DENIED,
                        "%s %s is not for access keys: use the unix socket or the bearer token",
                        r->route->method, r->route->path);
                http_refuse(r, FG_AUTH_DENIED, &err);
                return -1;
        }
        if (!act.action || fg_streq(act.action, FG_ACTION_BY_HANDLER))
                return 0;
        return fg_request_authorize(r, &act);
}

void http_dispatch(struct fg_request *r, const char *method, const char *path)
{
        const struct fg_http *http = r->listener->http;
        struct fg_error err = FG_ERROR_INIT;

        r->started = true;
        if (http->closing) {
                http_reply_closing(r);
                return;
        }
        /* The answer to HEAD is that to GET; MHD leaves its body out. */
        if (fg_streq(method, MHD_HTTP_METHOD_HEAD))
                method = MHD_HTTP_METHOD_GET;
        for (const struct fg_route *route = http->config.routes; route->method; route++) {
                if (!fg_streq(route->method, method) ||
                    !path_matches(route->path, path, r->arg, sizeof(r->arg)))
                        continue;
                r->route = route;
                if (authorize(r) < 0)
                        return;
                if (check_query(r, route, &err) < 0)
                        fg_reply_error(r, &err);
                else
                        route->handler(http->config.daemon, r);
                return;
        }
        reply_no_route(r, method, path);
}
