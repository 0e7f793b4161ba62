/* SPDX-License-Identifier: Apache-2.0 */
#include "api/config.h"

#include <getopt.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/fs.h"
#include "core/paths.h"
#include "core/str.h"

#define SYSTEM_CONFIG "/etc/fgrun/fgd.conf"

enum kind { TEXT, NUMBER, SIGNED };

/* The one table of settings: a flag --state-dir is the key state_dir in the file. */
static const struct setting {
        const char *key;
        enum kind kind;
        size_t offset;
        const char *fallback; /* NULL: decided at start, see help */
        uint64_t min, max;
        const char *help;
} settings[] = {
#define TEXT_SETTING(name, fallback, help)                                                         \
        {                                                                                          \
#name, TEXT, offsetof(struct fg_config, name), fallback, 0, 0, help                \
        }
#define NUMBER_SETTING(name, fallback, min, max, help)                                             \
        {                                                                                          \
#name, NUMBER, offsetof(struct fg_config, name), fallback, min, max, help          \
        }
        TEXT_SETTING(state_dir, NULL, "task database, logs, scratch disks"),
        TEXT_SETTING(cache_dir, NULL, "image blobs and disk templates"),
        TEXT_SETTING(run_dir, NULL, "sockets"),
        TEXT_SETTING(listen, NULL, "unix:PATH or tcp:ADDR:PORT, comma-separated"),
        TEXT_SETTING(hypervisor, "embed",
                     "embed, or a libvirt URI of this machine such as qemu:///system"),
        TEXT_SETTING(accel, "auto", "auto, kvm or tcg"),
        TEXT_SETTING(cpu_limit, "host",
                     "who keeps a task to its part of a vCPU: host (and guest), or guest alone"),
        TEXT_SETTING(kernel, NULL, "guest kernel: a path, or stock for Debian's cloud kernel"),
        TEXT_SETTING(initrd, NULL, "initramfs with the guest's init"),
        TEXT_SETTING(network, "auto", "auto, none or vpc: whether tasks get one"),
        TEXT_SETTING(network_config, NULL, "subnets and security groups (JSON)"),
        TEXT_SETTING(price_book, NULL, "prices for the bill; built-in: us-east-1 Fargate"),
        TEXT_SETTING(docker_config, NULL, "registry credentials (a Docker config.json)"),
        TEXT_SETTING(ca_file, NULL, "extra CA certificates for registries (PEM)"),
        TEXT_SETTING(insecure_registries, NULL, "HOST[:PORT] to be spoken to without TLS"),
        TEXT_SETTING(webhook, NULL, "URL that every event is posted to"),
        TEXT_SETTING(webhook_secret, NULL, "file with the secret that signs what is posted"),
        TEXT_SETTING(seal_key, NULL, "key file that secrets are sealed with"),
        TEXT_SETTING(s3_root, NULL, "directory of environment files: arn:aws:s3:::BUCKET/KEY"),
        TEXT_SETTING(tls, "files", "of TCP listeners: files (below; none: no TLS) or self-signed"),
        TEXT_SETTING(tls_certificate, NULL, "certificate and those of its CAs (PEM)"),
        TEXT_SETTING(tls_key, NULL, "private key (PEM)"),
        TEXT_SETTING(region, "local-1", "region in ARNs"),
        TEXT_SETTING(account, "000000000000", "account in ARNs"),
        TEXT_SETTING(cluster, "default", "cluster in ARNs"),
        TEXT_SETTING(image_pull, "prepared",
                     "prepared, or guest: the host never opens a layer, each guest unpacks"),
        TEXT_SETTING(log_level, "info", "error, warn, info or debug"),
        NUMBER_SETTING(vcpu_overcommit_percent, "400", 1, 10000,
                       "vCPUs given to tasks, in percent of the host's"),
        NUMBER_SETTING(memory_reserve_mib, "512", 0, 1u << 24, "host memory that tasks never get"),
        NUMBER_SETTING(network_task_kib, "0", 0, 1u << 30,
                       "KiB a second that a task may send, and receive; 0: no limit"),
        NUMBER_SETTING(network_quarantine_seconds, "300", 0, 86400,
                       "before an address is given to another task"),
        NUMBER_SETTING(image_cache_mib, "20480", 0, 1u << 30, "cap of the image store; 0: none"),
        NUMBER_SETTING(pull_parallel, "4", 1, 16, "simultaneous downloads"),
        NUMBER_SETTING(warm_memory_mib, "1024", 0, 1u << 24,
                       "host memory for booted guests that wait for tasks; 0: none"),
        NUMBER_SETTING(prepared_max_mib, "16384", 1, 1u << 20,
                       "a larger unpacked image is left to the guests"),
        NUMBER_SETTING(log_task_mib, "64", 1, 1u << 20, "log kept per container"),
        NUMBER_SETTING(log_store_mib, "0", 0, 1u << 30, "logs kept in all; 0: no cap"),
        NUMBER_SETTING(retention_hours, "24", 1, 24 * 3650, "how long stopped tasks are kept"),
        NUMBER_SETTING(events_max, "10000", 100, 10000000, "how many events are kept"),
        NUMBER_SETTING(events_hours, "24", 1, 24 * 3650, "how long events are kept"),
        NUMBER_SETTING(audit_mib, "64", 0, 1u << 20, "audit log that is kept; 0: none"),
        NUMBER_SETTING(launch_burst, "100", 1, 1u << 20, "tasks that may start at once"),
        NUMBER_SETTING(launch_per_second, "20", 0, 1u << 20, "and then per second; 0: no limit"),
        NUMBER_SETTING(run_burst, "100", 1, 1u << 20, "requests to start tasks at once"),
        NUMBER_SETTING(run_per_second, "20", 0, 1u << 20, "and then per second; 0: no limit"),
        NUMBER_SETTING(max_connections, "256", 1, 65536, "per listener"),
        NUMBER_SETTING(idle_timeout_seconds, "60", 1, 86400, "for silent connections"),
        NUMBER_SETTING(max_body_kib, "2048", 1, 65536, "of a request"),
        NUMBER_SETTING(idle_exit_seconds, "0", 0, 86400 * 365,
                       "leave when there was nothing to do for so long; 0: never"),
        { "ready_fd", SIGNED, offsetof(struct fg_config, ready_fd), "-1", 0, 1 << 20,
          "write READY there once requests are taken" },
};

