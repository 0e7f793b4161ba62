/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"

/**
 * fg_filter_load() - confine this process to Docker's default system calls
 * @caps: the container's capabilities; SYS_PTRACE allows some more
 * Needs CAP_SYS_ADMIN, since no_new_privs stays off for setuid programs.
 */
int fg_filter_load(uint64_t caps, struct fg_error *err);
