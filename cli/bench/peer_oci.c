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

#define IMAGE    "fgrun-bench:latest"
#define TEXT_MAX 65536

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

/* The probe's own clock is the host's, and says when its first instruction was. */
static int start(struct bench_world *w, struct bench_peer *p, struct bench_run *ret,
                 double *ret_accept_ms, struct fg_error *err)
{
        if (bench_probe(w, p, "start", ret, err) < 0)
                return -1;
        *ret_accept_ms = bench_ms(ret->begun_real_ns, bench_probe_time(ret));
        return *ret_accept_ms > 0 ? 0
                                  : fg_fail(err, FG_ERR_UPSTREAM, "%s: the probe printed no time",
                                            p->kind->name);
}

static int try_once(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_run_finish) struct bench_run run = { 0 };
        double accept;

        return start(w, p, &run, &accept, err);
}

/* ---- runc ---- */

/* /tmp on the host's disk, as the others have it. */
static void add_scratch(struct bench_world *w, struct json_object *spec)
{
        struct json_object *mount = json_object_new_object(), *options = json_object_new_array();
        fg_autofree char *source = fg_asprintf("%s/scratch", w->dir);

        (void)json_object_array_add(options, json_object_new_string("bind"));
        (void)json_object_array_add(options, json_object_new_string("rw"));
        fg_json_set_str(mount, "destination", "/tmp");
        fg_json_set_str(mount, "type", "bind");
        fg_json_set_str(mount, "source", source);
        fg_json_set(mount, "options", options);
        (void)json_object_array_add(fg_json_arr(spec, "mounts"), mount);
}

/* What `runc spec` proposes, with the probe as its process and without a terminal. */
static int set_word(struct bench_world *w, struct bench_peer *p, const char *word,
                    struct fg_error *err)
{
        fg_autofree char *path = fg_asprintf("%s/bundle/config.json", w->dir);
        fg_autojson *spec = fg_json_parse_file(path, TEXT_MAX, err);
        struct json_object *process = fg_json_obj(spec, "process"), *args;
        const char *text;

        if (!spec)
                return -1;
        if (!process || !fg_json_arr(spec, "mounts"))
                return fg_fail(err, FG_ERR_UPSTREAM, "%s: no process or no mounts", path);
        if (p->serial == 0)
                add_scratch(w, spec);
        args = json_object_new_array();
        (void)json_object_array_add(args, json_object_new_string("/probe"));
        (void)json_object_array_add(args, json_object_new_string(word));
        fg_json_set_bool(process, "terminal", false);
        fg_json_set(process, "args", args);
        text = fg_json_text(spec);
        return fg_write_file(path, text, strlen(text), 0644, err);
}

static int runc_command(struct bench_world *w, struct bench_peer *p, const char *word, bool idle,
                        struct bench_words *ret, struct fg_error *err)
{
        if (!fg_streq(p->word, word) && set_word(w, p, word, err) < 0)
                return -1;
        (void)snprintf(p->word, sizeof(p->word), "%s", word);
        (void)snprintf(p->id, sizeof(p->id), "fgrun-bench-%d-%u", (int)getpid(), p->serial++);
        bench_words_add(ret, "runc");
        bench_words_format(ret, "--root=%s/runc", w->dir);
        bench_words_all(ret, (const char *const[]){ "run", "--bundle", NULL });
        bench_words_format(ret, "%s/bundle", w->dir);
        if (idle)
                bench_words_add(ret, "--detach");
        bench_words_add(ret, p->id);
        return 0;
}

static void runc_end(struct bench_world *w, const struct bench_peer *p, const char *id,
                     struct bench_words *ret)
{
        (void)p;
        bench_words_add(ret, "runc");
        bench_words_format(ret, "--root=%s/runc", w->dir);
        bench_words_all(ret, (const char *const[]){ "delete", "--force", id, NULL });
}

