/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/taskdef.h"
#include "core/error.h"

/* The options of log driver awslogs, and how a container's output becomes events. */
#define FG_AWSLOGS_BUFFER     (UINT64_C(10) << 20) /* max-buffer-size when absent */
#define FG_AWSLOGS_BUFFER_MIN (UINT64_C(64) << 10)
#define FG_AWSLOGS_BUFFER_MAX (UINT64_C(64) << 20)

struct fg_awslogs { /* strings are those of the log configuration */
        const char *group, *region, *stream_prefix;
        const char *datetime_format, *multiline_pattern; /* one at most */
        bool create_group;
        bool non_blocking;
        uint64_t buffer_bytes; /* of non-blocking output */
};

/** fg_awslogs_get() - false: the driver is another one. The options are valid (taskdef_log.c). */
bool fg_awslogs_get(const struct fg_log_configuration *log, struct fg_awslogs *ret);
/** fg_awslogs_size() - "25m" and the like; -1: INVALID. */
int fg_awslogs_size(const char *text, uint64_t *ret, struct fg_error *err);
/** fg_awslogs_check() - one option's value. -1: INVALID says what is wrong with it. */
int fg_awslogs_check(const char *name, const char *value, struct fg_error *err);

/* Names as CloudWatch Logs has them; -1: INVALID with AWS's text. */
#define FG_LOG_NAME_MAX 512
int fg_log_group_name_check(const char *name, struct fg_error *err);
int fg_log_stream_name_check(const char *name, struct fg_error *err);
