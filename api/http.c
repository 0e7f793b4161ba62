/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/aws/aws.h"
#include "api/http_private.h"
#include "api/tls.h"
#include "core/clock.h"
#include "core/id.h"
#include "core/str.h"

#define HEADER_MAX 32768
#define BODY_STEP  65536 /* of a body, within the idle time */
#define THROWN_MAX 8     /* times the longest body */

static int on_hangup(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct fg_request *r = userdata;

        (void)source;
        (void)fd;
        (void)revents;
        r->gone = true;
        http_resume(r);
        return 0;
}

void http_suspend(struct fg_request *r)
{
        const union MHD_ConnectionInfo *info;

        if (r->suspended)
                return;
        r->suspended = true;
        info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        MHD_suspend_connection(r->connection);
        if (info && !r->hangup)
                (void)sd_event_add_io(r->listener->http->event, &r->hangup, info->connect_fd,
                                      EPOLLRDHUP, on_hangup, r);
}

void http_resume(struct fg_request *r)
{
        if (!r->suspended)
                return;
        r->suspended = false;
        r->hangup = sd_event_source_disable_unref(r->hangup);
        MHD_resume_connection(r->connection);
        (void)sd_event_source_set_enabled(r->listener->kick, SD_EVENT_ONESHOT);
}

void http_request_free(struct fg_request *r)
{
        http_audit(r);
        sd_event_source_disable_unref(r->hangup);
        if (r->next)
                r->next->prev = r->prev;
        *r->prev = r->next;
        if (r->response)
                MHD_destroy_response(r->response);
        fg_buf_finish(&r->body);
        fg_buf_finish(&r->stream.out);
        json_object_put(r->json);
        free(r->uri);
        free(r->allow);
        free(r);
}

static struct fg_request *request_new(struct listener *l, struct MHD_Connection *connection,
                                      const char *uri)
{
        struct fg_request *r = fg_calloc(1, sizeof(*r));
        char id[FG_ID_LEN + 1];

        r->listener = l;
        r->connection = connection;
        r->uri = fg_strdup(uri);
        r->body = FG_BUF_INIT_SECRET(l->http->config.limits.body);
        fg_id_new(id);
        fg_id_to_uuid(id, r->id);
        r->next = l->http->requests;
        r->prev = &l->http->requests;
        if (r->next)
                r->next->prev = &r->next;
        l->http->requests = r;
        l->http->total++;
        return r;
}

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result answer(struct fg_request *r)
{
        if (!r->response) {
                http_suspend(r);
                return MHD_YES;
        }
        return MHD_queue_response(r->connection, (unsigned)r->status, r->response);
}

/* UINT64_MAX: it is no number. */
static uint64_t announced_length(const struct fg_request *r)
{
        const char *length = fg_request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
        uint64_t n = 0;

        return !length || fg_parse_u64(length, &n) ? n : UINT64_MAX;
}

/* Before anything of the request but its first line is known. */
static void *on_uri(void *userdata, const char *uri, struct MHD_Connection *connection)
{
        return request_new(userdata, connection, uri);
}

/* Also who is refused may send his body first: a client that is cut off does not read why. */
static enum MHD_Result throw_away(struct fg_request *r, size_t *len)
{
        r->thrown += *len;
        *len = 0;
        return r->thrown / THROWN_MAX > r->body.max ? MHD_NO : MHD_YES;
}

static void refuse_too_long(struct fg_request *r)
{
        struct fg_error err = FG_ERROR_INIT;

        r->refused = true;
        fg_fail(&err, FG_ERR_INVALID, "the body is longer than %zu bytes (max_body_kib)",
                r->body.max);
        if (http_speaks_aws(r)) {
                fg_aws_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "RequestEntityTooLargeException",
                              err.msg);
                return;
        }
        fg_request_note_error(r, fg_err_exception(err.code));
        fg_reply_json(r, MHD_HTTP_CONTENT_TOO_LARGE, fg_error_json(&err));
}

