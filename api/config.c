/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/config_private.h"
#include "core/cleanup.h"
#include "core/str.h"

const struct setting config_settings[] = {
#define TEXT_SETTING(name, fallback, help)                                                         \
        {                                                                                          \
#name, TEXT, offsetof(struct fg_config, name), fallback, 0, 0, NULL, help          \
        }
#define PATH_SETTING(name, help)                                                                   \
        {                                                                                          \
#name, PATH, offsetof(struct fg_config, name), NULL, 0, 0, NULL, help              \
        }
#define WORD_SETTING(name, fallback, words, help)                                                  \
        {                                                                                          \
#name, WORD, offsetof(struct fg_config, name), fallback, 0, 0, words, help         \
        }
#define NUMBER_SETTING(name, fallback, min, max, help)                                             \
        {                                                                                          \
#name, NUMBER, offsetof(struct fg_config, name), fallback, min, max, NULL, help    \
        }
        PATH_SETTING(state_dir, "task database, logs, scratch disks"),
        PATH_SETTING(cache_dir, "image blobs and disk templates"),
        PATH_SETTING(run_dir, "sockets"),
        TEXT_SETTING(listen, NULL, "unix:PATH or tcp:ADDR:PORT, comma-separated"),
        TEXT_SETTING(hypervisor, "embed",
                     "embed, or a libvirt URI of this machine such as qemu:///system"),
        WORD_SETTING(accel, "auto", "auto kvm tcg",
                     "how guests run: auto chooses kvm where it works"),
        WORD_SETTING(cpu_limit, "host", "host guest",
                     "who keeps a task to its part of a vCPU: host (and guest), or guest alone"),
        TEXT_SETTING(kernel, NULL, "guest kernel: a path, or stock for Debian's cloud kernel"),
        TEXT_SETTING(initrd, NULL, "initramfs with the guest's init"),
        WORD_SETTING(network, "auto", "auto none vpc", "whether tasks get one"),
        TEXT_SETTING(network_config, NULL, "subnets and security groups (JSON)"),
        TEXT_SETTING(price_book, NULL, "prices for the bill; built-in: us-east-1 Fargate"),
        TEXT_SETTING(docker_config, NULL, "registry credentials (a Docker config.json)"),
        TEXT_SETTING(ca_file, NULL, "extra CA certificates for registries (PEM)"),
        TEXT_SETTING(insecure_registries, NULL, "HOST[:PORT] to be spoken to without TLS"),
        TEXT_SETTING(webhook, NULL, "URL that every event is posted to"),
        TEXT_SETTING(webhook_secret, NULL, "file with the secret that signs what is posted"),
        TEXT_SETTING(seal_key, NULL, "key file that secrets are sealed with"),
        TEXT_SETTING(s3_root, NULL, "directory of environment files: arn:aws:s3:::BUCKET/KEY"),
        WORD_SETTING(tls, "files", "files self-signed",
                     "of TCP listeners; files: those below, none: no TLS"),
        TEXT_SETTING(tls_certificate, NULL, "certificate and those of its CAs (PEM)"),
        TEXT_SETTING(tls_key, NULL, "private key (PEM)"),
        TEXT_SETTING(region, "local-1", "region in ARNs"),
        TEXT_SETTING(account, "000000000000", "account in ARNs"),
        TEXT_SETTING(cluster, "default", "cluster in ARNs"),
        WORD_SETTING(image_pull, "prepared", "prepared guest",
                     "guest: the host never opens a layer, each guest unpacks"),
        WORD_SETTING(isolation, "microvm", "microvm container",
                     "container: a task may ask to be an ordinary container of the host"),
        WORD_SETTING(log_level, "info", "error warn info debug", "what fgd says"),
        NUMBER_SETTING(vcpu_overcommit_percent, "400", 1, 10000,
                       "vCPUs given to tasks, in percent of the host's"),
        NUMBER_SETTING(memory_overcommit_percent, "100", 100, 1000,
                       "memory promised to tasks, in percent of what they can have"),
        NUMBER_SETTING(memory_reserve_mib, "512", 0, 1u << 24, "host memory that tasks never get"),
        NUMBER_SETTING(network_task_kib, "0", 0, 1u << 30,
                       "KiB a second that a task may send, and receive; 0: no limit"),
        NUMBER_SETTING(network_quarantine_seconds, "300", 0, 86400,
                       "before an address is given to another task"),
        NUMBER_SETTING(image_cache_mib, "20480", 0, 1u << 30, "cap of the image store; 0: none"),
        NUMBER_SETTING(pull_parallel, "4", 1, 16, "simultaneous downloads"),
        NUMBER_SETTING(warm_memory_mib, "1024", 0, 1u << 24,
                       "host memory for booted guests that wait for tasks; 0: none"),
        NUMBER_SETTING(templates, "8", 0, 64,
                       "kinds of guests that are restored, in place of a boot; 0: none"),
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
        NUMBER_SETTING(idle_timeout_seconds, "60", 1, 86400,
                       "for silence, and for the headers of a request"),
        NUMBER_SETTING(max_body_kib, "2048", 1, 65536, "of a request"),
        NUMBER_SETTING(idle_exit_seconds, "0", 0, 86400 * 365,
                       "leave when there was nothing to do for so long; 0: never"),
        { "ready_fd", SIGNED, offsetof(struct fg_config, ready_fd), "-1", 0, 1 << 20, NULL,
          "write READY there once requests are taken" },
};
const size_t config_n_settings = FG_ARRAY_SIZE(config_settings);

