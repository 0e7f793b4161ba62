/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/buf.h"
#include "core/error.h"

/* Reading the kernel's small texts; shared by stats.c and stats_json.c. */
#define FG_STATS_TEXT_MAX 65536

/** fg_stats_read() - a file that has something in it; @b is cleared first */
int fg_stats_read(struct fg_buf *b, const char *dir, const char *name, struct fg_error *err);
/** fg_stats_number() - a file with one number; @fallback when there is none */
uint64_t fg_stats_number(const char *dir, const char *name, uint64_t fallback);
/** fg_stats_key() - of lines "key number"; 0 when it is not among them */
uint64_t fg_stats_key(const char *text, const char *key);
