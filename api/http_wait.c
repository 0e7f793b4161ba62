/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/socket.h>

#include "api/http_private.h"
#include "core/clock.h"
#include "core/str.h"

/*
 * libmicrohttpd's own timeout is of silence: a client that sends a byte now and then keeps its
 * connection for ever, and need not say who it is. So who owes us the rest of a request stands in a
 * queue with the one who has owed it longest in front, and has a time for it.
 */

#define FULL_PATIENCE_SECONDS 2 /* while nobody else can come in */

struct connection {
        struct connection *next, **prev; /* of listener.waiting; prev is NULL: owes nothing */
        int fd;
        bool dropped; /* MHD has not noticed yet */
        uint64_t since_ns;
};

static bool is_full(const struct listener *l)
{
        return l->n_open - l->n_dropped >= l->http->config.limits.connections;
}

static uint64_t deadline(const struct listener *l, const struct connection *c)
{
        unsigned seconds = l->http->config.limits.idle_seconds;

        if (is_full(l) && seconds > FULL_PATIENCE_SECONDS)
                seconds = FULL_PATIENCE_SECONDS;
        return c->since_ns + seconds * FG_NS_PER_SEC;
}

static void arm(struct listener *l)
{
        if (l->http->closing || !l->waiting)
                return;
        (void)sd_event_source_set_time(l->deadline, deadline(l, l->waiting) / 1000);
        (void)sd_event_source_set_enabled(l->deadline, SD_EVENT_ONESHOT);
}

static void leave(struct listener *l, struct connection *c)
{
        if (!c->prev)
                return;
        if (c->next)
                c->next->prev = c->prev;
        else
                l->waiting_end = c->prev;
        *c->prev = c->next;
        c->next = NULL;
        c->prev = NULL;
}

/* A deadline that has been left is found out when it strikes: only a new first one is armed. */
static void wait_from_now(struct listener *l, struct connection *c)
{
        if (c->dropped)
                return;
        leave(l, c);
        c->since_ns = fg_mono_ns();
        c->prev = l->waiting_end;
        *c->prev = c;
        l->waiting_end = &c->next;
        if (l->waiting == c)
                arm(l);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct listener *l = userdata;
        uint64_t now = fg_mono_ns();

        (void)source;
        (void)usec;
        while (l->waiting && deadline(l, l->waiting) <= now) {
                struct connection *c = l->waiting;

                leave(l, c);
                c->dropped = true;
                l->n_dropped++;
                (void)shutdown(c->fd, SHUT_RDWR);
        }
        arm(l);
        return 0;
}

void http_on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code)
{
        struct listener *l = userdata;
        struct connection *c = *context;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                c = *context = fg_calloc(1, sizeof(*c));
                c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                                ->connect_fd;
                l->n_open++;
                wait_from_now(l, c);
                if (is_full(l))
                        arm(l);
                return;
        }
        leave(l, c);
        /* MHD listens again, but only from its next turn on. */
        if (l->n_open >= l->http->config.limits.connections && !l->http->closing)
                (void)sd_event_source_set_enabled(l->kick, SD_EVENT_ONESHOT);
        l->n_open--;
        l->n_dropped -= c->dropped;
        free(c);
        *context = NULL;
}

static struct connection *connection_of(struct MHD_Connection *connection)
{
        return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                ->socket_context;
}

void http_wait_for_client(struct listener *l, struct MHD_Connection *connection)
{
        wait_from_now(l, connection_of(connection));
}

void http_wait_over(struct listener *l, struct MHD_Connection *connection)
{
        leave(l, connection_of(connection));
}

int http_wait_start(struct listener *l)
{
        int r;

        l->waiting_end = &l->waiting;
        r = sd_event_add_time(l->http->event, &l->deadline, CLOCK_MONOTONIC, 0, 1000, on_deadline,
                              l);
        return r < 0 ? r : sd_event_source_set_enabled(l->deadline, SD_EVENT_OFF);
}
