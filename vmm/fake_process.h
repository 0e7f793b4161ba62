/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "core/error.h"

/*
 * The processes that play VMs: "<program> <channel socket> <scratch>". The program listens on the
 * channel, writes its pid to FG_FAKE_PID beside it, says so by a line on stdout, and unlinks the
 * channel when it halts by itself. Its stderr is the console. It outlives whoever started it.
 */
#define FG_FAKE_PID     "pid"
#define FG_FAKE_CONSOLE "console.log"

/** fg_fake_process_start() - start and wait until it listens; 0 or -1. Blocks. */
int fg_fake_process_start(const char *program, const char *run_dir, const char *id,
                          const char *scratch, struct fg_error *err);
/** fg_fake_process_open() - pidfd of the running VM @id, or -1 when there is none. */
int fg_fake_process_open(const char *run_dir, const char *id, pid_t *ret_pid);
/** fg_fake_process_kill() - SIGKILL, and wait for the end; no process is success. Blocks. */
int fg_fake_process_kill(const char *run_dir, const char *id, struct fg_error *err);
/** fg_fake_process_reap() - collect it if it is a child of ours. */
void fg_fake_process_reap(int pidfd);
