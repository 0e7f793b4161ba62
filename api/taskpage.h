/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"
#include "core/id.h"

#define FG_TASKPAGE_DEFAULT    100
#define FG_TASKPAGE_MAX        1000
#define FG_TASKPAGE_CURSOR_LEN (16 + FG_ID_LEN)

/*
 * A piece of a list of tasks, newest first: at most @limit of those that come after the place
 * (@ns, @id) in the order of creation. A place is a time and not a number of rows, so what is
 * created between two pages neither repeats nor skips a task.
 */
struct fg_taskpage {
        unsigned limit;
        uint64_t ns; /* at most INT64_MAX */
        char id[FG_ID_LEN + 1];
};

/**
 * fg_taskpage_parse() - from the texts of a query
 * @limit: NULL: FG_TASKPAGE_DEFAULT
 * @next:  a cursor; NULL: from the beginning
 * Errors: INVALID.
 */
int fg_taskpage_parse(const char *limit, const char *next, struct fg_taskpage *ret,
                      struct fg_error *err);
/** fg_taskpage_cursor() - the place of a task, as clients carry it about */
void fg_taskpage_cursor(uint64_t created_ns, const char *id, char ret[FG_TASKPAGE_CURSOR_LEN + 1]);
