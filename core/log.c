/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

static enum fg_log_level log_max = FG_LOG_INFO;
static bool log_journal; /* the journal adds time and wants "<6>" prefixes */

void fg_log_init(enum fg_log_level max)
{
        log_max = max;
        log_journal = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum fg_log_level level)
{
        switch (level) {
        case FG_LOG_ERROR:
                return "error";
        case FG_LOG_WARN:
                return "warn";
        case FG_LOG_INFO:
                return "info";
        default:
                return "debug";
        }
}

/* One line is one write, so that lines of threads never mix; control characters cannot forge lines.
 */
void fg_log(enum fg_log_level level, const char *fmt, ...)
{
        char line[2048], stamp[FG_RFC3339_MAX];
        size_t prefix, len;
        va_list ap;

        if (level > log_max)
                return;
        if (log_journal) {
                (void)snprintf(line, sizeof(line), "<%d>", (int)level);
        } else {
                fg_rfc3339(fg_now_ns(), stamp);
                (void)snprintf(line, sizeof(line), "%s %s ", stamp, level_name(level));
        }
        prefix = strlen(line);
        va_start(ap, fmt);
        (void)vsnprintf(line + prefix, sizeof(line) - prefix - 1, fmt, ap);
        va_end(ap);
        len = strlen(line);
        for (size_t i = prefix; i < len; i++)
                if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
                        line[i] = ' ';
        line[len++] = '\n';
        if (write(STDERR_FILENO, line, len) < 0)
                return; /* nowhere left to complain */
}
