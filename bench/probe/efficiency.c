/* SPDX-License-Identifier: Apache-2.0 */
/* Four kinds of work, each for a fixed time. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/probe/probe.h"

#define WORK_NS     300000000LL
#define STEPS       100000 /* between two looks at the clock */
#define COPY_BYTES  (8 << 20)
#define BLOCK_BYTES (64 << 10)
#define DISK_MAX    (256LL << 20)
#define FILE_NAME   "/tmp/probe.data"

static double per_second(long long amount, long long begin)
{
        return (double)amount * 1e9 / (double)(probe_ns() - begin);
}

static double integers(void)
{
        const long long begin = probe_ns();
        volatile uint64_t sink;
        uint64_t x = 88172645463325252;
        long long n = 0;

        while (probe_ns() - begin < WORK_NS) {
                for (int i = 0; i < STEPS; i++) {
                        x ^= x << 13;
                        x ^= x >> 7;
                        x ^= x << 17;
                }
                n += STEPS;
        }
        sink = x;
        (void)sink;
        return per_second(n, begin);
}

static double copies(void)
{
        char *from = calloc(1, COPY_BYTES), *to = calloc(1, COPY_BYTES);
        long long n = 0, begin;

        if (!from || !to)
                exit(1);
        memset(from, 1, COPY_BYTES); /* the pages are there before the clock runs */
        memset(to, 1, COPY_BYTES);
        for (begin = probe_ns(); probe_ns() - begin < WORK_NS; n += COPY_BYTES) {
                memcpy(to, from, COPY_BYTES);
                __asm__ volatile("" ::"r"(to) : "memory");
        }
        free(from);
        free(to);
        return per_second(n, begin) / 1e6;
}

static double syscalls(void)
{
        const long long begin = probe_ns();
        long long n = 0;

        while (probe_ns() - begin < WORK_NS) {
                for (int i = 0; i < STEPS / 100; i++)
                        (void)syscall(SYS_getppid);
                n += STEPS / 100;
        }
        return per_second(n, begin);
}

/* Written and synchronised, so that it is the disk and not only memory. 0: nothing to write to. */
static double disk(void)
{
        static char block[BLOCK_BYTES];
        const int fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        const long long begin = probe_ns();
        long long n = 0;
        double speed;

        if (fd < 0)
                return 0;
        memset(block, 0x5a, sizeof(block));
        while (n < DISK_MAX && probe_ns() - begin < WORK_NS && write(fd, block, sizeof(block)) > 0)
                n += BLOCK_BYTES;
        (void)fsync(fd);
        speed = per_second(n, begin) / 1e6;
        (void)close(fd);
        (void)unlink(FILE_NAME);
        return speed;
}

int probe_efficiency(void)
{
        const double i = integers(), m = copies(), s = syscalls();

        return printf("{\"integerPerSecond\":%.0f,\"memoryMBPerSecond\":%.1f,"
                      "\"syscallsPerSecond\":%.0f,\"diskWriteMBPerSecond\":%.1f}\n",
                      i, m, s, disk()) < 0;
}
