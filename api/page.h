/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "core/error.h"
#include "core/id.h"

#define FG_PAGE_DEFAULT    100
#define FG_PAGE_MAX        1000
#define FG_PAGE_CURSOR_LEN (16 + FG_ID_LEN)

/*
 * A piece of a list of tasks, newest first: at most @limit of those that come after the place
 * (@ns, @id) in the order of creation. A place is a time and not a number of rows, so what is
 * created between two pages neither repeats nor skips a task.
 */
struct fg_page {
        unsigned limit;
        uint64_t ns; /* at most INT64_MAX */
        char id[FG_ID_LEN + 1];
};

/**
 * fg_page_parse() - from the texts of a query
 * @limit: NULL: FG_PAGE_DEFAULT
 * @next:  a cursor; NULL: from the beginning
 * Errors: INVALID.
 */
int fg_page_parse(const char *limit, const char *next, struct fg_page *ret, struct fg_error *err);
/** fg_page_cursor() - the place of a task, as clients carry it about */
void fg_page_cursor(uint64_t created_ns, const char *id, char ret[FG_PAGE_CURSOR_LEN + 1]);
