/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake-guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/str.h"

#define OUT_MAX (2u * 1024 * 1024)

static int listen_on(const char *path, struct fg_error *err)
{
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        fg_autoclose int fd = -1;

        if (strlen(path) >= sizeof(addr.sun_path))
                return fg_fail(err, FG_ERR_INVALID, "socket path too long: %s", path);
        memcpy(addr.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0)
                return fg_fail_errno(err, errno, "listen on %s", path);
        return fg_take_fd(fd);
}

static char *beside(const char *channel, const char *name)
{
        const char *slash = strrchr(channel, '/');

        return slash ? fg_asprintf("%.*s/%s", (int)(slash - channel), channel, name)
                     : fg_strdup(name);
}

/* The pid, beside the socket: whoever finds it there may adopt this process. */
static int write_pid(const char *channel, struct fg_error *err)
{
        fg_autofree char *path = beside(channel, "pid");
        char text[16];

        (void)snprintf(text, sizeof(text), "%d", (int)getpid());
        return fg_write_file(path, text, strlen(text), 0600, err);
}

/* As on a virtio port, neither a half-read frame nor a half-written one is forgotten. */
static void hang_up(struct guest *g)
{
        fg_closep(&g->host);
        g->host = -1;
        g->talking = false;
}

static void read_host(struct guest *g)
{
        struct fg_error err = FG_ERROR_INIT;
        struct fg_frame f;
        char bytes[65536];
        ssize_t n = recv(g->host, bytes, sizeof(bytes), 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0 || fg_parser_feed(&g->parser, bytes, (size_t)n, &err) < 0) {
                hang_up(g);
                return;
        }
        while (fg_parser_next(&g->parser, &f, &err) == 1)
                wire_frame(g, &f);
}

static void write_host(struct guest *g)
{
        ssize_t n = send(g->host, g->out.data, g->out.len, MSG_NOSIGNAL);

        if (n > 0)
                fg_buf_consume(&g->out, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
                hang_up(g);
}

static int timeout_ms(const struct guest *g)
{
        const uint64_t wake = task_wake_ns(g);
        const uint64_t now = fg_mono_ns();

        if (wake == UINT64_MAX)
                return -1;
        return wake <= now ? 0 : (int)((wake - now) / FG_NS_PER_MSEC + 1);
}

/* One host at a time, as QEMU has it. */
static void turn(struct guest *g)
{
        struct pollfd p = { .fd = g->listener, .events = POLLIN };

        if (g->host >= 0) {
                p.fd = g->host;
                p.events |= g->out.len > 0 ? POLLOUT : 0;
        }
        if (poll(&p, 1, timeout_ms(g)) <= 0)
                return;
        if (g->host < 0) {
                g->host = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                return;
        }
        if (p.revents & (POLLIN | POLLHUP | POLLERR))
                read_host(g);
        if (g->host >= 0 && (p.revents & POLLOUT))
                write_host(g);
}

int main(int argc, char **argv)
{
        static struct guest g = { .host = -1, .gate_fd = -1 };
        struct fg_error err = FG_ERROR_INIT;

        if (argc != 3) {
                (void)fprintf(stderr, "usage: %s CHANNEL-SOCKET SCRATCH\n", argv[0]);
                return 2;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        g.out = FG_BUF_INIT(OUT_MAX);
        fg_parser_init(&g.parser);
        g.listener = listen_on(argv[1], &err);
        if (g.listener < 0 || write_pid(argv[1], &err) < 0) {
                (void)fprintf(stderr, "fake guest: %s\n", err.msg);
                return 1;
        }
        (void)printf("listening\n");
        (void)fclose(stdout);

        g.no_disks = beside(argv[1], "../no-disks");
        g.gate = beside(argv[1], "../gate");

        while (!g.stopped || !wire_all_acked(&g)) {
                task_step(&g);
                wire_pump(&g);
                turn(&g);
        }
        (void)unlink(argv[1]); /* the mark of a guest that halted by itself */
        return 0;
}
