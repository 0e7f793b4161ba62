/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "cli/bench/exec.h"
#include "cli/bench/stats.h"
#include "core/error.h"

struct bench_peer;
struct bench_world;

/* How one way to isolate a program is driven. All return 0, or -1 with the reason. */
struct bench_kind {
        const char *name; /* in every table, and in the JSON */
        /* Is it here, and does it work? Fills peer->version. */
        int (*find)(struct bench_world *w, struct bench_peer *p, struct fg_error *err);
        /* Waits until the next run is a run of this kind; NULL: it always is. */
        int (*settle)(struct bench_world *w, struct bench_peer *p, struct fg_error *err);
        /* One start of the probe, to its end. */
        int (*start)(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                     double *ret_accept_ms, struct fg_error *err);
        /* What is left on the machine goes; NULL: nothing. */
        void (*leave)(struct bench_world *w, struct bench_peer *p);
};

#define BENCH_PHASES_MAX 12
struct bench_phase {
        char name[24];
        struct bench_samples since_accept;
};

struct bench_peer {
        const struct bench_kind *kind;
        bool found;
        bool counting;     /* not a warm-up */
        char reason[1024]; /* why it is not, or no longer, measured */
        char version[128];
        unsigned serial; /* of its runs: names */
        struct bench_samples accept, typed, whole;
        struct bench_phase phases[BENCH_PHASES_MAX];
        size_t n_phases;
        char **words; /* private to the kind; NULL-terminated, heap */
};

extern const struct bench_kind bench_fgrun_warm, bench_fgrun_cold, bench_runc, bench_docker,
        bench_podman, bench_qemu_floor;

void bench_peer_finish(struct bench_peer *p);
/** bench_peer_phase() - one more sample of a phase, when the run counts. */
void bench_peer_phase(struct bench_peer *p, const char *name, double since_accept_ms);
/** bench_probe_time() - "realtimeNs" of the probe's line, or 0. */
uint64_t bench_probe_time(const struct bench_run *run);
