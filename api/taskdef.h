/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/problem.h"
#include "api/publish.h"
#include "api/taskdef_container.h"
#include "core/cleanup.h"

/*
 * An ECS task definition (the input of RegisterTaskDefinition), decoded and valid. Members have the
 * ECS names and meanings; strings are NULL, integers 0 and lists empty when absent. What is read,
 * recorded and refused: docs/task-definition.md.
 */
#define FG_TASKDEF_MAX           (64 * 1024) /* bytes of compact JSON */
#define FG_CONTAINERS_MAX        10
#define FG_EPHEMERAL_DEFAULT_GIB 20
#define FG_EPHEMERAL_MIN_GIB     21
#define FG_EPHEMERAL_MAX_GIB     200
#define FG_TASK_RATE_MIN         16384 /* bytes a second: less would not carry a handshake */

struct fg_volume_host {
        char *source_path; /* always NULL: refused on Fargate */
};

struct fg_volume {
        char *name;
        struct fg_volume_host *host;
};

struct fg_ephemeral_storage {
        int64_t size_gib;
};

struct fg_runtime_platform {
        char *cpu_architecture;
        char *operating_system_family;
};

/* What ECS does not have, in one member of its own: "fgrun". */
struct fg_extensions {
        int64_t max_run_time;             /* s from the start of the first container; 0: no limit */
        int64_t network_bytes_per_second; /* each way; 0: as the configuration has it */
        char *image_pull; /* "prepared" or "guest"; NULL: as the configuration has it */
        char *isolation;  /* "microvm", also when absent, or "container" */
        char *start;      /* the fastest way that it may start, fg_way_name(); NULL: any */
        FG_LIST(struct fg_publish) publish; /* of a task that asks for none itself */
};

struct fg_taskdef {
        char *family;
        char *cpu, *memory; /* as ECS returns them: plain units, "256" and "512" */
        char *network_mode; /* "awsvpc", also when absent from the document */
        char *pid_mode;     /* "task", or NULL: each container has its own */
        struct fg_strings requires_compatibilities;
        FG_LIST(struct fg_container_def) containers;
        FG_LIST(struct fg_volume) volumes;
        char *execution_role_arn, *task_role_arn;
        struct fg_ephemeral_storage *ephemeral_storage;
        struct fg_runtime_platform *runtime_platform;
        struct fg_pairs tags;
        struct fg_extensions *fgrun;
        /* Derived from the strings above. */
        int64_t cpu_units;
        int64_t memory_mib;
};

/** fg_reference_check() of images/images.h has this type; NULL: references are not checked. */
typedef int (*fg_image_check_fn)(const char *reference, struct fg_error *err);

/**
 * fg_taskdef_decode() - read and validate a task definition
 * @json:     borrowed
 * @problems: gets everything that is wrong, with paths from "$"
 * Return: the definition, or NULL exactly when @problems got something.
 */
struct fg_taskdef *fg_taskdef_decode(struct json_object *json, fg_image_check_fn image_check,
                                     struct fg_problems *problems);
void fg_taskdef_free(struct fg_taskdef *def);
FG_DEFINE_CLEANUP(struct fg_taskdef *, fg_taskdef_free)

/**
 * fg_taskdef_to_json() - in the shape of ECS's TaskDefinition, with ECS's defaults filled in
 * `tags` is a member too (ECS returns them beside the definition), so that decoding the result
 * gives an equal definition. The caller puts the object.
 */
struct json_object *fg_taskdef_to_json(const struct fg_taskdef *def);
/**
 * fg_taskdef_load() - read back what fg_taskdef_to_json() made
 * Without the size limit, which is for what people send: ECS's defaults make it longer.
 * Return: the definition, or NULL: INVALID.
 */
struct fg_taskdef *fg_taskdef_load(struct json_object *json, struct fg_error *err);
struct fg_taskdef *fg_taskdef_copy(const struct fg_taskdef *def);

/** fg_taskdef_find() - index of a container by name, or -1. */
int fg_taskdef_find(const struct fg_taskdef *def, const char *container);
/** fg_taskdef_image_pull() - of a container: its own, or the task's. NULL: neither says. */
const char *fg_taskdef_image_pull(const struct fg_taskdef *def, size_t container);
/** fg_taskdef_storage_gib() - size of the task's scratch disk. */
int64_t fg_taskdef_storage_gib(const struct fg_taskdef *def);
