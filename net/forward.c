/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <utlist.h>

#include "core/fs.h"
#include "core/log.h"
#include "core/str.h"

#define CONNECTIONS_MAX 256 /* of a task, at once; more wait in the listener's queue */
#define FILES_PART      8   /* of the limit of open files: so many connections of all tasks */
#define BUFFER          16384
#define ROUNDS          16     /* before the others have their turn */
#define PAUSE_US        200000 /* after there was no room, or no descriptor */
#define EDGES           (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* One direction: what was read and could not be written yet. */
struct flow {
        int from, to;
        char data[BUFFER];
        size_t at, len;
        bool eof, ended;
};

struct connection {
        struct fg_forward *f;
        struct flow in, out;
        bool connected; /* before it is, an end passed on to the task would break it off */
        sd_event_source *client, *task, *again;
        struct connection *prev, *next;
};

/* Of all tasks; each takes two descriptors, and fgd needs some for itself. */
static atomic_uint open_connections;

struct port {
        struct fg_forward *f;
        struct fg_forward_port p;
        sd_event_source *source;
};

struct fg_forward {
        pthread_t thread;
        int ns, stop;
        sd_event *event;
        sd_event_source *stopper, *timer;
        struct connection *connections;
        unsigned n_connections;
        struct port *ports;
        size_t n_ports;
};

/* ---- one connection ---- */

/* Whoever is still there is told that it did not end as it should. */
static void cut(struct connection *c, bool abort)
{
        const struct linger now = { .l_onoff = 1 };
        const int fds[] = { c->in.from, c->in.to };

        sd_event_source_disable_unref(c->client);
        sd_event_source_disable_unref(c->task);
        sd_event_source_disable_unref(c->again);
        for (size_t i = 0; i < FG_ARRAY_SIZE(fds); i++) {
                if (abort)
                        (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
                (void)close(fds[i]);
        }
        DL_DELETE(c->f->connections, c);
        c->f->n_connections--;
        (void)atomic_fetch_sub(&open_connections, 1);
        free(c);
}

/* Return: 1 something was moved, 0 not now, -1 it broke. */
static int step(struct flow *w)
{
        ssize_t n;

        if (w->len > 0) {
                n = send(w->to, w->data + w->at, w->len, MSG_NOSIGNAL);
                if (n < 0)
                        return errno == EAGAIN ? 0 : -1;
                w->at += (size_t)n;
                w->len -= (size_t)n;
                return 1;
        }
        if (w->eof) {
                if (!w->ended && shutdown(w->to, SHUT_WR) < 0)
                        return -1;
                w->ended = true;
                return 0;
        }
        n = recv(w->from, w->data, sizeof(w->data), 0);
        if (n < 0)
                return errno == EAGAIN ? 0 : -1;
        w->at = 0;
        w->len = (size_t)n;
        w->eof = n == 0;
        return 1;
}

static void pump(struct connection *c)
{
        for (unsigned i = 0; i < ROUNDS; i++) {
                int in = step(&c->in), out = step(&c->out);

                if (in < 0 || out < 0) {
                        cut(c, true);
                        return;
                }
                if (c->in.ended && c->out.ended) {
                        cut(c, false);
                        return;
                }
                if (in == 0 && out == 0)
                        return;
        }
        (void)sd_event_source_set_enabled(c->again, SD_EVENT_ONESHOT);
}

/* Edges: both ways are tried until neither moves. */
static int on_client_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct connection *c = userdata;

        (void)source;
        (void)fd;
        /* Neither way might notice: one has nothing to read, the other nowhere to write. */
        if (revents & EPOLLERR)
                cut(c, true);
        else if (c->connected)
                pump(c);
        return 0;
}

static int on_task_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct connection *c = userdata;

        (void)source;
        (void)fd;
        if (!(revents & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && !c->connected)
                return 0;
        c->connected = true; /* or it has failed, which is seen at once */
        pump(c);
        return 0;
}

static int on_again(sd_event_source *source, void *userdata)
{
        (void)source;
        pump(userdata);
        return 0;
}

