/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "guest-init/stats_private.h"

static void set_number(struct json_object *o, const char *key, uint64_t value)
{
        fg_json_set(o, key, json_object_new_uint64(value));
}

static struct json_object *add_object(struct json_object *o, const char *key)
{
        struct json_object *member = json_object_new_object();

        fg_json_set(o, key, member);
        return member;
}

static struct json_object *add_array(struct json_object *o, const char *key)
{
        struct json_object *member = json_object_new_array();

        fg_json_set(o, key, member);
        return member;
}

static void add_cpu(struct json_object *o, const char *key, const struct fg_stats_sample *s)
{
        struct json_object *cpu = add_object(o, key);
        struct json_object *usage = add_object(cpu, "cpu_usage");
        struct json_object *throttling;

        set_number(usage, "total_usage", s->total_ns);
        set_number(usage, "usage_in_kernelmode", s->kernel_ns);
        set_number(usage, "usage_in_usermode", s->user_ns);
        set_number(cpu, "system_cpu_usage", s->system_ns);
        set_number(cpu, "online_cpus", (uint64_t)get_nprocs());
        throttling = add_object(cpu, "throttling_data");
        set_number(throttling, "periods", s->periods);
        set_number(throttling, "throttled_periods", s->throttled);
        set_number(throttling, "throttled_time", s->throttled_ns);
}

static void add_pids(struct json_object *o, const struct fg_stats_source *src)
{
        struct json_object *pids = add_object(o, "pids_stats");
        const uint64_t of_task = fg_stats_number(src->task, "pids.max", UINT64_MAX);

        set_number(pids, "current", fg_stats_number(src->cgroup, "pids.current", 0));
        set_number(pids, "limit", fg_stats_number(src->cgroup, "pids.max", of_task));
}

/* What monitoring looks for by the names of cgroup v1. */
static const struct {
        const char *v1, *v2;
} memory_names[] = {
        { "cache", "file" },
        { "rss", "anon" },
        { "rss_huge", "anon_thp" },
        { "mapped_file", "file_mapped" },
        { "dirty", "file_dirty" },
        { "writeback", "file_writeback" },
        { "total_inactive_file", "inactive_file" },
};

/* Every line of memory.stat: what the kernel counts is not ours to choose from. */
static void add_memory_lines(struct json_object *stats, char *text)
{
        char *save = NULL;

        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *space = strchr(line, ' ');
                uint64_t value;

                if (!space)
                        continue;
                *space = '\0';
                if (fg_parse_u64(space + 1, &value))
                        set_number(stats, line, value);
        }
}

static void add_memory(struct json_object *o, const struct fg_stats_source *src)
{
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_STATS_TEXT_MAX);
        struct json_object *memory = add_object(o, "memory_stats");
        const uint64_t of_task = fg_stats_number(src->task, "memory.max", 0);
        const uint64_t limit = fg_stats_number(src->cgroup, "memory.max", of_task);
        const uint64_t usage = fg_stats_number(src->cgroup, "memory.current", 0);
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *stats;

        set_number(memory, "usage", usage);
        set_number(memory, "max_usage", fg_stats_number(src->cgroup, "memory.peak", usage));
        stats = add_object(memory, "stats");
        if (fg_stats_read(&b, src->cgroup, "memory.stat", &err) == 0) {
                for (size_t i = 0; i < FG_ARRAY_SIZE(memory_names); i++)
                        set_number(stats, memory_names[i].v1,
                                   fg_stats_key(b.data, memory_names[i].v2));
                add_memory_lines(stats, b.data);
        }
        set_number(stats, "hierarchical_memory_limit", limit);
        set_number(memory, "limit", limit);
}

struct io_counter {
        const char *key, *op;
};

static const struct io_counter io_bytes[] = { { "rbytes", "Read" },
                                              { "wbytes", "Write" },
                                              { "dbytes", "Discard" } };
static const struct io_counter io_operations[] = { { "rios", "Read" },
                                                   { "wios", "Write" },
                                                   { "dios", "Discard" } };

static void add_io_entry(struct json_object *list, const unsigned device[2], const char *op,
                         uint64_t value)
{
        struct json_object *entry = json_object_new_object();

        set_number(entry, "major", device[0]);
        set_number(entry, "minor", device[1]);
        fg_json_set_str(entry, "op", op);
        set_number(entry, "value", value);
        json_object_array_add(list, entry);
}

