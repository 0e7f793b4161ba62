/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

#include "core/cleanup.h"
#include "core/error.h"

#define FG_CONSOLE_TAIL 4096

/*
 * Reads a guest's serial console, so that the guest never waits for it, and keeps the last bytes.
 * Printable ASCII and newlines only: the text ends up in logs and on terminals.
 */
struct fg_console;

/** fg_console_new() - connect to QEMU's console socket at @path. Loop only. */
int fg_console_new(sd_event *event, const char *path, struct fg_console **ret,
                   struct fg_error *err);
void fg_console_free(struct fg_console *console);
FG_DEFINE_CLEANUP(struct fg_console *, fg_console_free)
/** fg_console_drain() - read what a VM that has ended left in the socket. */
void fg_console_drain(struct fg_console *console);
/** fg_console_tail() - at most FG_CONSOLE_TAIL bytes; borrowed until the loop runs again. */
const char *fg_console_tail(const struct fg_console *console);
