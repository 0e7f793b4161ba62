/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/daemon.h"
#include "api/engine.h"
#include "api/taskdef.h"

/* fgrun.isolation: "microvm", or "container" for an ordinary container of the host. */

/** isolation_container() - is the task to be one? */
bool isolation_container(const struct fg_taskdef *def);
/** isolation_check() - INVALID names the setting, or every field that a container does not honour
 */
int isolation_check(const struct fg_daemon *d, const struct fg_submission *s, struct fg_error *err);
