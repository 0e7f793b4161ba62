/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/world.h"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "core/cleanup.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/str.h"

#define DIR_MODE       0711 /* QEMU runs as another user */
#define END_TIMEOUT_MS 120000
#define MANIFEST_MAX   65536

/* A start must not wait for its turn, guests of two kinds wait for tasks, and idle tasks, which use
   little of what they asked for, are let in as long as there is room for what they use. */
static const char *settings[] = {
        "--launch-per-second=0",           "--run-per-second=0",
        "--vcpu-overcommit-percent=10000", "--memory-overcommit-percent=1000",
        "--warm-memory-mib=8192",          "--isolation=container",
        NULL /* insecure registries */,    NULL
};

/* In the build tree, or where it was installed. */
static char *find_archive(struct fg_error *err)
{
        fg_autofree char *dir = fg_path_exe_dir(), *built = NULL;

        built = fg_asprintf("%s/../bench/probe/probe.tar", dir);
        if (fg_exists(built))
                return fg_take_ptr(built);
        if (fg_exists(FG_LIBDIR "/probe.tar"))
                return fg_strdup(FG_LIBDIR "/probe.tar");
        fg_fail(err, FG_ERR_NOT_FOUND, "the image of the benchmark is not installed: %s",
                FG_LIBDIR "/probe.tar");
        return NULL;
}

static int make_dir(struct bench_world *w, struct fg_error *err)
{
        const char *tmp = getenv("TMPDIR");
        static const char *const parts[][2] = { { "FGRUN_STATE_DIR", "state" },
                                                { "FGRUN_CACHE_DIR", "cache" },
                                                { "FGRUN_RUN_DIR", "run" } };
        fg_autofree char *dir = fg_asprintf("%s/fgrun-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");

        if (!mkdtemp(dir))
                return fg_fail_errno(err, errno, "%s", dir);
        w->dir = fg_take_ptr(dir);
        if (chmod(w->dir, DIR_MODE) < 0)
                return fg_fail_errno(err, errno, "%s", w->dir);
        for (size_t i = 0; i < FG_ARRAY_SIZE(parts); i++) {
                fg_autofree char *path = fg_asprintf("%s/%s", w->dir, parts[i][1]);

                if (setenv(parts[i][0], path, 1) < 0)
                        return fg_fail_errno(err, errno, "%s", parts[i][0]);
        }
        return 0;
}

static int untar(const char *file, const char *dir, struct fg_error *err)
{
        fg_cleanup(bench_words_finish) struct bench_words words = { 0 };

        if (fg_mkdir_p(dir, 0755, err) < 0)
                return -1;
        bench_words_all(&words, (const char *const[]){ "tar", "-xf", file, "-C", dir, NULL });
        return bench_exec_simply(&words, NULL, err);
}

static int unpack(struct bench_world *w, struct fg_error *err)
{
        fg_autofree char *layer = NULL;
        fg_autofree char *manifest = NULL;
        fg_autojson *value = NULL;
        struct json_object *layers;

        w->layout = fg_asprintf("%s/image", w->dir);
        w->rootfs = fg_asprintf("%s/bundle/rootfs", w->dir);
        if (untar(w->archive, w->layout, err) < 0)
                return -1;
        manifest = fg_asprintf("%s/manifest.json", w->layout);
        value = fg_json_parse_file(manifest, MANIFEST_MAX, err);
        if (!value)
                return -1;
        layers = fg_json_arr(json_object_array_get_idx(value, 0), "Layers");
        if (!layers || json_object_array_length(layers) != 1)
                return fg_fail(err, FG_ERR_INTERNAL, "%s: not an image of one layer", w->archive);
        layer = fg_asprintf("%s/%s", w->layout,
                            json_object_get_string(json_object_array_get_idx(layers, 0)));
        return untar(layer, w->rootfs, err);
}

/* Who listens on the socket that we know it by. */
static pid_t peer_of(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        fg_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct ucred who = { 0 };
        socklen_t size = sizeof(who);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return 0;
        memcpy(address.sun_path, path, strlen(path));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
                return 0;
        return who.pid;
}

