/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/error.h"

/* The kernel's news of devices. What they say does not matter: after each one looks again. */

/** fg_uevents_open() - Return: a descriptor for the caller to close, or -1 */
int fg_uevents_open(struct fg_error *err);
void fg_uevents_drain(int fd);
