/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

struct json_object;

/**
 * fg_sysctl_apply() - write the systemControls of a container to its kernel
 * Those that are per namespace (IPC, UTS, network) are written to the namespaces of this process.
 * @spec: the container
 * Return: 0, or -1 with an error that names the control.
 */
int fg_sysctl_apply(struct json_object *spec, struct fg_error *err);
