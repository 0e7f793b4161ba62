/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/field.h"

/* One container of a task definition, and its parts; as api/taskdef.h says. */
#define FG_STOP_TIMEOUT_DEFAULT 30 /* s */

struct fg_dependency {
        char *container_name, *condition; /* START, COMPLETE, SUCCESS or HEALTHY */
};

struct fg_mount_point {
        char *source_volume, *container_path;
        bool read_only;
};

struct fg_volume_from {
        char *source_container;
        bool read_only;
};

struct fg_system_control {
        char *name, *value; /* "namespace": dotted or slashed, below /proc/sys */
};

struct fg_ulimit {
        char *name;
        int64_t soft_limit, hard_limit; /* -1: unlimited */
};

struct fg_capabilities {
        struct fg_strings add, drop; /* without CAP_; drop may hold ALL */
};

struct fg_tmpfs {
        char *container_path;
        int64_t size; /* MiB */
        struct fg_strings mount_options;
};

struct fg_port_mapping {
        int64_t container_port, host_port; /* equal; 0 with a range */
        char *container_port_range;        /* "8000-8010" */
        char *protocol;                    /* "tcp" or "udp" */
        char *name, *app_protocol;
};

struct fg_linux_parameters {
        struct fg_capabilities *capabilities;
        bool init_process_enabled;
        int64_t shared_memory_size; /* MiB, 0: 64 */
        FG_LIST(struct fg_tmpfs) tmpfs;
};

struct fg_log_configuration {
        char *log_driver;
        struct fg_pairs options;
};

struct fg_secret_ref {
        char *name;
        char *value_from; /* fg_value_from_parse() */
};

struct fg_environment_file {
        char *value; /* ARN of S3 */
        char *type;
};

struct fg_health_check {
        struct fg_strings command;          /* CMD or CMD-SHELL first */
        int64_t interval, timeout, retries; /* s; ECS's defaults when absent */
        int64_t start_period;               /* s */
};

struct fg_restart_policy {
        bool enabled;
        struct fg_ints ignored_exit_codes;
        int64_t attempt_period; /* s; ECS's default when absent */
};

/* What ECS does not have, as fg_extensions: "fgrun" of a container. */
struct fg_container_extensions {
        char *image_pull; /* as the task's, in whose place it is; NULL: the task's */
};

struct fg_container_def {
        char *name;
        char *image;
        bool essential;                         /* true when absent */
        struct fg_strings entry_point, command; /* empty: the image's */
        struct fg_pairs environment;
        FG_LIST(struct fg_secret_ref) secrets;
        FG_LIST(struct fg_environment_file) environment_files;
        char *working_directory;
        char *user;
        bool readonly_root_filesystem;
        int64_t cpu;                        /* shares */
        int64_t memory, memory_reservation; /* MiB, 0: none */
        int64_t start_timeout;              /* s, 0: none */
        int64_t stop_timeout;               /* s, 0: FG_STOP_TIMEOUT_DEFAULT */
        struct fg_health_check *health_check;
        struct fg_restart_policy *restart_policy;
        FG_LIST(struct fg_dependency) depends_on;
        FG_LIST(struct fg_mount_point) mount_points;
        FG_LIST(struct fg_port_mapping) port_mappings;
        FG_LIST(struct fg_volume_from) volumes_from;
        FG_LIST(struct fg_ulimit) ulimits;
        FG_LIST(struct fg_system_control) system_controls;
        bool interactive, pseudo_terminal;
        struct fg_linux_parameters *linux_parameters;
        struct fg_pairs docker_labels;
        char *version_consistency;
        struct fg_log_configuration *log_configuration;
        struct fg_container_extensions *fgrun;
};
