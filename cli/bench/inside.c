/* SPDX-License-Identifier: Apache-2.0 */
/* What a program can do and see inside: the probe's own lines, collected. */
#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/cli.h"
#include "core/json.h"
#include "core/str.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static const char *const works[] = { "integerPerSecond",      "memoryMBPerSecond",
                                     "memoryRandomPerSecond", "syscallsPerSecond",
                                     "diskWriteMBPerSecond",  "diskReadMBPerSecond" };

/* The host itself takes part as well; cold guests are no other than warm ones. */
static size_t collect(struct bench *b, struct bench_peer *host, struct bench_peer **ret)
{
        size_t n = 0;

        *host = (struct bench_peer){ .kind = &bench_host };
        ret[n++] = host;
        for (size_t i = 0; i < b->n_peers; i++)
                if (b->peers[i].found && b->peers[i].kind->command && !b->peers[i].kind->start_only)
                        ret[n++] = &b->peers[i];
        return n;
}

static struct json_object *ask(struct bench *b, struct bench_peer *p, const char *word)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *line = NULL;

        if (bench_probe(&b->world, p, word, &run, &err) == 0)
                line = bench_probe_line(&run, &err);
        if (!line) {
                (void)snprintf(p->reason, sizeof(p->reason), "%s: %.900s", word, err.msg);
                fg_cli_note(b->world.cli, "%s: %s", p->kind->name, p->reason);
        }
        return line;
}

struct work {
        struct bench_samples of[FG_ARRAY_SIZE(works)];
};

static void work_once(struct bench *b, struct bench_peer *p, struct work *w)
{
        fg_autojson *line = ask(b, p, "efficiency");

        for (size_t i = 0; line && i < FG_ARRAY_SIZE(works); i++)
                bench_samples_add(&w->of[i], json_object_get_double(fg_json_get(line, works[i])));
}

bool bench_emulated(const struct bench *b, const struct bench_peer *p)
{
        return b->world.emulated && fg_starts_with(p->kind->name, "microvm-");
}

static struct json_object *work_json(const struct bench *b, const struct bench_peer *p,
                                     const struct work *w)
{
        struct json_object *row = json_object_new_object();

        fg_json_set_str(row, "name", p->kind->name);
        fg_json_set_bool(row, "emulated", bench_emulated(b, p));
        for (size_t i = 0; i < FG_ARRAY_SIZE(works); i++)
                fg_json_set(row, works[i], bench_number(bench_percentile(&w->of[i], 50)));
        return row;
}

void bench_efficiency(struct bench *b)
{
        struct json_object *rows = json_object_new_array();
        struct bench_peer host, *who[BENCH_PEERS_MAX + 1];
        struct work all[BENCH_PEERS_MAX + 1] = { 0 };
        const size_t n = collect(b, &host, who);

        for (unsigned round = 0; round < (b->quick ? 1 : 5); round++)
                for (size_t i = 0; i < n && !bench_interrupted(); i++)
                        work_once(b, who[i], &all[i]);
        for (size_t i = 0; i < n; i++) {
                if (all[i].of[0].n > 0)
                        (void)json_object_array_add(rows, work_json(b, who[i], &all[i]));
                for (size_t k = 0; k < FG_ARRAY_SIZE(works); k++)
                        bench_samples_finish(&all[i].of[k]);
        }
        fg_json_set(b->result, "efficiency", rows);
}

void bench_isolation(struct bench *b)
{
        struct json_object *rows = json_object_new_array();
        struct bench_peer host, *who[BENCH_PEERS_MAX + 1];
        const size_t n = collect(b, &host, who);
        fg_cleanup(fg_buf_finish) struct fg_buf id = FG_BUF_INIT(4096);
        struct fg_error ignored = FG_ERROR_INIT;

        (void)fg_buf_read_file(&id, BOOT_ID, &ignored);
        for (size_t i = 0; i < n && !bench_interrupted(); i++) {
                struct json_object *line = ask(b, who[i], "isolation");
                const char *own = fg_json_str(line, "bootId");

                if (!line)
                        continue;
                fg_json_set_str(line, "name", who[i]->kind->name);
                fg_json_set_str(line, "kernel",
                                own && *own && id.data && fg_starts_with(id.data, own) ? "host's"
                                                                                       : "own");
                (void)json_object_array_add(rows, line);
        }
        fg_json_set(b->result, "isolation", rows);
}
