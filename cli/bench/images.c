/* SPDX-License-Identifier: Apache-2.0 */
/* Images that somebody names: the first run of each, when nothing of it is here, and later ones. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define ROUNDS     3
#define LATER      2 /* runs after each first one */
#define MB         1e6
#define TIMEOUT_MS 600000

/* Who has to do with one image. */
struct puller {
        struct bench *b;
        struct bench_peer *peer; /* docker, podman, or the way of fgrun that is cold */
        const char *reference;
        bool had; /* it was there before us: not ours to remove */
        char *definition;
        struct bench_samples first, later, accepted;
        double size_mb;
};

bool bench_image_is_local(const char *reference)
{
        return fg_starts_with(reference, "127.") || fg_starts_with(reference, "localhost:");
}

static const char *name_of(const struct puller *p)
{
        return p->peer->kind->task ? "microvm" : p->peer->kind->name;
}

/* Always a boot: what is measured stays the same however often the image was used. */
static int write_definition(struct puller *p, struct fg_error *err)
{
        fg_autojson *def = json_object_new_object();
        struct json_object *containers = json_object_new_array();
        struct json_object *container = json_object_new_object(), *disk = json_object_new_object();
        const char *text;

        fg_json_set_str(def, "family", "fgrun-bench-image");
        fg_json_set_str(def, "cpu", "256");
        fg_json_set_str(def, "memory", "1024");
        fg_json_set_int(disk, "sizeInGiB", p->peer->kind->task->disk_gib);
        fg_json_set(def, "ephemeralStorage", disk);
        fg_json_set_str(container, "name", "app");
        fg_json_set_str(container, "image", p->reference);
        (void)json_object_array_add(containers, container);
        fg_json_set(def, "containerDefinitions", containers);
        text = fg_json_text(def);
        return fg_write_file(p->definition, text, strlen(text), 0644, err);
}

static void run_words(const struct puller *p, struct bench_words *ret)
{
        const struct bench_peer *peer = p->peer;

        if (peer->kind->task) {
                bench_words_all(ret, (const char *const[]){ p->b->world.fgrun, "--quiet", "run",
                                                            p->definition, NULL });
                return;
        }
        bench_words_all(ret,
                        (const char *const[]){ peer->kind->name, "run", "--rm", "--label", NULL });
        bench_words_format(ret, BENCH_LABEL, (int)getpid());
        if (peer->kind == &bench_podman && bench_image_is_local(p->reference))
                bench_words_add(ret, "--tls-verify=false");
        bench_words_add(ret, p->reference);
}

/* Everything of it goes from this machine, so that the next run is a first one. */
static int forget(const struct puller *p, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };

        if (p->peer->kind->task)
                bench_words_all(&words, (const char *const[]){ p->b->world.fgrun, "--quiet",
                                                               "image", "rm", p->reference, NULL });
        else
                bench_words_all(&words, (const char *const[]){ p->peer->kind->name, "rmi",
                                                               "--force", p->reference, NULL });
        return bench_exec_finally(&words, NULL, err);
}

/* What fgd says of the image that it has now. */
static double size_mb(const struct puller *p)
{
        struct fg_error ignored = FG_ERROR_INIT;
        fg_autojson *answer = bench_world_get(&p->b->world, "/v1/images", &ignored);
        struct json_object *images = fg_json_arr(answer, "images");

        for (size_t i = 0; images && i < json_object_array_length(images); i++) {
                struct json_object *image = json_object_array_get_idx(images, i);
                const char *reference = fg_json_str(image, "reference");

                if (reference && fg_streq(reference, p->reference))
                        return (double)fg_json_int(image, "sizeBytes", 0) / MB;
        }
        return 0;
}

static int run_once(struct puller *p, bool first, bool counted, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        const struct bench_exec exec = { .words = &words, .timeout_ms = TIMEOUT_MS };
        double accepted = 0;

        if (p->peer->kind->task && bench_wait_for_guest(&p->b->world, p->peer, err) < 0)
                return -1;
        run_words(p, &words);
        if (bench_exec(&exec, p->b->world.clock, &run, err) < 0)
                return -1;
        if (p->peer->kind->task &&
            bench_task_started(&p->b->world, "fgrun-bench-image", &accepted, err) < 0)
                return -1;
        if (!counted)
                return 0;
        bench_samples_add(first ? &p->first : &p->later, run.seen_ms);
        if (!first && accepted > 0)
                bench_samples_add(&p->accepted, accepted);
        return 0;
}

