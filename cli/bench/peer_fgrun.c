/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/peer.h"
#include "cli/bench/world.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define SETTLE_NS      (60 * FG_NS_PER_SEC)
#define SETTLE_STEP_MS 20

/*
 * Tasks that had the same reference three times get guests with its image mounted, and tasks of
 * that size then get no plain ones. So every other way has a name of its own for the image at every
 * start: a link to the same layout.
 */
static char *reference(const struct bench_world *w, const struct bench_peer *p)
{
        if (p->kind->task->guest == BENCH_GUEST_WITH_IMAGE)
                return fg_asprintf("oci:%s:fgrun-bench", w->layout);
        return fg_asprintf("oci:%s/%s-%u:fgrun-bench", w->dir, p->kind->name, p->serial);
}

/* What ECS has no words for. */
static struct json_object *extensions(const struct bench_peer *p)
{
        struct json_object *fgrun = json_object_new_object();

        fg_json_set_str(fgrun, "isolation", p->kind->task->isolation);
        fg_json_set_str(fgrun, "start", p->kind->task->fastest);
        return fgrun;
}

static struct json_object *definition(const struct bench_world *w, const struct bench_peer *p,
                                      const char *word)
{
        struct json_object *def = json_object_new_object(), *container = json_object_new_object();
        struct json_object *containers = json_object_new_array(), *disk = json_object_new_object();
        struct json_object *command = json_object_new_array();
        fg_autofree char *image = reference(w, p),
                         *memory = fg_asprintf("%d", p->kind->task->memory_mib);

        fg_json_set_str(def, "family", p->kind->name);
        /* Work is compared with containers that have no limit: a whole vCPU, then. */
        fg_json_set_str(def, "cpu", fg_streq(word, "efficiency") ? "1024" : "256");
        fg_json_set_str(def, "memory", fg_streq(word, "efficiency") ? "2048" : memory);
        fg_json_set_int(disk, "sizeInGiB", p->kind->task->disk_gib);
        if (p->kind->task->disk_gib > 0)
                fg_json_set(def, "ephemeralStorage", disk);
        else
                json_object_put(disk);
        fg_json_set(def, "fgrun", extensions(p));
        (void)json_object_array_add(command, json_object_new_string("/probe"));
        (void)json_object_array_add(command, json_object_new_string(word));
        fg_json_set_str(container, "name", "app");
        fg_json_set_str(container, "image", image);
        fg_json_set(container, "command", command);
        (void)json_object_array_add(containers, container);
        fg_json_set(def, "containerDefinitions", containers);
        return def;
}

static int write_definition(struct bench_world *w, struct bench_peer *p, const char *word,
                            char **ret_path, struct fg_error *err)
{
        fg_autojson *def = definition(w, p, word);
        fg_autofree char *path = fg_asprintf("%s/%s-%s-%u.json", w->dir, p->kind->name, word,
                                             p->serial);
        const char *text = fg_json_text(def);

        if (!fg_exists(path) && fg_write_file(path, text, strlen(text), 0644, err) < 0)
                return -1;
        *ret_path = fg_take_ptr(path);
        return 0;
}

static int command(struct bench_world *w, struct bench_peer *p, const char *word, bool idle,
                   struct bench_words *ret, struct fg_error *err)
{
        fg_autofree char *path = NULL;

        if (write_definition(w, p, word, &path, err) < 0)
                return -1;
        bench_words_all(ret, (const char *const[]){ w->fgrun, "--quiet", "run", NULL });
        if (idle)
                bench_words_add(ret, "--detach");
        bench_publish(p, ret);
        bench_words_add(ret, path);
        return 0;
}

static void end(struct bench_world *w, const struct bench_peer *p, const char *id,
                struct bench_words *ret)
{
        (void)p;
        bench_words_all(ret,
                        (const char *const[]){ w->fgrun, "--quiet", "stop", "--wait", id, NULL });
}