char **config_text(struct fg_config *c, const struct setting *s)
{
        return (char **)(void *)((char *)c + s->offset);
}

static uint64_t *number_of(struct fg_config *c, const struct setting *s)
{
        return (uint64_t *)(void *)((char *)c + s->offset);
}

bool config_is_text(const struct setting *s)
{
        return s->kind == TEXT || s->kind == PATH || s->kind == WORD;
}

static bool is_one_of(const char *words, const char *value)
{
        size_t len = strlen(value);

        for (const char *w = words; *w; w += strspn(w, " ")) {
                size_t word = strcspn(w, " ");

                if (word == len && memcmp(w, value, len) == 0)
                        return true;
                w += word;
        }
        return false;
}

int config_set(struct fg_config *c, const struct setting *s, const char *value,
               struct fg_error *err)
{
        uint64_t n;

        if (s->kind == WORD && !is_one_of(s->words, value))
                return fg_fail(err, FG_ERR_INVALID, "%s = \"%s\": expected one of: %s", s->key,
                               value, s->words);
        if (s->kind == PATH && *value && *value != '/')
                return fg_fail(err, FG_ERR_INVALID, "%s = \"%s\": expected an absolute path",
                               s->key, value);
        if (config_is_text(s)) {
                free(*config_text(c, s));
                *config_text(c, s) = *value ? fg_strdup(value) : NULL;
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

const struct setting *config_find(const char *key)
{
        for (size_t i = 0; i < config_n_settings; i++)
                if (fg_streq(config_settings[i].key, key))
                        return &config_settings[i];
        return NULL;
}

const char *config_nearest(const char *key)
{
        const char *best = NULL;
        unsigned best_distance = 4;

        for (size_t i = 0; i < config_n_settings; i++) {
                unsigned d = fg_edit_distance(key, config_settings[i].key);

                if (d < best_distance && d < strlen(key)) {
                        best_distance = d;
                        best = config_settings[i].key;
                }
        }
        return best;
}

int config_set_defaults(struct fg_config *c, struct fg_error *err)
{
        *c = (struct fg_config){ 0 };
        for (size_t i = 0; i < config_n_settings; i++)
                if (config_settings[i].fallback &&
                    config_set(c, &config_settings[i], config_settings[i].fallback, err) < 0)
                        return -1;
        return 0;
}

void fg_config_finish(struct fg_config *c)
{
        for (size_t i = 0; i < config_n_settings; i++)
                if (config_is_text(&config_settings[i])) {
                        free(*config_text(c, &config_settings[i]));
                        *config_text(c, &config_settings[i]) = NULL;
                }
        free(c->network_denied);
        c->network_denied = NULL;
}
