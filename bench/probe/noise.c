/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours that take what they can get, for a time at most, and someone who minds. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/probe/probe.h"

#define SECONDS_MAX 30 /* of noise */
#define CHILDREN    64
#define HOG_BYTES   (192 << 20)
#define BLOCK_BYTES (1 << 20)
#define FILE_BLOCKS 64
#define FLOWS_MAX   50000
#define WARM_TICKS  20
#define TICKS       100
#define P50         (TICKS / 2 - 1) /* of sorted ones, by nearest rank */
#define P99         (TICKS * 99 / 100 - 1)
#define TICK_NS     10000000LL
#define WORK_STEPS  2000
#define WORK_CALLS  20

static void on_end(int number)
{
        (void)number;
        _exit(0);
}

static pid_t begin_child(void)
{
        const pid_t pid = fork();

        if (pid == 0)
                (void)alarm(SECONDS_MAX); /* a child does not inherit it */
        return pid;
}

/* As many as there are processors. */
static void noise_cpu(void)
{
        volatile uint64_t x = 0;

        for (long n = sysconf(_SC_NPROCESSORS_ONLN); n > 1; n--)
                if (begin_child() == 0)
                        break;
        for (;;)
                x++;
}

/* Children that do nothing but come and go, so many at once. */
static void noise_fork(void)
{
        for (int n = 0;;) {
                const pid_t pid = n < CHILDREN ? begin_child() : -1;

                if (pid == 0)
                        _exit(0);
                if (pid > 0)
                        n++;
                else if (waitpid(-1, NULL, 0) > 0)
                        n--;
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        n--;
        }
}

static void noise_memory(void)
{
        char *area = malloc(HOG_BYTES);

        for (int i = 0; area; i++)
                memset(area, i, HOG_BYTES);
}

static void noise_disk(void)
{
        static char block[BLOCK_BYTES];
        const int fd = open("/tmp/noise.data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        (void)unlink("/tmp/noise.data");
        memset(block, 0x5a, sizeof(block));
        for (int i = 0; fd >= 0; i = (i + 1) % FILE_BLOCKS) {
                if (pwrite(fd, block, sizeof(block), (off_t)i * BLOCK_BYTES) < 0)
                        return;
                (void)fdatasync(fd);
        }
}

/* Where packets leave to, or the loopback where they leave to nowhere. */
static struct sockaddr_in gateway(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        FILE *routes = fopen("/proc/net/route", "re");
        char line[512];

        while (routes && fgets(line, sizeof(line), routes)) {
                char *rest = NULL, *to;

                (void)strtok_r(line, "\t", &rest);
                to = strtok_r(NULL, "\t", &rest);
                if (to && strcmp(to, "00000000") == 0 && rest)
                        address.sin_addr.s_addr = (in_addr_t)strtoul(rest, NULL, 16);
        }
        if (routes)
                (void)fclose(routes);
        return address;
}

/* Flows of one packet each, which the host's kernel keeps track of where it connects us. */
static void noise_conntrack(void)
{
        struct sockaddr_in to = gateway();

        for (int i = 0; i < FLOWS_MAX; i++) {
                const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

                to.sin_port = htons((uint16_t)(20000 + i % 20000));
                if (fd >= 0)
                        (void)sendto(fd, "", 1, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
                if (fd >= 0)
                        (void)close(fd);
        }
}

int probe_noise(const char *what)
{
        static const struct {
                const char *name;
                void (*make)(void);
        } noises[] = {
                { "cpu", noise_cpu },
                { "fork", noise_fork },
                { "memory", noise_memory },
                { "disk", noise_disk },
                { "conntrack", noise_conntrack },
        };

        (void)signal(SIGTERM, on_end);
        (void)signal(SIGINT, on_end);
        (void)signal(SIGALRM, on_end);
        for (size_t i = 0; i < sizeof(noises) / sizeof(*noises); i++) {
                if (strcmp(what, noises[i].name) != 0)
                        continue;
                (void)alarm(SECONDS_MAX);
                (void)puts("{\"noise\":true}");
                (void)fflush(stdout);
                noises[i].make();
                for (;;) /* it has taken all it may: keep it */
                        (void)pause();
        }
        return 64;
}

/* ---- the one who minds: a little work at fixed times ---- */

static void work(int fd)
{
        static char block[4096];
        volatile uint64_t sink;
        uint64_t x = 88172645463325252;

        for (int i = 0; i < WORK_STEPS; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
        }
        sink = x;
        (void)sink;
        for (int i = 0; i < WORK_CALLS; i++)
                (void)syscall(SYS_getppid);
        if (fd >= 0 && pwrite(fd, block, sizeof(block), 0) < 0)
                exit(1);
}

static int compare(const void *a, const void *b)
{
        const long long *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/*
 * From the time that a piece of work was due until it was done; who is late stays late. The first
 * pieces do not count, nor what is late of them: what has just started has its caches to fill, and
 * an emulated processor translates what it has not run before.
 */
int probe_victim(void)
{
        const int fd = open("/tmp/victim.data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        static long long took[TICKS];
        long long due = probe_ns(), p50, p99;

        (void)unlink("/tmp/victim.data");
        for (int i = -WARM_TICKS; i < TICKS; i++) {
                struct timespec at;

                due = i == 0 ? probe_ns() + TICK_NS : due + TICK_NS;
                at = (struct timespec){ due / 1000000000LL, due % 1000000000LL };
                (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
                work(fd);
                if (i >= 0)
                        took[i] = probe_ns() - due;
        }
        qsort(took, TICKS, sizeof(*took), compare);
        p50 = took[P50];
        p99 = took[P99];
        return printf("{\"p50Ms\":%.3f,\"p99Ms\":%.3f}\n", (double)p50 / 1e6, (double)p99 / 1e6) <
               0;
}
