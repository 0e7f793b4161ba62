/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/console.h"
#include "guest-init/pod.h"
#include "guest-init/uevents.h"

#define PORTS        "/sys/class/virtio-ports"
#define WAIT_MS      10000
#define READ_MAX     (64u * 1024)
#define WRITE_MAX    (32u * 1024) /* the driver's own limit for one write */
#define NAME_MAX_LEN 64

static bool has_name(const char *port)
{
        fg_cleanup(fg_buf_finish) struct fg_buf name = FG_BUF_INIT(NAME_MAX_LEN);
        fg_autofree char *path = fg_asprintf(PORTS "/%s/name", port);
        struct fg_error err = FG_ERROR_INIT;

        return fg_buf_read_file(&name, path, &err) == 0 && name.len > 0 &&
               fg_streq(name.data, FG_PROTO_PORT "\n");
}

/* Return: the descriptor, or -1 with errno. */
static int find_port(void)
{
        fg_cleanup(closedirp) DIR *dir = opendir(PORTS);
        struct dirent *e;

        while (dir && (e = readdir(dir))) {
                if (e->d_name[0] != '.' && has_name(e->d_name)) {
                        fg_autofree char *path = fg_asprintf("/dev/%s", e->d_name);

                        return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
                }
        }
        errno = ENOENT;
        return -1;
}

/* Its name arrives in a message of the device's shortly after its probe, and with it an event. */
static int wait_for_port(struct fg_error *err)
{
        const uint64_t begin = fg_mono_ns();
        fg_autoclose int events = fg_uevents_open(err);
        struct pollfd p = { .fd = events, .events = POLLIN };
        uint64_t waited;
        int fd;

        if (events < 0)
                return -1;
        while ((fd = find_port()) < 0) {
                waited = (fg_mono_ns() - begin) / FG_NS_PER_MSEC;
                if (waited >= WAIT_MS)
                        return fg_fail_errno(err, errno, "open the port %s", FG_PROTO_PORT);
                (void)poll(&p, 1, (int)(WAIT_MS - waited));
                fg_uevents_drain(events);
        }
        return fd;
}

static void read_port(struct fg_port *p)
{
        static char buf[READ_MAX];
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame f;
        ssize_t n;

        /* Edge-triggered: until the port is empty, or its host has gone (0). */
        while ((n = read(p->source.fd, buf, sizeof(buf))) > 0) {
                if (fg_parser_feed(&p->parser, buf, (size_t)n, &err) < 0) {
                        fg_console("channel: %s", err.msg);
                        fg_buf_clear(&p->parser.in);
                        p->parser.consumed = 0;
                        p->parser.resync = true;
                        continue;
                }
                while (fg_parser_next(&p->parser, &f, &err) > 0)
                        p->frame(p, &f);
        }
}

static void ready(struct fg_source *s, uint32_t events)
{
        struct fg_port *p = FG_CONTAINER_OF(s, struct fg_port, source);

        if (events & EPOLLIN)
                read_port(p);
}

static void hang_up(struct fg_port *p)
{
        if (p->source.fd < 0)
                return;
        fg_loop_del(p->loop, &p->source);
        (void)close(p->source.fd);
        p->source.fd = -1;
}

static void connected(struct fg_source *s, uint32_t events)
{
        struct fg_port *p = FG_CONTAINER_OF(s, struct fg_port, listener);
        const int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct fg_error err = FG_ERROR_INIT;

        (void)events;
        if (fd < 0)
                return;
        hang_up(p);
        fg_buf_clear(&p->parser.in);
        p->parser.consumed = 0;
        p->parser.resync = true;
        p->source.fd = fd;
        if (fg_loop_add(p->loop, &p->source, EPOLLIN | EPOLLOUT | EPOLLET, &err) < 0)
                fg_console("channel: %s", err.msg);
}

static int listen_on(struct fg_port *p, struct fg_error *err)
{
        p->source = (struct fg_source){ .fd = -1, .ready = ready };
        p->listener = (struct fg_source){ .fd = FG_POD_CHANNEL, .ready = connected };
        if (fcntl(FG_POD_CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
                return fg_fail_errno(err, errno, "the channel");
        fg_parser_init(&p->parser);
        p->tx = FG_BUF_INIT(FG_PORT_TX_MAX);
        return fg_loop_add(p->loop, &p->listener, EPOLLIN, err);
}

int fg_port_open(struct fg_port *p, struct fg_loop *loop, struct fg_error *err)
{
        p->loop = loop;
        if (fg_pod)
                return listen_on(p, err);
        p->source = (struct fg_source){ .fd = wait_for_port(err), .ready = ready };
        if (p->source.fd < 0)
                return -1;
        fg_parser_init(&p->parser);
        p->tx = FG_BUF_INIT(FG_PORT_TX_MAX);
        /* Edge-triggered, since a port without a host reports EPOLLHUP for ever. */
        return fg_loop_add(loop, &p->source, EPOLLIN | EPOLLOUT | EPOLLET, err);
}

void fg_port_restart(struct fg_port *p, const struct fg_frame *sync)
{
        struct fg_error err = FG_ERROR_INIT;

        fg_buf_clear(&p->tx);
        if (fg_sync_append(&p->tx, (const uint8_t *)sync->data, false, &err) < 0)
                fg_console("channel: %s", err.msg);
}

bool fg_port_write(struct fg_port *p)
{
        size_t sent = 0;
        ssize_t n = 1;

        while (sent < p->tx.len) {
                const size_t len = p->tx.len - sent;

                n = write(p->source.fd, p->tx.data + sent, len < WRITE_MAX ? len : WRITE_MAX);
                if (n <= 0)
                        break;
                sent += (size_t)n;
        }
        fg_buf_consume(&p->tx, sent);
        return sent > 0;
}