/* One first run, and later ones of the same image; then all of it goes. */
static int once(void *userdata, bool counted, struct fg_error *err)
{
        struct puller *p = userdata;
        struct fg_error ignored = FG_ERROR_INIT;
        int r = run_once(p, true, counted, err);

        for (unsigned i = 0; r == 0 && i < LATER; i++)
                r = run_once(p, false, counted, err);
        if (r == 0 && p->peer->kind->task)
                p->size_mb = size_mb(p);
        if (forget(p, r < 0 ? &ignored : err) < 0)
                r = -1;
        return r;
}

static void failed(void *userdata, const struct fg_error *err)
{
        const struct puller *p = userdata;

        (void)snprintf(p->peer->reason, sizeof(p->peer->reason), "%s: %.800s", p->reference,
                       err->msg);
        fg_cli_note(p->b->world.cli, "%s: %s", name_of(p), p->peer->reason);
}

/* What the user has is neither removed nor measured. */
static bool is_here(struct puller *p)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        struct fg_error err = FG_ERROR_INIT;

        if (p->peer->kind->task)
                return false;
        bench_words_all(&words, (const char *const[]){ p->peer->kind->name, "image", "inspect",
                                                       p->reference, NULL });
        if (bench_exec_simply(&words, NULL, &err) < 0)
                return false;
        (void)fg_fail(&err, FG_ERR_CONFLICT, "the image is here already: its first run is over");
        failed(p, &err);
        return true;
}

static void put_row(struct json_object *rows, const struct puller *p, double size)
{
        struct json_object *row = json_object_new_object();
        const struct {
                const char *key;
                const struct bench_samples *samples;
        } parts[] = { { "first", &p->first },
                      { "later", &p->later },
                      { "accepted", &p->accepted } };

        fg_json_set_str(row, "image", p->reference);
        fg_json_set_str(row, "name", name_of(p));
        if (size > 0)
                fg_json_set(row, "sizeMB", bench_number(size));
        for (size_t i = 0; i < FG_ARRAY_SIZE(parts); i++) {
                struct json_object *obj = json_object_new_object();

                bench_samples_json(parts[i].samples, obj);
                if (parts[i].samples->n > 0)
                        fg_json_set(row, parts[i].key, obj);
                else
                        json_object_put(obj);
        }
        if (p->first.n > 0)
                (void)json_object_array_add(rows, row);
        else
                json_object_put(row);
}

static void finish(struct puller *p)
{
        bench_samples_finish(&p->first);
        bench_samples_finish(&p->later);
        bench_samples_finish(&p->accepted);
        free(p->definition);
}

static bool pulls(const struct bench_peer *p)
{
        return p->found &&
               (p->kind == &bench_cold || p->kind == &bench_docker || p->kind == &bench_podman);
}

static void measure(struct bench *b, const char *reference, unsigned number,
                    struct json_object *rows)
{
        const struct bench_rounds rounds = { .counted = b->quick ? 1 : ROUNDS,
                                             .failed = failed,
                                             .stop = bench_interrupted };
        struct bench_contender who[BENCH_PEERS_MAX];
        struct puller pullers[BENCH_PEERS_MAX];
        struct fg_error err = FG_ERROR_INIT;
        size_t n = 0;

        for (size_t i = 0; i < b->n_peers; i++) {
                struct puller *p = &pullers[n];

                if (!pulls(&b->peers[i]))
                        continue;
                *p = (struct puller){ .b = b, .peer = &b->peers[i], .reference = reference };
                if (is_here(p))
                        continue;
                p->definition = fg_asprintf("%s/image-%u.json", b->world.dir, number);
                if (p->peer->kind->task && write_definition(p, &err) < 0)
                        failed(p, &err);
                who[n++] = (struct bench_contender){ .userdata = p, .once = once };
        }
        bench_interleave(who, n, &rounds);
        for (size_t i = 0; i < n; i++) {
                put_row(rows, &pullers[i], pullers[0].size_mb);
                finish(&pullers[i]);
        }
}

void bench_images(struct bench *b)
{
        struct json_object *rows = json_object_new_array();

        for (unsigned i = 0; i < b->n_images && !bench_interrupted(); i++)
                measure(b, b->images[i], i, rows);
        fg_json_set(b->result, "images", rows);
}
