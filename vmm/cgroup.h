/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "core/error.h"

#define FG_CGROUP_ROOT "/sys/fs/cgroup"

/**
 * fg_cgroup_remove() - the empty cgroups of a VM that libvirt has lost sight of
 * @root: FG_CGROUP_ROOT
 *
 * libvirt removes the cgroups it made itself, but not those of a VM that it took up again, or
 * whose start failed.
 */
void fg_cgroup_remove(const char *root, const char *id);

/**
 * fg_cgroup_for_pods() - INVALID says what of the cgroups at @root is missing for pods
 * @by_systemd: it makes them; else the controllers are handed on from @root here
 */
int fg_cgroup_for_pods(const char *root, bool by_systemd, struct fg_error *err);

/**
 * fg_cgroup_by_systemd() - is a pod's cgroup a scope of systemd's?
 * It is where systemd has the whole hierarchy, cgroup v2 alone. A cgroup within that of fgd's own
 * unit would not do, though it is delegated: with a limited child it takes no process any more, so
 * systemd could not start fgd again while a pod runs.
 */
bool fg_cgroup_by_systemd(void);
/** fg_cgroup_of_pod() - its path below the root of each hierarchy that it is in; heap */
char *fg_cgroup_of_pod(const char *id, bool by_systemd);
/** fg_cgroup_remove_pod() - those of a pod that has ended, whoever made them */
int fg_cgroup_remove_pod(const char *root, const char *id, struct fg_error *err);

#define FG_CGROUP_POD_SLICE  "fgrun.slice"
#define FG_CGROUP_POD_PREFIX "fgrun-" /* and the id */
