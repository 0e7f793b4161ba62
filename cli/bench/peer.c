/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/peer.h"
#include "cli/bench/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

bool bench_peer_sustains(const struct bench_peer *p)
{
        return p->found && p->kind->command && p->kind->end &&
               (!p->kind->start_only || p->kind->sustained);
}

void bench_peer_finish(struct bench_peer *p)
{
        bench_samples_finish(&p->accept);
        bench_samples_finish(&p->typed);
        bench_samples_finish(&p->whole);
        for (size_t i = 0; i < p->n_phases; i++)
                bench_samples_finish(&p->phases[i].since_accept);
        for (char **word = p->words; word && *word; word++)
                free(*word);
        free(p->words);
        *p = (struct bench_peer){ 0 };
}

void bench_peer_phase(struct bench_peer *p, const char *name, double since_accept_ms)
{
        size_t i = 0;

        if (!p->counting)
                return;
        while (i < p->n_phases && !fg_streq(p->phases[i].name, name))
                i++;
        if (i == BENCH_PHASES_MAX)
                return;
        if (i == p->n_phases)
                (void)snprintf(p->phases[p->n_phases++].name, sizeof(p->phases[i].name), "%s",
                               name);
        bench_samples_add(&p->phases[i].since_accept, since_accept_ms);
}

void bench_publish(const struct bench_peer *p, struct bench_words *ret)
{
        if (p->port > 0)
                bench_words_format(ret, "--publish=127.0.0.1:%u:" BENCH_PORT, p->port);
}

#define PROBE_TIMEOUT_MS 120000

int bench_probe(struct bench_world *w, struct bench_peer *p, const char *word,
                struct bench_run *ret, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        const struct bench_exec exec = { .words = &words, .timeout_ms = PROBE_TIMEOUT_MS };

        if (p->kind->command(w, p, word, false, &words, err) < 0 ||
            bench_exec(&exec, w->clock, ret, err) < 0)
                return -1;
        return ret->status == 0
                       ? 0
                       : fg_fail(err, FG_ERR_UPSTREAM, "%s: status %d", words.v[0], ret->status);
}

struct json_object *bench_probe_line(const struct bench_run *run, struct fg_error *err)
{
        const char *text = run->output.data ? run->output.data : "";

        return fg_json_parse(text, strlen(text), err);
}

uint64_t bench_probe_time(const struct bench_run *run)
{
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autojson *line = bench_probe_line(run, &ignored);
        const int64_t ns = fg_json_int(line, "realtimeNs", 0);

        return ns > 0 ? (uint64_t)ns : 0;
}

/* ---- the host itself, in no isolation: only for comparing what is done and seen ---- */

static int host_command(struct bench_world *w, struct bench_peer *p, const char *word, bool idle,
                        struct bench_words *ret, struct fg_error *err)
{
        (void)p;
        (void)idle;
        (void)err;
        bench_words_format(ret, "%s/probe", w->rootfs);
        bench_words_add(ret, word);
        return 0;
}

const struct bench_kind bench_host = { .name = "host", .command = host_command };
