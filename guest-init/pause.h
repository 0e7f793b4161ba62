/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "core/error.h"

/*
 * pidMode "task": the containers share one PID namespace. Its PID 1 is a process of ours, which
 * reaps what they leave. They can see it, so it gives up everything: it runs anew from the init's
 * file, as nobody, without capabilities, under the containers' system call filter, in an empty
 * root.
 */
#define FG_PAUSE_NAME "fgrun-pause"

struct fg_pause {
        pid_t pid; /* 0: none */
        int ns;    /* the namespace; -1: each container has its own */
};

/** fg_pause_start() - returns when the process has given up everything */
int fg_pause_start(struct fg_pause *p, struct fg_error *err);
int fg_pause_main(int argc, char **argv);