static char **text_of(struct fg_config *c, const struct setting *s)
{
        return (char **)(void *)((char *)c + s->offset);
}

static uint64_t *number_of(struct fg_config *c, const struct setting *s)
{
        return (uint64_t *)(void *)((char *)c + s->offset);
}

static int set(struct fg_config *c, const struct setting *s, const char *value,
               struct fg_error *err)
{
        uint64_t n;

        if (s->kind == TEXT) {
                free(*text_of(c, s));
                *text_of(c, s) = *value ? fg_strdup(value) : NULL;
                return 0;
        }
        if (s->kind == SIGNED && fg_streq(value, "-1")) {
                *number_of(c, s) = UINT64_MAX;
                return 0;
        }
        if (!fg_parse_u64(value, &n) || n < s->min || n > s->max)
                return fg_fail(err, FG_ERR_INVALID,
                               "%s = \"%s\": expected a whole number from %llu to %llu", s->key,
                               value, (unsigned long long)s->min, (unsigned long long)s->max);
        *number_of(c, s) = n;
        return 0;
}

static const struct setting *find(const char *key)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++)
                if (fg_streq(settings[i].key, key))
                        return &settings[i];
        return NULL;
}

static const char *nearest(const char *key)
{
        const char *best = NULL;
        unsigned best_distance = 4;

        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++) {
                unsigned d = fg_edit_distance(key, settings[i].key);

                if (d < best_distance) {
                        best_distance = d;
                        best = settings[i].key;
                }
        }
        return best;
}

/* ---- the file ---- */

struct file {
        struct fg_config *config;
        struct fg_error *err;
};

static int on_line(void *userdata, const char *section, const char *key, const char *value)
{
        struct file *f = userdata;
        const struct setting *s = find(key);
        const char *guess;

        if (*section) {
                fg_fail(f->err, FG_ERR_INVALID, "section [%s]: the file has no sections", section);
                return 0;
        }
        if (s)
                return set(f->config, s, value, f->err) == 0;
        guess = nearest(key);
        if (guess)
                fg_fail(f->err, FG_ERR_INVALID, "unknown key %s (did you mean %s?)", key, guess);
        else
                fg_fail(f->err, FG_ERR_INVALID, "unknown key %s (fgd --help lists all)", key);
        return 0;
}

static int load_file(struct fg_config *c, const char *path, struct fg_error *err)
{
        struct file f = { .config = c, .err = err };
        int line;

        fg_fail(err, FG_ERR_INVALID, "expected KEY = VALUE");
        line = ini_parse(path, on_line, &f);
        if (line < 0)
                return fg_fail(err, FG_ERR_NOT_FOUND, "cannot read the configuration file %s",
                               path);
        return line > 0 ? fg_wrap(err, "%s, line %d", path, line) : 0;
}

/* ---- the command line ---- */

static void flag_name(const struct setting *s, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s", s->key);
        for (char *p = ret; *p; p++)
                if (*p == '_')
                        *p = '-';
}

