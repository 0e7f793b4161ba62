/* SPDX-License-Identifier: Apache-2.0 */
/* Six kinds of work, each for a fixed time. */
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

#define NODE_BYTES 64 /* a cache line each */
#define NODES      (32 * 1024 * 1024 / NODE_BYTES)

/* From one cache line to another that nothing can foresee: a ring through all of them. */
static double random_reads(void)
{
        char *area = calloc(NODES, NODE_BYTES);
        uint32_t *order = calloc(NODES, sizeof(*order)), at = 0;
        uint64_t x = 88172645463325252;
        long long n = 0, begin;

        if (!area || !order)
                exit(1);
        for (uint32_t i = 0; i < NODES; i++)
                order[i] = i;
        for (uint32_t i = NODES - 1; i > 0; i--) {
                const uint32_t tmp = order[i];
                uint32_t other;

                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                other = (uint32_t)(x % i);
                order[i] = order[other];
                order[other] = tmp;
        }
        for (uint32_t i = 0; i < NODES; i++)
                memcpy(area + (size_t)i * NODE_BYTES, &order[i], sizeof(order[i]));
        for (begin = probe_ns(); probe_ns() - begin < WORK_NS; n += STEPS / 100)
                for (int i = 0; i < STEPS / 100; i++)
                        memcpy(&at, area + (size_t)at * NODE_BYTES, sizeof(at));
        __asm__ volatile("" ::"r"(at));
        free(order);
        free(area);
        return per_second(n, begin);
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

static char block[BLOCK_BYTES];

/* Written and synchronised, so that it is the disk and not only memory. */
static double disk_write(int fd)
{
        const long long begin = probe_ns();
        long long n = 0;

        memset(block, 0x5a, sizeof(block));
        while (n < DISK_MAX && probe_ns() - begin < WORK_NS && write(fd, block, sizeof(block)) > 0)
                n += BLOCK_BYTES;
        (void)fsync(fd);
        return per_second(n, begin) / 1e6;
}

/* What was written, after its own kernel has forgotten it; the host of a guest may remember. */
static double disk_read(int fd)
{
        long long n = 0, begin;
        ssize_t got;

        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        if (lseek(fd, 0, SEEK_SET) < 0)
                return 0;
        for (begin = probe_ns();
             probe_ns() - begin < WORK_NS && (got = read(fd, block, sizeof(block))) > 0; n += got)
                ;
        return per_second(n, begin) / 1e6;
}

int probe_efficiency(void)
{
        const double i = integers(), m = copies(), r = random_reads(), s = syscalls();
        const int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        const double w = fd >= 0 ? disk_write(fd) : 0, d = fd >= 0 ? disk_read(fd) : 0;

        if (fd >= 0) {
                (void)unlink(FILE_NAME);
                (void)close(fd);
        }
        return printf("{\"integerPerSecond\":%.0f,\"memoryMBPerSecond\":%.1f,"
                      "\"memoryRandomPerSecond\":%.0f,\"syscallsPerSecond\":%.0f,"
                      "\"diskWriteMBPerSecond\":%.1f,\"diskReadMBPerSecond\":%.1f}\n",
                      i, m, r, s, w, d) < 0;
}
