/* SPDX-License-Identifier: Apache-2.0 */

/* What carries published ports, on the loopback of a namespace of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/str.h"
#include "net/forward.h"

#define WAIT_MS 20000

struct lab {
        struct fg_forward *f;
        int ns, task; /* task: where the task listens */
        int listener;
        struct sockaddr_in front;
};

static int tcp(void)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        return fd;
}

static int listen_on_loopback(int backlog, struct sockaddr_in *ret)
{
        int fd = tcp();
        socklen_t size = sizeof(*ret);

        *ret = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(bind(fd, (struct sockaddr *)ret, sizeof(*ret)), 0);
        assert_int_equal(listen(fd, backlog), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &size), 0);
        return fd;
}

static int join(const struct sockaddr_in *to)
{
        int fd = tcp();

        assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
        return fd;
}

static void await(int fd, short events)
{
        struct pollfd p = { .fd = fd, .events = events };

        if (poll(&p, 1, WAIT_MS) != 1)
                fail_msg("nothing happened within %d ms", WAIT_MS);
}

static int await_client(int listener)
{
        await(listener, POLLIN);
        return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void await_text(int fd, const char *text)
{
        char got[64] = "";

        await(fd, POLLIN);
        assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), strlen(text));
        assert_string_equal(got, text);
}

static void await_end(int fd)
{
        char c;

        await(fd, POLLIN);
        assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void reset(int fd)
{
        const struct linger now = { .l_onoff = 1 };

        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        (void)close(fd);
}

static struct lab open_lab(void)
{
        struct fg_forward_port port;
        struct fg_error err = FG_ERROR_INIT;
        struct lab lab;

        lab.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        lab.task = listen_on_loopback(0, &port.to);
        lab.listener = port.listener = listen_on_loopback(16, &lab.front);
        assert_int_equal(fcntl(lab.listener, F_SETFL, O_NONBLOCK), 0);
        if (fg_forward_new(lab.ns, &port, 1, &lab.f, &err) < 0)
                fail_msg("%s", err.msg);
        return lab;
}

static void close_lab(struct lab *lab)
{
        fg_forward_free(lab->f);
        (void)close(lab->listener);
        (void)close(lab->task);
        (void)close(lab->ns);
}

static void test_one_way_goes_on_after_the_other(void **state)
{
        struct lab lab = open_lab();
        int client = join(&lab.front), task = await_client(lab.task);

        (void)state;
        assert_int_equal(send(client, "question", 8, MSG_NOSIGNAL), 8);
        assert_int_equal(shutdown(client, SHUT_WR), 0);
        await_text(task, "question");
        await_end(task);
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(send(task, "answer", 6, MSG_NOSIGNAL), 6);
                await_text(client, "answer");
        }
        (void)close(task);
        await_end(client);
        (void)close(client);
        close_lab(&lab);
}

/* Of sockets that have asked to connect and have no answer yet. */
static bool is_connecting(void)
{
        fg_cleanup(fclosep) FILE *f = fopen("/proc/self/net/tcp", "re");
        char line[256];
        unsigned status;

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "%*d: %*s %*s %x", &status) == 1 && status == 2)
                        return true;
        return false;
}

/* Its queue is full: the kernel asks again a second later. */
static void test_an_end_before_the_connection(void **state)
{
        struct lab lab = open_lab();
        struct sockaddr_in to;
        socklen_t size = sizeof(to);
        int other, client, task;

        (void)state;
        assert_int_equal(getsockname(lab.task, (struct sockaddr *)&to, &size), 0);
        other = join(&to);
        client = join(&lab.front);
        for (unsigned i = 0; i < 1000 && !is_connecting(); i++)
                (void)poll(NULL, 0, 1);
        assert_int_equal(shutdown(client, SHUT_WR), 0);
        (void)close(await_client(lab.task));
        (void)close(other);
        task = await_client(lab.task);
        await_end(task);
        assert_int_equal(send(task, "welcome", 7, MSG_NOSIGNAL), 7);
        await_text(client, "welcome");
        (void)close(task);
        await_end(client);
        (void)close(client);
        close_lab(&lab);
}

/* Both ways stand still, and the client breaks off: the task hears of it. */
static void test_a_client_that_breaks_off(void **state)
{
        static const char data[65536];
        struct lab lab = open_lab();
        struct pollfd room = { .events = POLLOUT }, gone = { 0 };
        int client = join(&lab.front);

        (void)state;
        gone.fd = await_client(lab.task);
        room.fd = client;
        while (poll(&room, 1, 200) == 1)
                assert_true(send(client, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
        reset(client);
        assert_int_equal(poll(&gone, 1, WAIT_MS), 1);
        assert_true(gone.revents & POLLERR);
        (void)close(gone.fd);
        close_lab(&lab);
}

/* A client stays in the queue while there is one descriptor only, where two are needed. */
static void test_want_of_descriptors(void **state)
{
        struct lab lab = open_lab();
        int client = join(&lab.front), task = await_client(lab.task), next, lowest;
        struct rlimit before, scarce;

        (void)state;
        reset(client);
        (void)close(task);
        client = tcp();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        lowest = fcntl(client, F_DUPFD_CLOEXEC, 0);
        (void)close(lowest);
        scarce = (struct rlimit){ .rlim_cur = (rlim_t)lowest + 1, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
        assert_int_equal(connect(client, (struct sockaddr *)&lab.front, sizeof(lab.front)), 0);
        next = poll(&(struct pollfd){ .fd = client, .events = POLLIN }, 1, 300);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(next, 0); /* neither ended nor served */
        task = await_client(lab.task);
        assert_int_equal(send(task, "late", 4, MSG_NOSIGNAL), 4);
        await_text(client, "late");
        (void)close(task);
        (void)close(client);
        close_lab(&lab);
}

/* Buffers that do not grow while a test fills them. */
static bool set_buffers(const char *which)
{
        fg_autofree char *path = fg_asprintf("/proc/sys/net/ipv4/tcp_%smem", which);
        fg_cleanup(fclosep) FILE *f = fopen(path, "we");

        return f && fputs("4096 16384 16384", f) >= 0 && fflush(f) == 0;
}

static int enter_namespace(void **state)
{
        struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        fg_autoclose int fd = -1;

        (void)state;
        if (unshare((geteuid() == 0 ? 0 : CLONE_NEWUSER) | CLONE_NEWNET) < 0)
                return -1;
        if (!set_buffers("r") || !set_buffers("w"))
                return -1;
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return ioctl(fd, SIOCSIFFLAGS, &lo);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_way_goes_on_after_the_other),
                cmocka_unit_test(test_an_end_before_the_connection),
                cmocka_unit_test(test_a_client_that_breaks_off),
                cmocka_unit_test(test_want_of_descriptors),
        };

        return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
