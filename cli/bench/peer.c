/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

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

uint64_t bench_probe_time(const struct bench_run *run)
{
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autojson *line = fg_json_parse(run->output.data ? run->output.data : "", run->output.len,
                                          &ignored);
        const int64_t ns = fg_json_int(line, "realtimeNs", 0);

        return ns > 0 ? (uint64_t)ns : 0;
}
