/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define FG_CGROUP_ROOT "/sys/fs/cgroup"

/**
 * fg_cgroup_remove() - the empty cgroups of a VM that libvirt has lost sight of
 * @root: FG_CGROUP_ROOT
 *
 * libvirt removes the cgroups it made itself, but not those of a VM that it took up again, or
 * whose start failed.
 */
void fg_cgroup_remove(const char *root, const char *id);
