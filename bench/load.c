/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/sign.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"

/*
 * A bounded load of POST requests: so many connections, each with one request under way, until so
 * many were answered. One line of JSON tells how fast. usage: load --help
 */
#define CONNECTIONS_MAX 256
#define REQUESTS_MAX    10000000
#define ANSWER_MAX      (1u << 20)

static struct {
        const char *unix_path, *target, *body;
        uint64_t port, connections, requests;
        uint64_t rate; /* requests a second, all connections together; 0: as fast as answers come */
} arg = { .connections = 1, .requests = 1, .body = "{}" };

struct connection {
        int fd;
        struct fg_buf in;
        uint64_t due_ns; /* when its request was to be sent: waiting for a connection counts too */
};

static struct {
        uint64_t started, answered, errors;
        uint32_t *latency_us; /* of each answer */
        struct fg_signer *signer;
        uint64_t begin_ns;
        struct connection *idle[CONNECTIONS_MAX]; /* without a request */
        size_t n_idle;
} run;

static void die(const char *what)
{
        perror(what);
        exit(1);
}

static int open_socket(void)
{
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)arg.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        bool local = arg.unix_path != NULL;
        int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (local)
                (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", arg.unix_path);
        if (fd < 0 || connect(fd, local ? (struct sockaddr *)&un : (struct sockaddr *)&in,
                              local ? sizeof(un) : sizeof(in)) < 0)
                die("connect");
        return fd;
}

/* When request number @i is to be sent. */
static uint64_t due_ns(uint64_t i)
{
        return arg.rate ? run.begin_ns + i * FG_NS_PER_SEC / arg.rate : fg_mono_ns();
}

static void send_request(struct connection *c)
{
        char text[8192], host[32], headers[1024] = "";
        int len;

        (void)snprintf(host, sizeof(host), "127.0.0.1:%" PRIu64, arg.port);
        if (run.signer)
                fg_signer_headers(run.signer, host, arg.target, arg.body, headers, sizeof(headers));
        len = snprintf(text, sizeof(text),
                       "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-amz-json-1.1\r\n"
                       "X-Amz-Target: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
                       host, arg.target, headers, strlen(arg.body), arg.body);
        if (len < 0 || (size_t)len >= sizeof(text))
                die("the request is too long");
        c->due_ns = due_ns(run.started);
        if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
                die("send");
        run.started++;
}

/* The length of the answer at the start of the buffer, 0 while it is not complete. */
static size_t answer_length(const struct fg_buf *in)
{
        const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL, *length;
        size_t head;
        unsigned long long body = 0;

        if (!end)
                return 0;
        head = (size_t)(end - in->data) + 4;
        length = strcasestr(in->data, "\r\nContent-Length:");
        if (length && length < end)
                body = strtoull(length + 17, NULL, 10);
        return in->len >= head + body ? head + (size_t)body : 0;
}

static void take_answer(struct connection *c, size_t len)
{
        uint64_t us = (fg_mono_ns() - c->due_ns) / 1000;

        if (!fg_starts_with(c->in.data, "HTTP/1.1 200") || strstr(c->in.data, "\"failures\":[{")) {
                if (run.errors++ == 0)
                        (void)fprintf(stderr, "%.600s\n", c->in.data);
        }
        run.latency_us[run.answered++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
        fg_buf_consume(&c->in, len);
        run.idle[run.n_idle++] = c;
}

/* Sends what is due. Return: how long to wait for more, ms; -1: only for answers. */
static int send_due(void)
{
        while (run.n_idle > 0 && run.started < arg.requests) {
                uint64_t due = due_ns(run.started), now = fg_mono_ns();

                if (due > now)
                        return (int)((due - now) / FG_NS_PER_MSEC) + 1;
                send_request(run.idle[--run.n_idle]);
        }
        return -1;
}

static void on_readable(struct connection *c)
{
        struct fg_error err = FG_ERROR_INIT;
        char bytes[65536];
        ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
        size_t len;

        if (n <= 0)
                die("recv");
        if (fg_buf_append(&c->in, bytes, (size_t)n, &err) < 0)
                die(err.msg);
        while ((len = answer_length(&c->in)) > 0)
                take_answer(c, len);
}

static struct connection *open_connections(int epoll)
{
        struct connection *connections = fg_calloc(arg.connections, sizeof(*connections));

        for (uint64_t i = 0; i < arg.connections; i++) {
                struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };

                connections[i].fd = open_socket();
                connections[i].in = FG_BUF_INIT(ANSWER_MAX);
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
                        die("epoll_ctl");
                run.idle[run.n_idle++] = &connections[i];
        }
        return connections;
}