/* MHD answers before a body or after it, not within. */
static enum MHD_Result take_body(struct fg_request *r, const char *data, size_t *len)
{
        struct fg_error ignored = FG_ERROR_INIT;

        if (*len >= r->owed) {
                r->owed = BODY_STEP;
                http_wait_for_client(r->listener, r->connection);
        } else {
                r->owed -= *len;
        }
        if (!r->refused && fg_buf_append(&r->body, data, *len, &ignored) < 0)
                refuse_too_long(r);
        if (r->refused)
                return throw_away(r, len);
        *len = 0;
        return MHD_YES;
}

static enum MHD_Result begin(struct fg_request *r, const char *method)
{
        uint64_t announced = announced_length(r);
        struct fg_error err = FG_ERROR_INIT;
        enum fg_auth_result result;

        r->begun = true;
        r->owed = BODY_STEP;
        http_wait_for_client(r->listener, r->connection);
        (void)snprintf(r->method, sizeof(r->method), "%s", method);
        http_note_peer(r);
        if (announced > r->body.max) {
                refuse_too_long(r);
                if (announced / THROWN_MAX <= r->body.max &&
                    !fg_request_header(r, MHD_HTTP_HEADER_EXPECT))
                        return MHD_YES;
                http_wait_over(r->listener, r->connection);
                return answer(r);
        }
        result = http_auth_begin(r, method, &err);
        if (result != FG_AUTH_OK) {
                r->refused = true;
                http_refuse(r, result, &err);
        }
        return MHD_YES;
}

static void handle(struct fg_request *r, const char *method, const char *path)
{
        struct fg_error err = FG_ERROR_INIT;
        enum fg_auth_result result = http_auth_finish(r, method, &err);

        if (result == FG_AUTH_OK)
                http_dispatch(r, method, path);
        else
                http_refuse(r, result, &err);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version,
                                  const char *data, size_t *len, void **cls)
{
        struct fg_request *r = *cls;

        (void)userdata;
        (void)version;
        if (!r->begun)
                return begin(r, method);
        if (*len > 0)
                return take_body(r, data, len);
        http_wait_over(r->listener, connection);
        if (!r->started && !r->answered)
                handle(r, method, url);
        if (r->gone)
                return MHD_NO;
        return answer(r);
}

/* False when the handler did not want to know. */
static bool tell_left(struct fg_request *r)
{
        void (*left)(void *userdata) = r->left;

        if (!left)
                return false;
        r->left = NULL;
        left(r->left_userdata);
        return true;
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **cls,
                         enum MHD_RequestTerminationCode code)
{
        struct fg_request *r = *cls;

        (void)code;
        http_wait_for_client(userdata, connection);
        if (!r)
                return;
        *cls = NULL;
        r->connection = NULL;
        if (r->stream.ops)
                r->stream.ops->closed(r->stream.userdata);
        else if (r->started && !r->answered && !tell_left(r))
                return; /* the handler still works: fg_reply_*() frees it */
        http_request_free(r);
}

/* ---- the loop ---- */

static void arm_timer(struct listener *l)
{
        MHD_UNSIGNED_LONG_LONG ms;

        if (MHD_get_timeout(l->mhd, &ms) == MHD_YES) {
                (void)sd_event_source_set_time_relative(l->timer, ms * 1000);
                (void)sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
        } else {
                (void)sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        }
}

static void run_mhd(struct listener *l)
{
        (void)MHD_run(l->mhd);
        arm_timer(l);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        (void)source;
        (void)fd;
        (void)revents;
        run_mhd(userdata);
        return 0;
}

