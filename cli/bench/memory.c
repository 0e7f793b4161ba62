/* SPDX-License-Identifier: Apache-2.0 */
/* What an idle instance costs in memory, alone and among others. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/cli.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define INSTANCES_MAX 10
#define BUDGET_MIB    800 /* that a microVM may come to, at the worst */
#define FILE_MAX      (1U << 20)
#define START_MS      120000

struct idle {
        char ids[INSTANCES_MAX][96];
        unsigned n;
};

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
static bool mentions(const char *pid, const char *file, const struct idle *idle)
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

/* Of all processes that are there for the instances: their own, QEMU, a shim, a monitor. */
static double pss_mib(const struct idle *idle)
{
        fg_cleanup(closedirp) DIR *dir = opendir("/proc");
        const struct dirent *entry;
        double kib = 0;

        while (dir && (entry = readdir(dir))) {
                fg_autofree char *path = NULL;

                if (!isdigit((unsigned char)entry->d_name[0]) ||
                    (!mentions(entry->d_name, "cmdline", idle) &&
                     !mentions(entry->d_name, "cgroup", idle)))
                        continue;
                path = fg_asprintf("/proc/%s/smaps_rollup", entry->d_name);
                kib += read_kib(path, "\nPss:");
        }
        return kib / 1024;
}

/* The last line of what a detached start printed; or the name that we gave it. */
static void note_id(struct idle *idle, const struct bench_peer *p, const struct bench_run *run)
{
        const char *text = run->output.data ? run->output.data : "", *line = text;

        if (*p->id) {
                (void)snprintf(idle->ids[idle->n++], sizeof(idle->ids[0]), "%s", p->id);
                return;
        }
        for (const char *next = text; (next = strchr(next, '\n')) && next[1];)
                line = ++next;
        (void)snprintf(idle->ids[idle->n++], sizeof(idle->ids[0]), "%.*s", (int)strcspn(line, "\n"),
                       line);
}

/* Until it is idle: a task must be RUNNING. */
static int wait_idle(struct bench *b, const struct bench_peer *p, const struct idle *idle,
                     struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/v1/tasks/%s?wait=RUNNING", idle->ids[idle->n - 1]);
        fg_autojson *answer = NULL;

        if (!p->kind->task)
                return 0;
        answer = bench_world_get(&b->world, path, err);
        return answer ? 0 : -1;
}

static int begin_one(struct bench *b, struct bench_peer *p, struct idle *idle, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        /* What runc starts keeps runc's output open. */
        const struct bench_exec exec = { .words = &words, .leave = true, .timeout_ms = START_MS };

        if (p->kind->command(&b->world, p, "wait", true, &words, err) < 0 ||
            bench_exec(&exec, b->world.clock, &run, err) < 0)
                return -1;
        if (run.status != 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: status %d", words.v[0], run.status);
        note_id(idle, p, &run);
        return wait_idle(b, p, idle, err);
}

static void end_all(struct bench *b, struct bench_peer *p, const struct idle *idle)
{
        for (unsigned i = 0; i < idle->n; i++) {
                fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
                struct fg_error err = FG_ERROR_INIT;

                p->kind->end(&b->world, p, idle->ids[i], &words);
                if (bench_exec_finally(&words, NULL, &err) < 0)
                        fg_cli_note(b->world.cli, "%s: %s", p->kind->name, err.msg);
        }
}

static struct json_object *measure(struct bench *b, struct bench_peer *p, unsigned instances)
{
        const double before = read_kib("/proc/meminfo", "MemAvailable:");
        struct json_object *row = NULL;
        struct fg_error err = FG_ERROR_INIT;
        struct idle idle = { .n = 0 };
        int r = 0;

        while (r == 0 && idle.n < instances && !bench_interrupted())
                r = begin_one(b, p, &idle, &err);
        if (r < 0) {
                (void)snprintf(p->reason, sizeof(p->reason), "memory: %.900s", err.msg);
                fg_cli_note(b->world.cli, "%s: %s", p->kind->name, p->reason);
        } else if (idle.n == instances) {
                const double after = read_kib("/proc/meminfo", "MemAvailable:");

                row = json_object_new_object();
                fg_json_set_str(row, "name", p->kind->name);
                fg_json_set_int(row, "instances", instances);
                fg_json_set(row, "pssMiB", bench_number(pss_mib(&idle) / instances));
                fg_json_set(row, "availableMiB", bench_number((before - after) / 1024 / instances));
        }
        end_all(b, p, &idle);
        return row;
}

/* As many as a half of what is free can carry. */
static unsigned room(void)
{
        const double mib = read_kib("/proc/meminfo", "MemAvailable:") / 1024;
        const double n = mib / 2 / BUDGET_MIB;

        return n < 1 ? 0 : n > INSTANCES_MAX ? INSTANCES_MAX : (unsigned)n;
}

static void measure_one(struct bench *b, struct bench_peer *p, unsigned wanted,
                        struct json_object *rows)
{
        const unsigned n = wanted < room() ? wanted : room();
        struct fg_error ignored = FG_ERROR_INIT;
        struct json_object *row;

        if (!p->found || !p->kind->end || p->kind->start_only || n == 0)
                return;
        if (p->kind->settle)
                (void)p->kind->settle(&b->world, p, &ignored);
        row = measure(b, p, n);
        if (row)
                (void)json_object_array_add(rows, row);
}

void bench_memory(struct bench *b)
{
        const unsigned counts[] = { 1, b->quick ? 3 : INSTANCES_MAX };
        struct json_object *rows = json_object_new_array();

        for (size_t c = 0; c < FG_ARRAY_SIZE(counts); c++)
                for (size_t i = 0; i < b->n_peers && !bench_interrupted(); i++)
                        measure_one(b, &b->peers[i], counts[c], rows);
        fg_json_set(b->result, "memory", rows);
}
