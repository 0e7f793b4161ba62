/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

/*
 * How much room a sandbox takes, watched from outside of it: a limit on the size of a file
 * (RLIMIT_FSIZE) says nothing of how many there are. What counts is how much fuller the file system
 * became, whoever filled it: to ask costs microseconds however many files there are, and when it is
 * somebody else who writes so much meanwhile, the image is prepared another time.
 */

/**
 * fg_sandbox_watch() - wait for a process that writes to the file system of @work
 * It is killed when that is fuller by @bytes, or nearly full: of room and of inodes, one in 32
 * stays free, of room not more than 1 GiB.
 * Return: its status (128+n after a signal), or -1: CAPACITY says why it was killed
 */
int fg_sandbox_watch(pid_t pid, int work, uint64_t bytes, struct fg_error *err);