static uint64_t io_value(const char *line, const char *key)
{
        fg_autofree char *label = fg_asprintf(" %s=", key);
        const char *at = strstr(line, label);

        return at ? strtoull(at + strlen(label), NULL, 10) : 0;
}

static void add_io_line(struct json_object *list, const char *line, const struct io_counter *c)
{
        unsigned device[2];
        uint64_t total = 0;

        /* A device that was only merged into another one has no counters. */
        if (sscanf(line, "%u:%u ", &device[0], &device[1]) != 2 || !strstr(line, "bytes="))
                return;
        for (size_t i = 0; i < FG_ARRAY_SIZE(io_bytes); i++) {
                const uint64_t value = io_value(line, c[i].key);

                add_io_entry(list, device, c[i].op, value);
                total += value;
        }
        add_io_entry(list, device, "Total", total);
}

static void add_io(struct json_object *o, const struct fg_stats_source *src)
{
        static const char *const unknown[] = {
                "io_queue_recursive",  "io_service_time_recursive", "io_wait_time_recursive",
                "io_merged_recursive", "io_time_recursive",         "sectors_recursive"
        };
        fg_cleanup(fg_buf_finish) struct fg_buf b = FG_BUF_INIT(FG_STATS_TEXT_MAX);
        struct json_object *io = add_object(o, "blkio_stats");
        struct json_object *bytes = add_array(io, "io_service_bytes_recursive");
        struct json_object *operations = add_array(io, "io_serviced_recursive");
        struct fg_error err = FG_ERROR_INIT;
        char *save = NULL;

        for (size_t i = 0; i < FG_ARRAY_SIZE(unknown); i++)
                (void)add_array(io, unknown[i]);
        if (fg_stats_read(&b, src->cgroup, "io.stat", &err) < 0)
                return; /* nothing was read or written */
        for (char *line = strtok_r(b.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                add_io_line(bytes, line, io_bytes);
                add_io_line(operations, line, io_operations);
        }
}

static double rate(uint64_t now, uint64_t before, uint64_t ns)
{
        return now > before && ns > 0 ? (double)(now - before) * (double)FG_NS_PER_SEC / (double)ns
                                      : 0;
}

static void add_net(struct json_object *o, const char *interface, const struct fg_stats_net *now,
                    const struct fg_stats_net *before, bool rates)
{
        struct json_object *net = add_object(add_object(o, "networks"), interface);
        const uint64_t ns = now->at > before->at ? now->at - before->at : 0;

        set_number(net, "rx_bytes", now->rx_bytes);
        set_number(net, "rx_packets", now->rx_packets);
        set_number(net, "rx_errors", now->rx_errors);
        set_number(net, "rx_dropped", now->rx_dropped);
        set_number(net, "tx_bytes", now->tx_bytes);
        set_number(net, "tx_packets", now->tx_packets);
        set_number(net, "tx_errors", now->tx_errors);
        set_number(net, "tx_dropped", now->tx_dropped);
        if (!rates)
                return;
        net = add_object(o, "network_rate_stats");
        fg_json_set(net, "rx_bytes_per_sec",
                    json_object_new_double(rate(now->rx_bytes, before->rx_bytes, ns)));
        fg_json_set(net, "tx_bytes_per_sec",
                    json_object_new_double(rate(now->tx_bytes, before->tx_bytes, ns)));
}

struct json_object *fg_stats_json(const struct fg_stats_source *src,
                                  const struct fg_stats_sample *now,
                                  const struct fg_stats_sample *before, bool rates)
{
        struct json_object *o = json_object_new_object();
        char text[FG_TIME_TEXT];

        fg_time_text(now->at, text);
        fg_json_set_str(o, "read", text);
        fg_time_text(before->at, text);
        fg_json_set_str(o, "preread", text);
        add_pids(o, src);
        add_io(o, src);
        set_number(o, "num_procs", 0);
        (void)add_object(o, "storage_stats");
        add_cpu(o, "cpu_stats", now);
        add_cpu(o, "precpu_stats", before);
        add_memory(o, src);
        if (src->interface)
                add_net(o, src->interface, &now->net, &before->net, rates);
        return o;
}
