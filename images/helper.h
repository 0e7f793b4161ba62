/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/* The programs that open strangers' archives are children of fgd; this is how they are run. */
struct fg_helper {
        const char *program;     /* path; see fg_helper_path() */
        const char *const *argv; /* argv[0] too; NULL-terminated */
        int in, out;             /* its stdin and stdout; it gets no other descriptor */
        unsigned seconds;        /* it is killed after so long */
        int cancel;              /* descriptor; it is killed when this becomes readable; -1: none */
};

/* What a helper's exit status says; any other is INTERNAL. */
enum fg_helper_status {
        FG_HELPER_WRONG = 1, /* what it read is wrong */
        FG_HELPER_FULL = 75, /* no room for what it writes: the status of CAPACITY */
};

/**
 * fg_helper_run() - run one to its end. Blocks; any thread.
 * Return: 0, or -1 with the first line that it wrote to stderr: INVALID after a signal or
 *         FG_HELPER_WRONG, CAPACITY after FG_HELPER_FULL, INTERNAL after any other; TIMEOUT;
 *         CONFLICT when cancelled
 */
int fg_helper_run(const struct fg_helper *h, struct fg_error *err);
/** fg_helper_path() - $@variable, or @name in the build tree of this program, or in libexec. The
 * caller frees. */
char *fg_helper_path(const char *name, const char *variable);
