/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/bench.h"

#include <assert.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/buf.h"
#include "core/cleanup.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/str.h"

#define VERSION      1 /* of the JSON */
#define WARM_UP      2
#define ROUNDS       20
#define ROUNDS_QUICK 5
#define MIB          (1U << 20)

/* From the way that is prepared most to the machine's floor. */
const struct bench_kind *const bench_kinds[] = {
        &bench_warm_image, &bench_warm,   &bench_restored, &bench_cold,       &bench_container,
        &bench_runc,       &bench_docker, &bench_podman,   &bench_qemu_floor, NULL,
};
static_assert(FG_ARRAY_SIZE(bench_kinds) <= BENCH_PEERS_MAX + 1);

static void find_peer(struct bench *b, struct bench_peer *p)
{
        struct fg_error err = FG_ERROR_INIT;

        p->found = p->kind->find(&b->world, p, &err) == 0;
        if (!p->found)
                (void)snprintf(p->reason, sizeof(p->reason), "%s", err.msg);
        fg_cli_note(b->world.cli, "%s: %s", p->kind->name, p->found ? p->version : p->reason);
}

/* The registries of images that are on the loopback, as a setting of fgd; NULL: none. */
static char *local_registries(const struct bench_options *options)
{
        char *text = NULL;

        for (size_t i = 0; i < options->n_images; i++) {
                const char *image = options->images[i];
                fg_autofree char *before = text;

                if (!bench_image_is_local(image)) {
                        text = fg_take_ptr(before);
                        continue;
                }
                text = fg_asprintf("%s%s%.*s",
                                   before ? before : "--insecure-registries=", before ? "," : "",
                                   (int)strcspn(image, "/"), image);
        }
        return text;
}

int bench_open(struct bench *b, struct fg_cli *cli, const struct bench_options *options,
               struct fg_error *err)
{
        const bool quick = options->quick;
        fg_autofree char *insecure = NULL;

        *b = (struct bench){ .quick = quick,
                             .budget_mib = options->budget_mib,
                             .images = options->images,
                             .n_images = options->n_images,
                             .warm_up = quick ? 1 : WARM_UP,
                             .rounds = quick ? ROUNDS_QUICK : ROUNDS,
                             .result = json_object_new_object() };
        for (; bench_kinds[b->n_peers]; b->n_peers++)
                b->peers[b->n_peers].kind = bench_kinds[b->n_peers];
        bench_watch_signals();
        (void)getloadavg(&b->load_before, 1);
        insecure = local_registries(options);
        if (bench_world_open(&b->world, cli, insecure, err) < 0)
                return -1;
        for (size_t i = 0; i < b->n_peers && !bench_interrupted(); i++)
                find_peer(b, &b->peers[i]);
        return 0;
}

int bench_close(struct bench *b, struct fg_error *err)
{
        for (size_t i = 0; i < b->n_peers; i++) {
                if (*b->peers[i].version && b->peers[i].kind->leave)
                        b->peers[i].kind->leave(&b->world, &b->peers[i]);
                bench_peer_finish(&b->peers[i]);
        }
        json_object_put(fg_take_ptr(b->result));
        return bench_world_close(&b->world, err);
}

/* "model name" of /proc/cpuinfo, as far as it says one. */
static void put_cpu_model(struct json_object *obj)
{
        fg_cleanup(fg_buf_finish) struct fg_buf text = FG_BUF_INIT(MIB);
        struct fg_error ignored = FG_ERROR_INIT;
        const char *at;

        if (fg_buf_read_file(&text, "/proc/cpuinfo", &ignored) < 0 || !text.data)
                return;
        at = strstr(text.data, "model name");
        at = at ? strchr(at, ':') : NULL;
        if (at) {
                fg_autofree char *model = NULL;

                at += 1 + strspn(at + 1, " \t");
                model = fg_asprintf("%.*s", (int)strcspn(at, "\n"), at);
                fg_json_set_str(obj, "cpuModel", model);
        }
}

static struct json_object *host_json(const struct bench *b)
{
        struct json_object *obj = json_object_new_object();
        struct json_object *hypervisor = fg_json_obj(b->world.info, "hypervisor");
        struct utsname name = { 0 };
        struct sysinfo info = { 0 };
        double load[1] = { 0 };

        (void)uname(&name);
        (void)sysinfo(&info);
        (void)getloadavg(load, 1);
        fg_json_set_str(obj, "kernel", name.release);
        fg_json_set_int(obj, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
        fg_json_set_int(obj, "memoryMiB", (int64_t)((uint64_t)info.totalram * info.mem_unit / MIB));
        fg_json_set(obj, "loadAverageBefore", bench_number(b->load_before));
        fg_json_set(obj, "loadAverage", bench_number(load[0]));
        put_cpu_model(obj);
        fg_json_set_str(obj, "hypervisor", fg_json_str(hypervisor, "name"));
        fg_json_set_str(obj, "accelerator", fg_json_str(hypervisor, "accelerator"));
        fg_json_set_bool(obj, "emulated", b->world.emulated);
        return obj;
}

void bench_describe(struct bench *b)
{
        struct json_object *settings = json_object_new_object(), *peers = json_object_new_array();
        char when[FG_RFC3339_MAX];

        fg_rfc3339(fg_now_ns(), when);
        fg_json_set_int(b->result, "version", VERSION);
        fg_json_set_str(b->result, "fgrun", FG_VERSION);
        fg_json_set_str(b->result, "startedAt", when);
        fg_json_set(b->result, "host", host_json(b));
        fg_json_set_bool(settings, "quick", b->quick);
        fg_json_set_int(settings, "warmUp", b->warm_up);
        fg_json_set_int(settings, "rounds", b->rounds);
        fg_json_set_int(settings, "budgetMiB", b->budget_mib);
        fg_json_set_bool(settings, "interrupted", bench_interrupted());
        fg_json_set(b->result, "settings", settings);
        for (size_t i = 0; i < b->n_peers; i++) {
                struct json_object *peer = json_object_new_object();

                fg_json_set_str(peer, "name", b->peers[i].kind->name);
                fg_json_set_bool(peer, "works", b->peers[i].found);
                if (*b->peers[i].version)
                        fg_json_set_str(peer, "version", b->peers[i].version);
                if (*b->peers[i].reason)
                        fg_json_set_str(peer, "reason", b->peers[i].reason);
                (void)json_object_array_add(peers, peer);
        }
        fg_json_set(b->result, "peers", peers);
}
