/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/http_server.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/console.h"

#define RETRY_NS   FG_NS_PER_SEC
#define THOUSAND   1000
#define HEADER_MAX 1024

static void set_listening(struct fg_http_server *s, bool on)
{
        struct fg_error err = FG_ERROR_INIT;

        if (on == s->listening)
                return;
        if (!on)
                fg_loop_del(s->loop, &s->listener);
        else if (fg_loop_add(s->loop, &s->listener, EPOLLIN, &err) < 0)
                fg_console("metadata: %s", err.msg);
        s->listening = on;
}

/* The earliest deadline of all. */
static void set_timer(struct fg_http_server *s)
{
        uint64_t next = 0;

        for (size_t i = 0; i < FG_HTTP_CONNECTIONS; i++) {
                const struct fg_http_connection *c = &s->connections[i];

                if (c->phase != FG_HTTP_FREE && (next == 0 || c->deadline < next))
                        next = c->deadline;
        }
        s->timer.deadline = next;
}

static void drop(struct fg_http_connection *c)
{
        fg_loop_del(c->server->loop, &c->source);
        (void)close(c->source.fd);
        fg_buf_finish(&c->out);
        c->phase = FG_HTTP_FREE;
        set_timer(c->server);
        set_listening(c->server, true);
}

static void watch(struct fg_http_connection *c, uint32_t events)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_loop_del(c->server->loop, &c->source);
        if (fg_loop_add(c->server->loop, &c->source, events, &err) < 0)
                drop(c);
}

/* Reads what nobody needs: closing before would destroy what the client has not read yet. */
static void finish_closing(struct fg_http_connection *c)
{
        ssize_t n = recv(c->source.fd, c->in, sizeof(c->in), 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                drop(c);
}

static void send_rest(struct fg_http_connection *c)
{
        while (c->sent < c->out.len) {
                ssize_t n = send(c->source.fd, c->out.data + c->sent, c->out.len - c->sent,
                                 MSG_NOSIGNAL);

                if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                        if (c->phase != FG_HTTP_WRITING) {
                                c->phase = FG_HTTP_WRITING;
                                watch(c, EPOLLOUT);
                        }
                        return;
                }
                if (n <= 0) {
                        drop(c);
                        return;
                }
                c->sent += (size_t)n;
        }
        (void)shutdown(c->source.fd, SHUT_WR);
        if (c->phase == FG_HTTP_WRITING)
                watch(c, EPOLLIN);
        if (c->phase != FG_HTTP_FREE)
                c->phase = FG_HTTP_CLOSING;
}

/* A bucket of tokens: a container that asks without end leaves the init time for the others. */
static bool take_credit(struct fg_http_server *s)
{
        const uint64_t now = fg_mono_ns();
        const uint64_t earned = (now - s->credit_at) / FG_NS_PER_MSEC * FG_HTTP_PER_SECOND;

        if (earned > 0)
                s->credit_at = now;
        s->credit += earned < FG_HTTP_BURST * THOUSAND ? earned : FG_HTTP_BURST * THOUSAND;
        if (s->credit > FG_HTTP_BURST * THOUSAND)
                s->credit = FG_HTTP_BURST * THOUSAND;
        if (s->credit < THOUSAND)
                return false;
        s->credit -= THOUSAND;
        return true;
}

static void respond(struct fg_http_connection *c, int status, const struct fg_http_request *r)
{
        fg_cleanup(fg_buf_finish) struct fg_buf body = FG_BUF_INIT(FG_HTTP_ANSWER_MAX);
        struct fg_http_server *s = c->server;
        fg_autofree char *text = NULL;
        struct fg_error err = FG_ERROR_INIT;

        if (status == FG_HTTP_OK && !take_credit(s))
                status = FG_HTTP_TOO_MANY;
        else if (status == FG_HTTP_OK)
                status = s->answer(s->owner, r->path, r->path_len, &body);
        if (body.len == 0)
                text = fg_asprintf("\"%s\"", fg_http_reason(status));
        c->out = FG_BUF_INIT(FG_HTTP_ANSWER_MAX + HEADER_MAX);
        if (fg_http_respond(&c->out, status, text ? text : body.data, &err) < 0) {
                drop(c);
                return;
        }
        send_rest(c);
}

static void read_request(struct fg_http_connection *c)
{
        struct fg_http_request request = { 0 };
        ssize_t n = recv(c->source.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
        int status;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                drop(c);
                return;
        }
        c->in_len += (size_t)n;
        status = fg_http_parse(c->in, c->in_len, &request);
        if (status != 0)
                respond(c, status, &request);
}

static void connection_ready(struct fg_source *source, uint32_t events)
{
        struct fg_http_connection *c = FG_CONTAINER_OF(source, struct fg_http_connection, source);

        (void)events; /* an error shows in what is tried next */
        if (c->phase == FG_HTTP_READING)
                read_request(c);
        else if (c->phase == FG_HTTP_WRITING)
                send_rest(c);
        else
                finish_closing(c);
}

static struct fg_http_connection *find_free(struct fg_http_server *s)
{
        for (size_t i = 0; i < FG_HTTP_CONNECTIONS; i++) {
                if (s->connections[i].phase == FG_HTTP_FREE)
                        return &s->connections[i];
        }
        return NULL;
}

/* Further clients wait in the kernel's queue until one leaves or is dropped. */
static void listener_ready(struct fg_source *source, uint32_t events)
{
        struct fg_http_server *s = FG_CONTAINER_OF(source, struct fg_http_server, listener);
        struct fg_http_connection *c = find_free(s);
        struct fg_error err = FG_ERROR_INIT;
        int fd;

        (void)events;
        if (!c) {
                set_listening(s, false);
                return;
        }
        fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
                if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
                        return;
                set_listening(s, false); /* out of something: later again */
                if (s->timer.deadline == 0)
                        s->timer.deadline = fg_mono_ns() + RETRY_NS;
                return;
        }
        c->source = (struct fg_source){ .fd = fd, .ready = connection_ready };
        c->server = s;
        c->phase = FG_HTTP_READING;
        c->deadline = fg_mono_ns() + s->limit_ns;
        c->in_len = 0;
        c->sent = 0;
        c->out = FG_BUF_INIT(0);
        if (fg_loop_add(s->loop, &c->source, EPOLLIN, &err) < 0)
                drop(c);
        set_timer(s);
}

static void drop_late(struct fg_timer *t)
{
        struct fg_http_server *s = FG_CONTAINER_OF(t, struct fg_http_server, timer);
        const uint64_t now = fg_mono_ns();

        for (size_t i = 0; i < FG_HTTP_CONNECTIONS; i++) {
                struct fg_http_connection *c = &s->connections[i];

                if (c->phase != FG_HTTP_FREE && c->deadline <= now)
                        drop(c);
        }
        set_timer(s);
        set_listening(s, true);
}

int fg_http_server_init(struct fg_http_server *s, struct fg_loop *loop, int take_fd,
                        fg_http_answer_fn answer, void *owner, struct fg_error *err)
{
        *s = (struct fg_http_server){ .loop = loop,
                                      .listener = { .fd = take_fd, .ready = listener_ready },
                                      .timer.fire = drop_late,
                                      .answer = answer,
                                      .owner = owner,
                                      .limit_ns = FG_HTTP_SECONDS * FG_NS_PER_SEC,
                                      .credit_at = fg_mono_ns(),
                                      .credit = FG_HTTP_BURST * THOUSAND };
        fg_loop_add_timer(loop, &s->timer);
        if (fg_loop_add(loop, &s->listener, EPOLLIN, err) < 0)
                return -1;
        s->listening = true;
        return 0;
}
