/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * CloudWatch Logs' filter patterns: terms (word, "a phrase", ?either ?or, -not), a regular
 * expression (%...%) and JSON ({ $.a.b = "x" && $.n > 5 }). What matches is in docs/logs.md.
 */
struct fg_filter;

#define FG_FILTER_MAX 1024 /* bytes of a pattern */

/** fg_filter_parse() - NULL: INVALID says what is wrong, and where. */
struct fg_filter *fg_filter_parse(const char *pattern, struct fg_error *err);
void fg_filter_free(struct fg_filter *f);
FG_DEFINE_CLEANUP(struct fg_filter *, fg_filter_free)
bool fg_filter_matches(const struct fg_filter *f, const char *message, size_t len);