/* When the task was started, by the phases it tells; every phase becomes a sample. */
static double read_phases(struct bench_peer *p, struct json_object *phases)
{
        uint64_t accepted = 0;
        double started = 0;

        for (size_t i = 0; phases && i < json_object_array_length(phases); i++) {
                struct json_object *phase = json_object_array_get_idx(phases, i);
                const char *name = fg_json_str(phase, "name");
                const uint64_t at = (uint64_t)fg_json_int(phase, "atNs", 0);

                if (i == 0)
                        accepted = at;
                bench_peer_phase(p, name ? name : "?", bench_ms(accepted, at));
                if (name && fg_streq(name, "started"))
                        started = bench_ms(accepted, at);
        }
        return started;
}

/* What fgd says of the newest task of a family; the caller puts the answer that it is in. */
static struct json_object *newest(struct bench_world *w, const char *family,
                                  struct json_object **ret_ours, struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("/v1/tasks?family=%s&limit=1", family);
        struct json_object *answer = bench_world_get(w, path, err);
        struct json_object *tasks = fg_json_arr(answer, "tasks");

        *ret_ours = fg_json_obj(tasks ? json_object_array_get_idx(tasks, 0) : NULL, "fgrun");
        return answer;
}

int bench_task_started(struct bench_world *w, const char *family, double *ret_ms,
                       struct fg_error *err)
{
        struct json_object *ours;
        fg_autojson *answer = newest(w, family, &ours, err);
        struct bench_peer nobody = { 0 };

        if (!answer)
                return -1;
        *ret_ms = read_phases(&nobody, fg_json_arr(ours, "phases"));
        return 0;
}

/* The newest task of this kind: the way it started must be the one that is measured. */
static int read_task(struct bench_world *w, struct bench_peer *p, double *ret_accept_ms,
                     struct fg_error *err)
{
        struct json_object *ours, *start;
        fg_autojson *answer = newest(w, p->kind->name, &ours, err);
        const char *way, *reason;

        if (!answer)
                return -1;
        start = fg_json_obj(ours, "start");
        way = fg_json_str(start, "way");
        reason = fg_json_str(start, "reason");
        if (!way || !fg_streq(way, p->kind->task->way))
                return fg_fail(err, FG_ERR_CONFLICT, "a task started the way '%s'%s%s",
                               way ? way : "?", reason ? ": " : "", reason ? reason : "");
        *ret_accept_ms = read_phases(p, fg_json_arr(ours, "phases"));
        return *ret_accept_ms > 0 ? 0 : fg_fail(err, FG_ERR_UPSTREAM, "a task was never 'started'");
}

static int start(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                 double *ret_accept_ms, struct fg_error *err)
{
        if (bench_probe(w, p, "start", ret, err) < 0)
                return -1;
        return read_task(w, p, ret_accept_ms, err);
}

/* Is @size of the pool what a task of this kind takes its guest from? The floor: any with an image.
 */
static bool is_ours(const struct bench_peer *p, struct json_object *size)
{
        const struct bench_task *task = p->kind->task;
        const bool with_image = fg_json_arr(size, "images");

        return task ? with_image == (task->guest == BENCH_GUEST_WITH_IMAGE) &&
                               fg_json_int(size, "memoryMiB", 0) == task->memory_mib
                    : with_image;
}

/* Is a guest of our kind ready, and none being made beside us? */
static int pool_rests(struct bench_world *w, const struct bench_peer *p, bool *ret,
                      struct fg_error *err)
{
        fg_autojson *info = bench_world_get(w, "/v1/info", err);
        struct json_object *sizes = fg_json_arr(info, "pool");
        int64_t ready = 0, booting = 0;

        for (size_t i = 0; sizes && i < json_object_array_length(sizes); i++) {
                struct json_object *size = json_object_array_get_idx(sizes, i);

                booting += fg_json_int(size, "booting", 0);
                if (is_ours(p, size))
                        ready += fg_json_int(size, "ready", 0);
        }
        *ret = booting == 0 &&
               (ready > 0 || (p->kind->task && p->kind->task->guest == BENCH_GUEST_NONE));
        return info ? 0 : -1;
}

