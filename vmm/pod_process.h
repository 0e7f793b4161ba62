/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "core/error.h"
#include "vmm/vmm.h"

/*
 * Pods, by the OCI runtime: all of one lies in <run_dir>/<id>, which is made before anything else
 * and goes last, so that what is there to be removed is known by it. The directory is locked while
 * the runtime works, also when whoever started it has died meanwhile.
 */
#define FG_POD_RUNTIME "runc"
#define FG_POD_CONSOLE "console.log"

/** fg_pod_start() - blocks until PID 1 of the pod runs; -1: what was made waits for fg_pod_remove()
 */
int fg_pod_start(const char *run_dir, const char *init, const struct fg_vm_spec *spec,
                 struct fg_error *err);
/** fg_pod_open() - pidfd of PID 1 of the pod, or -1 when it does not run. */
int fg_pod_open(const char *run_dir, const char *id, pid_t *ret_pid);
/** fg_pod_remove() - end it and remove all of it; nothing there is success. Blocks. */
int fg_pod_remove(const char *run_dir, const char *id, struct fg_error *err);
