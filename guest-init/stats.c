/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/str.h"
#include "guest-init/stats_private.h"

#define NS_PER_USEC 1000
#define INTERVAL_NS FG_NS_PER_SEC
#define CPU_FIELDS  8 /* of /proc/stat: what follows is counted in them already */
#define NET_FIELDS  16

void fg_time_text(uint64_t ns, char ret[FG_TIME_TEXT])
{
        const time_t seconds = (time_t)(ns / FG_NS_PER_SEC);
        struct tm tm;
        size_t n;

        gmtime_r(&seconds, &tm);
        n = strftime(ret, FG_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(ret + n, FG_TIME_TEXT - n, ".%09uZ", (unsigned)(ns % FG_NS_PER_SEC));
}

int fg_stats_read(struct fg_buf *b, const char *dir, const char *name, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/%s", dir, name);

        fg_buf_clear(b);
        if (fg_buf_read_file(b, path, err) < 0)
                return -1;
        return b->len > 0 ? 0 : fg_fail(err, FG_ERR_NOT_FOUND, "%s is empty", path);
}

uint64_t fg_stats_number(const char *dir, const char *name, uint64_t fallback)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_STATS_TEXT_MAX);
        struct fg_error err = FG_ERROR_INIT;
        uint64_t value;

        if (fg_stats_read(&b, dir, name, &err) < 0)
                return fallback;
        b.data[strcspn(b.data, "\n")] = '\0';
        return fg_parse_u64(b.data, &value) ? value : fallback; /* "max" is no number */
}

uint64_t fg_stats_key(const char *text, const char *key)
{
        const size_t len = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, len) == 0 && line[len] == ' ')
                        return strtoull(line + len, NULL, 10);
        }
        return 0;
}

static int take_cpu(const struct fg_stats_source *src, struct fg_stats_sample *s,
                    struct fg_error *err)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_STATS_TEXT_MAX);

        if (fg_stats_read(&b, src->cgroup, "cpu.stat", err) < 0)
                return -1;
        s->total_ns = fg_stats_key(b.data, "usage_usec") * NS_PER_USEC;
        s->user_ns = fg_stats_key(b.data, "user_usec") * NS_PER_USEC;
        s->kernel_ns = fg_stats_key(b.data, "system_usec") * NS_PER_USEC;
        s->periods = fg_stats_key(b.data, "nr_periods");
        s->throttled = fg_stats_key(b.data, "nr_throttled");
        s->throttled_ns = fg_stats_key(b.data, "throttled_usec") * NS_PER_USEC;
        return 0;
}

static uint64_t system_ns(const char *proc)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_STATS_TEXT_MAX);
        const uint64_t tick_ns = FG_NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
        struct fg_error err = FG_ERROR_INIT;
        uint64_t ticks = 0;
        char *at;

        if (fg_stats_read(&b, proc, "stat", &err) < 0 || !fg_starts_with(b.data, "cpu "))
                return 0;
        at = b.data + strlen("cpu ");
        for (int i = 0; i < CPU_FIELDS; i++)
                ticks += strtoull(at, &at, 10);
        return ticks * tick_ns;
}

/* "  eth1: 1 2 …": sixteen numbers, eight for each direction. */
static void take_net(const struct fg_stats_source *src, struct fg_stats_net *n)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_STATS_TEXT_MAX);
        fg_autofree char *label = fg_asprintf(" %s:", src->interface);
        struct fg_error err = FG_ERROR_INIT;
        uint64_t v[NET_FIELDS];
        char *at;

        if (fg_stats_read(&b, src->proc, "net/dev", &err) < 0)
                return;
        at = strstr(b.data, label);
        if (!at)
                return;
        at += strlen(label);
        for (int i = 0; i < NET_FIELDS; i++)
                v[i] = strtoull(at, &at, 10);
        n->rx_bytes = v[0];
        n->rx_packets = v[1];
        n->rx_errors = v[2];
        n->rx_dropped = v[3];
        n->tx_bytes = v[8];
        n->tx_packets = v[9];
        n->tx_errors = v[10];
        n->tx_dropped = v[11];
}

int fg_stats_take(const struct fg_stats_source *src, uint64_t now_ns, struct fg_stats_sample *ret,
                  struct fg_error *err)
{
        *ret = (struct fg_stats_sample){ .at = now_ns };
        if (take_cpu(src, ret, err) < 0)
                return -1;
        ret->system_ns = system_ns(src->proc);
        if (src->interface) {
                ret->net.at = now_ns;
                take_net(src, &ret->net);
        }
        return 0;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
        return a > b ? a - b : 0;
}

static struct fg_stats_sample first(const struct fg_stats_sample *now, uint64_t started_ns,
                                    uint64_t net_ns)
{
        const uint64_t ran = minus(now->at, started_ns) * (uint64_t)get_nprocs();

        return (struct fg_stats_sample){ .at = started_ns,
                                         .system_ns = minus(now->system_ns, ran),
                                         .net.at = net_ns };
}

struct fg_stats_sample fg_stats_since(struct fg_stats_history *h, const struct fg_stats_sample *now,
                                      uint64_t started_ns, uint64_t net_ns)
{
        /* A container that was started again begins again. */
        if (h->last.at < started_ns)
                h->last = h->previous = first(now, started_ns, net_ns);
        if (now->at >= h->last.at + INTERVAL_NS) {
                h->previous = h->last;
                h->last = *now;
        }
        return h->previous;
}