static int runc_find(struct bench_world *w, struct bench_peer *p, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };
        fg_autofree char *scratch = fg_asprintf("%s/scratch", w->dir);

        if (ask_version(p, (const char *const[]){ "runc", "--version", NULL }, err) < 0)
                return -1;
        if (geteuid() != 0)
                return fg_fail(err, FG_ERR_DENIED, "needs root here");
        bench_words_all(&words, (const char *const[]){ "runc", "spec", "--bundle", NULL });
        bench_words_format(&words, "%s/bundle", w->dir);
        if (fg_mkdir_p(scratch, 0755, err) < 0 || bench_exec_simply(&words, NULL, err) < 0)
                return -1;
        return try_once(w, p, err);
}

/* Every word of what @ask prints names something that @end takes away. */
static void end_listed(struct bench_world *w, struct bench_peer *p, const struct bench_words *ask)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(TEXT_MAX);
        struct fg_error ignored = FG_ERROR_INIT;
        char *rest = NULL;

        if (bench_exec_finally(ask, &text, &ignored) < 0 || !text.data)
                return;
        for (char *id = strtok_r(text.data, " \n", &rest); id; id = strtok_r(NULL, " \n", &rest)) {
                fg_cleanup(bench_words_finish) struct bench_words words = { 0 };

                p->kind->end(w, p, id, &words);
                (void)bench_exec_finally(&words, NULL, &ignored);
        }
}

static void runc_leave(struct bench_world *w, struct bench_peer *p)
{
        fg_cleanup(bench_words_finish) struct bench_words ask = { 0 };

        bench_words_add(&ask, "runc");
        bench_words_format(&ask, "--root=%s/runc", w->dir);
        bench_words_all(&ask, (const char *const[]){ "list", "--quiet", NULL });
        end_listed(w, p, &ask);
}

const struct bench_kind bench_runc = {
        .name = "runc",
        .find = runc_find,
        .command = runc_command,
        .end = runc_end,
        .start = start,
        .leave = runc_leave,
};

/* ---- docker, podman: one command line ---- */

/* podman looks a name without a registry up in its configuration, and may find none. */
static const char *image_of(const struct bench_peer *p)
{
        return p->kind == &bench_podman ? "localhost/" IMAGE : IMAGE;
}

static int engine_command(struct bench_world *w, struct bench_peer *p, const char *word, bool idle,
                          struct bench_words *ret, struct fg_error *err)
{
        (void)w;
        (void)err;
        bench_words_all(ret,
                        (const char *const[]){ p->kind->name, "run", "--rm", "--label", NULL });
        bench_words_format(ret, BENCH_LABEL, (int)getpid());
        bench_publish(p, ret);
        if (idle)
                bench_words_add(ret, "--detach");
        bench_words_all(ret, (const char *const[]){ image_of(p), "/probe", word, NULL });
        return 0;
}

static void engine_end(struct bench_world *w, const struct bench_peer *p, const char *id,
                       struct bench_words *ret)
{
        (void)w;
        bench_words_all(ret, (const char *const[]){ p->kind->name, "rm", "--force", id, NULL });
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
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 }, ask = { 0 };
        struct fg_error ignored = FG_ERROR_INIT;

        bench_words_all(&ask, (const char *const[]){ p->kind->name, "ps", "--all", "--quiet",
                                                     "--filter", NULL });
        bench_words_format(&ask, "label=" BENCH_LABEL, (int)getpid());
        end_listed(w, p, &ask);
        bench_words_all(&words, (const char *const[]){ p->kind->name, "rmi", "--force", image_of(p),
                                                       NULL });
        (void)bench_exec_finally(&words, NULL, &ignored);
}

const struct bench_kind bench_docker = {
        .name = "docker",
        .publishes = true,
        .find = docker_find,
        .command = engine_command,
        .end = engine_end,
        .start = start,
        .leave = engine_leave,
};

const struct bench_kind bench_podman = {
        .name = "podman",
        .publishes = true,
        .find = podman_find,
        .command = engine_command,
        .end = engine_end,
        .start = start,
        .leave = engine_leave,
};
