/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/daemon.h"

/* What has to happen now and then: the sign of life, old tasks, leaving when there is no work. */
int fg_housekeeping_start(struct fg_daemon *d, struct fg_error *err);
void fg_housekeeping_stop(struct fg_daemon *d);
