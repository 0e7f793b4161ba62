/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/bench/stats.h"
#include "core/buf.h"
#include "core/error.h"

/* A command line that is put together word by word. Zeroed is empty. */
#define BENCH_WORDS_MAX 64
struct bench_words {
        char *v[BENCH_WORDS_MAX + 1];
        size_t n;
};

void bench_words_add(struct bench_words *w, const char *word); /* copied */
/** bench_words_all() - every word up to NULL. */
void bench_words_all(struct bench_words *w, const char *const *words);
void bench_words_format(struct bench_words *w, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
void bench_words_finish(struct bench_words *w);

struct bench_exec {
        const struct bench_words *words;
        const char *input; /* for its standard input; NULL: none */
        const char *until; /* text of its output that is waited for; NULL: its first byte */
        bool kill;         /* once that is seen */
        bool leave;        /* once that is seen: a child of it keeps its output open */
        bool finally;      /* it tidies up: an interruption does not end it */
        unsigned timeout_ms;
};

/* Zeroed, then filled; bench_run_finish() frees. */
struct bench_run {
        uint64_t begun_real_ns; /* CLOCK_REALTIME right before the program was started */
        double seen_ms;         /* from there until the text was read */
        double whole_ms;        /* until the program had ended */
        int status;             /* exit status, 128+n for a signal */
        char said[512];         /* the last line of its standard error */
        struct fg_buf output;
};

/**
 * bench_exec() - start a program, and take the time until its output comes
 * Return: 0, whatever its status; -1: not started, TIMEOUT (it is killed), or it ended without the
 * output that was waited for (with the end of its standard error).
 */
int bench_exec(const struct bench_exec *exec, const struct bench_clock *clock,
               struct bench_run *run, struct fg_error *err);
void bench_run_finish(struct bench_run *run);

/** bench_exec_simply() - run to the end; a status that is not 0 is an error, with what it said. */
int bench_exec_simply(const struct bench_words *words, struct fg_buf *ret_output,
                      struct fg_error *err);

/** bench_exec_finally() - the same for what tidies up, also after an interruption. */
int bench_exec_finally(const struct bench_words *words, struct fg_buf *ret_output,
                       struct fg_error *err);

/** bench_spawn() - start a program whose output nobody wants. Return: its pidfd. */
int bench_spawn(const struct bench_words *words, pid_t *ret_pid, struct fg_error *err);

/** bench_watch_signals() - from here on SIGINT, SIGTERM and SIGHUP only make bench_interrupted()
 * true. */
void bench_watch_signals(void);
bool bench_interrupted(void);
