/* SPDX-License-Identifier: Apache-2.0 */
/* Containers on the host's kernel: runc by itself, docker and podman with what they add. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/peer.h"
#include "cli/bench/world.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define IMAGE      "fgrun-bench:latest"
#define TIMEOUT_MS 60000
#define TEXT_MAX   65536
#define TRY        "start"

/* The first line of what a program prints, into peer->version. */
static int ask_version(struct bench_peer *p, const char *const *command, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);

        bench_words_all(&words, command);
        if (bench_exec_simply(&words, &text, err) < 0) {
                if (err->code == FG_ERR_NOT_FOUND)
                        return fg_fail(err, FG_ERR_NOT_FOUND, "not installed");
                return -1;
        }
        (void)snprintf(p->version, sizeof(p->version), "%.*s",
                       text.data ? (int)strcspn(text.data, "\n") : 0, text.data ? text.data : "");
        return 0;
}

/* Runs the probe; its own clock is the host's, and says when its first instruction was. */
static int run_probe(struct bench_world *w, const struct bench_words *words, struct bench_run *ret,
                     double *ret_accept_ms, struct fg_error *err)
{
        const struct bench_exec exec = { .words = words, .timeout_ms = TIMEOUT_MS };

        if (bench_exec(&exec, w->clock, ret, err) < 0)
                return -1;
        if (ret->status != 0)
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: status %d", words->v[0], ret->status);
        *ret_accept_ms = bench_ms(ret->begun_real_ns, bench_probe_time(ret));
        return *ret_accept_ms > 0 ? 0
                                  : fg_fail(err, FG_ERR_UPSTREAM, "%s: the probe printed no time",
                                            words->v[0]);
}

static int try_once(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        double accept;

        return p->kind->start(w, p, &run, &accept, err);
}

/* ---- runc ---- */

static void set_process(struct json_object *spec, const char *word)
{
        struct json_object *process = fg_json_obj(spec, "process"), *args = json_object_new_array();
        struct json_object *root = fg_json_obj(spec, "root");

        (void)json_object_array_add(args, json_object_new_string("/probe"));
        (void)json_object_array_add(args, json_object_new_string(word));
        if (process) {
                fg_json_set_bool(process, "terminal", false);
                fg_json_set(process, "args", json_object_get(args));
        }
        if (root)
                fg_json_set_bool(root, "readonly", true);
        json_object_put(args);
}

/* What `runc spec` proposes, with the probe as its process. */
static int write_spec(struct bench_world *w, const char *word, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_autofree char *bundle = fg_asprintf("%s/bundle", w->dir);
        fg_autofree char *path = fg_asprintf("%s/config.json", bundle);
        fg_autojson *spec = NULL;
        const char *text;

        (void)unlink(path);
        bench_words_all(&words, (const char *const[]){ "runc", "spec", "--bundle", bundle, NULL });
        if (bench_exec_simply(&words, NULL, err) < 0)
                return -1;
        spec = fg_json_parse_file(path, TEXT_MAX, err);
        if (!spec)
                return -1;
        set_process(spec, word);
        text = fg_json_text(spec);
        return fg_write_file(path, text, strlen(text), 0644, err);
}

static int runc_start(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                      double *ret_accept_ms, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };

        bench_words_add(&words, "runc");
        bench_words_format(&words, "--root=%s/runc", w->dir);
        bench_words_all(&words, (const char *const[]){ "run", "--bundle", NULL });
        bench_words_format(&words, "%s/bundle", w->dir);
        bench_words_format(&words, "fgrun-bench-%d-%u", (int)getpid(), p->serial++);
        return run_probe(w, &words, ret, ret_accept_ms, err);
}

static int runc_find(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_autofree char *rootfs = fg_asprintf("%s/bundle/rootfs", w->dir);

        if (ask_version(p, (const char *const[]){ "runc", "--version", NULL }, err) < 0)
                return -1;
        if (geteuid() != 0)
                return fg_fail(err, FG_ERR_DENIED, "needs root here");
        if (fg_mkdir_p(rootfs, 0755, err) < 0)
                return -1;
        bench_words_all(&words,
                        (const char *const[]){ "tar", "-xf", w->layer, "-C", rootfs, NULL });
        if (bench_exec_simply(&words, NULL, err) < 0 || write_spec(w, TRY, err) < 0)
                return -1;
        return try_once(w, p, err);
}

const struct bench_kind bench_runc = {
        .name = "runc",
        .find = runc_find,
        .start = runc_start,
};

/* ---- docker, podman: one command line ---- */

/* podman looks a name without a registry up in its configuration, and may find none. */
static const char *image_of(const struct bench_peer *p)
{
        return p->kind == &bench_podman ? "localhost/" IMAGE : IMAGE;
}

static int engine_start(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                        double *ret_accept_ms, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };

        bench_words_all(&words, (const char *const[]){ p->kind->name, "run", "--rm", image_of(p),
                                                       "/probe", TRY, NULL });
        return run_probe(w, &words, ret, ret_accept_ms, err);
}

static int engine_load(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };

        bench_words_all(&words, (const char *const[]){ p->kind->name, "load", "--input", w->archive,
                                                       NULL });
        if (bench_exec_simply(&words, NULL, err) < 0)
                return -1;
        return try_once(w, p, err);
}

static int docker_find(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        static const char *const version[] = { "docker", "version", "--format",
                                               "{{.Server.Version}}", NULL };

        return ask_version(p, version, err) < 0 ? -1 : engine_load(w, p, err);
}

static int podman_find(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        static const char *const version[] = { "podman", "--version", NULL };

        return ask_version(p, version, err) < 0 ? -1 : engine_load(w, p, err);
}

static void engine_leave(struct bench_world *w, struct bench_peer *p)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        struct fg_error ignored = FG_ERROR_INIT;

        (void)w;
        bench_words_all(&words, (const char *const[]){ p->kind->name, "rmi", "--force", image_of(p),
                                                       NULL });
        (void)bench_exec_simply(&words, NULL, &ignored);
}

const struct bench_kind bench_docker = {
        .name = "docker",
        .find = docker_find,
        .start = engine_start,
        .leave = engine_leave,
};

const struct bench_kind bench_podman = {
        .name = "podman",
        .find = podman_find,
        .start = engine_start,
        .leave = engine_leave,
};
