/* SPDX-License-Identifier: Apache-2.0 */
/* How long until a program runs: every way in turn, one start after the other. */
#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/cli.h"
#include "core/json.h"

struct turn {
        struct bench *b;
        struct bench_peer *peer;
};

static int once(void *userdata, bool counted, struct fg_error *err)
{
        const struct turn *turn = userdata;
        struct bench_peer *p = turn->peer;
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        double accept = 0;

        if (p->kind->settle && p->kind->settle(&turn->b->world, p, err) < 0)
                return -1;
        p->counting = counted;
        if (p->kind->start(&turn->b->world, p, &run, &accept, err) < 0)
                return -1;
        if (!counted)
                return 0;
        bench_samples_add(&p->accept, accept);
        bench_samples_add(&p->typed, run.seen_ms);
        bench_samples_add(&p->whole, run.whole_ms);
        return 0;
}

static void failed(void *userdata, const struct fg_error *err)
{
        const struct turn *turn = userdata;

        (void)snprintf(turn->peer->reason, sizeof(turn->peer->reason), "%s", err->msg);
        fg_cli_note(turn->b->world.cli, "%s: %s", turn->peer->kind->name, err->msg);
}

static struct json_object *phases_json(const struct bench_peer *p)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < p->n_phases; i++) {
                struct json_object *phase = json_object_new_object();

                fg_json_set_str(phase, "name", p->phases[i].name);
                bench_samples_json(&p->phases[i].since_accept, phase);
                (void)json_object_array_add(array, phase);
        }
        return array;
}

static struct json_object *row_json(const struct bench_peer *p)
{
        struct json_object *row = json_object_new_object(), *typed = json_object_new_object();
        struct json_object *whole = json_object_new_object();

        fg_json_set_str(row, "name", p->kind->name);
        bench_samples_json(&p->accept, row);
        bench_samples_json(&p->typed, typed);
        fg_json_set(row, "typed", typed);
        bench_samples_json(&p->whole, whole);
        fg_json_set(row, "whole", whole);
        if (p->n_phases > 0)
                fg_json_set(row, "phases", phases_json(p));
        return row;
}

void bench_start(struct bench *b)
{
        struct bench_contender who[BENCH_PEERS_MAX];
        struct turn turns[BENCH_PEERS_MAX];
        const struct bench_rounds rounds = { .warm_up = b->warm_up,
                                             .counted = b->rounds,
                                             .failed = failed,
                                             .stop = bench_interrupted };
        struct json_object *rows = json_object_new_array();
        size_t n = 0;

        for (size_t i = 0; i < b->n_peers; i++) {
                if (!b->peers[i].found)
                        continue;
                turns[n] = (struct turn){ b, &b->peers[i] };
                who[n] = (struct bench_contender){ .userdata = &turns[n], .once = once };
                n++;
        }
        bench_interleave(who, n, &rounds);
        for (size_t i = 0; i < b->n_peers; i++)
                if (b->peers[i].accept.n > 0)
                        (void)json_object_array_add(rows, row_json(&b->peers[i]));
        fg_json_set(b->result, "start", rows);
}