/* @client and @task are taken. */
static void begin(struct port *port, int client, int task)
{
        const int yes = 1;
        struct connection *c;

        /* A client that vanished does not keep its place for ever. */
        (void)setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
        if (connect(task, (const struct sockaddr *)&port->p.to, sizeof(port->p.to)) < 0 &&
            errno != EINPROGRESS) {
                (void)close(client);
                (void)close(task);
                return;
        }
        c = fg_calloc(1, sizeof(*c));
        c->f = port->f;
        c->in.from = c->out.to = client;
        c->in.to = c->out.from = task;
        DL_APPEND(c->f->connections, c);
        c->f->n_connections++;
        (void)atomic_fetch_add(&open_connections, 1);
        if (sd_event_add_io(c->f->event, &c->client, client, EDGES, on_client_io, c) < 0 ||
            sd_event_add_io(c->f->event, &c->task, task, EDGES, on_task_io, c) < 0 ||
            sd_event_add_defer(c->f->event, &c->again, on_again, c) < 0)
                cut(c, true);
}

/* ---- the listeners ---- */

static void listen_to_all(struct fg_forward *f, bool on)
{
        for (size_t i = 0; i < f->n_ports; i++)
                (void)sd_event_source_set_enabled(f->ports[i].source,
                                                  on ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void)source;
        (void)usec;
        listen_to_all(userdata, true);
        return 0;
}

static void pause_listening(struct fg_forward *f)
{
        listen_to_all(f, false);
        (void)sd_event_source_set_time_relative(f->timer, PAUSE_US);
        (void)sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

static bool is_full(const struct fg_forward *f)
{
        struct rlimit files;

        return f->n_connections >= CONNECTIONS_MAX ||
               (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
                atomic_load(&open_connections) >= files.rlim_cur / FILES_PART);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct port *port = userdata;
        fg_autoclose int task = -1;
        int client = -1;

        (void)source;
        (void)revents;
        /* Both descriptors, or the client stays in the queue. */
        if (!is_full(port->f))
                task = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (task >= 0)
                client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0)
                begin(port, client, fg_take_fd(task));
        else if (task < 0 || (errno != EAGAIN && errno != ECONNABORTED))
                pause_listening(port->f);
        return 0;
}

/* ---- the thread ---- */

static int on_stop(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        (void)fd;
        (void)revents;
        (void)userdata;
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void *run(void *userdata)
{
        struct fg_forward *f = userdata;

        if (setns(f->ns, CLONE_NEWNET) < 0)
                fg_log_error("published ports: enter the network namespace: %s", strerror(errno));
        else
                (void)sd_event_loop(f->event);
        return NULL;
}

static int add_sources(struct fg_forward *f, const struct fg_forward_port *ports)
{
        int r = sd_event_new(&f->event);

        if (r >= 0)
                r = sd_event_add_io(f->event, &f->stopper, f->stop, EPOLLIN, on_stop, f);
        if (r >= 0) /* the loop waits for it */
                r = sd_event_source_set_priority(f->stopper, SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_add_time_relative(f->event, &f->timer, CLOCK_MONOTONIC, PAUSE_US, 0,
                                               on_pause_over, f);
        if (r >= 0)
                r = sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
        for (size_t i = 0; r >= 0 && i < f->n_ports; i++) {
                f->ports[i] = (struct port){ .f = f, .p = ports[i] };
                r = sd_event_add_io(f->event, &f->ports[i].source, ports[i].listener, EPOLLIN,
                                    on_client, &f->ports[i]);
        }
        return r;
}

static void release(struct fg_forward *f)
{
        while (f->connections)
                cut(f->connections, true);
        for (size_t i = 0; i < f->n_ports; i++)
                sd_event_source_disable_unref(f->ports[i].source);
        sd_event_source_disable_unref(f->stopper);
        sd_event_source_disable_unref(f->timer);
        sd_event_unref(f->event);
        fg_closep(&f->ns);
        fg_closep(&f->stop);
        free(f->ports);
        free(f);
}

int fg_forward_new(int ns, const struct fg_forward_port *ports, size_t n, struct fg_forward **ret,
                   struct fg_error *err)
{
        struct fg_forward *f = fg_calloc(1, sizeof(*f));
        int r;

        f->ns = fcntl(ns, F_DUPFD_CLOEXEC, 3);
        f->stop = eventfd(0, EFD_CLOEXEC);
        f->ports = fg_calloc(n + 1, sizeof(*f->ports));
        f->n_ports = n;
        r = f->ns < 0 || f->stop < 0 ? -errno : add_sources(f, ports);
        if (r >= 0)
                r = -pthread_create(&f->thread, NULL, run, f);
        if (r < 0) {
                release(f);
                return fg_fail_errno(err, -r, "publish ports");
        }
        *ret = f;
        return 0;
}

void fg_forward_free(struct fg_forward *f)
{
        const uint64_t one = 1;

        if (!f)
                return;
        (void)!write(f->stop, &one, sizeof(one));
        (void)pthread_join(f->thread, NULL);
        release(f);
}
