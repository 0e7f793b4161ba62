/* SPDX-License-Identifier: Apache-2.0 */
/* What an idle instance costs in memory, alone and among others. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/idle.h"
#include "cli/cli.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define FILE_MAX        (1U << 20)
#define IDLE_VM_MIB     160 /* that an idle microVM may come to: emulated and booted, 111 were seen */
#define CONTAINER_MIB   32 /* that a container may come to */
#define INSTANCES_FEW   10
#define INSTANCES_QUICK 3
#define LOADED_ROUNDS   10
#define LOADED_QUICK    3

/* A number of a file in /proc that has lines of the form "Name:  123 kB"; 0: not there. */
static double read_kib(const char *path, const char *name)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FILE_MAX);
        struct fg_error ignored = FG_ERROR_INIT;
        const char *at;

        if (fg_buf_read_file(&text, path, &ignored) < 0 || !text.data)
                return 0;
        at = strstr(text.data, name);
        return at ? strtod(at + strlen(name), NULL) : 0;
}

/* Does a file of a process, with zero bytes in it or not, mention one of the instances? */
static bool mentions(const char *pid, const char *file, const struct bench_idle *idle)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(FILE_MAX);
        fg_autofree char *path = fg_asprintf("/proc/%s/%s", pid, file);
        struct fg_error ignored = FG_ERROR_INIT;

        if (fg_buf_read_file(&text, path, &ignored) < 0 || !text.data)
                return false;
        for (unsigned i = 0; i < idle->n; i++)
                if (memmem(text.data, text.len, idle->ids[i], strlen(idle->ids[i])))
                        return true;
        return false;
}

struct footprint {
        double pss_kib, rss_kib;
};

/* Of all processes that are there for the instances: their own, QEMU, a shim, a monitor. */
static struct footprint footprint(const struct bench_idle *idle)
{
        fg_cleanup(closedirp) DIR *dir = opendir("/proc");
        struct footprint sum = { 0 };
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                fg_autofree char *path = NULL;

                if (!isdigit((unsigned char)entry->d_name[0]) ||
                    (!mentions(entry->d_name, "cmdline", idle) &&
                     !mentions(entry->d_name, "cgroup", idle)))
                        continue;
                path = fg_asprintf("/proc/%s/smaps_rollup", entry->d_name);
                sum.pss_kib += read_kib(path, "\nPss:");
                sum.rss_kib += read_kib(path, "\nRss:");
        }
        return sum;
}

unsigned bench_promised_mib(const struct bench *b, const struct bench_peer *p)
{
        struct json_object *hypervisor = fg_json_obj(b->world.info, "hypervisor");

        return p->kind->task ? (unsigned)(p->kind->task->memory_mib +
                                          fg_json_int(hypervisor, "overheadMiB", 0))
                             : 0;
}

/* What a budget holds, at the rate of the instances that were measured; and what fgd lets in. */
static struct json_object *row_json(const struct bench *b, const struct bench_peer *p,
                                    const struct bench_idle *idle, double available_kib)
{
        const struct footprint sum = footprint(idle);
        const double pss = sum.pss_kib / 1024 / idle->n;
        const unsigned promised = bench_promised_mib(b, p);
        struct json_object *row = json_object_new_object();

        fg_json_set_str(row, "name", p->kind->name);
        fg_json_set_int(row, "instances", idle->n);
        fg_json_set(row, "pssMiB", bench_number(pss));
        fg_json_set(row, "rssMiB", bench_number(sum.rss_kib / 1024 / idle->n));
        fg_json_set(row, "availableMiB", bench_number(available_kib / 1024 / idle->n));
        if (pss > 0)
                fg_json_set_int(row, "inBudget", (int64_t)(b->budget_mib / pss));
        if (promised > 0) {
                fg_json_set_int(row, "promisedMiB", promised);
                fg_json_set_int(row, "admitted", b->budget_mib / promised);
        }
        return row;
}

/* ---- starts beside those that run ---- */

/* So many starts more, into @ret; what fails is noted and no sample. */
static void start_some(struct bench *b, struct bench_peer *p, struct bench_samples *ret)
{
        for (unsigned i = 0; i < (b->quick ? LOADED_QUICK : LOADED_ROUNDS); i++) {
                fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
                struct fg_error err = FG_ERROR_INIT;
                double accept = 0;

                if (bench_interrupted())
                        return;
                if ((!p->kind->settle || p->kind->settle(&b->world, p, &err) == 0) &&
                    p->kind->start(&b->world, p, &run, &accept, &err) == 0)
                        bench_samples_add(ret, accept);
                else
                        fg_cli_note(b->world.cli, "%s, loaded: %s", p->kind->name, err.msg);
        }
}

