/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "core/error.h"

struct json_object;

/* The device nodes of a container: bound one by one from the guest's /dev, as no other file
 * system in a container may hold a device that works. */
extern const char *const fg_device_nodes[];
extern const size_t fg_device_node_count;

/** fg_devices_mount() - /dev, /dev/pts, /dev/shm and /dev/mqueue, still without nodes */
int fg_devices_mount(struct json_object *container, struct fg_error *err);
/** fg_devices_link() - /dev/fd, /dev/stdin, ... */
int fg_devices_link(struct fg_error *err);
