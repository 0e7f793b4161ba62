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
        int pid_ns;               /* of the task's containers; -1: one of its own */
        int output[2];            /* write ends for stdout and stderr */
        int input;                /* read end for stdin, or -1: empty */
        int report;               /* socket for struct fg_start_report */
        int stand_by; /* what is to be run is not known yet, but will be in this file; 0: it is */
        struct fg_standby *standby; /* what may take its place, see standby.h; or NULL */
        struct json_object *argv;   /* to run in place of the container's command, or NULL */
        /* Made by the child. */
        struct fg_image *image;
        int terminal; /* the other end of its terminal, or -1 */
};

enum fg_start_kind {
        FG_START_STANDING_BY, /* its root is made, and it waits to be told what to run */
        FG_START_READY,  /* about to execute the program; the socket's end means that it runs */
        FG_START_FAILED, /* it never will */
};

/* One message each. With a pseudoTerminal, READY comes with the descriptor of its other end. */
struct fg_start_report {
        enum fg_start_kind kind;
        uid_t uid;
        int stop_signal;
        char error[40]; /* ECS's name */
        char message[1024];
};

/**
 * fg_start() - clone a process into new namespaces and let it become the container
 * Return: its pid; how it went is read from the report socket
 */
pid_t fg_start(struct fg_start *s, struct fg_error *err);

/**
 * fg_start_beside() - run @s->argv in the container whose first process is @beside
 * In all of its namespaces, as its user, with its environment, limits and system call filter;
 * stdin is empty. Return: its pid, or -1. What cannot be executed says so on its output.
 */
pid_t fg_start_beside(struct fg_start *s, pid_t beside, struct fg_error *err);

struct fg_process;
/**
 * fg_start_clone() - clone3(2) into @cgroup, with new namespaces by @flags
 * @pid_ns: the PID namespace, or a pidfd of one of its processes, that the child is in; -1: ours
 */
pid_t fg_start_clone(uint64_t flags, int cgroup, int pid_ns, struct fg_error *err);
/* Steps of both. Run in the new process. */
int fg_start_reset(struct fg_error *err); /* signals, session, umask, OOM score */
int fg_start_load_image(struct fg_start *s, struct fg_error *err); /* before the root is changed */
/** fg_start_confine() - everything between the container's root and execve() */
int fg_start_confine(struct fg_start *s, struct fg_process *p, struct fg_error *err);

/** fg_start_reaper() - initProcessEnabled: run argv[2...] as a child, pass signals on, reap */
#define FG_REAPER_NAME "fgrun-reaper"
int fg_start_reaper(int argc, char **argv);