/* How long a start takes before, while and after so many instances are there. */
struct loaded {
        struct bench_samples alone, beside;
};

static void loaded_json(struct bench *b, const struct bench_peer *p, unsigned instances,
                        struct loaded *l)
{
        struct json_object *row = json_object_new_object(), *alone = json_object_new_object();
        struct json_object *beside = json_object_new_object();

        fg_json_set_str(row, "name", p->kind->name);
        fg_json_set_int(row, "instances", instances);
        bench_samples_json(&l->alone, alone);
        bench_samples_json(&l->beside, beside);
        fg_json_set(row, "alone", alone);
        fg_json_set(row, "beside", beside);
        if (l->alone.n > 0 && l->beside.n > 0)
                (void)json_object_array_add(fg_json_arr(b->result, "loaded"), row);
        else
                json_object_put(row);
        bench_samples_finish(&l->alone);
        bench_samples_finish(&l->beside);
}

/* ---- one after the other ---- */

static struct json_object *measure(struct bench *b, struct bench_peer *p, unsigned instances,
                                   struct loaded *loaded)
{
        const double before = read_kib("/proc/meminfo", "MemAvailable:");
        struct json_object *row = NULL;
        struct fg_error err = FG_ERROR_INIT;
        struct bench_idle idle = { .n = 0 };
        int r = 0;

        while (r == 0 && idle.n < instances && !bench_interrupted())
                r = bench_idle_begin(b, p, "wait", &idle, &err);
        if (r < 0) {
                (void)snprintf(p->reason, sizeof(p->reason), "memory: %.900s", err.msg);
                fg_cli_note(b->world.cli, "%s: %s", p->kind->name, p->reason);
        } else if (idle.n == instances) {
                row = row_json(b, p, &idle, before - read_kib("/proc/meminfo", "MemAvailable:"));
                if (loaded)
                        start_some(b, p, &loaded->beside);
        }
        bench_idle_end(b, p, &idle);
        return row;
}

/* Of what is free, half is enough for anybody. */
static unsigned room(const struct bench_peer *p)
{
        const double free = read_kib("/proc/meminfo", "MemAvailable:") / 1024;
        const double n = free / 2 / (p->kind->task ? IDLE_VM_MIB : CONTAINER_MIB);

        return n < 1 ? 0 : n > BENCH_IDLE_MAX ? BENCH_IDLE_MAX : (unsigned)n;
}

static void measure_one(struct bench *b, struct bench_peer *p, unsigned wanted, bool most,
                        struct json_object *rows)
{
        const unsigned n = wanted < room(p) ? wanted : room(p);
        const bool with_starts = most && p->kind->task && !p->kind->sustained;
        struct fg_error ignored = FG_ERROR_INIT;
        struct loaded loaded = { 0 };
        struct json_object *row;

        if (!bench_peer_sustains(p) || n == 0)
                return;
        if (p->kind->settle)
                (void)p->kind->settle(&b->world, p, &ignored);
        if (with_starts)
                start_some(b, p, &loaded.alone);
        row = measure(b, p, n, with_starts ? &loaded : NULL);
        if (row)
                (void)json_object_array_add(rows, row);
        if (with_starts) {
                start_some(b, p, &loaded.alone);
                loaded_json(b, p, n, &loaded);
        }
}

static unsigned wanted(const struct bench *b, const struct bench_peer *p, size_t round)
{
        static const unsigned counts[] = { 1, INSTANCES_FEW, BENCH_IDLE_MAX };

        if (!b->quick || round == 0)
                return counts[round];
        return p->kind->sustained ? INSTANCES_FEW : INSTANCES_QUICK;
}

void bench_memory(struct bench *b)
{
        const size_t rounds = b->quick ? 2 : 3;
        struct json_object *rows = json_object_new_array();

        fg_json_set(b->result, "loaded", json_object_new_array());
        for (size_t r = 0; r < rounds; r++)
                for (size_t i = 0; i < b->n_peers && !bench_interrupted(); i++)
                        measure_one(b, &b->peers[i], wanted(b, &b->peers[i], r), r + 1 == rounds,
                                    rows);
        fg_json_set(b->result, "memory", rows);
}
