/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "guest-init/image.h"

struct json_object;

/* What a container's first process is made from. All borrowed. */
struct fg_start {
        unsigned index;
        struct json_object *task;
        struct json_object *spec; /* the container's member of task.containers */
        const char *image_dir;    /* an unpacked image, see image_unpack.h */
        int cgroup;               /* directory of its cgroup */
        int output[2];            /* write ends for stdout and stderr */
        int report;               /* write end for struct fg_start_report */
        struct fg_image *image;   /* read by the child */
};

enum fg_start_kind {
        FG_START_READY,  /* about to execute the program; the pipe's end means that it runs */
        FG_START_FAILED, /* it never will */
};

struct fg_start_report {
        enum fg_start_kind kind;
        uid_t uid;
        int stop_signal;
        char error[40]; /* ECS's name */
        char message[1024];
};

/**
 * fg_start() - clone a process into new namespaces and let it become the container
 * Return: its pid; how it went is read from the report pipe
 */
pid_t fg_start(struct fg_start *s, struct fg_error *err);

/** fg_start_reaper() - initProcessEnabled: run argv[2...] as a child, pass signals on, reap */
#define FG_REAPER_NAME "fgrun-reaper"
int fg_start_reaper(int argc, char **argv);