struct json_object *bench_world_get(struct bench_world *w, const char *path, struct fg_error *err)
{
        struct json_object *answer = NULL;

        if (fg_cli_call(w->cli, &(struct fg_request){ "GET", path, NULL }, &answer, err) < 0)
                return NULL;
        return answer;
}

static int start_daemon(struct bench_world *w, struct fg_error *err)
{
        const char *accelerator;

        w->cli->fgd_settings = settings;
        w->info = bench_world_get(w, "/v1/info", err);
        if (!w->info)
                return -1;
        w->daemon = peer_of(fg_client_socket(w->cli->client));
        if (w->daemon == 0)
                return fg_fail(err, FG_ERR_INTERNAL, "the fgd of the benchmark cannot be found");
        accelerator = fg_json_str(fg_json_obj(w->info, "hypervisor"), "accelerator");
        w->emulated = !accelerator || !fg_streq(accelerator, "kvm");
        return 0;
}

int bench_world_open(struct bench_world *w, struct fg_cli *cli, const char *insecure,
                     struct fg_error *err)
{
        fg_autofree char *exe = fg_path_exe_dir();

        *w = (struct bench_world){ .cli = cli, .clock = &bench_monotonic };
        settings[FG_ARRAY_SIZE(settings) - 2] = insecure;
        if (cli->host)
                return fg_fail(err, FG_ERR_INVALID,
                               "bench measures this machine with an fgd of its own: neither --host "
                               "nor FGRUN_HOST can be given");
        w->archive = find_archive(err);
        w->fgrun = fg_asprintf("%s/fgrun", exe);
        if (!w->archive || make_dir(w, err) < 0 || unpack(w, err) < 0)
                return -1;
        return start_daemon(w, err);
}

static int stop_tasks(struct bench_world *w, struct fg_error *err)
{
        fg_autojson *answer = bench_world_get(w, "/v1/tasks?status=ACTIVE&limit=1000", err);
        struct json_object *tasks = fg_json_arr(answer, "tasks");

        for (size_t i = 0; tasks && i < json_object_array_length(tasks); i++) {
                struct json_object *task = json_object_array_get_idx(tasks, i);
                const char *id = fg_json_str(fg_json_obj(task, "fgrun"), "id");
                fg_autofree char *path = fg_asprintf("/v1/tasks/%s/stop", id ? id : "");
                fg_autofree char *wait = fg_asprintf("/v1/tasks/%s?wait=STOPPED", id ? id : "");
                fg_autojson *done = NULL, *stopped = NULL;

                if (fg_cli_call(w->cli, &(struct fg_request){ "POST", path, NULL }, &done, err) <
                            0 ||
                    !(stopped = bench_world_get(w, wait, err)))
                        return -1;
        }
        return answer ? 0 : -1;
}

static int stop_daemon(struct bench_world *w, struct fg_error *err)
{
        fg_autoclose int fd = pidfd_open(w->daemon, 0);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r;

        if (fd < 0)
                return 0; /* it has gone */
        if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0)
                return fg_fail_errno(err, errno, "end fgd");
        do
                r = poll(&p, 1, END_TIMEOUT_MS);
        while (r < 0 && errno == EINTR);
        return r > 0 ? 0
                     : fg_fail(err, FG_ERR_TIMEOUT,
                               "the fgd of the benchmark (pid %d) does not end", (int)w->daemon);
}

int bench_world_close(struct bench_world *w, struct fg_error *err)
{
        struct fg_error why = FG_ERROR_INIT, ignored = FG_ERROR_INIT;
        int r = 0;

        if (w->daemon > 0) {
                r = stop_tasks(w, &why);
                if (stop_daemon(w, r < 0 ? &ignored : &why) < 0)
                        r = -1;
        }
        if (r < 0)
                *err = why;
        else if (w->dir)
                r = fg_rm_rf(w->dir, err);
        json_object_put(w->info);
        free(w->dir);
        free(w->archive);
        free(w->layout);
        free(w->rootfs);
        free(w->fgrun);
        *w = (struct bench_world){ 0 };
        return r;
}
