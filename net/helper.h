/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"

/*
 * Programs beside the VPC that become daemons and outlive fgd, as tasks do. One is known again by
 * its pid file, which its command line names too, and by the namespace it is in.
 */
struct fg_helper {
        const char *program;  /* as in argv[0] */
        const char *package;  /* of Debian */
        const char *pid_file; /* one of its arguments ends with it */
        int ns;               /* the network namespace it lives in; -1: the caller's */
        uint64_t caps;        /* capabilities (bits) that an ordinary user's has nevertheless */
};

/** fg_helper_start() - have it run with just these arguments; one that has others is ended. */
int fg_helper_start(const struct fg_helper *h, char *const argv[], struct fg_error *err);
/** fg_helper_find() - Return: a pidfd of the one that runs, for the caller to close, or -1. */
int fg_helper_find(const struct fg_helper *h);
void fg_helper_stop(const struct fg_helper *h);
