/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/**
 * fg_terminal_open() - pseudoTerminal: a terminal of the container's own /dev/pts
 * It becomes the controlling terminal and stdin, stdout and stderr of this process, a session's
 * leader, and is /dev/console.
 * Return: the terminal's other end, for whoever reads the output; or -1.
 */
int fg_terminal_open(struct fg_error *err);
