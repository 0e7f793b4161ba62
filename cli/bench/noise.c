/* SPDX-License-Identifier: Apache-2.0 */
/* What a neighbour that takes all it can get does to another instance of the same kind. */
#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/bench/idle.h"
#include "cli/cli.h"
#include "core/json.h"

#define ROUNDS       5
#define ROUNDS_QUICK 3

/* The first: nobody, whom the others are compared with. */
static const char *const neighbours[] = { "none", "cpu", "fork", "memory", "disk", "conntrack" };
#define NEIGHBOURS FG_ARRAY_SIZE(neighbours)

struct victim {
        struct bench_peer *peer;
        struct bench_samples p50[NEIGHBOURS], p99[NEIGHBOURS];
};

static int ask_victim(struct bench *b, struct victim *v, size_t neighbour, struct fg_error *err)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        fg_autojson *line = NULL;
        struct bench_peer *p = v->peer;

        if ((p->kind->settle && p->kind->settle(&b->world, p, err) < 0) ||
            bench_probe(&b->world, p, "victim", &run, err) < 0)
                return -1;
        line = bench_probe_line(&run, err);
        if (!line)
                return -1;
        bench_samples_add(&v->p50[neighbour], json_object_get_double(fg_json_get(line, "p50Ms")));
        bench_samples_add(&v->p99[neighbour], json_object_get_double(fg_json_get(line, "p99Ms")));
        return 0;
}

static void measure(struct bench *b, struct victim *v, size_t neighbour)
{
        struct bench_peer *p = v->peer;
        struct bench_idle idle = { .n = 0 };
        struct fg_error err = FG_ERROR_INIT;
        char word[32];
        int r = 0;

        (void)snprintf(word, sizeof(word), "noise-%s", neighbours[neighbour]);
        if (neighbour > 0 && p->kind->settle)
                r = p->kind->settle(&b->world, p, &err);
        if (neighbour > 0 && r == 0)
                r = bench_idle_begin(b, p, word, &idle, &err);
        if (r == 0)
                r = ask_victim(b, v, neighbour, &err);
        bench_idle_end(b, p, &idle);
        if (r < 0) {
                (void)snprintf(p->reason, sizeof(p->reason), "%s: %.900s", word, err.msg);
                fg_cli_note(b->world.cli, "%s: %s", p->kind->name, p->reason);
        }
}

static void put_rows(struct json_object *rows, struct victim *v)
{
        const double alone = bench_percentile(&v->p99[0], 50);
        const bool steady = bench_steady(&v->p99[0]);

        for (size_t i = 0; i < NEIGHBOURS; i++) {
                struct json_object *row = json_object_new_object();
                const double p99 = bench_percentile(&v->p99[i], 50);

                fg_json_set_str(row, "name", v->peer->kind->name);
                fg_json_set_str(row, "neighbour", neighbours[i]);
                fg_json_set(row, "p50_ms", bench_number(bench_percentile(&v->p50[i], 50)));
                fg_json_set(row, "p99_ms", bench_number(p99));
                fg_json_set(row, "timesAlone", bench_number(p99 / alone));
                fg_json_set_str(row, "alone", steady ? "steady" : "noisy");
                fg_json_set(row, "rounds_ms", bench_numbers(&v->p99[i]));
                if (v->p99[i].n > 0 && alone > 0)
                        (void)json_object_array_add(rows, row);
                else
                        json_object_put(row);
                bench_samples_finish(&v->p50[i]);
                bench_samples_finish(&v->p99[i]);
        }
}

void bench_noise(struct bench *b)
{
        struct json_object *rows = json_object_new_array();
        struct victim victims[BENCH_PEERS_MAX] = { 0 };
        size_t n = 0;

        for (size_t i = 0; i < b->n_peers; i++)
                if (b->peers[i].found && b->peers[i].kind->end && !b->peers[i].kind->start_only)
                        victims[n++].peer = &b->peers[i];
        for (unsigned round = 0; round < (b->quick ? ROUNDS_QUICK : ROUNDS); round++)
                for (size_t i = 0; i < NEIGHBOURS; i++)
                        for (size_t k = 0; k < n && !bench_interrupted(); k++)
                                measure(b, &victims[k], i);
        for (size_t k = 0; k < n; k++)
                put_rows(rows, &victims[k]);
        fg_json_set(b->result, "noise", rows);
}
