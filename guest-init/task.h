/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "guest-init/assembly.h"
#include "guest-init/container.h"
#include "guest-init/disks.h"
#include "guest-init/link.h"
#include "guest-init/metadata.h"
#include "guest-init/network.h"
#include "guest-init/pause.h"
#include "guest-init/standby.h"

#define FG_TASK_CONTAINERS_MAX 10 /* ECS's limit */

/* One image, used by one or more of the task's containers. */
struct fg_task_image {
        const char *manifest; /* borrowed from the task */
        const char *disk;     /* serial number of the disk that has it; NULL: to be unpacked */
        char *dir;
        bool begun; /* the host was told */
        bool done;
};

struct fg_task {
        struct fg_loop *loop;
        struct fg_link link;
        struct json_object *spec; /* the task message; NULL before it came */
        bool has_network;         /* otherwise there is a loopback interface only */
        struct fg_network network;
        struct fg_metadata metadata;
        struct fg_container containers[FG_TASK_CONTAINERS_MAX];
        size_t container_count;
        struct fg_output outputs[2 * FG_TASK_CONTAINERS_MAX];
        struct fg_task_image images[FG_TASK_CONTAINERS_MAX];
        size_t image_count;
        size_t image_next; /* the one being assembled, or to be */
        struct fg_disks disks;
        struct fg_assembly assembly;
        struct fg_pause pause;
        struct fg_standby standby;
        bool parked;      /* the scratch disk is mounted already */
        bool cpu_limited; /* its quota is set */
        bool stopping;
        bool stopped; /* the last event was given */
};

/** fg_task_init() - before the channel is opened */
void fg_task_init(struct fg_task *t, struct fg_loop *loop);
/** fg_task_step() - whatever has become possible; called after every step of the loop */
void fg_task_step(struct fg_task *t);
void fg_task_reaped(struct fg_task *t, pid_t pid, int status);
/** fg_task_over() - everything was told and stored: power off */
bool fg_task_over(const struct fg_task *t);
/** fg_task_stop() - begin to stop; the first reason counts */
void fg_task_stop(struct fg_task *t, const char *reason, const char *message);
/** fg_task_container() - by name; NULL when there is none */
struct fg_container *fg_task_container(struct fg_task *t, const char *name);
struct fg_task_image *fg_task_image_of(struct fg_task *t, const struct fg_container *c);

/* depends.c: dependsOn. */
enum fg_depends { FG_DEPENDS_WAIT, FG_DEPENDS_MET, FG_DEPENDS_NEVER, FG_DEPENDS_LATE };
/** fg_depends_check() - may @c start? NEVER, not LATE: @ret_why says which dependency failed it */
enum fg_depends fg_depends_check(struct fg_task *t, const struct fg_container *c, char *ret_why,
                                 size_t len);
/** fg_depends_needed() - does a container that has not ended depend on @c? */
bool fg_depends_needed(struct fg_task *t, const struct fg_container *c);

/* begin.c: the task message. */
/** fg_task_park() - before it comes: mount the scratch disk, and the images of these disks (NULL:
 * none), so that it finds them mounted; start a container of nothing over each */
int fg_task_park(struct fg_task *t, struct json_object *serials, struct fg_error *err);
/** fg_task_unpack() - the disk with it does not come: it is to be unpacked like any other */
void fg_task_unpack(struct fg_task *t, struct fg_task_image *image);
int fg_task_begin(struct fg_task *t, struct json_object *message, struct fg_error *err);
