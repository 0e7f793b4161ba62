/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/idle.h"

#include <stdio.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/cli.h"
#include "core/cleanup.h"
#include "core/json.h"
#include "core/str.h"

#define START_MS 120000

/* The last line of what a detached start printed; or the name that we gave it. */
static void note_id(struct bench_idle *idle, const struct bench_peer *p,
                    const struct bench_run *run)
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
static int wait_idle(struct bench *b, const struct bench_peer *p, const struct bench_idle *idle,
                     struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/v1/tasks/%s?wait=RUNNING", idle->ids[idle->n - 1]);
        fg_autojson *answer = NULL;

        if (!p->kind->task)
                return 0;
        answer = bench_world_get(&b->world, path, err);
        return answer ? 0 : -1;
}

int bench_idle_begin(struct bench *b, struct bench_peer *p, const char *word,
                     struct bench_idle *idle, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        /* What runc starts keeps runc's output open. */
        const struct bench_exec exec = { .words = &words, .leave = true, .timeout_ms = START_MS };

        if (p->kind->command(&b->world, p, word, true, &words, err) < 0 ||
            bench_exec(&exec, b->world.clock, &run, err) < 0)
                return -1;
        if (run.status != 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: status %d", words.v[0], run.status);
        note_id(idle, p, &run);
        return wait_idle(b, p, idle, err);
}

void bench_idle_end(struct bench *b, struct bench_peer *p, struct bench_idle *idle)
{
        for (unsigned i = 0; i < idle->n; i++) {
                fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
                struct fg_error err = FG_ERROR_INIT;

                p->kind->end(&b->world, p, idle->ids[i], &words);
                if (bench_exec_finally(&words, NULL, &err) < 0)
                        fg_cli_note(b->world.cli, "%s: %s", p->kind->name, err.msg);
        }
        idle->n = 0;
}
