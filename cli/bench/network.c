/* SPDX-License-Identifier: Apache-2.0 */
/* What a published port carries: from this process to the probe's and back. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/bench/idle.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define ROUNDS     5
#define WORK_NS    (FG_NS_PER_SEC / 2)
#define REACH_NS   (20 * FG_NS_PER_SEC)
#define PAUSE_MS   20
#define BLOCK      (64U << 10)
#define RECEIPT    (256U << 10) /* of how many bytes the probe says with one that it has them */
#define TIMEOUT_S  10
#define HOST_SLOTS (BENCH_PEERS_MAX + 1)

struct carried {
        struct bench_peer *peer;
        struct bench_samples round_trip_us, from_mbps, to_mbps;
};

/* A port of the loopback that nobody has at the moment. 0: none. */
static unsigned free_port(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        fg_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(address);

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return 0;
        return ntohs(address.sin_port);
}

/* A connection with its first word said, whose reads and writes end. -1: not yet. */
static int connect_once(unsigned port, char word)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct timeval timeout = { .tv_sec = TIMEOUT_S };
        fg_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
            connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            send(fd, &word, 1, MSG_NOSIGNAL) != 1)
                return -1;
        return fg_take_fd(fd);
}

/* Until the probe itself has answered: an engine's proxy may listen before it does. */
static int reach(struct bench *b, unsigned port, struct fg_error *err)
{
        const uint64_t end = fg_mono_ns() + REACH_NS;
        char c;

        while (fg_mono_ns() < end && !bench_interrupted()) {
                fg_autoclose int fd = connect_once(port, 'p');

                if (fd >= 0 && recv(fd, &c, 1, 0) == 1)
                        return 0;
                if (fg_client_pause(b->world.cli->client, PAUSE_MS, err) < 0)
                        return -1;
        }
        return fg_fail(err, FG_ERR_TIMEOUT, "its published port does not answer");
}

static int round_trips(unsigned port, struct bench_samples *ret)
{
        fg_cleanup(bench_samples_finish) struct bench_samples each = { 0 };
        fg_autoclose int fd = connect_once(port, 'p');
        const uint64_t begin = fg_mono_ns();
        char c = 'p';

        if (fd < 0 || recv(fd, &c, 1, 0) != 1)
                return -1;
        while (fg_mono_ns() - begin < WORK_NS) {
                const uint64_t sent = fg_mono_ns();

                if (send(fd, &c, 1, MSG_NOSIGNAL) != 1 || recv(fd, &c, 1, 0) != 1)
                        return -1;
                bench_samples_add(&each, bench_ms(sent, fg_mono_ns()) * 1000);
        }
        bench_samples_add(ret, bench_percentile(&each, 50));
        return 0;
}

/* What is sent counts when it has arrived: the kernels and who passes it on hold some of it. */
static ssize_t send_on(int fd, char *block)
{
        ssize_t n;

        if (send(fd, block, BLOCK, MSG_NOSIGNAL) <= 0)
                return -1;
        n = recv(fd, block, BLOCK, MSG_DONTWAIT);
        return n > 0 ? n * RECEIPT : n < 0 && errno == EAGAIN ? 0 : -1;
}

static int carry(unsigned port, bool from, struct bench_samples *ret)
{
        static char block[BLOCK];
        fg_autoclose int fd = connect_once(port, from ? 'd' : 'u');
        const uint64_t begin = fg_mono_ns();
        uint64_t bytes = 0;
        double seconds;

        while (fg_mono_ns() - begin < WORK_NS) {
                const ssize_t n = from ? recv(fd, block, BLOCK, 0) : send_on(fd, block);

                if (n < 0 || (from && n == 0))
                        return -1;
                bytes += (uint64_t)n;
        }
        seconds = bench_ms(begin, fg_mono_ns()) / 1000;
        bench_samples_add(ret, (double)bytes / 1e6 / seconds);
        return 0;
}

static int ask(struct bench *b, struct carried *c, unsigned port, struct fg_error *err)
{
        if (reach(b, port, err) < 0)
                return -1;
        if (round_trips(port, &c->round_trip_us) < 0 || carry(port, true, &c->from_mbps) < 0 ||
            carry(port, false, &c->to_mbps) < 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "its published port broke off");
        return 0;
}

/* The probe beside us, in no isolation. */
static int ask_host(struct bench *b, struct carried *c, unsigned port, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_autofree char *word = fg_asprintf("serve-%u", port);
        fg_autoclose int pidfd = -1;
        pid_t pid;
        int r;

        if (bench_host.command(&b->world, c->peer, word, false, &words, err) < 0)
                return -1;
        pidfd = bench_spawn(&words, &pid, err);
        if (pidfd < 0)
                return -1;
        r = ask(b, c, port, err);
        (void)kill(pid, SIGTERM);
        (void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
        return r;
}

static void measure(struct bench *b, struct carried *c)
{
        struct bench_idle idle = { .n = 0 };
        struct fg_error err = FG_ERROR_INIT;
        struct bench_peer *p = c->peer;
        int r;

        p->port = free_port();
        if (p->kind == &bench_host) {
                r = ask_host(b, c, p->port, &err);
        } else {
                r = bench_idle_begin(b, p, BENCH_SERVE, &idle, &err);
                if (r == 0)
                        r = ask(b, c, p->port, &err);
                bench_idle_end(b, p, &idle);
        }
        p->port = 0;
        if (r < 0) {
                (void)snprintf(p->reason, sizeof(p->reason), "network: %.900s", err.msg);
                fg_cli_note(b->world.cli, "%s: %s", p->kind->name, p->reason);
        }
}

static void put_row(struct bench *b, struct json_object *rows, struct carried *c)
{
        struct json_object *row = json_object_new_object();

        fg_json_set_str(row, "name", c->peer->kind->name);
        fg_json_set_bool(row, "emulated", bench_emulated(b, c->peer));
        fg_json_set(row, "roundTripUs", bench_number(bench_percentile(&c->round_trip_us, 50)));
        fg_json_set(row, "fromMBPerSecond", bench_number(bench_percentile(&c->from_mbps, 50)));
        fg_json_set(row, "toMBPerSecond", bench_number(bench_percentile(&c->to_mbps, 50)));
        if (c->to_mbps.n > 0)
                (void)json_object_array_add(rows, row);
        else
                json_object_put(row);
        bench_samples_finish(&c->round_trip_us);
        bench_samples_finish(&c->from_mbps);
        bench_samples_finish(&c->to_mbps);
}

void bench_network(struct bench *b)
{
        struct json_object *rows = json_object_new_array();
        struct bench_peer host = { .kind = &bench_host };
        struct carried all[HOST_SLOTS] = { { .peer = &host } };
        size_t n = 1;

        for (size_t i = 0; i < b->n_peers; i++)
                if (b->peers[i].found && b->peers[i].kind->publishes)
                        all[n++].peer = &b->peers[i];
        for (unsigned round = 0; round < (b->quick ? 1 : ROUNDS); round++)
                for (size_t i = 0; i < n && !bench_interrupted(); i++)
                        measure(b, &all[i]);
        for (size_t i = 0; i < n; i++)
                put_row(b, rows, &all[i]);
        fg_json_set(b->result, "network", rows);
}
