/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/task_network.h"
#include "api/taskdef.h"
#include "api/taskstate.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "core/id.h"
#include "core/json.h"

/* The points of a start, in order, by CLOCK_REALTIME ns; 0: not reached. docs/api.md */
enum fg_phase {
        FG_PHASE_ACCEPTED,
        FG_PHASE_SCHEDULED,
        FG_PHASE_IMAGE_READY,
        FG_PHASE_VM_READY,
        FG_PHASE_UNPACKED,
        FG_PHASE_STARTED,
        FG_PHASE_FIRST_OUTPUT,
        FG_PHASE_STOPPING,
        FG_PHASE_STOPPED,
        FG_PHASES,
};

/* How a task came to its guest, the fastest first. */
enum fg_way { FG_WAY_WARM_IMAGE, FG_WAY_WARM, FG_WAY_RESTORED, FG_WAY_COLD, FG_WAYS };

/* One container of a task, as it runs. */
struct fg_container {
        const struct fg_container_def *def; /* borrowed from the task's definition */
        enum fg_container_state state;
        char manifest[FG_DIGEST_LEN + 1]; /* "": not resolved yet */
        char disk[FG_DIGEST_LEN + 1];     /* manifest of the image that the VM has as a disk for it;
                                             "": none, or not decided yet */
        char runtime_id[FG_ID_LEN + 1];
        int exit_code; /* -1: none */
        char *reason;  /* NULL: none */
        uint64_t started_ns, finished_ns;
        enum fg_health health;  /* UNKNOWN when it has no health check */
        uint64_t restart_count; /* by its restartPolicy */
};

/*
 * What is known of one task; everything here is persistent. What the daemon does with it at the
 * moment (connections, downloads) lives in struct fg_run, never here.
 */
struct fg_task {
        char id[FG_ID_LEN + 1];
        uint64_t version; /* rises with every change, as in ECS */
        enum fg_task_state state;
        bool stop_wanted; /* desiredStatus STOPPED */
        enum fg_stop_code stop_code;
        char *stopped_reason;
        uint64_t created_ns, connectivity_ns, pull_started_ns, pull_stopped_ns, started_ns,
                stopping_ns, execution_stopped_ns, stopped_ns;
        uint64_t phase_ns[FG_PHASES];
        char *cluster, *group;
        char *started_by, *capacity_provider; /* NULL: none */
        int64_t revision; /* of the registered definition; 0: the definition came with the request
                           */
        struct json_object *overrides, *tags;
        struct fg_taskdef *def;          /* overrides applied */
        struct fg_task_network *network; /* NULL: loopback only */
        struct fg_container *containers;
        size_t n_containers;
        enum fg_way way;    /* a guest that waited with its images mounted, one that waited, none */
        char *way_reason;   /* why not a faster one; NULL: there is none */
        char *ended_by;     /* the essential container whose end stopped the task; NULL: none */
        uint64_t event_seq; /* the guest's last event that is part of this state */
};

/* Parts of ARNs. Borrowed. */
struct fg_names {
        const char *region, *account, *cluster, *accelerator;
};

/** fg_task_new() - PROVISIONING, with @id, or NULL: a new one; takes @def. */
struct fg_task *fg_task_new(const char *id, struct fg_taskdef *take_def, uint64_t now_ns);
void fg_task_free(struct fg_task *t);
FG_DEFINE_CLEANUP(struct fg_task *, fg_task_free)

/**
 * fg_task_move() - one step of the state machine, with the timestamps that belong to it
 * Moving to the present state or backwards changes nothing. An illegal move is a programmer error.
 */
void fg_task_move(struct fg_task *t, enum fg_task_state to, uint64_t now_ns);
/** fg_task_want_stop() - desiredStatus becomes STOPPED; the first reason stays. */
void fg_task_want_stop(struct fg_task *t, enum fg_stop_code code, const char *reason,
                       uint64_t now_ns);
void fg_task_phase(struct fg_task *t, enum fg_phase phase, uint64_t now_ns); /* first time counts */
/** fg_task_came() - this way, and why not a faster one */
void fg_task_came(struct fg_task *t, enum fg_way way, const char *why);
const char *fg_way_name(enum fg_way way);
/** fg_way_parse() - Return: false for text that names none */
bool fg_way_parse(const char *name, enum fg_way *ret);
/** fg_task_health() - as ECS has it: of the essential containers; the worst one counts */
enum fg_health fg_task_health(const struct fg_task *t);
/**
 * fg_task_strict() - may only the guest open the layers of a container's image?
 * So say the container, or another one of the task with the same image.
 */
bool fg_task_strict(const struct fg_task *t, size_t container);
/** fg_task_disk() - the manifest of its image, if it finds it on a disk of the VM; or NULL */
const char *fg_task_disk(const struct fg_task *t, size_t container);
struct fg_container *fg_task_container(struct fg_task *t, const char *name);

/** fg_task_to_ecs() - as DescribeTasks answers, without the tags (which a task does not own). */
struct json_object *fg_task_to_ecs(const struct fg_task *t, const struct fg_names *names);
/** fg_task_ours() - the member fgrun of docs/api.md, without usage (which the ledger knows). */
struct json_object *fg_task_ours(const struct fg_task *t, const struct fg_names *names);
/** fg_task_to_json() - the shape of docs/api.md: RFC 3339 times, the tags of its start, fgrun. */
struct json_object *fg_task_to_json(const struct fg_task *t, const struct fg_names *names);
char *fg_task_definition(const struct fg_task *t); /* "FAMILY:REVISION"; caller frees */
/* What the daemon needs after a restart and no client sees; the pair of fg_task_restore(). */
struct json_object *fg_task_snapshot(const struct fg_task *t);
struct fg_task *fg_task_restore(struct json_object *snapshot, struct fg_error *err);