static void print_help(const struct fg_config *defaults)
{
        printf("Usage: fgd [--config FILE] [--SETTING=VALUE ...]\n\n"
               "Runs ECS tasks, each in a microVM of its own, and answers HTTP requests.\n\n"
               "  --config=FILE   read settings from FILE (default: %s, when it is there)\n"
               "  --help          print this\n"
               "  --version       print the version\n\n"
               "Settings (also keys of the file, with _ for -) and their defaults:\n",
               SYSTEM_CONFIG);
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++) {
                const struct setting *s = &settings[i];
                char name[64];
                const char *value = s->fallback;

                flag_name(s, name, sizeof(name));
                if (!value && s->kind == TEXT)
                        value = *text_of((struct fg_config *)(uintptr_t)defaults, s);
                printf("  --%-26s %s [%s]\n", name, s->help, value ? value : "built-in");
        }
}

/* Directories and what lies in them follow from the user, unless something was set. */
static void set_derived(struct fg_config *c)
{
        if (!c->state_dir)
                c->state_dir = fg_path_state_dir();
        if (!c->cache_dir)
                c->cache_dir = fg_path_cache_dir();
        if (!c->run_dir)
                c->run_dir = fg_path_run_dir();
        if (!c->seal_key)
                c->seal_key = fg_asprintf("%s/seal.key", c->state_dir);
        if (!c->listen)
                c->listen = fg_asprintf("unix:%s/fgd.sock", c->run_dir);
}

static int set_defaults(struct fg_config *c, struct fg_error *err)
{
        *c = (struct fg_config){ 0 };
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++)
                if (settings[i].fallback && set(c, &settings[i], settings[i].fallback, err) < 0)
                        return -1;
        return 0;
}

enum { OPT_CONFIG = 1000, OPT_HELP, OPT_VERSION };

static void fill_options(struct option *options, char (*names)[64])
{
        size_t n = FG_ARRAY_SIZE(settings);

        for (size_t i = 0; i < n; i++) {
                flag_name(&settings[i], names[i], sizeof(names[i]));
                options[i] = (struct option){ names[i], required_argument, NULL, (int)i };
        }
        options[n] = (struct option){ "config", required_argument, NULL, OPT_CONFIG };
        options[n + 1] = (struct option){ "help", no_argument, NULL, OPT_HELP };
        options[n + 2] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
        /* --idle-exit is the name fgrun uses */
        options[n + 3] = (struct option){ "idle-exit", required_argument, NULL,
                                          (int)(find("idle_exit_seconds") - settings) };
        options[n + 4] = (struct option){ 0 };
}

static int show_help(struct fg_config *c)
{
        set_derived(c);
        print_help(c);
        return 1;
}

/* Pass 0 finds the file, pass 1 sets the rest: flags win over the file wherever they stand. */
static int parse_flags(int argc, char *argv[], int pass, struct fg_config *c, const char **file,
                       struct fg_error *err)
{
        struct option options[FG_ARRAY_SIZE(settings) + 5];
        char names[FG_ARRAY_SIZE(settings)][64];
        int o;

        fill_options(options, names);
        optind = 0;
        opterr = pass == 0;
        while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (o == '?')
                        return fg_fail(err, FG_ERR_INVALID, "unknown option; see fgd --help");
                if (o == OPT_HELP)
                        return show_help(c);
                if (o == OPT_VERSION) {
                        printf("fgd %s\n", FG_VERSION);
                        return 1;
                }
                if (o == OPT_CONFIG)
                        *file = optarg;
                else if (pass == 1 && set(c, &settings[o], optarg, err) < 0)
                        return fg_wrap(err, "command line");
        }
        if (optind < argc)
                return fg_fail(err, FG_ERR_INVALID, "unexpected argument %s", argv[optind]);
        return 0;
}

static int load(int argc, char *argv[], struct fg_config *c, struct fg_error *err)
{
        const char *file = NULL;
        int r;

        r = parse_flags(argc, argv, 0, c, &file, err);
        if (r != 0)
                return r;
        if (!file && fg_exists(SYSTEM_CONFIG))
                file = SYSTEM_CONFIG;
        if (file && load_file(c, file, err) < 0)
                return -1;
        r = parse_flags(argc, argv, 1, c, &file, err);
        if (r == 0)
                set_derived(c);
        return r;
}

int fg_config_load(int argc, char *argv[], struct fg_config *ret, struct fg_error *err)
{
        int r;

        if (set_defaults(ret, err) < 0)
                return -1;
        r = load(argc, argv, ret, err);
        if (r != 0)
                fg_config_finish(ret);
        return r;
}

void fg_config_finish(struct fg_config *c)
{
        for (size_t i = 0; i < FG_ARRAY_SIZE(settings); i++)
                if (settings[i].kind == TEXT) {
                        free(*text_of(c, &settings[i]));
                        *text_of(c, &settings[i]) = NULL;
                }
}
