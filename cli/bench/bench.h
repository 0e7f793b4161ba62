/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

#include "cli/bench/peer.h"
#include "cli/bench/world.h"

/*
 * fgrun bench: sections that fill one JSON object (docs/benchmark.md describes it), from which the
 * table and the page are made.
 */
#define BENCH_PEERS_MAX  12
#define BENCH_IMAGES_MAX 4

struct bench {
        struct bench_world world;
        struct bench_peer peers[BENCH_PEERS_MAX];
        size_t n_peers;
        bool quick;
        unsigned warm_up, rounds, budget_mib;
        const char *const *images;
        size_t n_images;
        double load_before;
        struct json_object *result;
};

struct bench_options {
        bool quick;
        unsigned budget_mib;                  /* of memory, for idle instances */
        const char *images[BENCH_IMAGES_MAX]; /* whose first run is measured; borrowed */
        size_t n_images;
};

int bench_open(struct bench *b, struct fg_cli *cli, const struct bench_options *options,
               struct fg_error *err);
/** bench_close() - whatever was started ends, whatever was loaded goes. */
int bench_close(struct bench *b, struct fg_error *err);

/** bench_start() - the section "start": how long until a program runs. */
void bench_start(struct bench *b);
/** bench_rate() - "rate": starts in a second, 1, 2, 4 and 8 at a time. */
void bench_rate(struct bench *b);
/** bench_memory() - "memory": of an idle instance, alone and among others; "loaded": starts then.
 */
void bench_memory(struct bench *b);
/** bench_promised_mib() - what fgd counts for a task of this kind: its memory and the overhead of a
 * VM, which a container has promised, too. 0: it is not fgd's. */
unsigned bench_promised_mib(const struct bench *b, const struct bench_peer *p);
/** bench_efficiency() - "efficiency": work done inside, beside the host. */
void bench_efficiency(struct bench *b);
/** bench_network() - "network": what a published port carries. */
void bench_network(struct bench *b);
/** bench_noise() - "noise": how late work is done beside a neighbour that takes what it can get. */
void bench_noise(struct bench *b);
/** bench_emulated() - does what runs in @p run on an emulated processor? */
bool bench_emulated(const struct bench *b, const struct bench_peer *p);
/** bench_isolation() - "isolation": what is seen from inside, beside the host. */
void bench_isolation(struct bench *b);

/** bench_images() - "images": first and later runs of those that were named. */
void bench_images(struct bench *b);
/** bench_image_is_local() - is its registry on the loopback, and spoken to without TLS? */
bool bench_image_is_local(const char *reference);

/** bench_describe() - "host", "settings" and "peers" of the result. */
void bench_describe(struct bench *b);
/** bench_targets() - "targets": what was set out for, by what the other sections hold. */
void bench_targets(struct json_object *result);
/** bench_print() - a result for people. */
void bench_print(struct json_object *result, FILE *out);
/** bench_html() - one page that needs nothing else; the caller frees it. NULL: too large. */
char *bench_html(struct json_object *result, struct fg_error *err);