static void close_connections(struct connection *connections)
{
        for (uint64_t i = 0; i < arg.connections; i++) {
                (void)close(connections[i].fd);
                fg_buf_finish(&connections[i].in);
        }
        free(connections);
}

static void load(void)
{
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        struct connection *connections = open_connections(epoll);
        struct epoll_event events[64];

        run.begin_ns = fg_mono_ns();
        while (run.answered < arg.requests) {
                int wait = send_due();
                int n = epoll_wait(epoll, events, FG_ARRAY_SIZE(events), wait < 0 ? 30000 : wait);

                if (n == 0 && wait < 0)
                        errno = ETIMEDOUT;
                if (n < 0 || (n == 0 && wait < 0))
                        die("wait for answers");
                for (int i = 0; i < n; i++)
                        on_readable(events[i].data.ptr);
        }
        close_connections(connections);
        (void)close(epoll);
}

static int compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static double percentile_ms(unsigned percent)
{
        uint64_t i = (arg.requests - 1) * percent / 100;

        return run.latency_us[i] / 1e3;
}

static void usage(void)
{
        (void)fprintf(
                stderr,
                "usage: load --unix=PATH|--port=N --target=T [--body=JSON] [--connections=N]\n"
                "            [--requests=N] [--rate=PER_SECOND]\n"
                "Requests are signed when AWS_ACCESS_KEY_ID is set.\n");
        exit(64);
}

static void parse_arguments(int argc, char *argv[])
{
        static const struct option options[] = {
                { "unix", required_argument, NULL, 'u' },
                { "port", required_argument, NULL, 'p' },
                { "target", required_argument, NULL, 't' },
                { "body", required_argument, NULL, 'b' },
                { "connections", required_argument, NULL, 'c' },
                { "requests", required_argument, NULL, 'n' },
                { "rate", required_argument, NULL, 'r' },
                { 0 },
        };
        const char **const texts[] = {
                ['u'] = &arg.unix_path, ['t'] = &arg.target, ['b'] = &arg.body
        };
        uint64_t *const numbers[] = { ['p'] = &arg.port,
                                      ['c'] = &arg.connections,
                                      ['n'] = &arg.requests,
                                      ['r'] = &arg.rate };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c < (int)FG_ARRAY_SIZE(texts) && texts[c])
                        *texts[c] = optarg;
                else if (c >= (int)FG_ARRAY_SIZE(numbers) || !numbers[c] ||
                         !fg_parse_u64(optarg, numbers[c]))
                        usage();
        }
        if (!arg.target || (!arg.unix_path && !arg.port) || arg.connections < 1 ||
            arg.connections > CONNECTIONS_MAX || arg.requests < 1 || arg.requests > REQUESTS_MAX)
                usage();
}

int main(int argc, char *argv[])
{
        uint64_t begin;
        double seconds;

        parse_arguments(argc, argv);
        run.signer = fg_signer_from_environment();
        run.latency_us = fg_calloc(arg.requests, sizeof(*run.latency_us));
        begin = fg_mono_ns();
        load();
        seconds = (double)(fg_mono_ns() - begin) / 1e9;
        qsort(run.latency_us, arg.requests, sizeof(*run.latency_us), compare);
        printf("{\"requests\": %" PRIu64 ", \"seconds\": %.3f, \"perSecond\": %.0f, "
               "\"p50Ms\": %.3f, \"p99Ms\": %.3f, \"maxMs\": %.3f, \"errors\": %" PRIu64 "}\n",
               arg.requests, seconds, (double)arg.requests / seconds, percentile_ms(50),
               percentile_ms(99), percentile_ms(100), run.errors);
        free(run.latency_us);
        fg_signer_free(run.signer);
        return run.errors > 0;
}