/* For a cold start as well: a guest that boots beside it would be in the measurement. */
int bench_wait_for_guest(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        const uint64_t end = fg_mono_ns() + SETTLE_NS;
        bool rests = false;

        while (fg_mono_ns() < end && !bench_interrupted()) {
                if (pool_rests(w, p, &rests, err) < 0)
                        return -1;
                if (rests)
                        return 0;
                if (fg_client_pause(w->cli->client, SETTLE_STEP_MS, err) < 0)
                        return -1;
        }
        return fg_fail(err, FG_ERR_TIMEOUT, "no warm guest came within %d s",
                       (int)(SETTLE_NS / FG_NS_PER_SEC));
}

/* A new name of the image, in the store before it is used. */
static int next_image(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_autofree char *link = NULL, *image = NULL;

        p->serial++;
        link = fg_asprintf("%s/%s-%u", w->dir, p->kind->name, p->serial);
        image = reference(w, p);
        if (symlink(w->layout, link) < 0)
                return fg_fail_errno(err, errno, "%s", link);
        bench_words_all(&words, (const char *const[]){ w->fgrun, "--quiet", "pull", image, NULL });
        return bench_exec_simply(&words, NULL, err);
}

static int settle(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        if (p->kind->task->guest != BENCH_GUEST_WITH_IMAGE && next_image(w, p, err) < 0)
                return -1;
        return bench_wait_for_guest(w, p, err);
}

/* One task, so that the daemon knows what is asked for. */
static int find(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };

        (void)snprintf(p->version, sizeof(p->version), "%s", FG_VERSION);
        if (next_image(w, p, err) < 0)
                return -1;
        return bench_probe(w, p, "start", &run, err);
}

static int find_with_image(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        fg_autofree char *image = reference(w, p);

        (void)snprintf(p->version, sizeof(p->version), "%s", FG_VERSION);
        bench_words_all(&words, (const char *const[]){ w->fgrun, "--quiet", "warm", image, NULL });
        if (bench_exec_simply(&words, NULL, err) < 0)
                return -1;
        return bench_probe(w, p, "start", &run, err);
}

const struct bench_kind bench_warm_image = {
        .name = "microvm-warm-image",
        .publishes = true,
        .task = &(const struct bench_task){ .way = "warm-image",
                                            .guest = BENCH_GUEST_WITH_IMAGE,
                                            .memory_mib = 512 },
        .find = find_with_image,
        .settle = settle,
        .command = command,
        .end = end,
        .start = start,
};

/* start_only: the next runs with the same image would be runs of microvm-warm-image. */
const struct bench_kind bench_warm = {
        .name = "microvm-warm",
        .start_only = true,
        .task = &(const struct bench_task){ .way = "warm",
                                            .guest = BENCH_GUEST_PLAIN,
                                            .memory_mib = 1024 },
        .find = find,
        .settle = settle,
        .command = command,
        .end = end,
        .start = start,
};

static int find_restored(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_autojson *info = bench_world_get(w, "/v1/info", err);

        if (!info)
                return -1;
        if (fg_json_int(fg_json_obj(info, "templates"), "max", 0) == 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "this fgd makes no templates");
        return find(w, p, err);
}

/* As if the guest that waits were not there; it says that there is what it was restored from. */
const struct bench_kind bench_restored = {
        .name = "microvm-restored",
        .start_only = true,
        .sustained = true,
        .task = &(const struct bench_task){ .way = "restored",
                                            .guest = BENCH_GUEST_PLAIN,
                                            .memory_mib = 1024,
                                            .fastest = "restored" },
        .find = find_restored,
        .settle = settle,
        .command = command,
        .end = end,
        .start = start,
};

const struct bench_kind bench_cold = {
        .name = "microvm-cold",
        .start_only = true,
        .task = &(const struct bench_task){ .way = "cold", .memory_mib = 1024, .disk_gib = 30 },
        .find = find,
        .settle = settle,
        .command = command,
        .end = end,
        .start = start,
};

const struct bench_kind bench_container = {
        .name = "container",
        .publishes = true,
        .task = &(const struct bench_task){ .way = "cold",
                                            .memory_mib = 512,
                                            .isolation = "container" },
        .find = find,
        .settle = settle,
        .command = command,
        .end = end,
        .start = start,
};
