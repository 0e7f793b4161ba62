/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/cleanup.h"
#include "core/error.h"

/*
 * A regular expression from outside, looked for in lines from outside. PCRE2, because it can be
 * told how much work a match may be (regcomp(3) cannot) and reads what people have written for
 * Go's syntax on AWS. A match that would take more is none. Used by one thread at a time.
 */
struct fg_pattern;

#define FG_PATTERN_MAX     1024 /* bytes of an expression */
#define FG_PATTERN_SUBJECT 1024 /* bytes of a line that are looked at */

/** fg_pattern_new() - NULL: INVALID says where the expression is wrong. */
struct fg_pattern *fg_pattern_new(const char *expression, struct fg_error *err);
/**
 * fg_pattern_datetime() - the pattern of awslogs-datetime-format
 * @format: strftime's, with %L for milliseconds; NULL: INVALID, a conversion that is not known
 */
struct fg_pattern *fg_pattern_datetime(const char *format, struct fg_error *err);
void fg_pattern_free(struct fg_pattern *p);
FG_DEFINE_CLEANUP(struct fg_pattern *, fg_pattern_free)
/** fg_pattern_matches() - is it anywhere in the line's first FG_PATTERN_SUBJECT bytes? */
bool fg_pattern_matches(const struct fg_pattern *p, const char *line, size_t len);
