/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `fgrun bench` runs in every microVM and container: alone in its image, without a library.
 * probe WORD prints one JSON line.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/probe/probe.h"

static long long now_ns(clockid_t clock)
{
        struct timespec t = { 0 };

        (void)clock_gettime(clock, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
}

long long probe_ns(void)
{
        return now_ns(CLOCK_MONOTONIC);
}

/* The time of the first instruction, as far as a program can tell. */
static int run_start(void)
{
        return printf("{\"realtimeNs\":%lld}\n", now_ns(CLOCK_REALTIME)) < 0;
}

/* Idle, until it is told to stop. */
static int run_wait(void)
{
        sigset_t set;
        int number;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)puts("{\"waiting\":true}");
        (void)fflush(stdout);
        return sigwait(&set, &number);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(void);
        } words[] = {
                { "start", run_start },
                { "wait", run_wait },
                { "efficiency", probe_efficiency },
                { "isolation", probe_isolation },
                { "victim", probe_victim },
        };
        static const struct {
                const char *prefix;
                int (*run)(const char *rest);
        } prefixes[] = {
                { "noise-", probe_noise },
                { "serve-", probe_serve },
        };

        for (size_t i = 0; argc == 2 && i < sizeof(words) / sizeof(*words); i++)
                if (__builtin_strcmp(argv[1], words[i].name) == 0)
                        return words[i].run();
        for (size_t i = 0; argc == 2 && i < sizeof(prefixes) / sizeof(*prefixes); i++)
                if (strncmp(argv[1], prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
                        return prefixes[i].run(argv[1] + strlen(prefixes[i].prefix));
        (void)fputs("usage: probe start|wait|efficiency|isolation|victim|noise-WHAT|serve-PORT\n",
                    stderr);
        return 64;
}
