/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Numbers and times as people write and read them. Results are in @ret, FG_HUMAN_MAX bytes. */
#define FG_HUMAN_MAX 48

void fg_human_ago(uint64_t then_ns, uint64_t now_ns, char *ret); /* "3 minutes ago" */
void fg_human_duration(uint64_t seconds, char *ret);             /* "1h 2m 3s" */
void fg_human_size(uint64_t bytes, char *ret);                   /* "1.2 MB", powers of 1000 */

/** fg_human_parse_duration() - "2h30m" in seconds; false when the text is not of that form */
bool fg_human_parse_duration(const char *text, uint64_t *ret_seconds);

/**
 * fg_human_time() - a moment given on the command line, ns since the epoch
 * @text: a duration before @now_ns ("90s", "10m", "2h30m", "7d"), a date, an RFC 3339 time, or
 *        epoch seconds
 * Return: 0, or -1: INVALID.
 */
int fg_human_time(const char *text, uint64_t now_ns, uint64_t *ret_ns, struct fg_error *err);
