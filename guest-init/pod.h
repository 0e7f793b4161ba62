/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"

/*
 * The same program as PID 1 of a container on the host, in place of a guest of its own: an OCI
 * runtime has made the namespaces, the root and the mounts (vmm/pod_spec.c), and the host's clock
 * and random numbers are used. The channel is a socket that listens.
 */
#define FG_POD_NAME    "fgrun-pod" /* argv[0] says so; argv[1] is the name of the cgroup */
#define FG_POD_CHANNEL 3           /* the descriptor that listens */

extern bool fg_pod;

/** fg_pod_init() - own cgroup and its namespace, so that FG_CGROUP_ROOT is what it is in a guest */
int fg_pod_init(const char *cgroup, struct fg_error *err);
