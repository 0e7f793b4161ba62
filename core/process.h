/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"
#include "core/error.h"

/**
 * fg_spawn() - run a program to its end, without a shell
 * @argv:   argv[0] is looked up in PATH; NULL-terminated
 * @output: its stdout and stderr together are appended (capped), or NULL for /dev/null
 * Return: exit status (128+n for a signal), or -1 when it could not be started.
 * Thread: lanes only (blocks). All other descriptors are closed in the child.
 */
int fg_spawn(const char *const argv[], struct fg_buf *output, struct fg_error *err);