static int on_kick(sd_event_source *source, void *userdata)
{
        (void)source;
        run_mhd(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source;
        (void)usec;
        run_mhd(userdata);
        return 0;
}

static int start_mhd(struct listener *l, struct fg_error *err)
{
        const struct fg_http_limits *limits = &l->http->config.limits;
        const struct fg_tls *tls = l->tcp ? l->http->config.tls : NULL;
        struct MHD_OptionItem certificate[] = {
                { MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? tls->certificate.data : NULL },
                { MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? tls->key.data : NULL },
                { MHD_OPTION_END, 0, NULL },
        };
        unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
        const union MHD_DaemonInfo *info;
        int r;

        l->mhd = MHD_start_daemon(
                tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, l,
                MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_CONNECTION_LIMIT, limits->connections,
                MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_seconds,
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MAX, MHD_OPTION_URI_LOG_CALLBACK,
                on_uri, l, MHD_OPTION_ARRAY, tls ? certificate : certificate + 2,
                MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_NOTIFY_CONNECTION,
                http_on_connection, l, MHD_OPTION_END);
        if (!l->mhd)
                return fg_fail(err, FG_ERR_INTERNAL, "cannot start the HTTP server");
        info = MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return fg_fail(err, FG_ERR_INTERNAL, "libmicrohttpd without epoll");
        r = sd_event_add_io(l->http->event, &l->io, info->epoll_fd, EPOLLIN, on_io, l);
        if (r >= 0)
                r = sd_event_add_time_relative(l->http->event, &l->timer, CLOCK_MONOTONIC, 0, 1000,
                                               on_timer, l);
        if (r >= 0)
                r = sd_event_add_defer(l->http->event, &l->kick, on_kick, l);
        return r < 0 ? fg_fail_errno(err, -r, "watch the HTTP server") : 0;
}

int http_add_listener(struct fg_http *http, int fd, char *take_path, struct fg_error *err)
{
        struct listener *l = fg_calloc(1, sizeof(*l));
        int r;

        l->http = http;
        l->fd = fd;
        l->unix_path = take_path;
        l->tcp = !take_path;
        l->next = http->listeners;
        http->listeners = l;
        r = http_wait_start(l);
        return r < 0 ? fg_fail_errno(err, -r, "watch connections") : start_mhd(l, err);
}

int fg_http_new(sd_event *event, const struct fg_http_config *config, struct fg_http **ret,
                struct fg_error *err)
{
        struct fg_http *http = fg_calloc(1, sizeof(*http));

        (void)err;
        http->event = event;
        http->config = *config;
        *ret = http;
        return 0;
}

static void listener_free(struct listener *l)
{
        sd_event_source_disable_unref(l->io);
        sd_event_source_disable_unref(l->timer);
        sd_event_source_disable_unref(l->kick);
        sd_event_source_disable_unref(l->deadline);
        if (l->mhd)
                MHD_stop_daemon(l->mhd);
        else if (l->fd >= 0)
                (void)close(l->fd);
        if (l->unix_path)
                (void)unlink(l->unix_path);
        free(l->unix_path);
        free(l);
}

/* Gives @r an answer or an end, so that nothing is suspended when MHD stops: it would abort. */
static void close_request(struct fg_request *r)
{
        bool working;

        if (!r->connection)
                return;
        if (r->stream.ops) {
                r->gone = true; /* cut off: an orderly end would say that this was all */
        } else if (r->started && !r->answered) {
                working = !tell_left(r);
                http_reply_closing(r);
                r->answered = !working; /* the handler's own answer frees it */
        }
        http_resume(r);
}

void fg_http_free(struct fg_http *http)
{
        struct listener *l;

        if (!http)
                return;
        http->closing = true;
        for (struct fg_request *r = http->requests; r; r = r->next)
                close_request(r);
        for (l = http->listeners; l; l = l->next)
                if (l->mhd)
                        (void)MHD_run(l->mhd);
        while ((l = http->listeners)) {
                http->listeners = l->next;
                listener_free(l);
        }
        /* What is left belongs to handlers that still work: it must not lead back here. */
        for (struct fg_request *r = http->requests, *next; r; r = next) {
                next = r->next;
                r->next = NULL;
                r->prev = &r->next;
                r->listener = NULL;
        }
        free(http);
}

unsigned fg_http_open_requests(const struct fg_http *http)
{
        unsigned n = 0;

        for (const struct fg_request *r = http->requests; r; r = r->next)
                n++;
        return n;
}

uint64_t fg_http_total_requests(const struct fg_http *http)
{
        return http->total;
}
