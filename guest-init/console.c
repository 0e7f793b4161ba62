/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-init/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void fg_console(const char *fmt, ...)
{
        va_list args;
        char line[1280];

        va_start(args, fmt);
        (void)vsnprintf(line, sizeof(line), fmt, args);
        va_end(args);
        (void)dprintf(STDERR_FILENO, "fgrun-init: %s\n", line);
}
