/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "core/error.h"

struct fg_cli;
struct json_object;

/*
 * fgrun's tie to one task while it runs attached: its output, its states, and Ctrl-C. The first
 * Ctrl-C (or SIGTERM) asks for a stop, once; the second one lets go of the task.
 */
struct fg_attach {
        struct fg_cli *cli;
        struct fg_output output;
        struct fg_progress progress;
        int signal_fd;
        char status[24];         /* the state told last */
        const char *id;          /* borrowed; NULL until the task exists */
        unsigned signals;        /* seen so far */
        const char *stop_reason; /* told to fgd; NULL: no stop was asked for */
        bool reader_gone;        /* nobody reads our stdout any more */
        bool detached;           /* by the second Ctrl-C */
};

/** fg_attach_init() - blocks SIGINT and SIGTERM from here on, so that none is lost. */
int fg_attach_init(struct fg_attach *a, struct fg_cli *cli, struct fg_error *err);
void fg_attach_finish(struct fg_attach *a);
/**
 * fg_attach_follow() - stream the task until it has stopped
 * @ret: the stopped task; the caller puts it
 * Return: 0, or -1: also when a->detached
 */
int fg_attach_follow(struct fg_attach *a, const char *id, struct json_object **ret,
                     struct fg_error *err);
