/* SPDX-License-Identifier: Apache-2.0 */
/* How many starts in a second, when several are always under way. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "cli/bench/bench.h"
#include "cli/cli.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"

#define CONCURRENT_MAX 8
#define STARTS_MAX     20000
#define TASKS_MAX      1000 /* that fgd names at once */
#define PERIOD_NS      (8 * FG_NS_PER_SEC)
#define PERIOD_QUICK   (2 * FG_NS_PER_SEC)
#define PERIOD_POOL    (4 * FG_NS_PER_SEC) /* as quick as can be where guests are to be made again */
#define DRAIN_NS       (120 * FG_NS_PER_SEC)

static const unsigned concurrencies[] = { 1, 2, 4, 8 };

struct loop {
        struct bench *b;
        struct bench_peer *peer;
        unsigned want, running, begun, done, failed;
        pid_t pids[CONCURRENT_MAX];
        struct pollfd fds[CONCURRENT_MAX]; /* pidfds; -1: free */
};

static int begin_one(struct loop *l, unsigned slot, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        int fd;

        if (l->peer->kind->command(&l->b->world, l->peer, "start", false, &words, err) < 0)
                return -1;
        fd = bench_spawn(&words, &l->pids[slot], err);
        if (fd < 0)
                return -1;
        l->fds[slot] = (struct pollfd){ .fd = fd, .events = POLLIN };
        l->running++;
        l->begun++;
        return 0;
}

static void end_one(struct loop *l, unsigned slot, bool kill_it)
{
        int status = 1;

        if (kill_it)
                (void)kill(l->pids[slot], SIGKILL);
        (void)TEMP_FAILURE_RETRY(waitpid(l->pids[slot], &status, 0));
        (void)close(l->fds[slot].fd);
        l->fds[slot].fd = -1;
        l->running--;
        if (status == 0)
                l->done++;
        else
                l->failed++;
}

/* Fills free places while there is time, and takes what has ended away. Return: -1: no more. */
static int step(struct loop *l, uint64_t end_ns, struct fg_error *err)
{
        const bool more = fg_mono_ns() < end_ns && l->begun < STARTS_MAX && l->failed < 3;
        const bool late = bench_interrupted() || fg_mono_ns() > end_ns + DRAIN_NS;

        for (unsigned i = 0; i < l->want && more && !bench_interrupted(); i++)
                if (l->fds[i].fd < 0 && begin_one(l, i, err) < 0)
                        return -1;
        if (l->running == 0)
                return -1;
        (void)poll(l->fds, l->want, 1000);
        for (unsigned i = 0; i < l->want; i++)
                if (l->fds[i].fd >= 0 && (late || l->fds[i].revents))
                        end_one(l, i, late);
        return 0;
}

static bool has_pool(const struct bench_peer *p)
{
        return p->kind->task && !p->kind->task->isolation;
}

/* How the last @n tasks of a peer started: {"warm-image": 9, "cold": 1}; NULL: it has none. */
static struct json_object *ways_json(struct bench *b, const struct bench_peer *p, unsigned n)
{
        fg_autofree char *path = fg_asprintf("/v1/tasks?family=%s&limit=%u", p->kind->name,
                                             n < TASKS_MAX ? n : TASKS_MAX);
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autojson *answer = has_pool(p) && n > 0 ? bench_world_get(&b->world, path, &ignored)
                                                   : NULL;
        struct json_object *tasks = fg_json_arr(answer, "tasks"), *ways = NULL;

        for (size_t i = 0; tasks && i < json_object_array_length(tasks); i++) {
                struct json_object *task = json_object_array_get_idx(tasks, i);
                const char *way = fg_json_str(fg_json_obj(fg_json_obj(task, "fgrun"), "start"),
                                              "way");

                if (!ways)
                        ways = json_object_new_object();
                if (way)
                        fg_json_set_int(ways, way, fg_json_int(ways, way, 0) + 1);
        }
        return ways;
}

static struct json_object *measure(struct bench *b, struct bench_peer *p, unsigned concurrency)
{
        struct loop l = { .b = b, .peer = p, .want = concurrency };
        const uint64_t quick = has_pool(p) ? PERIOD_POOL : PERIOD_QUICK;
        const uint64_t begin = fg_mono_ns(), end = begin + (b->quick ? quick : PERIOD_NS);
        struct json_object *row = json_object_new_object();
        struct fg_error err = FG_ERROR_INIT;
        struct json_object *ways;
        double seconds;

        for (unsigned i = 0; i < CONCURRENT_MAX; i++)
                l.fds[i].fd = -1;
        while (step(&l, end, &err) == 0)
                ;
        for (unsigned i = 0; i < l.want; i++) /* only after an error */
                if (l.fds[i].fd >= 0)
                        end_one(&l, i, true);
        seconds = bench_ms(begin, fg_mono_ns()) / 1000;
        fg_json_set_str(row, "name", p->kind->name);
        fg_json_set_int(row, "concurrency", concurrency);
        fg_json_set_int(row, "starts", l.done);
        fg_json_set_int(row, "failed", l.failed);
        fg_json_set(row, "seconds", bench_number(seconds));
        fg_json_set(row, "perSecond", bench_number(l.done / seconds));
        ways = ways_json(b, p, l.begun);
        if (ways)
                fg_json_set(row, "ways", ways);
        return row;
}

/*
 * The microVMs take the ways that the pool's refilling leaves them: a start that finds no warm
 * guest takes a slower one, and counts; the row says how many took which.
 */
void bench_rate(struct bench *b)
{
        struct json_object *rows = json_object_new_array();

        for (size_t c = 0; c < FG_ARRAY_SIZE(concurrencies); c += b->quick ? 2 : 1)
                for (size_t i = 0; i < b->n_peers && !bench_interrupted(); i++) {
                        struct bench_peer *p = &b->peers[i];
                        struct fg_error ignored = FG_ERROR_INIT;

                        if (!bench_peer_sustains(p))
                                continue;
                        if (p->kind->settle)
                                (void)p->kind->settle(&b->world, p, &ignored);
                        (void)json_object_array_add(rows, measure(b, p, concurrencies[c]));
                }
        fg_json_set(b->result, "rate", rows);
}
