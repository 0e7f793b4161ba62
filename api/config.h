/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/*
 * Everything that can be configured, in one table (config.c): defaults, then the file, then flags.
 * Strings are owned. docs/man/fgd.conf.5 describes the keys.
 */
struct fg_config {
        char *state_dir, *cache_dir, *run_dir;
        char *listen; /* comma-separated: "unix:PATH", "tcp:ADDR:PORT"; NULL: unix below run_dir */
        char *hypervisor; /* "embed", a libvirt URI, or "fake:PROGRAM" */
        char *accel;      /* "auto", "kvm", "tcg" */
        char *cpu_limit;  /* "host", "guest" */
        char *kernel;     /* path, or NULL: the one built for this version */
        char *initrd;     /* path, or NULL: the installed one */
        char *price_book; /* path, or NULL: built-in list prices */
        char *docker_config, *ca_file, *insecure_registries;
        char *webhook, *webhook_secret;   /* URL that events go to; file that signs them; or NULL */
        char *seal_key;                   /* path, or NULL: seal.key in the state directory */
        char *s3_root;                    /* where environment files lie, or NULL */
        char *region, *account, *cluster; /* parts of ARNs */
        char *image_pull;                 /* "prepared" or "guest" */
        char *isolation;                  /* "microvm", or "container": both */
        char *log_level;
        char *network;        /* "auto", "none", "vpc" */
        char *network_config; /* path of subnets and groups, or NULL: the built-in ones */
        uint64_t network_task_kib, network_quarantine_seconds;
        uint64_t vcpu_overcommit_percent;   /* 100: a vCPU per host CPU */
        uint64_t memory_overcommit_percent; /* 100: none is promised twice */
        uint64_t memory_reserve_mib;        /* of the host's memory, never given to tasks */
        uint64_t image_cache_mib, pull_parallel, prepared_max_mib;
        uint64_t templates;                       /* of guests that are restored; 0: none */
        uint64_t warm_memory_mib;                 /* of guests that wait for tasks; 0: none */
        uint64_t log_task_mib, log_store_mib;     /* per container; all together, 0: no cap */
        uint64_t retention_hours;                 /* of stopped tasks */
        uint64_t events_max, events_hours;        /* how many events are kept, and how long */
        char *tls;                                /* "files" or "self-signed" */
        char *tls_certificate, *tls_key;          /* PEM; neither: no TLS */
        uint64_t audit_mib;                       /* of the audit log; 0: none */
        uint64_t launch_burst, launch_per_second; /* tasks that start; 0 per second: no limit */
        uint64_t run_burst, run_per_second;       /* requests to start tasks */
        uint64_t max_connections, idle_timeout_seconds, max_body_kib;
        uint64_t idle_exit_seconds; /* leave after so long without tasks and clients; 0: stay */
        int64_t ready_fd;           /* "READY\n" goes there once requests are taken; -1: none */
        char *network_denied;       /* not a setting: why this user can have none, or NULL */
};

/**
 * fg_config_load() - from the command line (which may name a file)
 * Return: 1 when --help or --version was printed, else 0; -1: INVALID names file, line and key.
 */
int fg_config_load(int argc, char *argv[], struct fg_config *ret, struct fg_error *err);
void fg_config_finish(struct fg_config *c);
