/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "cli/bench/exec.h"
#include "cli/bench/stats.h"
#include "core/error.h"

struct bench_peer;
struct bench_world;

/* What guest must be waiting before a task starts. */
enum bench_guest { BENCH_GUEST_NONE, BENCH_GUEST_PLAIN, BENCH_GUEST_WITH_IMAGE };

/*
 * A way of fgrun to start a task: what makes it this one and no other. Each has a size of its own
 * where guests of another way could take its tasks.
 */
struct bench_task {
        const char *way; /* that the task must have taken */
        enum bench_guest guest;
        int memory_mib;
        int disk_gib;          /* 0: the default, which is that of waiting guests */
        const char *isolation; /* NULL: the default, a microVM */
        const char *fastest;   /* way that it may start; NULL: any */
};

/* How one way to isolate a program is driven. All return 0, or -1 with the reason. */
struct bench_kind {
        const char *name;              /* in every table, and in the JSON */
        bool publishes;                /* a command of it heeds peer->port */
        bool start_only;               /* once it runs it is as another kind is */
        bool sustained;                /* but for its rate and its memory, which are its own */
        const struct bench_task *task; /* of fgrun; NULL: somebody else's */
        /* Is it here, and does it work? Fills peer->version. */
        int (*find)(struct bench_world *w, struct bench_peer *p, struct fg_error *err);
        /* Waits until the next run is a run of this kind; NULL: it always is. */
        int (*settle)(struct bench_world *w, struct bench_peer *p, struct fg_error *err);
        /*
         * The command line that runs the probe with a word to its end, or, @idle, leaves it behind
         * under the last line it prints, or under p->id. NULL: it runs nothing of ours.
         */
        int (*command)(struct bench_world *w, struct bench_peer *p, const char *word, bool idle,
                       struct bench_words *ret, struct fg_error *err);
        /* The command line that ends what was left behind. */
        void (*end)(struct bench_world *w, const struct bench_peer *p, const char *id,
                    struct bench_words *ret);
        /* One start of the probe, to its end, and when its first instruction was. */
        int (*start)(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                     double *ret_accept_ms, struct fg_error *err);
        /* What is left on the machine goes; NULL: nothing. */
        void (*leave)(struct bench_world *w, struct bench_peer *p);
};

#define BENCH_PORT       "8080"
#define BENCH_SERVE      "serve-" BENCH_PORT /* the word of a probe that is asked there */

#define BENCH_LABEL      "fgrun-bench=%d" /* of containers: the process that started them */

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
        unsigned port;   /* of the host, to be BENCH_PORT inside; 0: none */
        char word[16];   /* what it was last set up for */
        char id[96];     /* of the last run, where we choose it */
        struct bench_samples accept, typed, whole;
        struct bench_phase phases[BENCH_PHASES_MAX];
        size_t n_phases;
        char **words; /* private to the kind; NULL-terminated, heap */
};

extern const struct bench_kind bench_warm_image, bench_warm, bench_restored, bench_cold,
        bench_container, bench_runc, bench_docker, bench_podman, bench_qemu_floor, bench_host;
/** bench_kinds - who takes part, in the order of tables; ends with NULL. */
extern const struct bench_kind *const bench_kinds[];

/** bench_publish() - the option by which fgrun, docker and podman publish @p's port, if it has one.
 */
void bench_publish(const struct bench_peer *p, struct bench_words *ret);
void bench_peer_finish(struct bench_peer *p);
/** bench_peer_sustains() - has it a rate and a memory of its own, and works? */
bool bench_peer_sustains(const struct bench_peer *p);
/** bench_wait_for_guest() - until fgd has a guest for @p waiting, and makes none. */
int bench_wait_for_guest(struct bench_world *w, struct bench_peer *p, struct fg_error *err);
/** bench_task_started() - of the newest task of a family: from accept to "started". */
int bench_task_started(struct bench_world *w, const char *family, double *ret_ms,
                       struct fg_error *err);
/** bench_probe() - run the probe with a word to its end. */
int bench_probe(struct bench_world *w, struct bench_peer *p, const char *word,
                struct bench_run *ret, struct fg_error *err);
/** bench_probe_line() - its one line; the caller puts it. NULL: it is none. */
struct json_object *bench_probe_line(const struct bench_run *run, struct fg_error *err);
/** bench_peer_phase() - one more sample of a phase, when the run counts. */
void bench_peer_phase(struct bench_peer *p, const char *name, double since_accept_ms);
/** bench_probe_time() - "realtimeNs" of the probe's line, or 0. */
uint64_t bench_probe_time(const struct bench_run *run);
