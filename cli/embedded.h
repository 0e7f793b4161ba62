/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"

struct fg_cli;

/**
 * fg_embedded_start() - start an fgd for this user and wait until it is ready
 * @socket: where it will answer (the run directory's)
 *
 * It runs in its own session, writes to fgd.log in the state directory, and exits when it has been
 * idle for a while (FGRUN_IDLE_EXIT seconds). Of several fgruns at once one starts it; the others
 * wait for that and connect.
 * Return: 0, or -1: UPSTREAM with what fgd said, or that the place of another fgd is not taken.
 */
int fg_embedded_start(struct fg_cli *cli, const char *socket, struct fg_error *err);
/** fg_embedded_may_start() - unless a service, or one started by hand, left the socket in a crash.
 */
bool fg_embedded_may_start(const char *socket);
