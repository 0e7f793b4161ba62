/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "core/error.h"
#include "guest-init/start.h"

/*
 * The first container of a task that is still to come: its process is there, in its namespaces and
 * in its root, and waits to be told what to run. Only what a container's root does not depend on
 * can be told then; for any other container it gives way, and that one is made as always.
 */
struct fg_standby {
        pid_t pid; /* 0: there is none */
        char *image_dir;
        int output[2]; /* read ends; whoever releases it has them from then on */
        int report;    /* our end; likewise */
        int task;      /* a file for what it is told */
};

#define FG_STANDBY_INIT                                                                            \
        {                                                                                          \
                .output = { -1, -1 }, .report = -1, .task = -1                                     \
        }

/** fg_standby_make() - over the image in @image_dir; returns when it waits */
int fg_standby_make(struct fg_standby *b, const char *image_dir, struct fg_error *err);
/** fg_standby_fits() - is there one that can become the container of @s? */
bool fg_standby_fits(const struct fg_standby *b, const struct fg_start *s);
/**
 * fg_standby_release() - let it become the first container of @task
 * Return: its pid; it and the descriptors are the caller's. -1: it has died, say; it is still to be
 * ended, and the container can be made as any other.
 */
pid_t fg_standby_release(struct fg_standby *b, struct json_object *task, int ret_output[2],
                         int *ret_report, struct fg_error *err);
/** fg_standby_end() - it is not wanted: nothing of it is left */
void fg_standby_end(struct fg_standby *b);
/** fg_standby_reaped() - it has died by itself. Return: was it @pid? */
bool fg_standby_reaped(struct fg_standby *b, pid_t pid);

/** fg_standby_await() - in its process: wait, then fill in @s->task and @s->spec */
int fg_standby_await(struct fg_start *s, struct fg_error *err);
