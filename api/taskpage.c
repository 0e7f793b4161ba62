/* SPDX-License-Identifier: Apache-2.0 */
#include "api/taskpage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

#define NS_DIGITS 16

static int parse_limit(const char *text, unsigned *ret, struct fg_error *err)
{
        uint64_t n;

        if (!fg_parse_u64(text, &n) || n < 1 || n > FG_TASKPAGE_MAX)
                return fg_fail(err, FG_ERR_INVALID,
                               "limit = \"%s\": expected a whole number from 1 to %d", text,
                               FG_TASKPAGE_MAX);
        *ret = (unsigned)n;
        return 0;
}

static int parse_cursor(const char *text, struct fg_taskpage *ret, struct fg_error *err)
{
        char ns[NS_DIGITS + 1];

        if (strlen(text) != FG_TASKPAGE_CURSOR_LEN ||
            strspn(text, "0123456789abcdef") != FG_TASKPAGE_CURSOR_LEN || text[0] > '7')
                return fg_fail(err, FG_ERR_INVALID,
                               "next = \"%s\": expected the \"next\" of an earlier answer", text);
        (void)snprintf(ns, sizeof(ns), "%.*s", NS_DIGITS, text);
        ret->ns = strtoull(ns, NULL, 16);
        (void)snprintf(ret->id, sizeof(ret->id), "%s", text + NS_DIGITS);
        return 0;
}

int fg_taskpage_parse(const char *limit, const char *next, struct fg_taskpage *ret,
                      struct fg_error *err)
{
        *ret = (struct fg_taskpage){ .limit = FG_TASKPAGE_DEFAULT, .ns = INT64_MAX };
        if (limit && parse_limit(limit, &ret->limit, err) < 0)
                return -1;
        return next ? parse_cursor(next, ret, err) : 0;
}

void fg_taskpage_cursor(uint64_t created_ns, const char *id, char ret[FG_TASKPAGE_CURSOR_LEN + 1])
{
        (void)snprintf(ret, FG_TASKPAGE_CURSOR_LEN + 1, "%016" PRIx64 "%s", created_ns, id);
}
