/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/bench/exec.h"
#include "core/error.h"

struct fg_cli;
struct json_object;

/*
 * What a benchmark stands on: an fgd of its own in a directory of its own, so that neither the
 * user's tasks nor his settings are in the measurement, and the image that all run.
 */
struct bench_world {
        struct fg_cli *cli;
        const struct bench_clock *clock;
        char *dir;                /* everything below it goes in the end */
        char *archive;            /* the image, for docker load */
        char *layout;             /* the same, an OCI layout below dir */
        char *rootfs;             /* and once more, unpacked: of runc's bundle */
        char *fgrun;              /* our own program */
        pid_t daemon;             /* 0: not started */
        struct json_object *info; /* what that fgd says of its host */
        bool emulated;            /* its guests have no hardware virtualisation */
};

/** bench_world_open() - @insecure: a setting of fgd's, or NULL; borrowed while fgd is started */
int bench_world_open(struct bench_world *w, struct fg_cli *cli, const char *insecure,
                     struct fg_error *err);
/** bench_world_close() - ends fgd with all it has started. Return: -1 if something is left. */
int bench_world_close(struct bench_world *w, struct fg_error *err);

/** bench_world_get() - a GET request to that fgd; the caller puts the answer, or NULL. */
struct json_object *bench_world_get(struct bench_world *w, const char *path, struct fg_error *err);
